"""Header fields of a message: split into names and values once, the values unparsed.

Rule 1: a name is found in whatever case or compact form it came (RFC 3261 section 7.3).
Rule 2: reading costs one look into a dictionary a field: this is the path of every message.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

KNOWN = (
    "Accept", "Accept-Encoding", "Accept-Language", "Alert-Info", "Allow", "Authentication-Info",
    "Authorization", "Call-Info", "Contact", "Content-Disposition", "Content-Encoding", "Content-Length",
    "Content-Type", "CSeq", "Date", "Diversion", "Error-Info", "Event", "Expires", "From", "History-Info",
    "Identity", "In-Reply-To", "Info-Package", "Max-Forwards", "MIME-Version", "Min-Expires", "Min-SE",
    "Organization", "P-Asserted-Identity", "P-Preferred-Identity", "Priority", "Privacy",
    "Proxy-Authenticate",
    "Proxy-Authorization", "Proxy-Require", "RAck", "Reason", "Record-Route", "Recv-Info", "Refer-Sub",
    "Refer-To", "Referred-By", "Replaces", "Reply-To", "Require", "Retry-After", "Route", "RSeq", "Server",
    "Session-Expires", "Subject", "Subscription-State", "Supported", "Timestamp", "To", "Unsupported",
    "User-Agent", "User-to-User", "Via", "Warning", "WWW-Authenticate", "Accept-Contact", "Allow-Events",
    "Call-ID", "Reject-Contact", "Request-Disposition",
)  # fmt: skip
# https://www.iana.org/assignments/sip-parameters/sip-parameters.xhtml#sip-parameters-2
_COMPACT = {
    "a": "Accept-Contact", "b": "Referred-By", "c": "Content-Type", "d": "Request-Disposition",
    "e": "Content-Encoding",
    "f": "From", "i": "Call-ID", "j": "Reject-Contact", "k": "Supported", "l": "Content-Length",
    "m": "Contact",
    "o": "Event", "r": "Refer-To", "s": "Subject", "t": "To", "u": "Allow-Events", "v": "Via",
    "x": "Session-Expires",
    "y": "Identity",
}  # fmt: skip
_LOWER = {name.lower(): name for name in KNOWN} | _COMPACT
_AS_IT_COMES = {name: name for name in KNOWN} | _LOWER  # the usual spellings, found without a call
_TOKEN = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+")


class Headers:
    """Values by name, in the order in which they came. Treat the lists as frozen."""

    __slots__ = ("_spelled", "_values")

    def __init__(self, lines: Iterable[str] = ()) -> None:
        """`lines`: `Name: value`, unfolded. Raises ValueError for one that is not."""
        self._values: dict[str, list[str]] = {}
        self._spelled: dict[str, str] = {}  # how names that we do not know were written
        values, usual = self._values, _AS_IT_COMES
        for line in lines:
            written, colon, value = line.partition(":")
            name = usual.get(written) or self._unusual(written)
            if not colon:
                raise ValueError("a header line without a colon")
            present = values.get(name)
            if present is None:
                values[name] = [value.strip()]
            else:
                present.append(value.strip())

    def _unusual(self, written: str) -> str:
        if _TOKEN.fullmatch(written) is None:
            raise ValueError("a header name that is no token")
        lower = written.lower()
        if lower in _LOWER:
            return _LOWER[lower]
        self._spelled.setdefault(lower, written)
        return lower

    def getlist(self, name: str) -> list[str]:
        """All values, one a line of the message; empty where there is none."""
        found = self._values.get(name)
        if found is None:
            lower = name.lower()
            found = self._values.get(_LOWER.get(lower, lower))
        return [] if found is None else found

    def one(self, name: str) -> str:
        """The value of a header that must be there once, by its name as RFCs write it. Raises
        ValueError."""
        values = self._values.get(name)
        if values is None or len(values) != 1:
            raise ValueError("a mandatory header is missing or repeated")
        return values[0]

    def get(self, name: str) -> str | None:
        """The first value."""
        values = self.getlist(name)
        return values[0] if values else None

    def keys(self) -> list[str]:
        """All names in their order: as RFCs write them, those that we do not know as they came."""
        return [self._spelled.get(name, name) for name in self._values]
