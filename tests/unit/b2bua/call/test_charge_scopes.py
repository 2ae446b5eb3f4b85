"""For whom a payment is charged: what an order leaves out comes from the agent's group, the route
and the trunks."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from b2bua.call.charge_defaults import ChargeDefaults, complete
from b2bua.call.command import ToMedia
from b2bua.call.order import Order
from b2bua.call.trunk_policy import TrunkPolicy
from media.events import CaptureState, Side, SubmitCapture
from provider_adapters.payment import Charge
from tests.call_script import DONE, MASK, ORDER, Script, collect

SCOPES = ("order", "group", "route", "agents", "customers")  # the most specific first
SAYING = [each for size in range(6) for each in itertools.combinations(SCOPES, size)]


def scope(name: str, saying: tuple[str, ...] = SCOPES) -> ChargeDefaults:
    """What it says, where it says something: another value than any other scope."""
    if name not in saying:
        return ChargeDefaults()
    return ChargeDefaults(merchant_account=name, statement=name, metadata={"scope": name, name: "yes"})


def up(near: Side, saying: tuple[str, ...] = SCOPES) -> Script:
    """A call that is up, whose route and trunks say something of charges."""
    customers, agents = ("near trunk", "far trunk") if near is Side.CALLER else ("far trunk", "near trunk")
    policies = {
        agents: TrunkPolicy(charging=scope("agents", saying)),
        customers: TrunkPolicy(charging=scope("customers", saying)),
    }
    script = Script(near, policies=policies).answer()
    script.call.payment.charging = scope("route", saying)
    return script


def start(script: Script, order: Order, group: ChargeDefaults) -> None:
    script._keep(script.call.start_capture("c1", order, script.now, "ann", group))


def charged(script: Script) -> Charge:
    """What goes to the payer once the customer has keyed the card."""
    script.media(MASK, DONE)
    script.media(collect("c1"), DONE)
    script.news("c1", CaptureState.COLLECTING)
    script.news("c1", CaptureState.READY, brand="visa", last_four="4242")
    [command] = script.submit()
    assert isinstance(command, ToMedia)
    assert isinstance(command.command, SubmitCapture)
    return command.command.charge


def shown(script: Script) -> Order:
    capture = script.view.capture
    assert capture is not None
    return capture.order


@pytest.mark.parametrize("near", list(Side))
@pytest.mark.parametrize("saying", SAYING, ids=lambda each: "+".join(each) or "nobody")
def test_the_most_specific_that_says_something_counts(near: Side, saying: tuple[str, ...]):
    script = up(near, saying)
    start(script, complete(ORDER, [scope("order", saying)]), scope("group", saying))
    charge, first = charged(script), saying[0] if saying else ""
    assert (charge.merchant_account, charge.statement) == (first, first)
    names = dict.fromkeys(saying, "yes")
    assert charge.metadata == ({"scope": first, **names} if saying else {})
    order = msgspec.structs.asdict(shown(script))
    assert (order.pop("form"), order.pop("country")) == ("card", "")
    assert order.items() <= msgspec.structs.asdict(charge).items()


def test_each_of_them_comes_from_where_it_stands():
    script = up(Side.CALLER, ())
    script.call.payment.charging = ChargeDefaults(statement="of the route")
    order = msgspec.structs.replace(ORDER, metadata={"till": "7"})
    start(script, order, ChargeDefaults(merchant_account="of the group"))
    charge = charged(script)
    assert (charge.merchant_account, charge.statement) == ("of the group", "of the route")
    assert charge.metadata == {"till": "7"}


def test_whoever_takes_it_over_submits_it_for_their_own_group():
    script = up(Side.CALLER)
    start(script, ORDER, scope("group"))
    assert shown(script).merchant_account == "group"
    script._keep(script.call.take_over_capture("bob", script.now, ChargeDefaults(merchant_account="bob's")))
    assert shown(script).merchant_account == "bob's", "what is charged is shown"
    charge = charged(script)
    assert (charge.merchant_account, charge.statement) == ("bob's", "route")
    assert "group" not in charge.metadata


def test_an_order_that_names_its_merchant_keeps_it_whoever_takes_it_over():
    script = up(Side.CALLER)
    start(script, msgspec.structs.replace(ORDER, merchant_account="Hats"), scope("group"))
    script._keep(script.call.take_over_capture("bob", script.now, ChargeDefaults(merchant_account="bob's")))
    assert charged(script).merchant_account == "Hats"


@pytest.mark.parametrize("over", [False, True])
def test_what_was_submitted_keeps_its_merchant(over: bool):
    script = up(Side.CALLER)
    start(script, ORDER, scope("group"))
    charged(script)
    if over:
        script.news("c1", CaptureState.ABORTED, reason="lost")
    script._keep(script.call.take_over_capture("bob", script.now, ChargeDefaults(merchant_account="bob's")))
    assert (shown(script).merchant_account, script.view.capture.agent) == ("group", "bob")  # type: ignore[union-attr]
