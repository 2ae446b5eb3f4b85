"""Replaces: which dialog a new one is to take the place of (RFC 3891).

Rule 1: a dialog is found for its own trunk only; for anybody else it does not exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from b2bua.sip.message import parameters

if TYPE_CHECKING:
    from b2bua.sip.leg_base import Ground, Leg
    from b2bua.sip.trunk import Peer


@dataclass(frozen=True, slots=True)
class Replaces:
    """One value. The tags are as the receiver of the header has them: `to_tag` is ours, `from_tag` the peer's."""

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False

    @classmethod
    def parse(cls, value: str) -> Self:
        """Raises ValueError."""
        call_id, _, rest = value.partition(";")
        of = parameters(rest)
        call_id = call_id.strip()
        if not call_id or " " in call_id or "," in value or not of.get("to-tag") or not of.get("from-tag"):
            raise ValueError("Replaces")
        return cls(call_id, of["to-tag"], of["from-tag"], "early-only" in of)


def named(ground: Ground, peer: Peer, wanted: Replaces) -> Leg | None:
    """The leg of that dialog, if it is one of this trunk's."""
    leg = ground.dialogs.get((wanted.call_id, wanted.to_tag, wanted.from_tag))
    return leg if leg is not None and leg.peer is peer else None
