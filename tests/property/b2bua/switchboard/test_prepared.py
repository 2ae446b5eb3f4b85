"""Random calls and prepared payments: each order is bound to one call at most, and never to one
that does not fit."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from b2bua.call.order import Order
from b2bua.call.prepared import CallFacts, FindBy, PreparedState, PreparedView, TooMany
from b2bua.call.view import CaptureStage, NotNow, PaymentView
from b2bua.records.payments import PaymentTable
from b2bua.switchboard.payment_storage import PaymentStorage
from b2bua.switchboard.payment_views import timestamp
from b2bua.switchboard.prepared_payments import PreparedPayments

NUMBERS = st.sampled_from(["+491", "00491", "492", ""])
CODES = st.sampled_from(["", "", "111", "222"])
NAMES = st.sampled_from(["", "", "A", "B"])
FIND_BY = st.builds(
    FindBy, caller=NUMBERS, callee=NUMBERS, reference=NAMES, extension=NAMES, agent=NAMES, call_id=NAMES,
    code=CODES,
)  # fmt: skip
MOST = 6


class Matching(RuleBasedStateMachine):
    """Calls come, change and go; payments are prepared, started, cancelled and forgotten."""

    payments = Bundle("payments")
    calls = Bundle("calls")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.now = 1000.0
        self.up: dict[str, CallFacts] = {}
        self.keyed: dict[str, set[str]] = {}  # codes that were keyed in each call
        self.started: dict[str, str] = {}  # the call of each payment that was
        self.known: dict[str, PaymentView] = {}
        self.ever: dict[str, set[str]] = {}  # to which calls each was bound
        self.numbers = itertools.count()
        self.store = PreparedPayments(
            PaymentStorage(PaymentTable()), lambda: self.now, self.hear, lambda: tuple(self.up.values()),
            most=MOST,
        )  # fmt: skip

    def hear(self, view: PaymentView) -> None:
        self.known[view.id] = view

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    @rule(target=payments, find_by=FIND_BY, seconds=st.sampled_from([10.0, 100.0]), order=st.integers(0, 4))
    def prepare(self, find_by: FindBy, seconds: float, order: int) -> str:
        number = next(self.numbers)
        how = PreparedView(find_by=find_by, expires_at=timestamp(self.now + seconds))
        view = PaymentView(
            id=f"p-{number}", stage=CaptureStage.PREPARED, prepared=how, started_at=timestamp(self.now),
            order=Order(transaction_id=f"order-{order}", amount=1, currency="EUR"),
        )  # fmt: skip
        before = self.store.newest(MOST)
        try:
            self.run(self.store.prepare(view, None))
        except TooMany:
            assert len(before) == MOST
        except NotNow:
            codes = {each.prepared.find_by.code for each in before if each.prepared}
            orders = {each.order.transaction_id for each in before}
            assert view.order.transaction_id in orders or find_by.code in codes
        return view.id

    @rule(target=calls, callers=NUMBERS, callees=NUMBERS, extension=NAMES, reference=NAMES, call_id=NAMES)
    def answer(self, callers: str, callees: str, extension: str, reference: str, call_id: str) -> str:
        facts = CallFacts(
            call=f"c-{next(self.numbers)}", call_ids=(call_id,) if call_id else (),
            callers=(callers,) if callers else (), callees=(callees,) if callees else (),
            extensions=(extension,) if extension else (), agent=extension,
            references=(("x-order", reference),) if reference else (),
        )  # fmt: skip
        self.up[facts.call] = facts
        self.keyed[facts.call] = set()
        self.store.match(facts)
        return facts.call

    @rule(call=calls, code=st.sampled_from(["111", "222"]))
    def key(self, call: str, code: str) -> None:
        if call in self.up:
            self.keyed[call].add(code)
            self.store.match(self.up[call], code)

    @rule(call=consumes(calls))
    def hang_up(self, call: str) -> None:
        self.up.pop(call)
        self.store.leave(call)

    @rule(payment=payments)
    def start(self, payment: str) -> None:
        view = self.store.find(payment)
        if view is None or view.prepared is None:
            return
        try:
            begun = self.store.begin(payment)
        except NotNow:
            assert view.prepared.state is PreparedState.WAITING
            return
        assert self.store.check_started(payment, begun.call).call in self.up
        assert payment not in self.started
        self.started[payment] = begun.call
        self.store.finish(payment)
        assert self.store.find(payment) is None

    @rule(payment=payments)
    def refuse(self, payment: str) -> None:
        view = self.store.find(payment)
        if view is not None and view.call:
            self.store.begin(payment)
            self.store.refuse(payment, "no payer")

    @rule(payment=payments)
    def cancel(self, payment: str) -> None:
        if self.store.find(payment) is not None:
            assert self.run(self.store.cancel(payment, "ann")).stage is CaptureStage.CANCELLED

    @rule(seconds=st.sampled_from([5.0, 50.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

        async def look() -> None:
            self.store.look()

        self.run(look())

    @invariant()
    def each_is_bound_to_one_call_that_fits(self) -> None:
        for view in self.store.newest(MOST):
            assert view.prepared is not None
            assert self.known[view.id] == view
            is_bound = view.prepared.state is PreparedState.BOUND
            assert is_bound is bool(view.call)
            for call in filter(None, (view.call, *view.prepared.also_fits)):
                facts, keyed = self.up[call], self.keyed[call]
                assert any(view.prepared.find_by.fits(facts, code) for code in (*keyed, ""))
            assert view.call not in view.prepared.also_fits

    @invariant()
    def what_fits_a_call_is_bound(self) -> None:
        for view in self.store.newest(MOST):
            assert view.prepared is not None
            if not view.call and not view.prepared.find_by.code:
                late = view.prepared.expires_at <= timestamp(self.now)
                assert late or not any(view.prepared.find_by.fits(facts) for facts in self.up.values())

    @invariant()
    def nothing_is_kept_of_what_is_over(self) -> None:
        ids = {view.id for view in self.store.newest(MOST)}
        for kept in (*self.store._index.values(), *self.store._of_call.values()):
            assert kept.keys() <= ids
            assert kept
        assert self.store._of_call.keys() <= self.up.keys()

    def teardown(self) -> None:
        self.run(self.store.storage.close())
        self.loop.close()


TestMatching = Matching.TestCase
TestMatching.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
pytestmark = pytest.mark.filterwarnings("error")
