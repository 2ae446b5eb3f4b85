"""What an instance lets the others know, and what is known of the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

LEASE: Final = 5.0
"""Seconds that an instance counts after it was seen last."""
MAX_NAMES: Final = 1000
"""Instances that are known; of more, some."""
SCHEMA: Final = 1  # of `Presence`; one who reads another leaves it alone
_MAX_SIZE: Final = 65_536  # octets of a presence; more is none


class Presence(msgspec.Struct, frozen=True, kw_only=True):
    """One instance. `holder`: which process tree has its name, another after each start of it;
    `calls`: the legs on each trunk, by its name."""

    schema: int = SCHEMA
    name: str
    holder: str
    calls: Mapping[str, int]


_DECODER = msgspec.json.Decoder(Presence)


def encode_presence(presence: Presence) -> bytes:
    """As it goes to Redis."""
    return msgspec.json.encode(presence)


def decode_presence(text: bytes) -> Presence | None:
    """As it comes from there; None where it is none that we can read."""
    if len(text) > _MAX_SIZE:
        return None
    try:
        presence = _DECODER.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return presence if presence.schema == SCHEMA and min(presence.calls.values(), default=0) >= 0 else None


class Others:
    """The other instances as they were seen last. `name`: our own. Times in seconds, which never
    run backwards."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._seen: dict[str, tuple[float, Presence]] = {}

    def see(self, presence: Presence, now: float) -> None:
        """It is there, with these calls. Nothing changes where it is one more than `MAX_NAMES`."""
        if presence.name != self._name and (presence.name in self._seen or len(self._seen) < MAX_NAMES):
            self._seen[presence.name] = now, presence

    def forget(self, name: str) -> None:
        """It has ended."""
        self._seen.pop(name, None)

    def keep_only(self, names: Iterable[str]) -> None:
        """Forget all but these."""
        for gone in self._seen.keys() - set(names):
            del self._seen[gone]

    def calls(self, trunk: str, now: float) -> int:
        """How many legs they have on a trunk."""
        return sum(presence.calls.get(trunk, 0) for presence in self.alive(now))

    def alive(self, now: float) -> list[Presence]:
        """Those that were seen within `LEASE`."""
        return [presence for at, presence in self._seen.values() if now - at < LEASE]
