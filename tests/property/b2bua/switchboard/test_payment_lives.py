"""Any payment, from its call to its outcome, with everything of it together: agents, customer,
telephones, media, payers and time interleaved. Digits stay where they belong, a mask goes off when
it may, and what was submitted has one charge and an outcome.

Played are the SIP engine, the core, the payers and the provider (tests/whole_payments.py).
TONEWALL_PAYMENT_LIVES: how many lives are tried.
"""

from __future__ import annotations

import itertools
import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from b2bua.call import leg
from b2bua.call.order import Order
from b2bua.call.owned_payment import FINAL
from b2bua.call.prepared import FindBy, TooMany
from b2bua.call.view import CallView, CaptureStage
from b2bua.switchboard.feature_keys import phone_agent
from media.events import Field, Side
from provider_adapters.payment import Approved, Declined, Failed, PartiallyApproved, Unknown
from tests.call_script import THEIRS, sdp
from tests.canary import CANARY
from tests.played_media import Fate, leg_of
from tests.whole_payments import GUARD, RELEASE, Payments

RUNS = int(os.environ.get("TONEWALL_PAYMENT_LIVES", "100"))
SIDES, FIELDS = st.sampled_from(Side), st.sampled_from([None, *Field])
WHICH = st.integers(0, 1)  # of the two newest calls
AGENTS = st.sampled_from(["ann", "ann", "ann", "bob"])
SELDOM = st.sampled_from([False] * 5 + [True])
GAPS = st.sampled_from([0.12, 0.3, 1.2])
RIGHT = {Field.CARD_NUMBER: CANARY.number, Field.EXPIRY: CANARY.expiry, Field.SECURITY_CODE: CANARY.code}
WRONG = st.sampled_from(
    ["4929580173642085#", "1326#", "12#", "*", "#", "**", "0", "7", "492958", "739", "5A"]
)
OUTCOMES = st.sampled_from([
    Approved(reference="r"), Approved(reference="r"), Declined(reason="05"), Failed(reason="f"),
    Unknown(reason="u"), PartiallyApproved(reference="r", amount=1),
])  # fmt: skip
FATES = st.builds(
    Fate,
    outcome=OUTCOMES,
    waits=st.sampled_from([0.0, 0.5, 0.5, 3.0, 30.0]),
    dies=st.sampled_from(["", "", "", "before", "after"]),
    missing=SELDOM,
)
CODES = ("1", "2", "3", "4", "41", "42", "43", "5", "6", "7", "8", "9", "99")
ASKS = ("start", "start", "submit", "submit", "submit", "cancel", "release", "release", "announce",
        "reset", "ask", "skip", "slow", "take over")  # fmt: skip
HELD = {side: THEIRS[side] + b"a=sendonly\r\n" for side in Side}


