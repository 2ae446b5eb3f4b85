"""Replaces customers' numbers in what is kept by pseudonyms: the same for the same number, and
useless without the key.

Rule 1: a pseudonym is HMAC-SHA-256 (RFC 2104) of the number as numbers are compared, 80 bits of
        it, in letters alone: nobody takes it for a number.
Rule 2: of a call the customer's number is replaced, on the carrier's side; of what a prepared
        payment is found by, both numbers. What is a pseudonym stays as it is.
Rule 3: the newest key writes; the older ones are known for looking up.
Rule 4: who is on a leg at the moment, and what its headers say, is not kept, key or no key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from b2bua.call.plain_number import plain_number
from b2bua.call.routing.numbers import NumberPlan

_LETTERS: Final = bytes.maketrans(b"0123456789abcdef", b"bcdfghjkmnpqrstv")
_LENGTH: Final = 20  # letters, of four bits
_PSEUDONYM: Final = re.compile(r"p-[b-v]{20}")
_NOBODY: Final = frozenset({"", "anonymous", "restricted", "unavailable", "unknown"})
_KEY_BYTES: Final = 32
# Of a call's view; a record has others.
_LEGS: Final = ("customer_leg", "agent_leg")


def read_keys(lines: Iterable[str]) -> tuple[bytes, ...]:
    """The keys of a file, one a line in base64, the newest first. Raises ValueError, which quotes
    nothing of it."""
    keys = []
    for line in filter(None, map(str.strip, lines)):
        try:
            key = base64.b64decode(line, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("expected base64, one key a line") from None
        if len(key) < _KEY_BYTES:
            raise ValueError(f"expected keys of {_KEY_BYTES} bytes or more")
        keys.append(key)
    if not keys:
        raise ValueError("expected one key a line, the newest first; there is none")
    return tuple(keys)


class Pseudonyms:
    """The pseudonyms of these keys, the newest first; without a key every number stays. `plans`:
    how the carriers write numbers."""

    def __init__(self, keys: Sequence[bytes] = (), plans: Sequence[NumberPlan] = ()) -> None:
        self._keys, self._plans = tuple(keys), tuple(plans)

    def __bool__(self) -> bool:
        return bool(self._keys)

    def of(self, number: str) -> str:
        """What stands for a number. Nobody's number, a pseudonym and the empty text stay."""
        found = self.all_of(number)
        return found[0] if found else number

    def compared(self, number: str) -> str:
        """A number as it is compared with others: in full where a carrier's plan says how, the
        first that does."""
        for plan in self._plans:
            if (read := plan.read(number)).startswith("+"):
                return plain_number(read)
        return plain_number(number)

    def written(self, compared: str) -> set[str]:
        """The ways to write a number that is as `compared` gives it: that, and as each carrier
        writes it."""
        return {compared, *(plan.write(f"+{compared}").removeprefix("+") for plan in self._plans)}

    def all_of(self, number: str) -> tuple[str, ...]:
        """What stands, or stood, for a number: by each key, the newest first."""
        if number.lower() in _NOBODY or _PSEUDONYM.fullmatch(number):
            return ()
        plain = self.compared(number).encode("utf-8", "surrogatepass")
        return tuple(_pseudonym(key, plain) for key in self._keys)

    def with_pseudonyms(self, numbers: Sequence[str]) -> tuple[str, ...]:
        """Numbers, and behind them what may stand for each."""
        return (*numbers, *(name for each in numbers for name in self.all_of(each)))

    def of_call(self, direction: str, caller: str, callee: str) -> tuple[str, str]:
        """Caller and callee of a call, as they are kept. `direction`: as in CallRecord."""
        return (self.of(caller), callee) if direction == "inbound" else (caller, self.of(callee))

    def hide(self, encoded: bytes) -> bytes:
        """A view or record, in JSON, as it may be kept."""
        if not self._keys and _LEGS[0].encode() not in encoded:
            return encoded
        document = msgspec.json.decode(encoded)
        self._hide(document)
        return msgspec.json.encode(document)

    def _hide(self, document: dict[str, Any]) -> None:
        if "direction" in document:
            document["caller"], document["callee"] = self.of_call(
                document["direction"], document["caller"], document["callee"]
            )
        if _LEGS[0] in document:
            for leg in _LEGS:
                document[leg] |= {"number": "", "headers": {}}
        found_by = (document.get("prepared") or {}).get("find_by", {})
        for name in found_by.keys() & {"caller", "callee"}:
            found_by[name] = self.of(found_by[name])


def _pseudonym(key: bytes, number: bytes) -> str:
    digest = hmac.new(key, number, hashlib.sha256).hexdigest()[:_LENGTH]
    return f"p-{digest.encode().translate(_LETTERS).decode()}"
