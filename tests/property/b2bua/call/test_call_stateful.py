"""Any call, however legs, media, agent and time are interleaved: what may never happen does not,
and every call ends.

The model keeps two queues for media, as the socket does: commands that it has not obeyed, answers
that b2bua has not read. Legs report whatever an engine may report of them, in any order, in place
or out of place, until they are over.
"""

from __future__ import annotations

from collections import deque

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from b2bua.call import leg, leg_command
from b2bua.call.attended_join import JoinCandidate, plan_join
from b2bua.call.call import Call
from b2bua.call.cdr import CallRecord
from b2bua.call.command import (
    CallCommand,
    Record,
    ReleaseLeg,
    ReplaceLeg,
    Show,
    ToBorrower,
    ToLeg,
    ToMedia,
    ToReplacement,
)
from b2bua.call.owned_payment import FINAL
from b2bua.call.routing.route import Route
from b2bua.call.routing.router import Destination
from b2bua.call.sdp.loaned_leg import LoanedLeg
from b2bua.call.sdp.offer_answer import OTHER
from b2bua.call.snapshot import restore_call, snapshot_call
from b2bua.call.state import MaskState
from b2bua.call.transfer.transfer import AttendedTransfer
from b2bua.call.view import CallState, CallView, CaptureStage, NotNow, NotYours
from media.events import (
    AnyAnswer,
    AnyCommand,
    CaptureChanged,
    CaptureId,
    CaptureState,
    CloseSession,
    Done,
    Field,
    KeyingChanged,
    LegCounters,
    OpenSession,
    Refused,
    SessionClosed,
    SessionOpened,
    SetMask,
    SetRemote,
    Side,
    StartCapture,
    SubmitCapture,
    WidenSession,
)
from media.stream_description import LocalStream
from provider_adapters.payment import Approved, Declined, Unknown
from tests.call_script import COUNTERS, GUARD, ORDER, ORIGIN, SEED, SESSION, THEIRS, sdp

SIDES = st.sampled_from(Side)
BODIES = st.sampled_from(
    [
        THEIRS[Side.CALLER],
        THEIRS[Side.AGENT],
        THEIRS[Side.AGENT] + b"m=video 7000 RTP/AVP 31\r\n",
        sdp("0.0.0.0", 5000),
        sdp("192.0.2.9", 0),
        b"",
        b"nonsense",
    ]
)
CODES = st.sampled_from([404, 486, 487, 491, 503])
LEG_EVENTS = st.one_of(
    st.builds(leg.LegProgressed, st.sampled_from([180, 183]), st.just("Ringing"), BODIES),
    st.builds(leg.LegAnswered, BODIES),
    st.builds(leg.LegConfirmed, BODIES),
    st.builds(leg.LegReinvited, BODIES),
    st.builds(leg.ReinviteAnswered, BODIES),
    st.builds(leg.ReinviteFailed, CODES, st.just("no")),
)
ENDS = st.one_of(
    st.builds(leg.LegFailed, CODES, st.just("no")), st.builds(leg.LegHungUp, st.sampled_from(["bye", ""]))
)
OUTCOMES = st.sampled_from([Approved(reference="r"), Declined(reason="05"), Unknown(reason="no answer")])
SELDOM = st.sampled_from([False] * 4 + [True])
KEYED = (CaptureStage.COLLECTING, CaptureStage.READY)


def lets_send(command: leg_command.LegCommand) -> bool:
    """Whether a peer may take it as a word to send."""
    early = isinstance(command, leg_command.RingLeg) and command.answer != b""
    return early or isinstance(
        command, leg_command.AnswerLeg | leg_command.ConfirmLeg | leg_command.AnswerReinvite
    )


def _side_of(trunk: str) -> Side:
    """The kinds of the trunks of this call and of another one, of which it is asked to join a
    leg."""
    return Side.CALLER if trunk in ("trunk", "carrier") else Side.AGENT