class Lives(RuleBasedStateMachine):
    """One or two calls of one agent's, and their payments."""

    def __init__(self) -> None:
        super().__init__()
        self.all = Payments()
        self.board = self.all.exchange.board
        self.calls: list[str] = []
        self.numbers = itertools.count(1)
        self.referrals = itertools.count(1)

    @initialize(
        begin=st.sampled_from(["up", "announced", "collecting", "ready", "charging", "charging"]),
        fate=st.one_of(st.just(Fate()), FATES),
    )
    def begin(self, begin: str, fate: Fate) -> None:
        self.next_charge(fate)
        self.dial("carrier")
        if begin == "announced":
            self.agent_asks("announce", "ann", 0, None)
        elif begin != "up":
            self.agent_asks("start", "ann", 0, None)
            if begin != "collecting":
                self.customer_keys_everything(0)
            if begin == "charging":
                self.agent_asks("submit", "ann", 0, None)

    # --- what is there ----------------------------------------------------------------------------

    def view(self, which: int) -> CallView | None:
        name = self.calls[-1 - which % len(self.calls)] if self.calls else ""
        return next((each for each in self.board.calls() if each.id == name), None)

    def order(self) -> Order:
        return Order(transaction_id=f"order-{next(self.numbers)}", amount=1250, currency="EUR")

    @rule(which=WHICH, steps=st.integers(1, 4))
    def all_goes_well(self, which: int, steps: int) -> None:
        """What an agent and a customer do who want the same."""
        for _ in range(steps):
            call = self.view(which)
            stage = None if call is None or call.capture is None else call.capture.stage
            if stage is CaptureStage.COLLECTING:
                self.customer_keys_everything(which)
            elif stage is CaptureStage.READY:
                self.agent_asks("submit", "ann", which, None)
            elif stage is None or stage in FINAL:
                self.agent_asks("start", "ann", which, None)

    # --- agents -----------------------------------------------------------------------------------

    @rule(what=st.sampled_from(ASKS), agent=AGENTS, which=WHICH, field=FIELDS)
    def agent_asks(self, what: str, agent: str, which: int, field: Field | None) -> None:
        call = self.view(which)
        if call is None:
            return
        board, name = self.board, call.id
        match what:
            case "start":
                self.all.run(board.start_capture(name, self.order(), agent))
            case "submit":
                self.all.run(board.submit_capture(name, agent))
            case "cancel":
                self.all.run(board.cancel_capture(name, agent))
            case "release":
                self.all.run(board.release_mask(name, agent))
            case "announce":
                self.all.run(board.announce_payment(name, agent))
            case "reset":
                self.all.run(board.reset_capture(name, field, agent))
            case "ask":
                self.all.run(board.ask_field(name, field, agent))
            case "skip":
                self.all.run(board.skip_field(name, Field.SECURITY_CODE, agent))
            case "slow":
                self.all.run(board.slow_keys(name, field is None, agent))
            case _:
                self.all.run(board.take_over_capture(name, agent))
        self.all.wait(0)

    @rule(code=st.sampled_from(CODES), which=WHICH)
    def agents_telephone_keys(self, code: str, which: int) -> None:
        call = self.view(which)
        stream = self.all.media.stream_of(call.id) if call is not None else None
        if stream is not None:
            self.all.do(lambda: self.all.media.relay.key_code(stream, code))

    @precondition(lambda self: self.all.link.connected)
    @rule(which=WHICH, agent=AGENTS, prepared=st.booleans())
    def agent_links_the_telephone(self, which: int, agent: str, prepared: bool) -> None:
        claim = self.board.open_claim(agent, self.order() if prepared else None)
        self.agents_telephone_keys(claim.code, which)
        call = self.view(which)
        entry = self.board._context.registry.get(call.id) if call is not None else None
        if entry is not None and not self.all.link.stalled and call is not None and call.state.value == "up":
            assert phone_agent(entry) == agent

    @rule(which=WHICH, at_answer=st.booleans(), seconds=st.sampled_from([30.0, 60.0]))
    def payment_is_prepared(self, which: int, at_answer: bool, seconds: float) -> None:
        """For a call that is there, or for the next one."""
        call = self.view(which)
        find_by = FindBy(call_id=call.id) if call is not None else FindBy(caller=f"anna{self.all.calls + 1}")
        start = "at_answer" if at_answer else "press"
        try:
            self.all.run(
                self.board.prepare_payment(
                    self.order(),
                    find_by,
                    "ann",
                    start=start,
                    expires_in=seconds,  # type: ignore[arg-type]
                )
            )
        except TooMany:
            assert len(self.board.prepared_payments(1000)) > 1
        self.all.wait(0)

    @rule(starts=st.booleans(), agent=AGENTS)
    def prepared_payment_goes_on(self, starts: bool, agent: str) -> None:
        for each in self.board.prepared_payments(1):
            act = self.board.start_prepared if starts else self.board.cancel_prepared
            self.all.run(act(each.id, agent))
        self.all.wait(0)

    # --- the customer -----------------------------------------------------------------------------

    @rule(which=WHICH, gap=GAPS)
    def customer_keys_what_is_asked_for(self, which: int, gap: float = 0.12) -> None:
        call = self.view(which)
        if call is not None and call.capture is not None and call.capture.field is not None:
            self.all.press(call.id, f"{RIGHT[Field(call.capture.field)]}#", gap)
            self.all.wait(0.2)

    @rule(which=WHICH)
    def customer_keys_everything(self, which: int) -> None:
        for _ in Field:
            self.customer_keys_what_is_asked_for(which)
            self.all.wait(1.5)

    @rule(which=WHICH, keys=WRONG, gap=GAPS)
    def customer_keys_something(self, which: int, keys: str, gap: float) -> None:
        call = self.view(which)
        if call is not None:
            self.all.press(call.id, keys, gap)

    @rule(which=WHICH, side=SIDES)
    def prompt_ends(self, which: int, side: Side) -> None:
        call = self.view(which)
        stream = self.all.media.stream_of(call.id) if call is not None else None
        if stream is not None:
            self.all.do(lambda: self.all.media.relay.finish_play(stream, leg_of(side)))

    # --- telephones -------------------------------------------------------------------------------

    @precondition(lambda self: len(self.calls) < 3)
    @precondition(lambda self: self.all.link.connected)
    @rule(trunk=st.sampled_from(["carrier", "pbx"]))
    def dial(self, trunk: str) -> None:
        """The agent has another call, or calls somebody."""
        name = self.all.dial(trunk)
        if name:
            self.calls.append(name)

    @rule(which=WHICH, side=SIDES, how=st.sampled_from(["holds", "resumes", "moves", "without keys"]))
    def leg_offers_anew(self, which: int, side: Side, how: str) -> None:
        call = self.view(which)
        offers = {
            "holds": HELD[side],
            "resumes": THEIRS[side],
            "moves": sdp("192.0.2.30", 6000),
            "without keys": sdp("192.0.2.30", 6000, events=False),
        }
        if call is not None:
            self.all.happens(call.id, side, leg.LegReinvited(offers[how]))

    @rule(which=WHICH, answers=st.booleans(), joins=st.booleans())
    def agent_transfers(self, which: int, answers: bool, joins: bool) -> None:
        """To somebody else, or to whom the other call is with."""
        call, other = self.view(which), self.view(1 - which)
        if call is None:
            return
        replaced = self.all.leg_of(other.id, Side.AGENT) if joins and other is not None else None
        self.all.answers = answers
        referral = f"referral-{next(self.referrals)}"
        self.all.happens(call.id, Side.AGENT, leg.LegReferred(referral, leg.Party("600"), replaces=replaced))
        self.all.answers = True

    @rule(which=WHICH, side=SIDES, really=SELDOM)
    def leg_hangs_up(self, which: int, side: Side, really: bool) -> None:
        call = self.view(which)
        if really and call is not None:
            self.all.happens(call.id, side, leg.LegHungUp("bye"))

    @rule(which=WHICH, really=SELDOM)
    def both_fall_silent(self, which: int, really: bool) -> None:
        call = self.view(which)
        stream = self.all.media.stream_of(call.id) if call is not None else None
        if really and stream is not None:
            self.all.media.relay.streams[stream].fell_silent = self.all.loop.now

    # --- processes and time -----------------------------------------------------------------------

    @rule(stalls=st.booleans())
    def media_is_slow(self, stalls: bool) -> None:
        self.all.link.stalled = stalls
        self.all.do(self.all.link.pump)

    @precondition(lambda self: self.all.link.connected)
    @rule(really=SELDOM)
    def media_dies(self, really: bool) -> None:
        if really:
            self.all.do(self.all.kill_media)

    @precondition(lambda self: not self.all.link.connected)
    @rule(restores=st.sampled_from([True, True, False]))
    def media_returns(self, restores: bool) -> None:
        self.all.restores = restores
        self.all.do(self.all.start_media)

    @rule(fate=st.one_of(st.just(Fate()), FATES))
    def next_charge(self, fate: Fate) -> None:
        self.all.provider.fate = fate

    @rule(seconds=st.sampled_from([0.1, GUARD, 1.0, RELEASE, 11.0, 41.0]))
    def time_passes(self, seconds: float) -> None:
        self.all.wait(seconds)
        self.all.do(self.board.count)

    # --- what always holds ------------------------------------------------------------------------

    @invariant()
    def nothing_is_collected_without_a_mask(self) -> None:
        media = self.all.media
        for number, stream in media.relay.streams.items():
            if media._captures.runs(media.session_of(number)):  # type: ignore[arg-type]
                assert stream.masked
            else:
                assert not stream.kept, "keys are kept of a capture that is over"

    @invariant()
    def what_is_shown_of_the_mask_is_so(self) -> None:
        for view in self.board.calls():
            number = self.all.media.stream_of(view.id)
            if number is not None:
                is_masked = self.all.media.relay.streams[number].masked
                assert view.masked or not is_masked
                collects = view.capture is not None and view.capture.stage not in FINAL
                is_starting = view.capture is not None and view.capture.stage is CaptureStage.STARTING
                assert not collects or (view.masked and (is_masked or is_starting))

    @invariant()
    def the_vault_of_what_is_over_is_empty(self) -> None:
        running = [each.capture._vault._memory for each in self.all.media._captures._running.values()]
        for memory in self.all.memories:
            assert memory in running or not any(memoryview(memory)), "digits outlive their capture"
        self.all.memories[:] = running

    @invariant()
    def nothing_is_charged_twice(self) -> None:
        for payment, charges in self.all.provider.charges.items():
            assert charges == 1, "charged again"
            assert self.all.submitted.get(payment, 1) == 1, "submitted again"

    def teardown(self) -> None:
        """Everybody hangs up, media obeys, and time passes: all is over."""
        everything = self.all
        try:
            if not everything.link.connected:
                self.media_returns(True)
            self.media_is_slow(False)
            for call in self.board.calls():
                for side in Side:
                    everything.happens(call.id, side, leg.LegHungUp("bye"))
            for _ in range(4):
                self.time_passes(11.0)
            assert self.board.calls() == []
            assert len(everything.exchange.records) == everything.calls
            self.the_vault_of_what_is_over_is_empty()
            assert everything.memories == []
            for payment in {*everything.submitted, *everything.provider.charges}:
                self.has_its_outcome(payment)
        finally:
            everything.close()

    def has_its_outcome(self, payment: str) -> None:
        found = self.all.run(self.board.payment(payment))
        assert found.stage is CaptureStage.FINISHED
        assert found.outcome is not None
        charged = self.all.provider.charges.get(payment, 0)
        said, noted = found.outcome, self.all.provider.journal.get(payment)
        assert isinstance(said, Unknown) or said == (noted if charged else said)
        assert charged or isinstance(said, Failed | Unknown)


Lives.TestCase.settings = settings(
    max_examples=RUNS, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestLives = Lives.TestCase
