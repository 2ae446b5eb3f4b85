"""The schema of calls that are kept: the number of the shapes of their types.

Rule 1: a shape that changes after a release has a new number, and the file of the number before
        stays (`python -m tests.architecture.kept_shapes`): the next version reads both.
Rule 2: an upgrade to a version that does not read the schema in use is refused before anything has
        changed.
"""

from __future__ import annotations

from typing import Final

SCHEMA: Final = 1
"""Of what this version writes."""
RELEASED: Final = 0
"""The last that a release had, whose shapes do not change any more; 0: there was no release."""
READS: Final = (SCHEMA,)
"""Those that this version reads: its own, and that of the release before."""