class Calls(RuleBasedStateMachine):
    """One call from its INVITE to its record."""

    @initialize(
        near=SIDES,
        offer=st.sampled_from([THEIRS[Side.CALLER]] * 8 + [b"", b"nonsense"]),
        begin=st.sampled_from(["invited", "up", "collecting", "ready", "charging", "borrowing", "lending"]),
    )
    def invite(self, near: Side, offer: bytes, begin: str) -> None:
        self.near, self.now = near, 1_000_000_000.0
        self.commands: deque[AnyCommand] = deque()  # not obeyed yet
        # Not read yet.
        self.answers: deque[tuple[AnyCommand | None, AnyAnswer | CaptureChanged | KeyingChanged]] = deque()
        self.lost = self.closed = False
        self.masked = False  # what media really does
        self.confirmed = False  # the last Done to a SetMask that was read
        self.wanted: bool | None = None  # the last SetMask that was sent
        self.sessions = {OpenSession: 0, CloseSession: 0}
        self.submitted: dict[str, int] = {}
        self.captures: list[str] = []
        self.alive = {near}
        # What is known of the leg that joins: invited, up, calls (it waits for its answer), asked
        # and taken (another call lends it); "" for none.
        self.joining = ""
        self.borrowed = (
            ""  # of the other call's asking to have a leg of this one: asked, answered; "" for none
        )
        # Where a leg that called for its place is still to be answered.
        self.seated: Side | None = None
        self.referred_by: Side | None = None
        self.told_to_end: set[Side] = set()
        self.answered = False
        self.asked: set[Side] = set()  # legs that sent a re-INVITE and wait
        self.reinvited: set[Side] = set()  # legs that have our re-INVITE
        self.unacknowledged: set[Side] = set()  # legs that have our 200 to their INVITE
        self.records: list[CallRecord] = []
        self.view: CallView | None = None
        self.tried: CallView | None = None  # as which a capture was begun last, in a copy
        self.offered = bool(offer)
        invited = leg.LegInvited("trunk", leg.Party("anna"), leg.Party("500"), offer)
        far = tuple(Destination(name, invited.caller, invited.callee) for name in ("first", "second"))
        route = Route(near, "trunk", far)
        self.call, commands = Call.begin(SESSION, invited, route, ORIGIN, SEED, GUARD, self.now)
        self.carry_out(commands)
        if begin == "invited" or self.call.over:
            return
        self.media_is_quick()
        self.far_leg_answers()
        self.media_is_quick()
        self.unacknowledged.discard(near)
        self.happens(near, leg.LegConfirmed(b"" if offer else THEIRS[near]))
        if begin == "up":
            return
        if begin == "lending":
            self.another_call_borrows_a_leg(near)
            return
        if begin == "borrowing":
            self.another_call_lends_a_leg(side=Side.AGENT, lender_asked=False, carrier=True, masked=False)
            return
        self.agent_asks("start")
        self.media_is_quick()
        self.the_customer_keys(CaptureState.COLLECTING)
        self.the_customer_keys(CaptureState.COLLECTING if begin == "collecting" else CaptureState.READY)
        self.media_is_quick()
        if begin == "charging":
            self.agent_asks("submit")

    # --- what the call asks for -------------------------------------------------------------------

    def carry_out(self, commands: list[CallCommand]) -> None:
        described = False  # whether media is only now told of a peer
        for command in commands:
            described |= isinstance(command, ToMedia) and isinstance(command.command, SetRemote)
            if described and isinstance(command, ToLeg):
                assert not lets_send(command.command), f"{command} before media has heard whom to hear"
            match command:
                case Show(view):
                    self.view = view
                case Record(record):
                    self.records.append(record)
                case ToLeg(side, asked):
                    self.to_leg(side, asked)
                case ToReplacement(leg_command.InviteLeg()):
                    assert self.joining == "", "two transfers at once"
                    self.joining = "invited"
                case ToReplacement(leg_command.ReinviteLeg()):
                    assert self.joining == "asked"
                case ToReplacement(leg_command.NotifyLeg() | leg_command.AnswerReferral()):
                    assert self.joining in ("asked", "taken")
                case ReleaseLeg():
                    assert self.joining in ("asked", "taken"), "given back, but not lent"
                    self.joining = ""
                case ToBorrower(event):
                    self.to_borrower(event)
                case ToReplacement(asked):
                    assert self.joining, f"{asked} to a leg that does not join"
                    assert isinstance(asked, leg_command.RejectLeg) is (self.joining == "calls")
                    if isinstance(asked, leg_command.HangUpLeg | leg_command.RejectLeg):
                        self.joining = ""
                case ReplaceLeg(side):
                    assert self.joining in ("up", "calls", "taken")
                    self.seated = side if self.joining == "calls" else None
                    assert side is self.referred_by
                    self.joining = ""
                    self.alive.add(side)
                    for seated in (self.told_to_end, self.asked, self.reinvited, self.unacknowledged):
                        seated.discard(side)
                case ToMedia(media_command):
                    self.to_media(media_command)

    def to_leg(self, side: Side, command: leg_command.LegCommand) -> None:
        if isinstance(command, leg_command.InviteLeg):
            assert side is OTHER[self.near]
            self.alive.add(side)
            return
        assert side in self.alive, f"{command} to a leg that is not there"
        assert side not in self.told_to_end, f"{command} after its end"
        match command:
            case leg_command.RingLeg():
                assert side is self.near
                assert not self.answered
            case leg_command.AnswerLeg() if side is self.seated:
                self.seated = None
                self.unacknowledged.add(side)
            case leg_command.AnswerLeg():
                assert side is self.near
                assert not self.answered, "answered twice"
                self.answered = True
                self.unacknowledged.add(side)
            case leg_command.RejectLeg():
                assert side is self.near
                assert not self.answered, "refused after it was answered"
                self.told_to_end.add(side)
            case leg_command.HangUpLeg():
                self.told_to_end.add(side)
            case leg_command.ReinviteLeg():
                assert side not in self.reinvited | self.asked, "two re-INVITEs at once"
                assert side not in self.unacknowledged, "a re-INVITE before the ACK"
                self.reinvited.add(side)
            case leg_command.AnswerReinvite() | leg_command.RejectReinvite():
                assert side in self.asked, "an answer to a re-INVITE that was not there"
                self.asked.discard(side)

    def to_media(self, command: AnyCommand) -> None:
        if type(command) in self.sessions:
            self.sessions[type(command)] += 1
            assert self.sessions[OpenSession] == 1
        elif isinstance(command, SetMask):
            self.wanted = command.on
        elif isinstance(command, SubmitCapture):
            self.submitted[command.capture] = self.submitted.get(command.capture, 0) + 1
            assert self.submitted[command.capture] == 1, "submitted again, though it was not refused"
        self.commands.append(command)

    @rule()
    def the_call_is_written_out_and_read_back(self) -> None:
        """Another process goes on with it, and nothing is different."""
        again = restore_call(snapshot_call(self.call, self.now), self.now)
        assert again == self.call
        self.call = again

    # --- legs -------------------------------------------------------------------------------------

    def happens(self, side: Side, event: leg.LegEvent) -> None:
        self.carry_out(self.call.leg_event(side, event, self.now))

    def waits(self, side: Side, kind: type[leg_command.LegCommand]) -> bool:
        """Whether such a command to that leg waits for media."""
        return any(
            each.side is side and isinstance(each.command, kind) for each in self.call.media_gate.waiting
        )

    @precondition(lambda self: self.alive and not self.call.over)
    @rule(data=st.data(), event=LEG_EVENTS)
    def leg_reports(self, data: st.DataObject, event: leg.LegEvent) -> None:
        side = data.draw(st.sampled_from(sorted(self.alive)))
        if isinstance(event, leg.LegReinvited):
            if side in self.asked or side in self.told_to_end:
                return  # the engine refuses it by itself
            self.asked.add(side)
        elif isinstance(event, leg.LegConfirmed):
            if self.waits(side, leg_command.AnswerLeg):
                return  # what has not left is not acknowledged
            self.unacknowledged.discard(side)
        elif isinstance(event, leg.ReinviteAnswered | leg.ReinviteFailed):
            if self.waits(side, leg_command.ReinviteLeg):
                return  # what has not left is not answered
            self.reinvited.discard(side)
        self.happens(side, event)

    @precondition(lambda self: self.answered and self.call.ended_at is None and len(self.alive) == 2)
    @rule(side=SIDES, answered=st.booleans())
    def leg_is_put_on_hold(self, side: Side, answered: bool) -> None:
        if side not in self.asked:
            self.asked.add(side)
            self.happens(side, leg.LegReinvited(THEIRS[side] + b"a=sendonly\r\n"))
        if answered and OTHER[side] in self.reinvited:
            self.reinvited.discard(OTHER[side])
            self.happens(OTHER[side], leg.ReinviteAnswered(THEIRS[OTHER[side]]))

    @precondition(lambda self: self.asked & self.alive)
    @rule(data=st.data())
    def leg_gives_its_reinvite_up(self, data: st.DataObject) -> None:
        side = data.draw(st.sampled_from(sorted(self.asked & self.alive)))
        self.asked.discard(side)
        self.happens(side, leg.ReinviteCancelled())

    @precondition(lambda self: self.answered and self.call.ended_at is None)
    @rule(data=st.data())
    def leg_asks_for_a_transfer(self, data: st.DataObject) -> None:
        side = data.draw(st.sampled_from(sorted(self.alive - self.told_to_end)))
        idle = not self.call.transfer.active
        masked = self.call.payment.masked
        self.happens(side, leg.LegReferred("f1", leg.Party("600")))
        if idle and self.joining:
            self.referred_by = side
            assert not (masked and side is Side.CALLER), "the customer was replaced under a mask"

    @precondition(lambda self: self.alive and not self.call.over and not self.joining)
    @rule(data=st.data(), body=BODIES)
    def somebody_calls_for_a_place(self, data: st.DataObject, body: bytes) -> None:
        side = data.draw(st.sampled_from(sorted(self.alive)))
        idle, masked = not self.call.transfer.active, self.call.payment.masked
        self.joining = "calls"
        self.referred_by = side if idle else self.referred_by
        invited = leg.LegInvited("trunk", leg.Party("600"), leg.Party("500"), body, replaces=leg.LegId("old"))
        self.carry_out(self.call.receive_replaces(side, invited, self.now))
        assert not (self.joining and masked and side is Side.CALLER), "the customer was replaced under a mask"

    @precondition(lambda self: self.joining)
    @rule(body=BODIES, what=st.sampled_from(["rings", "answers", "answers", "refuses", "hangs up"]))
    def joining_leg_reports(self, body: bytes, what: str) -> None:
        event: leg.LegEvent = leg.LegProgressed(180, "Ringing")
        if what == "answers" and self.joining == "invited":
            self.joining, event = "up", leg.LegAnswered(body)
        elif what == "refuses" and self.joining == "invited":
            self.joining, event = "", leg.LegFailed(486, "Busy Here")
        elif what == "hangs up" and self.joining == "up":
            self.joining, event = "", leg.LegHungUp("bye")
        elif what == "refuses" and self.joining == "calls":
            self.joining, event = "", leg.LegFailed(487, "Request Terminated")
        elif self.joining in ("up", "calls"):
            return
        self.carry_out(self.call.replacement_event(event, self.now))

    # --- another call of ours ---------------------------------------------------------------------

    def half(self, side: Side) -> JoinCandidate:
        return JoinCandidate(self.call, side)

    @precondition(lambda self: self.answered and not self.joining and not self.borrowed)
    @rule(side=SIDES, lender_asked=st.booleans(), carrier=st.booleans(), masked=st.booleans())
    def another_call_lends_a_leg(self, side: Side, lender_asked: bool, carrier: bool, masked: bool) -> None:
        """A twin of this call, as far as a transfer looks at it, on a trunk of that kind."""
        twin = restore_call(snapshot_call(self.call, self.now), self.now)
        twin.payment.mask = MaskState.MASKED if masked else MaskState.OPEN
        twin.bridge.trunks.moved[OTHER[side]] = "carrier" if carrier else "pbx"
        asked, named = self.half(side), JoinCandidate(twin, side)
        found = plan_join(*((named, asked) if lender_asked else (asked, named)), _side_of)
        if not isinstance(found, AttendedTransfer) or found.lender_asked is not lender_asked:
            return
        assert not masked, "a masked call lent a leg"
        assert not self.call.payment.masked or (side is Side.AGENT and not carrier), "joined under a mask"
        self.joining, self.referred_by = "asked", side
        lent = twin.loan.lend_leg(found.lends)
        assert isinstance(lent, LoanedLeg)
        self.carry_out(self.call.borrow_leg(found, lent, "f1", self.now))

    @precondition(lambda self: self.joining in ("asked", "taken"))
    @rule(body=BODIES, what=st.sampled_from(["takes it", "takes it", "refuses", "ends"]))
    def lent_leg_reports(self, body: bytes, what: str) -> None:
        if what == "ends":
            self.joining = ""
            self.carry_out(self.call.replacement_event(leg.LegHungUp("call ended"), self.now))
        elif self.joining == "asked" and what == "takes it":
            self.joining = "taken"
            self.carry_out(self.call.replacement_event(leg.ReinviteAnswered(body), self.now))
        elif self.joining == "asked":
            self.carry_out(self.call.replacement_event(leg.ReinviteFailed(488, "no"), self.now))
            assert self.joining == "", "what was refused was kept"

    @precondition(lambda self: self.answered and not self.borrowed)
    @rule(side=SIDES)
    def another_call_borrows_a_leg(self, side: Side) -> None:
        twin = restore_call(snapshot_call(self.call, self.now), self.now)
        twin.payment.mask = MaskState.OPEN
        found = plan_join(JoinCandidate(twin, OTHER[side]), self.half(OTHER[side]), _side_of)
        if isinstance(found, AttendedTransfer) and not found.lender_asked:
            assert not self.call.payment.masked, "a masked call lent a leg"
            _, commands = self.call.lend_leg(found.lends, self.now)
            self.borrowed, self.lent_side = "asked", side
            self.carry_out(
                [*commands, *self.call.borrower_command(leg_command.ReinviteLeg(THEIRS[side]), self.now)]
            )

    def to_borrower(self, event: leg.LegEvent) -> None:
        assert self.borrowed == "asked" or (self.borrowed and isinstance(event, leg.LegHungUp))
        self.borrowed = "" if isinstance(event, leg.LegHungUp) else "answered"
        self.taken = isinstance(event, leg.ReinviteAnswered)

    @precondition(lambda self: self.borrowed)
    @rule(keeps=st.booleans())
    def borrower_decides(self, keeps: bool) -> None:
        if not keeps:
            self.borrowed = ""
            self.carry_out(self.call.leg_returned(self.now))
        elif self.borrowed == "answered" and self.taken:
            self.borrowed = ""
            self.alive.discard(self.lent_side)
            self.reinvited.discard(self.lent_side)
            self.carry_out(self.call.leg_kept("call-2", self.now))
            assert self.call.ended_at is not None

    @precondition(lambda self: self.alive and not self.call.over)
    @rule(data=st.data(), event=ENDS, sure=SELDOM)
    def leg_ends(self, data: st.DataObject, event: leg.LegEvent, sure: bool) -> None:
        if not sure:
            return
        side = data.draw(st.sampled_from(sorted(self.alive)))
        self.alive.discard(side)
        self.asked.discard(side)
        self.happens(side, event)

    @precondition(lambda self: OTHER[self.near] in self.alive and not self.answered)
    @rule()
    def far_leg_answers(self) -> None:
        self.happens(OTHER[self.near], leg.LegAnswered(THEIRS[OTHER[self.near]]))

    # --- media ------------------------------------------------------------------------------------

    @precondition(lambda self: self.commands)
    @rule(refuse=SELDOM)
    def media_obeys(self, refuse: bool) -> None:
        command = self.commands.popleft()
        answer: AnyAnswer = Done(serial=0)
        if refuse or self.lost:
            answer = Refused(serial=0, reason="refused")
        elif isinstance(command, OpenSession):
            streams = (LocalStream("127.0.0.1", 20000),)
            answer = SessionOpened(serial=0, caller=streams, agent=streams)
        elif isinstance(command, WidenSession):
            assert not self.masked or self.wanted is not None
            streams = tuple(LocalStream("127.0.0.1", 20000 + 2 * number) for number in range(command.streams))
            masked = Refused(serial=0, reason="the session is masked")
            answer = masked if self.masked else SessionOpened(serial=0, caller=streams, agent=streams)
        elif isinstance(command, CloseSession):
            answer = SessionClosed(serial=0, caller=COUNTERS, agent=LegCounters())
        elif isinstance(command, SetMask):
            self.masked = command.on
        elif isinstance(command, StartCapture):
            assert self.masked or self.call.ended_at is not None, "asked to collect without a mask"
        self.answers.append((command, answer))

    @precondition(lambda self: self.answers)
    @rule()
    def an_answer_is_read(self) -> None:
        command, answer = self.answers.popleft()
        if isinstance(answer, CaptureChanged | KeyingChanged):
            self.carry_out(self.call.media_news(answer, self.now))
            return
        assert command is not None
        self.closed = self.closed or isinstance(command, CloseSession)
        if isinstance(command, SetMask) and isinstance(answer, Done):
            self.confirmed = command.on
        elif isinstance(command, SubmitCapture) and isinstance(answer, Refused):
            self.submitted[command.capture] -= 1
        self.carry_out(self.call.media_answered(command, answer, self.now))

    @precondition(lambda self: self.commands or self.answers)
    @rule()
    def media_is_quick(self) -> None:
        while self.commands:
            self.media_obeys(refuse=False)
        while self.answers:
            self.an_answer_is_read()
            while self.commands:
                self.media_obeys(refuse=False)

    @precondition(lambda self: self.captures and self.call.payment.masked and not self.lost)
    @rule(state=st.sampled_from([CaptureState.COLLECTING, CaptureState.READY]))
    def the_customer_keys(self, state: CaptureState) -> None:
        self.answers.append(
            (None, CaptureChanged(session=SESSION, capture=CaptureId(self.captures[-1]), state=state))
        )

    @precondition(lambda self: self.captures)
    @rule(keying=st.booleans())
    def media_tells_of_keys(self, keying: bool) -> None:
        self.answers.append((None, KeyingChanged(session=SESSION, keying=keying)))

    @precondition(lambda self: self.captures)
    @rule(data=st.data(), state=st.sampled_from(CaptureState), outcome=OUTCOMES)
    def media_tells_news(self, data: st.DataObject, state: CaptureState, outcome: Approved) -> None:
        """Likely news and unlikely, of this capture and of older ones."""
        capture = CaptureId(data.draw(st.sampled_from(self.captures[::-1])))
        given_outcome = outcome if state is CaptureState.FINISHED else None
        news = CaptureChanged(session=SESSION, capture=capture, state=state, outcome=given_outcome)
        self.answers.append((None, news))

    @precondition(lambda self: not self.lost and not self.call.over)
    @rule(sure=SELDOM)
    def media_dies(self, sure: bool) -> None:
        if sure:
            self.lost = True
            self.commands.clear()
            self.answers.clear()
            self.carry_out(self.call.media_lost(self.now))

    # --- the agent, and time ----------------------------------------------------------------------

    @precondition(lambda self: self.call.ended_at is None)
    @rule(
        what=st.sampled_from(
            [
                *(
                    "start",
                    "start",
                    "submit",
                    "submit",
                    "cancel",
                    "reset",
                    "ask",
                    "slow",
                    "release",
                    "release",
                ),
                *("announce", "announce"),
            ]
        )
    )
    def agent_asks(self, what: str) -> None:
        call, now = self.call, self.now
        capture = f"c{len(self.captures)}"
        before = call.view()
        try:
            match what:
                case "start":
                    commands = call.start_capture(capture, ORDER, now)
                    self.captures.append(capture)
                case "submit":
                    commands = call.submit_capture(now)
                case "cancel":
                    commands = call.cancel_capture(now)
                case "release":
                    commands = call.release_mask(now)
                case "announce":
                    commands = call.announce_payment("", now)
                case "slow":
                    commands = call.slow_keys(True, now)
                case "ask":
                    commands = call.ask_field(Field.EXPIRY, now)
                case _:
                    commands = call.reset_capture(Field.EXPIRY, now)
        except NotNow:
            assert call.view() == before, "a refused request changed something"
            return
        self.carry_out(commands)

    @precondition(lambda self: self.call.ended_at is None)
    @rule(
        asks=st.lists(
            st.sampled_from(["start", "cancel", "release", "wait", "announce"]), min_size=2, max_size=5
        )
    )
    def the_agent_is_hasty(self, asks: list[str]) -> None:
        """Faster than media answers."""
        for what in asks:
            if what == "wait":
                self.time_passes(GUARD)
            elif self.call.ended_at is None:
                self.agent_asks(what)

    @precondition(lambda self: not self.call.over)
    @rule(seconds=st.sampled_from([0.1, GUARD, 200.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.carry_out(self.call.expire(self.now))

    @precondition(lambda self: not self.call.over)
    @rule(sure=SELDOM)
    def we_stop(self, sure: bool) -> None:
        if sure:
            self.carry_out(self.call.shut_down(self.now))

    @precondition(lambda self: self.call.over)
    @rule()
    def nothing_more_happens(self) -> None:
        pass

    # --- what always holds ------------------------------------------------------------------------

    @invariant()
    def the_agent_is_told_to_collect_only_behind_the_mask(self) -> None:
        view = self.view
        if view is not None and view.capture is not None and view.capture.stage in KEYED:
            assert self.confirmed, "collecting without a confirmed mask"
            assert self.masked, "collecting while media does not mask"
            assert view.masked

    @invariant()
    def the_mask_is_wanted_as_long_as_a_capture_is_not_over(self) -> None:
        capture = self.call.payment.view
        if capture is not None and capture.stage not in FINAL:
            assert self.wanted is True
            assert self.call.view().masked

    @invariant()
    def an_open_mask_is_one_that_media_confirmed_open(self) -> None:
        if not self.call.view().masked:
            assert self.wanted in (None, False)
            assert not self.masked

    @invariant()
    def what_is_shown_is_what_is(self) -> None:
        assert self.view == self.call.view()

    @invariant()
    def a_capture_is_refused_in_the_words_of_the_view(self) -> None:
        if self.view is None or self.view is self.tried:
            return
        self.tried, found = self.view, self.view.not_capturable
        copy = restore_call(snapshot_call(self.call, self.now), self.now)
        words = ""
        try:
            copy.start_capture("another", ORDER, self.now, agent="somebody else")
        except (NotNow, NotYours) as refused:
            words = str(refused)
        assert words == (found.detail if found is not None else "")
        assert self.view.capturable is (found is None)

    @invariant()
    def an_end_tells_both_legs_and_closes_the_session_once(self) -> None:
        ended = self.call.ended_at is not None
        assert self.sessions[CloseSession] == (self.sessions[OpenSession] if ended else 0)
        if ended:
            assert self.alive <= self.told_to_end, "a leg was left alone"
            assert self.call.view().state is CallState.ENDED

    @invariant()
    def a_call_is_recorded_once_and_last(self) -> None:
        assert len(self.records) == (1 if self.call.over else 0)
        if self.call.over:
            assert self.closed or self.lost or not self.sessions[OpenSession], (
                "recorded before media had closed"
            )
            assert len(self.records[0].captures) == len(self.captures)
            assert self.call.deadline() is None

    def teardown(self) -> None:
        """However it stands: once both hang up, media answers and the provider does, the call is
        over."""
        if not hasattr(self, "call"):
            return
        for side in sorted(self.alive):
            self.alive.discard(side)
            self.happens(side, leg.LegHungUp("bye"))
        self.everything_holds()
        while self.commands:  # a submission that crosses the hang-up may be taken or refused
            self.media_obeys(refuse=self.near is Side.AGENT and isinstance(self.commands[0], SubmitCapture))
        while self.answers:
            self.an_answer_is_read()
        for capture in self.captures:
            self.media_tells_news_of(capture)
        assert self.call.over
        self.everything_holds()

    def everything_holds(self) -> None:
        assert self.call.ended_at is not None
        self.the_mask_is_wanted_as_long_as_a_capture_is_not_over()
        self.what_is_shown_is_what_is()
        self.an_end_tells_both_legs_and_closes_the_session_once()
        self.a_call_is_recorded_once_and_last()

    def media_tells_news_of(self, capture: str) -> None:
        if not self.call.over:
            outcome = Approved(reference="r")
            news = CaptureChanged(
                session=SESSION, capture=CaptureId(capture), state=CaptureState.FINISHED, outcome=outcome
            )
            self.carry_out(self.call.media_news(news, self.now))


Calls.TestCase.settings = settings(
    max_examples=150, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestCalls = Calls.TestCase
