"""A plan that is replaced while calls are up: places on trunks, tokens, and the plan itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from b2bua.access.tokens import Tokens
from b2bua.call import leg_command
from b2bua.call.leg import LegHungUp, LegId
from b2bua.call.routing.limits import Limit, Limiter
from b2bua.call.routing.router import Router, Rule
from b2bua.call.routing.trunk import Trunk
from b2bua.config.assembly import trunk_limits
from b2bua.switchboard.supervised import ReloadSettings
from b2bua.wiring.reload import Reload, replan
from tests.changed_settings import read
from tests.unit.b2bua.switchboard.exchange import ONE_EACH, Exchange


class Engine:
    """An engine whose trunks can be changed, or not."""

    def __init__(self) -> None:
        self.fault: OSError | None = None
        self.trunks: list[Trunk] = []

    def check_trunks(self, trunks: list[Trunk]) -> None:
        if self.fault is not None:
            raise self.fault

    def change_trunks(self, trunks: list[Trunk]) -> None:
        self.trunks = trunks


def test_limits_change_under_the_legs_that_have_places() -> None:
    limiter = Limiter({"a": Limit(2), "b": Limit()})
    legs = [LegId(each) for each in "1234"]
    assert [limiter.take("a", leg, 0.0) for leg in legs[:2]] == [0, 0]
    limiter.change({"a": Limit(1), "c": Limit(max_rate=1.0)})
    assert limiter.take("a", legs[2], 0.0) > 0
    assert limiter.calls("a") == 2  # nobody is sent away
    limiter.release(legs[0])
    assert limiter.take("a", legs[2], 0.0) > 0
    limiter.release(legs[1])
    assert limiter.take("a", legs[2], 0.0) == 0
    assert limiter.take("c", legs[3], 0.0) == 0
    assert limiter.take("c", legs[0], 0.0) > 0
    limiter.change({"a": Limit(1), "c": Limit(max_rate=1.0)})
    assert limiter.take("c", legs[0], 0.0) > 0  # a reload is no new second


async def test_calls_that_are_up_go_on_and_new_ones_follow_the_new_plan() -> None:
    exchange = Exchange()
    call_id = exchange.up()
    plan = replace(exchange.plan, router=Router(ONE_EACH, [Rule("none", refuse=603)]))
    exchange.board.replan(plan)
    exchange.invite("near-1")
    assert exchange.wire.to("near-1")[-1] == leg_command.RejectLeg(603, "")
    assert [call.id for call in exchange.board.calls() if call.state == "up"] == [call_id]
    exchange.board.on_leg_event(LegId("near-0"), LegHungUp("bye"))
    assert exchange.board.calls_left() == 0


def test_a_token_holds_until_another_has_its_name() -> None:
    tokens = Tokens.parse("ann:0123456789abcdef, bob:0123456789abcdeg, eve:0123456789abcdeh")
    ann, bob, eve = (tokens.principal(name) for name in ("ann", "bob", "eve"))
    tokens.replace(Tokens.parse("ann:0123456789abcdef, bob:another-token-0001", "ann:agent"))
    assert [tokens.holds(each) for each in (ann, bob, eve)] == [True, False, False]
    assert tokens.agent_of("0123456789abcdeg") is None
    assert tokens.agent_of("another-token-0001") == "bob"
    again = tokens.principal("bob")
    tokens.replace(Tokens.parse("ann:0123456789abcdef, bob:0123456789abcdeg", "ann:supervisor"))
    assert [tokens.holds(each) for each in (ann, bob, again)] == [False, False, False]  # other rights


async def test_settings_that_cannot_be_made_into_a_plan_change_nothing(tmp_path: Path) -> None:
    exchange, looked, engine = Exchange(), [], Engine()
    tokens = Tokens.parse("ann:0123456789abcdef")
    reload = Reload(exchange.plan, tokens, None, lambda: looked.append(True), engine)
    own = read(tmp_path, {"carrier": {"max_calls": "1"}}).signalling
    wrong = {**own.environment(), "TONEWALL_API_TOKENS": "ann:short"}
    assert reload.apply(exchange.board, ReloadSettings(by="root"), wrong).startswith("token 1")
    engine.fault = OSError(2, "No such file")
    answer = reload.apply(exchange.board, ReloadSettings(by="root"), own.environment())
    assert "No such file" in answer
    assert (looked, engine.trunks) == ([], [])
    assert exchange.board._plan is exchange.plan
    engine.fault = None
    assert reload.apply(exchange.board, ReloadSettings(by="root"), own.environment()) == ""
    assert looked == [True]
    assert [each.name for each in engine.trunks] == ["carrier", "pbx"]
    plan, given = exchange.board._plan, replan(exchange.plan, own)
    assert replace(plan, router=given.router) == given
    assert plan.router.places == given.router.places
    assert plan.limits == trunk_limits(own)
