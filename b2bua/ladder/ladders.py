"""Keeps the ladders of the calls under way, and of the last ones that ended.

The SIP engine reports legs and the messages on them; the switchboard reports the call of each leg,
and the events of that call. Both refer to a leg by its id.

Rule 1: bounded: a leg is kept only while a call has it, a call only while it is under way or among
        the last that ended.
Rule 2: everything passes through the allow-list of `words`, `summary` and `record`; of a Call-ID
        only the hash is kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from b2bua.call.leg import LegId
from b2bua.call.pseudonyms import Pseudonyms
from b2bua.call.view import CallView, CaptureStage, CaptureView
from b2bua.ladder.record import MAX_LEGS, Ladder, Leg
from b2bua.ladder.summary import Summaries
from b2bua.ladder.view import LadderSummary, LadderView, NoSuchLadder, summarise_ladder, view_ladder
from b2bua.ladder.words import DESCRIBING, METHODS, OTHER, NoteKind
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

_MAX_CSEQ: Final = 2**31  # RFC 3261 section 8.1.1.5; with ten digits none is a card's
_STAGES: Final = {
    CaptureStage.STARTING: NoteKind.CAPTURE_STARTING,
    CaptureStage.COLLECTING: NoteKind.CAPTURE_COLLECTING,
    CaptureStage.READY: NoteKind.CAPTURE_READY,
    CaptureStage.CHARGING: NoteKind.CAPTURE_CHARGING,
    CaptureStage.CANCELLED: NoteKind.CAPTURE_CANCELLED,
    CaptureStage.ABORTED: NoteKind.CAPTURE_ABORTED,
}
_OUTCOMES: Final = {
    "approved": NoteKind.CAPTURE_APPROVED,
    "partially_approved": NoteKind.CAPTURE_PARTIALLY_APPROVED,
    "declined": NoteKind.CAPTURE_DECLINED,
    "failed": NoteKind.CAPTURE_FAILED,
    "unknown": NoteKind.CAPTURE_UNKNOWN,
}


class Ladders:
    """All ladders of a process. `remembered`: the number of ended calls that are kept; 0: no ladder
    is kept at all."""

    def __init__(
        self,
        remembered: int = 0,
        clock: Callable[[], float] = float,
        pseudonyms: Pseudonyms | None = None,
    ) -> None:
        """`clock` gives seconds since the epoch and never runs backwards; `pseudonyms`: of the
        customers whose calls have ended."""
        self._remembered, self._pseudonyms = remembered, pseudonyms or Pseudonyms()
        self._clock = clock
        self._summaries = Summaries()
        self._legs: dict[int, Leg] = {}  # by the hash of the Call-ID
        # Legs that the engine has not opened yet, or that belong to no call yet.
        self._waiting: dict[LegId, Leg] = {}
        self._live: dict[str, Ladder] = {}
        self._ended: OrderedDict[str, Ladder] = OrderedDict()

    # --- from the SIP engine ----------------------------------------------------------------------

    def open_leg(self, leg_id: LegId, call_id: str) -> None:
        """A leg begins, with this Call-ID."""
        if not self._remembered:
            return
        leg = self._waiting.pop(leg_id, None)
        if leg is None:  # the peer's INVITE; the switchboard will name its call
            leg = Leg(Ladder(), 0, "", "", leg_id)
            leg.ladder.legs.append(leg)
            self._waiting[leg_id] = leg
        leg.key = hash(call_id)
        self._legs[leg.key] = leg

    def close_leg(self, leg_id: LegId) -> None:
        """The leg is over. Its late messages are kept if it belongs to a call."""
        leg = self._waiting.pop(leg_id, None)
        if leg is not None:
            self._forget_leg(leg)

    def add_message(
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
        if cseq >= _MAX_CSEQ:
            cseq = 0
        sdp = self._summaries.summarise(body) if body and method in DESCRIBING else ()
        leg.ladder.add_message(leg, self._clock(), sent, method, code, cseq, leg.peer_at(*to), sdp)

    def note_unanswered(self, call_id: str, to: tuple[str, int, str], *, sent: bool) -> None:
        """A request of ours got no final answer, or could not be `sent`."""
        leg = self._legs.get(hash(call_id))
        if leg is not None:
            leg.ladder.add_note(
                self._clock(), NoteKind.NO_ANSWER if sent else NoteKind.NO_WAY, leg, leg.peer_at(*to)
            )

    # --- from the switchboard ---------------------------------------------------------------------

    def begin_call(self, leg_id: LegId, side: Side, trunk: str, call: CallView) -> None:
        """A leg's INVITE made a call."""
        leg = self._waiting.pop(leg_id, None)
        if leg is None:
            return
        leg.side, leg.trunk = side.value, trunk
        ladder = self._live[call.id] = leg.ladder
        ladder.call, ladder.direction = call.id, call.direction
        ladder.caller, ladder.callee = call.caller, call.callee
        ladder.add_note(self._clock(), NoteKind.BEGAN)

    def add_leg(self, call_id: str, leg_id: LegId, side: Side, trunk: str) -> None:
        """The call is about to open another leg, on that side."""
        ladder = self._live.get(call_id)
        if ladder is not None and len(ladder.legs) < MAX_LEGS:
            leg = self._waiting[leg_id] = Leg(ladder, len(ladder.legs), side.value, trunk, leg_id)
            ladder.legs.append(leg)

    def join_leg(self, call_id: str, leg_id: LegId, side: Side, trunk: str) -> None:
        """A new leg is to replace one of the call (RFC 3891): its messages so far become the
        call's."""
        leg, ladder = self._waiting.pop(leg_id, None), self._live.get(call_id)
        if leg is None or ladder is None or len(ladder.legs) >= MAX_LEGS:
            return
        before, leg.ladder, leg.number, leg.side, leg.trunk = (
            leg.ladder,
            ladder,
            len(ladder.legs),
            side.value,
            trunk,
        )
        ladder.legs.append(leg)
        for message in before.messages:
            message.leg, message.masked = leg.number, ladder.masked
            ladder.messages.append(message)

    def note_not_opened(self, leg_id: LegId, why: NoteKind) -> None:
        """Nothing is sent for that leg: its trunk is full, or has no usable hop."""
        leg = self._waiting.pop(leg_id, None)
        if leg is not None:
            leg.ladder.add_note(self._clock(), why, leg)

    def note_transfer(self, call_id: str) -> None:
        """A leg has replaced another."""
        self._note(call_id, NoteKind.TRANSFERRED)

    def move_leg(self, leg_id: LegId, out_of: str, call_id: str, side: Side) -> None:
        """A leg of one call has replaced one of another call: its messages from now on are the
        other call's."""
        left, ladder = self._live.get(out_of), self._live.get(call_id)
        old = next((leg for leg in left.legs if leg.name == leg_id), None) if left is not None else None
        if old is None or ladder is None or len(ladder.legs) >= MAX_LEGS:
            return
        self._note(out_of, NoteKind.JOINED)
        leg = Leg(ladder, len(ladder.legs), side.value, old.trunk, leg_id)
        leg.key = old.key
        ladder.legs.append(leg)
        self._legs[leg.key] = leg

    def note_media(self, command: AnyCommand, answer: AnyAnswer) -> None:
        """Media answered a command. A mask is on only from media's Done."""
        match command, answer:
            case _, SessionOpened():
                self._note(command.session, NoteKind.MEDIA_OPENED)
            case _, SessionClosed():
                self._note(command.session, NoteKind.MEDIA_CLOSED)
            case OpenSession(), Refused():
                self._note(command.session, NoteKind.MEDIA_REFUSED)
            case SetMask(), Refused():
                self._note(command.session, NoteKind.MASK_REFUSED)
            case SetMask(), Done():
                ladder = self._live.get(command.session)
                if ladder is not None:
                    ladder.masked = command.on
                    ladder.add_note(self._clock(), NoteKind.MASK_ON if command.on else NoteKind.MASK_OFF)
            case _:
                pass

    def note_view(self, call: CallView) -> None:
        """The call has a new view; a new stage of its capture is noted."""
        ladder = self._live.get(call.id)
        capture = call.capture
        if ladder is None or capture is None or ladder.stage == (capture.id, capture.stage):
            return
        ladder.stage = capture.id, capture.stage
        ladder.add_note(self._clock(), _STAGES.get(capture.stage) or _outcome(capture))

    def end_call(self, call_id: str) -> None:
        """The call is over; it is kept until newer ones replace it."""
        ladder = self._live.pop(call_id, None)
        if ladder is None:
            return
        ladder.live = ladder.masked = False
        ladder.caller, ladder.callee = self._pseudonyms.of_call(
            ladder.direction, ladder.caller, ladder.callee
        )
        ladder.add_note(self._clock(), NoteKind.ENDED)
        self._ended[call_id] = ladder
        if len(self._ended) > self._remembered:
            _, oldest = self._ended.popitem(last=False)
            for leg in oldest.legs:
                self._forget_leg(leg)
            self._waiting = {name: leg for name, leg in self._waiting.items() if leg.ladder is not oldest}

    def hide(self, is_it: Callable[[str], bool], instead: str, *, dry_run: bool) -> int:
        """Write `instead` in the place of certain numbers of calls that have ended; in how many.
        `dry_run`: nothing is written."""
        changed = 0
        for ladder in self._ended.values():
            before = ladder.caller, ladder.callee
            after = tuple(instead if is_it(each) else each for each in before)
            changed += after != before
            if not dry_run:
                ladder.caller, ladder.callee = after
        return changed

    # --- for the API ------------------------------------------------------------------------------

    def recent_calls(self) -> list[LadderSummary]:
        """Calls under way, then ended ones; the newest of each first."""
        return [
            summarise_ladder(ladder)
            for calls in (self._live, self._ended)
            for ladder in reversed(calls.values())
        ]

    def ladder_of(self, call_id: str) -> LadderView:
        """By our id of the call, or the Call-ID of one of its legs. Raises NoSuchLadder."""
        found = self._live.get(call_id) or self._ended.get(call_id)
        if found is None:
            leg = self._legs.get(hash(call_id))
            found = leg.ladder if leg is not None else None
        if found is None or not found.call:
            raise NoSuchLadder
        return view_ladder(found)

    @property
    def leg_count(self) -> int:
        """The number of legs that are kept; for tests of leftovers."""
        return len(self._legs) + len(self._waiting)

    # --- inside -----------------------------------------------------------------------------------

    def _note(self, call_id: str, what: NoteKind) -> None:
        ladder = self._live.get(call_id)
        if ladder is not None:
            ladder.add_note(self._clock(), what)

    def _forget_leg(self, leg: Leg) -> None:
        if self._legs.get(leg.key) is leg:
            del self._legs[leg.key]


def _outcome(capture: CaptureView) -> NoteKind:
    return _OUTCOMES[outcome_type(capture.outcome)] if capture.outcome else NoteKind.CAPTURE_UNKNOWN
