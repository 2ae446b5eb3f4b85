"""Routes, numbers and limits: which trunks a call goes to, how they write its numbers, and how many
they carry."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.call import leg, leg_command
from b2bua.call.command import CallCommand, ToLeg, ToMedia
from b2bua.call.leg import LegId, LegInvited, Party
from b2bua.call.routing.limits import Limit, Limiter
from b2bua.call.routing.numbers import Form, NumberPlan
from b2bua.call.routing.router import Decision, Pattern, PatternError, Place, Router, Rule
from b2bua.call.trunk_policy import TrunkPolicy
from media.events import CloseSession, OpenSession, Side
from media.mask_policy import MaskPolicy
from media.stream_description import Interface
from tests.call_script import SESSION, THEIRS, Script

CALLER, AGENT = Side.CALLER, Side.AGENT
GERMAN = NumberPlan(Form.NATIONAL, "49")
PLACES = {
    "north": Place(CALLER, GERMAN),
    "south": Place(CALLER, NumberPlan(Form.PLAIN, "49")),
    "berlin": Place(AGENT, NumberPlan(Form.E164)),
    "munich": Place(AGENT),
}


def decide(
    trunk: str, callee: str, *rules: Rule, caller: str = "015112345678", draw: Sequence[float] = (0.5,)
) -> Decision:
    draws = iter(draw)
    router = Router(PLACES, rules)
    return router.decide(LegInvited(trunk, Party(caller, "Anna"), Party(callee), b""), lambda: next(draws))


def trunks(decision: Decision) -> list[str]:
    return [each.trunk for each in decision.destinations]


# --- routes ---------------------------------------------------------------------------------------


def test_without_routes_a_call_goes_to_the_other_kind_of_trunk_in_the_order_of_the_file():
    assert trunks(decide("north", "030123456")) == ["berlin", "munich"]
    assert trunks(decide("munich", "+4930123456")) == ["north", "south"]


def test_the_first_route_that_fits_decides():
    rules = (
        Rule("own", ("munich",), frozenset({"south"})),
        Rule("berlin", ("berlin", "munich"), callee=Pattern.read("+4930, +4933")),
        Rule("rest", ("munich",), callee=Pattern.read("/\\+49.*/")),
    )
    assert (decide("south", "4930123456", *rules).rule, decide("north", "030123456", *rules).rule) == (
        "own",
        "berlin",
    )
    assert trunks(decide("north", "030123456", *rules)) == ["berlin", "munich"]
    assert trunks(decide("north", "089123456", *rules)) == ["munich"]


def test_a_call_that_no_route_fits_is_not_found_and_one_that_a_route_refuses_gets_its_code():
    rules = (
        Rule("blocked", refuse=403, caller=Pattern.read("+49900")),
        Rule("b", ("berlin",), callee=Pattern.read("+4930")),
    )
    assert (decide("north", "089123456", *rules).destinations, decide("north", "089123456", *rules).code) == (
        (),
        404,
    )
    blocked = decide("north", "030123456", *rules, caller="0900123456")
    assert (blocked.rule, blocked.destinations, blocked.code) == ("blocked", (), 403)


def test_a_call_never_goes_to_a_trunk_of_its_own_kind():
    everybody = Rule("all", ("berlin", "north", "munich"))
    assert trunks(decide("south", "4930123456", everybody)) == ["berlin", "munich"]
    assert trunks(decide("munich", "+4930123456", everybody)) == ["north"]


def test_trunks_that_share_their_calls_are_drawn():
    spread = Rule("all", ("berlin", "munich"), spread=True)
    assert trunks(decide("north", "030123456", spread, draw=(0.1, 0.9))) == ["berlin", "munich"]
    assert trunks(decide("north", "030123456", spread, draw=(0.9, 0.1))) == ["munich", "berlin"]


def test_numbers_are_rewritten_by_the_route_and_then_written_as_the_trunk_does():
    rule = Rule(
        "in", ("berlin",), callee=Pattern.read("/\\+4930555(\\d{3})/", "\\1"), caller=Pattern.read("+49", "0")
    )
    (there,) = decide("north", "030555123", rule).destinations
    assert (there.callee.user, there.caller) == ("123", Party("015112345678", "Anna"))
    out = Rule("out", ("north",), callee=Pattern.read("9", "+49"))
    (there,) = decide("munich", "9301234567", out).destinations
    assert there.callee.user == "0301234567"


@pytest.mark.parametrize(
    ("text", "into", "number", "fitted"),
    [
        ("", "", "anything", "anything"),
        ("", "100", "anything", "100"),
        ("+49, +4930", "", "+4930", "+4930"),
        ("+49, +4930", "0", "+49301", "01"),
        ("+49", "", "+43", None),
        ("/1../", "", "123", "123"),
        ("/1../", "", "1234", None),
        ("/(1).(.)/", "\\2\\1", "123", "31"),
        ("/.*/", "", "1" * 65, None),
    ],
)
def test_a_pattern(text: str, into: str, number: str, fitted: str | None):
    assert Pattern.read(text, into).fits(number) == fitted


@pytest.mark.parametrize(("text", "into"), [("/", ""), ("//", ""), ("/1", ""), ("/(/", ""), ("/1/", "\\1")])
def test_a_pattern_that_cannot_be_understood(text: str, into: str):
    with pytest.raises(PatternError, match="expected a regular expression"):
        Pattern.read(text, into)


# --- numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "written", "number"),
    [
        (GERMAN, "0301234567", "+49301234567"),
        (GERMAN, "00442079460000", "+442079460000"),
        (GERMAN, "+442079460000", "+442079460000"),
        (GERMAN, "030-123 45.67", "+49301234567"),
        (GERMAN, "110", "110"),
        (GERMAN, "anna", "anna"),
        (GERMAN, "+49", "+49"),
        (NumberPlan(Form.PLAIN, "49"), "49301234567", "+49301234567"),
        (NumberPlan(Form.INTERNATIONAL), "0049301234567", "+49301234567"),
        (NumberPlan(Form.E164), "0301234567", "0301234567"),
        (NumberPlan(Form.E164, "49"), "0301234567", "+49301234567"),
        (NumberPlan(), "0049301234567", "0049301234567"),
        (NumberPlan(Form.NATIONAL, "1", "1", "011"), "12125550100", "+12125550100"),
        (NumberPlan(Form.NATIONAL, "1", "", "011"), "2125550100", "+12125550100"),
    ],
)
def test_a_number_is_read_from_the_way_a_trunk_writes_it(plan: NumberPlan, written: str, number: str):
    assert plan.read(written) == number


@pytest.mark.parametrize(
    ("plan", "german", "british"),
    [
        (NumberPlan(), "+49301234567", "+442079460000"),
        (NumberPlan(Form.E164), "+49301234567", "+442079460000"),
        (NumberPlan(Form.PLAIN), "49301234567", "442079460000"),
        (GERMAN, "0301234567", "00442079460000"),
        (NumberPlan(Form.INTERNATIONAL), "0049301234567", "00442079460000"),
    ],
)
def test_a_number_is_written_in_the_trunks_way(plan: NumberPlan, german: str, british: str):
    assert [plan.write(each) for each in ("+49301234567", "+442079460000", "110", "anna")] == [
        german, british, "110", "anna",
    ]  # fmt: skip


@given(
    digits=st.from_regex(r"\A[1-9][0-9]{7,14}\Z"),
    form=st.sampled_from([form for form in Form if form is not Form.AS_IS]),
    country=st.sampled_from(["49", "1", "353"]),
)
def test_what_is_written_for_a_trunk_is_read_from_it_again(digits: str, form: Form, country: str):
    plan = NumberPlan(form, country)
    assert plan.read(plan.write(f"+{digits}")) == f"+{digits}" or (
        form is Form.NATIONAL and digits.startswith(country)
    )


# --- limits ---------------------------------------------------------------------------------------


def limiter(max_calls: int = 0, max_rate: float = 0.0) -> Limiter:
    return Limiter({"t": Limit(max_calls, max_rate), "free": Limit()})


def test_a_trunk_carries_so_many_calls_at_once():
    limits = limiter(max_calls=2)
    assert [limits.take("t", LegId(name), 0.0) for name in "abc"] == [0, 0, 5]
    limits.release(LegId("a"))
    limits.release(LegId("a"))
    assert [limits.take("t", LegId(name), 0.0) for name in "de"] == [0, 5]
    assert (limits.calls("t"), limits.refused["t"]) == (2, 2)
    assert all(limits.take("free", LegId(str(n)), 0.0) == 0 for n in range(1000))


def test_a_trunk_carries_so_many_new_calls_a_second():
    limits = limiter(max_rate=4)
    assert sum(limits.take("t", LegId(f"a{n}"), 10.0) == 0 for n in range(100)) == 4
    assert sum(limits.take("t", LegId(f"b{n}"), 10.0 + n / 100) == 0 for n in range(1000)) in (39, 40)
    slow = limiter(max_rate=0.1)
    assert [slow.take("t", LegId("a"), 0.0), slow.take("t", LegId("b"), 1.0)] == [0, 9]


class Two:
    """Another instance with one call on each trunk."""

    changes = 0

    def calls(self, trunk: str) -> int:
        return 1

    def instances(self) -> int:
        return 2

    def changed(self) -> None:
        self.changes += 1


def test_the_calls_of_other_instances_count_and_each_has_its_part_of_the_rate():
    others = Two()
    limits = Limiter({"t": Limit(max_calls=3), "r": Limit(max_rate=4)}, others)
    assert [limits.take("t", LegId(name), 0.0) for name in "abc"] == [0, 0, 5]
    limits.release(LegId("a"))
    limits.release(LegId("a"))
    assert others.changes == 3
    limits.restore({LegId("e"): "t"})
    assert (others.changes, limits.all_calls(), limits.calls_elsewhere("t")) == (4, {"t": 2}, 1)
    assert sum(limits.take("r", LegId(f"{n}"), 10.0) == 0 for n in range(100)) == 2
    assert sum(limits.take("r", LegId(f"{n}"), 10.0 + n / 100) == 0 for n in range(100)) == 1
    limits.change({"t": Limit(max_calls=3), "r": Limit(max_rate=4)})
    assert limits.take("r", LegId("last"), 10.99) > 0  # the same rate: nothing is given anew


# --- from trunk to trunk --------------------------------------------------------------------------


def failed(code: int) -> leg.LegFailed:
    return leg.LegFailed(code, "Sorry")


def said(commands: list[CallCommand]) -> list[object]:
    return [each.command for each in commands if isinstance(each, ToLeg | ToMedia)]


def test_a_trunk_that_does_not_answer_is_followed_by_the_next():
    script = Script(far_trunks=("berlin", "munich"))
    script.opened()
    (again,) = said(script.leg(script.far, failed(503)))
    assert isinstance(again, leg_command.InviteLeg)
    assert again.trunk == "munich"
    script.leg(script.far, leg.LegAnswered(THEIRS[AGENT]))
    script.leg(script.far, leg.LegHungUp("bye"))
    script.closed()
    record = script.records[0]
    assert (record.agent_leg.trunk, record.agent_leg.code, record.code) == ("munich", 200, 200)


def test_the_ports_move_to_the_next_trunk_s_address_before_it_is_called():
    munich = Interface(address="2001:db8::1")
    script = Script(
        far_trunks=("berlin", "munich", "bonn"), policies={"munich": TrunkPolicy(interface=munich)}
    )
    script.opened()
    moved = OpenSession(session=SESSION, streams=1, agent=munich, again=True)
    assert said(script.leg(script.far, failed(503))) == [moved]
    *_, invite = said(script.opened())
    assert isinstance(invite, leg_command.InviteLeg)
    assert invite.trunk == "munich"
    assert said(script.leg(script.far, failed(503))) == [OpenSession(session=SESSION, streams=1, again=True)]
    # Nobody is called meanwhile.
    rejected = said(script.leg(script.near, leg.LegFailed(487, "Request Terminated")))
    assert rejected == [CloseSession(session=SESSION)]


@pytest.mark.parametrize("code", [486, 404, 603, 480, 401])
def test_a_refusal_that_is_the_callees_own_is_final(code: int):
    script = Script(far_trunks=("berlin", "munich"))
    script.opened()
    assert not [
        each
        for each in script.leg(script.far, failed(code))
        if isinstance(getattr(each, "command", None), leg_command.InviteLeg)
    ]


def test_a_trunk_that_rang_is_not_left():
    script = Script(far_trunks=("berlin", "munich"))
    script.opened()
    script.leg(script.far, leg.LegProgressed(180, "Ringing"))
    assert leg_command.RejectLeg(503, "Sorry") in said(script.leg(script.far, failed(503)))


def test_the_last_trunks_refusal_is_the_calls():
    script = Script(far_trunks=("berlin", "munich"))
    script.opened()
    script.leg(script.far, failed(503))
    assert leg_command.RejectLeg(504, "Sorry") in said(script.leg(script.far, failed(504)))


def test_a_call_without_destination_is_refused_and_recorded():
    script = Script(far_trunks=())
    assert not [each for each in said(script.first) if isinstance(each, OpenSession | CloseSession)]
    assert leg_command.RejectLeg(404, "") in said(script.first)
    assert script.records[0].code == 404


def test_the_deciding_route_says_how_its_customers_are_masked() -> None:
    rules = (
        Rule("bots", to=("berlin",), callee=Pattern.read("+493055", ""), mask=MaskPolicy.MUTE),
        Rule("people", to=("berlin",)),
    )
    assert decide("north", "03055123", *rules).mask is MaskPolicy.MUTE
    assert decide("north", "03056123", *rules).mask is None
