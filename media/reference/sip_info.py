"""The key in the body of a SIP INFO: `application/dtmf-relay` and `application/dtmf`, as carriers
send them.

No RFC says what these bodies are: this is what Cisco's gateways send (`Signal=5`, `Duration=160`, a
line each), and the bare key of others. The reference of `media/core/dtmf/sip_info.c`, which the
media process uses: it writes the key to a place that it is given.

Rule 1: one body, one key. A flash of the hook is none. What is not understood is malformed: it may
        have been a key.
"""

from __future__ import annotations

import re

MAX_BODY = 256  # octets of a body that is looked into
NO_KEY = -1
MALFORMED = -2
# A key is held; USUAL_MS where a body does not say so.
MIN_MS, USUAL_MS, MAX_MS = 40, 160, 5000
_KEYS = b"0123456789*#ABCD"
_SIGNAL = re.compile(rb"(?i)signal[ \t]*[=:](.*)", re.DOTALL)
_DURATION = re.compile(rb"(?i)duration[ \t]*[=:](.*)", re.DOTALL)
_MILLISECONDS = re.compile(rb"[0-9]{1,6}")
_FLASH = (b"16", b"!")


def parse_key(body: bytes) -> int:
    """The code of the key as RFC 4733 has it (0 to 15), NO_KEY, or MALFORMED."""
    if len(body) > MAX_BODY:
        return MALFORMED
    lines = _lines(body)
    found = next((signal[1] for line in lines if (signal := _SIGNAL.match(line))), None)
    if found is None:
        return _code(lines[0]) if len(lines) == 1 else MALFORMED
    return _code(found.strip(b" \t"))


def duration(body: bytes) -> int:
    """How long the key was held, in ms."""
    found = next((match[1] for line in _lines(body) if (match := _DURATION.match(line))), b"").strip(b" \t")
    return min(max(int(found), MIN_MS), MAX_MS) if _MILLISECONDS.fullmatch(found) else USUAL_MS


def _lines(body: bytes) -> list[bytes]:
    """Those that are not empty."""
    lines = [line.strip(b" \t") for line in re.split(rb"[\r\n]", body)]
    return [line for line in lines if line]


def _code(value: bytes) -> int:
    if value in _FLASH:
        return NO_KEY
    if len(value) == 2 and b"10" <= value <= b"15":
        return int(value)
    return _KEYS.find(value.upper()) if len(value) == 1 and value.upper() in _KEYS else MALFORMED
