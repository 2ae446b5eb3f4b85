"""The ladders of the calls that there are, and of those that ended last.

The SIP engine says which legs there are and what passes on them; the switchboard says which call a
leg is of and what happens to that call. Both speak of a leg by its id.

Rule 1: bounded: a leg is noted here only while a call has it, a call only while it lives or is one
        of the last that ended.
Rule 2: what is noted goes through the allow-list of `words`, `summary` and `record`; of a Call-ID
        the hash is kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from b2bua.call.leg import LegId
from b2bua.call.view import CallView, CaptureStage, CaptureView
from b2bua.ladder.record import MOST_LEGS, Ladder, Leg
from b2bua.ladder.summary import Summaries
from b2bua.ladder.view import LadderSummary, LadderView, NoSuchLadder, summary, view
from b2bua.ladder.words import DESCRIBING, METHODS, OTHER, What
from media.events import (
    AnyAnswer,
    AnyCommand,
    Done,
    OpenSession,
    Refused,
    SessionClosed,
    SessionOpened,
    SetMask,
    Side,
)
from provider_adapters.payment import outcome_type

_CSEQS: Final = 2**31  # RFC 3261 section 8.1.1.5; with ten digits none is a card's
_STAGES: Final = {
    CaptureStage.STARTING: What.CAPTURE_STARTING,
    CaptureStage.COLLECTING: What.CAPTURE_COLLECTING,
    CaptureStage.READY: What.CAPTURE_READY,
    CaptureStage.CHARGING: What.CAPTURE_CHARGING,
    CaptureStage.CANCELLED: What.CAPTURE_CANCELLED,
    CaptureStage.ABORTED: What.CAPTURE_ABORTED,
}
_OUTCOMES: Final = {
    "approved": What.CAPTURE_APPROVED,
    "partially_approved": What.CAPTURE_PARTIALLY_APPROVED,
    "declined": What.CAPTURE_DECLINED,
    "failed": What.CAPTURE_FAILED,
    "unknown": What.CAPTURE_UNKNOWN,
}


class Ladders:
    """One a process. `remembered`: how many ended calls are kept; 0: no ladder is kept at all."""

    def __init__(self, remembered: int = 0, clock: Callable[[], float] = float) -> None:
        """`clock` gives seconds since the epoch and never runs backwards."""
        self._remembered = remembered
        self._clock = clock
        self._summaries = Summaries()
        self._legs: dict[int, Leg] = {}  # by the hash of the Call-ID
        # The engine has not opened it yet, or no call has taken it yet.
        self._waiting: dict[LegId, Leg] = {}
        self._live: dict[str, Ladder] = {}
        self._ended: OrderedDict[str, Ladder] = OrderedDict()

    # --- from the SIP engine ----------------------------------------------------------------------

    def open(self, leg_id: LegId, call_id: str) -> None:
        """A leg begins, with this Call-ID."""
        if not self._remembered:
            return
        leg = self._waiting.pop(leg_id, None)
        if leg is None:  # the peer's INVITE; whose call it is will be said soon
            leg = Leg(Ladder(), 0, "", "", leg_id)
            leg.ladder.legs.append(leg)
            self._waiting[leg_id] = leg
        leg.key = hash(call_id)
        self._legs[leg.key] = leg

    def close(self, leg_id: LegId) -> None:
        """The leg is over. What still comes for it is noted, if a call has it."""
        leg = self._waiting.pop(leg_id, None)
        if leg is not None:
            self._drop(leg)

    def message(
        self,
        call_id: str,
        sent: bool,
        method: str,
        code: int,
        cseq: int,
        to: tuple[str, int, str],
        body: bytes,
    ) -> None:
        """A message passes. `code`: 0 for a request; `to`: host, port and transport of its other
        end."""
        leg = self._legs.get(hash(call_id))
        if leg is None:
            return
        if method not in METHODS:
            method = OTHER
        if cseq >= _CSEQS:
            cseq = 0
        sdp = self._summaries.of(body) if body and method in DESCRIBING else ()
        leg.ladder.message(leg, self._clock(), sent, method, code, cseq, leg.peer(*to), sdp)

    def unanswered(self, call_id: str, to: tuple[str, int, str], *, sent: bool) -> None:
        """A request of ours got no final answer, or could not be `sent`."""
        leg = self._legs.get(hash(call_id))
        if leg is not None:
            leg.ladder.note(self._clock(), What.NO_ANSWER if sent else What.NO_WAY, leg, leg.peer(*to))

    # --- from the switchboard ---------------------------------------------------------------------

    def began(self, leg_id: LegId, side: Side, trunk: str, call: CallView) -> None:
        """A leg's INVITE made a call."""
        leg = self._waiting.pop(leg_id, None)
        if leg is None:
            return
        leg.side, leg.trunk = side.value, trunk
        ladder = self._live[call.id] = leg.ladder
        ladder.call, ladder.direction = call.id, call.direction
        ladder.caller, ladder.callee = call.caller, call.callee
        ladder.note(self._clock(), What.BEGAN)

    def inviting(self, call_id: str, leg_id: LegId, side: Side, trunk: str) -> None:
        """The call is about to open another leg, at that side."""
        ladder = self._live.get(call_id)
        if ladder is not None and len(ladder.legs) < MOST_LEGS:
            leg = self._waiting[leg_id] = Leg(ladder, len(ladder.legs), side.value, trunk, leg_id)
            ladder.legs.append(leg)

    def joined(self, call_id: str, leg_id: LegId, side: Side, trunk: str) -> None:
        """A leg calls that wants the place of one of the call's: what it said so far belongs to
        that call."""
        leg, ladder = self._waiting.pop(leg_id, None), self._live.get(call_id)
        if leg is None or ladder is None or len(ladder.legs) >= MOST_LEGS:
            return
        said, leg.ladder, leg.number, leg.side, leg.trunk = (
            leg.ladder,
            ladder,
            len(ladder.legs),
            side.value,
            trunk,
        )
        ladder.legs.append(leg)
        for message in said.messages:
            message.leg, message.masked = leg.number, ladder.masked
            ladder.messages.append(message)

    def not_opened(self, leg_id: LegId, why: What) -> None:
        """Nothing is sent for that leg: its trunk is full, or no hop of it is well."""
        leg = self._waiting.pop(leg_id, None)
        if leg is not None:
            leg.ladder.note(self._clock(), why, leg)

    def transferred(self, call_id: str) -> None:
        """A leg has taken another's place."""
        self._note(call_id, What.TRANSFERRED)

    def moved(self, leg_id: LegId, out_of: str, call_id: str, side: Side) -> None:
        """A leg of one call has taken a place in another: what it says from now on belongs to that
        one."""
        left, ladder = self._live.get(out_of), self._live.get(call_id)
        old = next((leg for leg in left.legs if leg.name == leg_id), None) if left is not None else None
        if old is None or ladder is None or len(ladder.legs) >= MOST_LEGS:
            return
        self._note(out_of, What.JOINED)
        leg = Leg(ladder, len(ladder.legs), side.value, old.trunk, leg_id)
        leg.key = old.key
        ladder.legs.append(leg)
        self._legs[leg.key] = leg

    def media(self, command: AnyCommand, answer: AnyAnswer) -> None:
        """Media answered: a mask is only on when it says so."""
        match command, answer:
            case _, SessionOpened():
                self._note(command.session, What.MEDIA_OPENED)
            case _, SessionClosed():
                self._note(command.session, What.MEDIA_CLOSED)
            case OpenSession(), Refused():
                self._note(command.session, What.MEDIA_REFUSED)
            case SetMask(), Refused():
                self._note(command.session, What.MASK_REFUSED)
            case SetMask(), Done():
                ladder = self._live.get(command.session)
                if ladder is not None:
                    ladder.masked = command.on
                    ladder.note(self._clock(), What.MASK_ON if command.on else What.MASK_OFF)
            case _:
                pass

    def shown(self, call: CallView) -> None:
        """The agents see a new state of the call."""
        ladder = self._live.get(call.id)
        capture = call.capture
        if ladder is None or capture is None or ladder.stage == (capture.id, capture.stage):
            return
        ladder.stage = capture.id, capture.stage
        ladder.note(self._clock(), _STAGES.get(capture.stage) or _outcome(capture))

    def ended(self, call_id: str) -> None:
        """The call is over; it is remembered until newer ones take its place."""
        ladder = self._live.pop(call_id, None)
        if ladder is None:
            return
        ladder.live = ladder.masked = False
        ladder.note(self._clock(), What.ENDED)
        self._ended[call_id] = ladder
        if len(self._ended) > self._remembered:
            _, oldest = self._ended.popitem(last=False)
            for leg in oldest.legs:
                self._drop(leg)
            self._waiting = {name: leg for name, leg in self._waiting.items() if leg.ladder is not oldest}

    # --- for the API ------------------------------------------------------------------------------

    def recent(self) -> list[LadderSummary]:
        return [summary(ladder) for calls in (self._live, self._ended) for ladder in reversed(calls.values())]

    def ladder(self, call_id: str) -> LadderView:
        found = self._live.get(call_id) or self._ended.get(call_id)
        if found is None:
            leg = self._legs.get(hash(call_id))
            found = leg.ladder if leg is not None else None
        if found is None or not found.call:
            raise NoSuchLadder
        return view(found)

    @property
    def noted(self) -> int:
        """How many legs are noted; for tests of what is left behind."""
        return len(self._legs) + len(self._waiting)

    # --- inside -----------------------------------------------------------------------------------

    def _note(self, call_id: str, what: What) -> None:
        ladder = self._live.get(call_id)
        if ladder is not None:
            ladder.note(self._clock(), what)

    def _drop(self, leg: Leg) -> None:
        if self._legs.get(leg.key) is leg:
            del self._legs[leg.key]


def _outcome(capture: CaptureView) -> What:
    return _OUTCOMES[outcome_type(capture.outcome)] if capture.outcome else What.CAPTURE_UNKNOWN
