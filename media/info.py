"""The key in the body of a SIP INFO: `application/dtmf-relay` and `application/dtmf`, as carriers send them.

No RFC says what these bodies are: this is what Cisco's gateways send (`Signal=5`, `Duration=160`, a line each), and the bare
key of others. The reference of `media/_info.c`, which the media process uses: it writes the key where it is told to.

Rule 1: one body, one key. A flash of the hook is none. What is not understood is malformed: it may have been a key.
"""

from __future__ import annotations

import re

LONGEST = 256  # octets of a body that is looked into
NO_KEY = -1
MALFORMED = -2
_KEYS = b"0123456789*#ABCD"
_SIGNAL = re.compile(rb"(?i)signal[ \t]*[=:](.*)", re.DOTALL)
_FLASH = (b"16", b"!")


def key(body: bytes) -> int:
    """The code of the key as RFC 4733 has it (0 to 15), NO_KEY, or MALFORMED."""
    if len(body) > LONGEST:
        return MALFORMED
    lines = [line.strip(b" \t") for line in re.split(rb"[\r\n]", body)]
    lines = [line for line in lines if line]
    found = next((signal[1] for line in lines if (signal := _SIGNAL.match(line))), None)
    if found is None:
        return _code(lines[0]) if len(lines) == 1 else MALFORMED
    return _code(found.strip(b" \t"))


def _code(value: bytes) -> int:
    if value in _FLASH:
        return NO_KEY
    if len(value) == 2 and b"10" <= value <= b"15":
        return int(value)
    return _KEYS.find(value.upper()) if len(value) == 1 and value.upper() in _KEYS else MALFORMED
