"""Leg context: the engine context, and the registry of legs by id, by dialog and by INVITE sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic

from b2bua.call.leg import LegEvent, LegId
from b2bua.sip.context import EngineContext
from b2bua.sip.leg.dialog import DialogKey
from b2bua.sip.leg.late_prack import LatePracks
from b2bua.sip.leg.leg_protocol import AnyLeg


@dataclass(slots=True)
class LegContext(EngineContext, Generic[AnyLeg]):
    """One per engine. `outgoing`: by Call-ID and From tag, to recognize our own INVITE in a
    loop; `changed`: called with a leg that has moved without an event of it."""

    emit: Callable[[LegId, LegEvent], None]
    legs: dict[LegId, AnyLeg] = field(default_factory=dict)
    dialogs: dict[DialogKey, AnyLeg] = field(default_factory=dict)
    outgoing: dict[tuple[str, str], AnyLeg] = field(default_factory=dict)
    late_pracks: LatePracks = field(default_factory=LatePracks)
    changed: Callable[[LegId], None] = lambda _: None
