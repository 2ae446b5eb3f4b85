"""Replaces: which dialog a new one is to take the place of (RFC 3891).

Rule 1: a dialog is found for its own trunk only; for anybody else it does not exist.
Rule 2: only a trunk that may transfer (`refer`) may ask for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from b2bua.sip.leg.leg_state import State
from b2bua.sip.message.name_addr import parameters

if TYPE_CHECKING:
    from b2bua.sip.context import Ground
    from b2bua.sip.leg.leg_base import Leg
    from b2bua.sip.message.message import Request
    from b2bua.sip.trunk.peers import Peer


@dataclass(frozen=True, slots=True)
class Replaces:
    """One value. The tags are as the receiver of the header has them: `to_tag` is ours, `from_tag`
    the peer's."""

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


class ReplacesRefusedError(Exception):
    """An INVITE that may not have the place it asks for. `code`: what it is answered with (RFC 3891
    section 3)."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def asked(ground: Ground, peer: Peer, request: Request) -> Leg | None:
    """The leg whose place an INVITE wants; None where it wants nobody's. Raises
    ReplacesRefusedError."""
    values = request.headers.getlist("Replaces")
    if not values:
        return None
    if not peer.trunk.refer:
        raise ReplacesRefusedError(403)
    try:
        [value] = values
        wanted = Replaces.parse(value)
    except ValueError:
        raise ReplacesRefusedError(400) from None
    leg = named(ground, peer, wanted)
    if leg is None:
        raise ReplacesRefusedError(481)
    if leg.state is not State.UP or wanted.early_only:
        raise ReplacesRefusedError(486)
    return leg
