"""Who is on the legs of a call, and the order that their headers name."""

from __future__ import annotations

import pytest

from b2bua.call import leg, leg_command
from b2bua.call.identity import CallIdentity
from b2bua.call.plain_number import plain_number
from b2bua.call.reference import read_reference, read_references
from b2bua.call.trunk_policy import TrunkPolicy
from media.events import Side

CARD = "4111111111111111"


@pytest.mark.parametrize(
    ("name", "value", "reference"),
    [
        ("x-order", "INV-2041", "INV-2041"),
        ("x-order", '  "INV 2041"  ', "INV 2041"),
        ("x-order", '"a \\"b\\""', 'a "b"'),
        ("x-order", "", ""),
        ("x-order", "a" * 64, "a" * 64),
        ("x-order", "a" * 65, ""),
        ("x-order", "INV\x00-1", ""),
        ("x-order", "a\x1b[2J", ""),
        ("x-order", f"order {CARD}", ""),
        ("x-order", " ".join(CARD), ""),
        ("user-to-user", "494e562d32303431;encoding=hex", "INV-2041"),
        ("user-to-user", "494e562d32303431", "INV-2041"),
        ("user-to-user", "04494E562D32303431;encoding=hex;purpose=isdn-uui", "INV-2041"),
        ("user-to-user", '"INV-2041";encoding=ascii', "INV-2041"),
        ("user-to-user", '"a;b";encoding=ascii', "a;b"),
        ("user-to-user", "INV-2041;encoding=ascii;content=x", "INV-2041"),
        ("user-to-user", "INV-2041", "INV-2041"),
        ("user-to-user", "ff00ff;encoding=hex", "ff00ff"),
        ("user-to-user", CARD.encode().hex(), ""),
        ("user-to-user", CARD, ""),
        ("user-to-user", "41" * 600, ""),
        ("user-to-user", '"', '"'),
        ("user-to-user", ";;;===", ""),
    ],
)
def test_a_header_names_an_order_where_it_is_short_printable_and_no_card_number(
    name: str, value: str, reference: str
):
    assert read_reference(name, value) == reference


def test_only_headers_that_are_wanted_name_an_order_the_preferred_first():
    headers = (
        ("X-Order", "two"),
        ("X-Order", "three"),
        ("User-to-User", "one;encoding=ascii"),
        ("X-Other", "no"),
    )
    assert read_references(headers, ("user-to-user", "x-order")) == (
        ("user-to-user", "one"),
        ("x-order", "two"),
    )
    assert read_references(headers, ()) == ()


@pytest.mark.parametrize(
    "number", ["+49 30 123456", "004930123456", "4930123456", "+49(30)12-34.56", "+4930/123456"]
)
def test_a_number_is_the_same_however_it_is_written(number: str):
    assert plain_number(number) == "4930123456"


def answered(*headers: tuple[str, str]) -> leg.LegAnswered:
    return leg.LegAnswered(b"", leg.Carried(headers))


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("<sip:201@pbx.example>", "201"),
        ('"sip:999@x" <sip:201@pbx.example>', "201"),
        ('"\\"<sip:999@x>" <sip:201@pbx>;x="<y>"', ""),
        ("tel:+4930123", "+4930123"),
        ("<tel:+4930123;phone-context=x>", "+4930123"),
        ("sip:201;p=1@pbx", "201"),
        ("<sips:201@pbx>", "201"),
        ("<sip:pbx.example>", "pbx.example"),
        ("nonsense", ""),
        ("", ""),
    ],
)
def test_an_asserted_identity_is_read_behind_its_display_name(value: str, number: str):
    identity = CallIdentity()
    identity.event(Side.AGENT, answered(("P-Asserted-Identity", value)), TrunkPolicy())
    assert identity.of(Side.AGENT).numbers == ((number,) if number else ())


def test_who_answers_goes_before_who_was_called_and_who_rang_does_not_count():
    identity = CallIdentity()
    identity.invited(Side.AGENT, leg_command.InviteLeg("pbx", leg.Party("a"), leg.Party("8000"), b""))
    assert identity.agent({"8000": "queue"}) == ("8000", "queue")
    rings = (("P-Asserted-Identity", "<sip:201@pbx>"),)
    identity.event(Side.AGENT, leg.LegProgressed(180, "Ringing", b"", leg.Carried(rings)), TrunkPolicy())
    assert identity.of(Side.AGENT).numbers == ("8000",)
    identity.event(Side.AGENT, answered(("P-Asserted-Identity", "<sip:202@pbx>")), TrunkPolicy())
    assert identity.of(Side.AGENT).numbers == ("202", "8000")
    assert identity.agent({"202": "ben"}) == ("202", "ben")
    assert identity.agent({}) == ("202", "")


def test_a_leg_that_replaces_another_brings_its_own_numbers_and_references():
    identity = CallIdentity()
    policies = {"pbx": TrunkPolicy(references=("x-order",))}
    invited = leg.LegInvited("carrier", leg.Party("+49301"), leg.Party("500"), b"")
    identity.event(Side.CALLER, invited, policies["pbx"])
    identity.event(Side.AGENT, answered(("X-Order", "one")), policies["pbx"])
    assert identity.references == (("x-order", "one"),)
    joins = leg.LegInvited(
        "pbx", leg.Party("202"), leg.Party("x"), b"", carried=leg.Carried((("X-Order", "two"),))
    )
    identity.joining_event(joins, policies)
    assert identity.references == (("x-order", "one"),)
    identity.replaced(Side.AGENT)
    assert (identity.of(Side.AGENT).numbers, identity.references) == (("202",), (("x-order", "two"),))
    assert identity.joining.numbers == ()


def test_a_reference_is_the_first_that_a_leg_named():
    identity = CallIdentity()
    for value in ("one", "two"):
        identity.event(Side.AGENT, answered(("X-Order", value)), TrunkPolicy(references=("x-order",)))
    assert identity.references == (("x-order", "one"),)


def test_headers_that_are_shown_are_bounded_hold_no_card_number_and_leave_with_their_leg():
    policy, identity = TrunkPolicy(shown_headers=("x-ref", "x-card", "x-long")), CallIdentity()
    headers = ("X-Ref", "C-4711"), ("X-Card", CARD), ("X-Long", "a" * 129), ("X-Other", "no")
    identity.event(Side.AGENT, answered(*headers), policy)
    assert identity.of(Side.AGENT).shown == (("x-ref", "C-4711"),)
    identity.event(Side.AGENT, answered(("X-Ref", "later"), ("X-Long", "a" * 128)), policy)
    assert identity.of(Side.AGENT).shown == (("x-ref", "C-4711"), ("x-long", "a" * 128))
    identity.replaced(Side.AGENT)
    assert identity.of(Side.AGENT).shown == ()
