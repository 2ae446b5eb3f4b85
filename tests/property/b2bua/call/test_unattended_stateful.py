"""A call that ends in a form, with anything happening in any order: it has no state without a way
out, charges once what may have been charged, and no packet goes to our end."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from b2bua.call import leg, leg_command
from b2bua.call.call import Call
from b2bua.call.command import (
    CallCommand,
    Record,
    ReplaceLeg,
    StartPayment,
    SubmitPayment,
    ToDesk,
    ToLeg,
    ToMedia,
    ToReplacement,
)
from b2bua.call.own_end import obey
from b2bua.call.routing.form_end import Destination, FormEnd, Owed
from b2bua.call.routing.route import Route
from b2bua.call.snapshot import restore_call, snapshot_call
from b2bua.call.unattended_view import UNATTENDED
from b2bua.call.view import CaptureStage, NotNow, NotYours
from media.events import (
    AnyAnswer,
    AnyCommand,
    CaptureChanged,
    CaptureForm,
    CaptureState,
    CaptureWished,
    CloseSession,
    Done,
    LegCounters,
    OpenSession,
    PlayPrompt,
    PromptEnd,
    PromptEnded,
    SessionClosed,
    SessionId,
    SessionOpened,
    SetRemote,
    Side,
    SubmitCapture,
    Wish,
)
from media.stream_description import LocalStream
from provider_adapters.payment import Approved, Declined, Failed, Outcome, Unknown
from tests.call_script import GUARD, ORIGIN, SEED, THEIRS

SESSION = SessionId("call-1")
ANNA, FORM = leg.Party("anna"), CaptureForm(prompts="shipped")


def at(number: str) -> Destination:
    return Destination("pbx", ANNA, leg.Party(number))


ENDS = FormEnd("card", at("700"), at("600"), at("800"), rule="pay", owed=Owed(4995, "EUR"), cards=2)
OUTCOMES: tuple[Outcome, ...] = (
    Approved(reference="ch_1"), Declined(reason="expired_card"), Failed(reason="refused"),
    Unknown(reason="timeout"),
)  # fmt: skip


class FormCalls(RuleBasedStateMachine):
    """`asked`: what the desk has to do; `invited`: a next place rings."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000_000_000.0
        self.asked: list[StartPayment | SubmitPayment] = []
        self.started, self.submitted = 0, list[str]()
        self.outcomes: dict[str, Outcome] = {}
        self.invited, self.ours, self.played = False, True, 0
        self.remotes: list[tuple[bool, int]] = []  # whether our end was there, and the port
        self.confirmed: set[str] = set()
        self.records: list[Record] = []
        invited = leg.LegInvited("carrier", ANNA, leg.Party("500"), THEIRS[Side.CALLER])
        here = Destination("form:card", ANNA, invited.callee)
        route = Route(Side.CALLER, "carrier", (here,), ends=ENDS)
        self.call, commands = Call.begin("call-1", invited, route, ORIGIN, SEED, GUARD, self.now)
        self.execute(commands)
        self.execute(self.call.leg_event(Side.CALLER, leg.LegConfirmed(), self.now))

    # --- the world --------------------------------------------------------------------------------

    def execute(self, commands: list[CallCommand]) -> None:
        later: list[Callable[[], list[CallCommand]]] = []
        for command in commands:
            match command:
                case ToLeg(Side.AGENT, asked) if self.ours:
                    later += [
                        lambda event=event: self.call.leg_event(Side.AGENT, event, self.now)
                        for event in obey(asked)
                    ]
                case ToLeg(Side.CALLER, leg_command.ReinviteLeg()):
                    again = leg.ReinviteAnswered(THEIRS[Side.CALLER])
                    later.append(lambda event=again: self.call.leg_event(Side.CALLER, event, self.now))
                case ToReplacement(leg_command.InviteLeg()):
                    self.invited = True
                case ToReplacement():
                    self.invited = False
                case ReplaceLeg():
                    self.invited, self.ours = False, False
                case ToDesk(request):
                    self.asked.append(request)
                case ToMedia(asked):
                    self.note(asked)
                    answer = self.answer(asked)
                    later.append(
                        lambda asked=asked, answer=answer: self.call.media_answered(asked, answer, self.now)
                    )
                case Record():
                    self.records.append(command)
                case _:
                    pass
        for each in later:
            self.execute(each())

    def note(self, command: AnyCommand) -> None:
        match command:
            case SubmitCapture(capture=capture):
                assert capture not in self.submitted
                self.submitted.append(capture)
            case SetRemote(side=Side.AGENT, streams=streams):
                self.remotes.append((self.ours, streams[0].port))
            case PlayPrompt(play=play):
                self.played = play

    def answer(self, command: AnyCommand) -> AnyAnswer:
        match command:
            case OpenSession():
                streams = (LocalStream("127.0.0.1", 20000),)
                return SessionOpened(serial=0, caller=streams, agent=streams)
            case CloseSession():
                return SessionClosed(serial=0, caller=LegCounters(), agent=LegCounters())
        return Done(serial=0)

    def tell(self, state: CaptureState, **more: object) -> None:
        view = self.call.payment.view
        if view is not None:
            news = CaptureChanged(session=SESSION, capture=view.id, state=state, **more)  # type: ignore[arg-type]
            self.execute(self.call.media_news(news, self.now))

    # --- what happens -----------------------------------------------------------------------------

    @precondition(lambda self: self.asked)
    @rule(possible=st.sampled_from([True] * 6 + [False]))
    def desk(self, *, possible: bool) -> None:
        request = self.asked.pop(0)
        payment = request.payment if isinstance(request, SubmitPayment) else ""
        try:
            if not possible:
                raise NotNow("")
            if isinstance(request, StartPayment):
                assert request.order is not None
                self.started += 1
                name = f"capture-{self.started}"
                order = request.order
                commands = self.call.start_capture(name, order, self.now, UNATTENDED, form=FORM)
            else:
                assert payment in self.confirmed
                commands = self.call.submit_capture(self.now)
        except (NotNow, NotYours):
            commands = self.call.desk_refused(payment, self.now)
        self.execute(commands)

    @rule(steps=st.integers(1, 7))
    def goes_well(self, steps: int) -> None:
        """What a customer does who wants to pay."""
        for _ in range(steps):
            view = self.call.payment.view
            if self.asked:
                self.desk(possible=True)
            elif view is not None and view.stage is CaptureStage.STARTING:
                self.tell(CaptureState.COLLECTING)
            elif view is not None and view.stage is CaptureStage.COLLECTING:
                self.tell(CaptureState.READY)
            elif view is not None and view.stage is CaptureStage.READY:
                self.time_passes(2.0)
                self.customer_wishes(Wish.CONFIRM)

    @rule(state=st.sampled_from([*[CaptureState.COLLECTING, CaptureState.READY] * 4, CaptureState.ABORTED]))
    def capture_moves(self, state: CaptureState) -> None:
        view = self.call.payment.view
        if view is not None and view.id not in self.submitted:
            self.tell(state)

    @rule(outcome=st.sampled_from(OUTCOMES))
    def outcome_comes(self, outcome: Outcome) -> None:
        view = self.call.payment.view
        if view is not None and view.id in self.submitted and view.id not in self.outcomes:
            self.outcomes[view.id] = outcome
            self.tell(CaptureState.FINISHED, outcome=outcome)

    @rule(wish=st.sampled_from([Wish.CONFIRM] * 5 + [Wish.PERSON]))
    def customer_wishes(self, wish: Wish) -> None:
        view = self.call.payment.view
        if view is not None:
            if wish is Wish.CONFIRM:
                self.confirmed.add(view.id)
            self.execute(
                self.call.media_news(CaptureWished(session=SESSION, capture=view.id, wish=wish), self.now)
            )

    @rule(seconds=st.sampled_from([0.5, 0.5, 2.0, 2.0, 2.0, 16.0, 200.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        due = self.call.deadline()
        if due is not None and due <= self.now:
            self.execute(self.call.expire(self.now))

    @rule()
    def prompt_ends(self) -> None:
        news = PromptEnded(session=SESSION, play=self.played, cause=PromptEnd.DONE)
        self.execute(self.call.media_news(news, self.now))

    @precondition(lambda self: self.invited)
    @rule(answers=st.booleans())
    def next_place(self, *, answers: bool) -> None:
        self.invited = False
        event = leg.LegAnswered(THEIRS[Side.AGENT]) if answers else leg.LegFailed(486, "Busy Here")
        self.execute(self.call.replacement_event(event, self.now))

    @rule(held=st.booleans())
    def caller_offers_anew(self, *, held: bool) -> None:
        if self.ours and self.call.ended_at is None:
            offer = THEIRS[Side.CALLER] + (b"a=sendonly\r\n" if held else b"")
            self.execute(self.call.leg_event(Side.CALLER, leg.LegReinvited(offer), self.now))

    @rule()
    def another_process_goes_on(self) -> None:
        self.call = restore_call(snapshot_call(self.call, 0.0), 0.0)

    @rule(how=st.sampled_from(["bye", "media", "stop"]), really=st.integers(0, 7))
    def call_ends(self, how: str, really: int) -> None:
        if really or self.call.ended_at is not None:
            return
        self.execute(
            self.call.leg_event(Side.CALLER, leg.LegHungUp("bye"), self.now)
            if how == "bye"
            else self.call.media_lost(self.now)
            if how == "media"
            else self.call.shut_down(self.now)
        )

    # --- what holds -------------------------------------------------------------------------------

    @invariant()
    def no_packet_goes_to_our_end(self) -> None:
        assert all(port == 0 for ours, port in self.remotes if ours)

    @invariant()
    def nothing_is_charged_behind_what_may_have_been(self) -> None:
        final = [self.outcomes.get(each) for each in self.submitted]
        assert all(isinstance(each, Declined) for each in final[:-1])
        assert len(self.submitted) <= ENDS.cards

    def teardown(self) -> None:
        """From everywhere the call comes to somebody, or to its end."""
        for _ in range(40):
            view = self.call.payment.view
            if view is not None and view.id in self.submitted and view.id not in self.outcomes:
                self.outcome_comes(Unknown(reason="timeout"))
            if self.invited:
                self.next_place(answers=False)
            while self.asked:
                self.desk(possible=False)
            if not self.call.unattended.active:
                break
            self.time_passes(200.0)
        assert not self.call.unattended.active, self.call.unattended.step
        if self.call.unattended.step.value == "over":
            assert self.call.ended_at is not None


TestFormCalls = FormCalls.TestCase
TestFormCalls.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
