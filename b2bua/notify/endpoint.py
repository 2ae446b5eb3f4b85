"""Defines a service to which events are sent, under its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from b2bua.notify.message import Message


class Service(Protocol):
    """Where events are sent to, as Sender is. `host`: where that is; `public_key`: by which it
    verifies what it gets."""

    @property
    def host(self) -> str: ...

    @property
    def public_key(self) -> str: ...

    async def send(self, message: Message, now: float) -> str:
        """Send it once. Empty where it was accepted, else a word that says why not."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A service under its name. `kinds`: the events that it gets."""

    name: str
    service: Service
    kinds: frozenset[str]
