"""The telephone of a call's agent: who has linked it to a page, and the newest code that it keyed.

Rule 1: another telephone in its place is linked to nobody.
Rule 2: no code is kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from b2bua.call.feature_codes import CodeView
from b2bua.call.order import Order


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """An agent's word that a call is theirs, by a short code that the telephone keyed. `order`:
    what was prepared for it; `allow_repeat`: although it was charged before, or may have been."""

    id: str
    agent: str
    order: Order | None = None
    allow_repeat: bool = False


@dataclass(slots=True)
class AgentPhone:
    """That of one call."""

    claim: Claim | None = None
    newest: CodeView | None = None
    _count: int = 0

    @property
    def linked(self) -> tuple[str, str]:
        """The name of the token whose page it is linked to, and the claim; empty: to none."""
        return (self.claim.agent, self.claim.id) if self.claim is not None else ("", "")

    def note_code(self, view: CodeView) -> None:
        """Take note of what became of a code."""
        self._count += 1
        self.newest = msgspec.structs.replace(view, count=self._count)

    def replaced(self) -> None:
        """Another telephone has taken its place."""
        self.claim = self.newest = None
