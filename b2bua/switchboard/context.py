"""Holds what Switchboard and Executor share: the calls, and everything that they are connected
to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from b2bua.call.charge_defaults import ChargeDefaults
from b2bua.call.command import CallCommand, StartPayment, SubmitPayment
from b2bua.call.pseudonyms import Pseudonyms
from b2bua.call.routing.limits import Limiter
from b2bua.call.view import NotOffered
from b2bua.ladder.ladders import Ladders
from b2bua.switchboard.entry import Entry
from b2bua.switchboard.interfaces import Engine, Media, Reconciler
from b2bua.switchboard.mask_audit import MaskAudit
from b2bua.switchboard.payments import Payments
from b2bua.switchboard.registry import Registry
from b2bua.switchboard.run_queue import RunQueue
from b2bua.switchboard.view_feed import Feed
from media.events import CaptureForm


def _nobody(entry: Entry, request: StartPayment | SubmitPayment) -> None:
    """Before the desk is connected nothing is asked for."""
    raise AssertionError(f"{type(request).__name__} of {entry.call.id}")


@dataclass(slots=True)
class SwitchboardContext:
    """The parts of one switchboard. `clock` gives seconds since the epoch and never runs backwards;
    `engine`, `media` and `reconciler` are None until they are connected. `on_feature_code` takes a
    code that a call's agent has keyed, `carry_out` what a form without an agent asks for;
    `pseudonyms`: what stands for customers' numbers. `keep` takes a call that has moved with the
    commands that it returned, before they are executed; `kept` once they are; `acknowledged` one
    whose ACK is about to move it; `forget` one that is over; `turn` says which call is about to
    move, or "" once it has."""

    clock: Callable[[], float]
    limiter: Limiter
    ladders: Ladders
    registry: Registry
    feed: Feed
    payments: Payments
    run_queue: RunQueue
    agent_charging: Mapping[str, ChargeDefaults] = field(default_factory=dict)
    forms: Mapping[str, CaptureForm] = field(default_factory=dict)
    pseudonyms: Pseudonyms = field(default_factory=Pseudonyms)
    mask_audit: MaskAudit = field(default_factory=lambda: MaskAudit(None))
    engine: Engine | None = None
    media: Media | None = None
    reconciler: Reconciler | None = None
    on_feature_code: Callable[[Entry, str], None] = lambda _entry, _code: None
    keep: Callable[[Entry, Sequence[CallCommand]], None] = lambda _entry, _commands: None
    kept: Callable[[Entry], None] = lambda _entry: None
    acknowledged: Callable[[Entry], None] = lambda _entry: None
    forget: Callable[[str], None] = lambda _call: None
    turn: Callable[[str], None] = lambda _call: None
    carry_out: Callable[[Entry, StartPayment | SubmitPayment], None] = _nobody

    def charging_of(self, agent: str) -> ChargeDefaults:
        """What the agent's group says of charges; nothing where the agent is in none."""
        return self.agent_charging.get(agent, ChargeDefaults())

    def find_form(self, name: str) -> CaptureForm | None:
        """The form of that name; None where the order names none. Raises NotOffered."""
        if not name:
            return None
        if name not in self.forms:
            raise NotOffered("form", f"there is no such form; there are: {', '.join(self.forms)}")
        return self.forms[name]

    @property
    def has_media(self) -> bool:
        """Whether the media process is connected."""
        return self.media is not None and self.media.connected
