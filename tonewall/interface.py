"""The number of what processes of one Tonewall say to each other: b2bua, media, payers, decoders,
the reconciler and the supervisor, in messages, arguments, variables, descriptors, and the
recovery page of the streams.

While a Tonewall is upgraded, processes of two versions speak with each other.

Rule 1: what an older process would misread, or lacks, has another number. A field that is new, has
        a default, and may be ignored has not.
"""

from __future__ import annotations

from typing import Final

INTERFACE: Final = 1
