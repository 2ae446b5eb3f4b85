"""Replaces: the dialog that a new one takes the place of (RFC 3891).

Rule 1: a dialog is found for its own trunk only; for anybody else it does not exist.
Rule 2: only a trunk that may transfer (`refer`) may ask for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from b2bua.sip.leg.dialog import DialogKey
from b2bua.sip.leg.leg_protocol import AnyLeg
from b2bua.sip.leg.leg_state import LegState
from b2bua.sip.message.message import Request
from b2bua.sip.message.name_addr import parse_parameters
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
        of = parse_parameters(rest)
        call_id = call_id.strip()
        if not call_id or " " in call_id or "," in value or not of.get("to-tag") or not of.get("from-tag"):
            raise ValueError("Replaces")
        return cls(call_id, of["to-tag"], of["from-tag"], "early-only" in of)

    @property
    def dialog(self) -> DialogKey:
        """The key of the dialog to be replaced."""
        return self.call_id, self.to_tag, self.from_tag


class ReplacesRefusedError(Exception):
    """An INVITE that may not have the place it asks for. `code`: what it is answered with (RFC 3891
    section 3)."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def find_replaced(dialogs: Mapping[DialogKey, AnyLeg], peer: Peer, request: Request) -> AnyLeg | None:
    """Find the leg that an INVITE is to replace; None where it has no Replaces.

    Raises ReplacesRefusedError.
    """
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
    leg = dialogs.get(wanted.dialog)
    if leg is None or leg.peer is not peer:
        raise ReplacesRefusedError(481)
    if leg.state is not LegState.UP or wanted.early_only:
        raise ReplacesRefusedError(486)
    return leg
