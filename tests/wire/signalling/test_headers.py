"""Every header of the policy on the wire, between trunks that are trusted and trunks that are not,
in both directions.

Each message of a call carries every header of the table; what arrives must be what the table says
for that message and those two trunks, and nothing else. What is expected of a value stands here, by
its shape: a new row of a known shape is tested by itself, one of a new shape fails until it is
given a sample.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from b2bua.sip.message import header_values as shapes
from b2bua.sip.message.header_policy import ALL, RULES, MessageClass, Rule, Trust
from tests.wire.signalling.country import KEYS, Country, cancelled, country
from tests.wire.sip_peer import HOST, SDP, Call, Heard, SipPeer

OFFER, ANSWER = SDP.format("near"), SDP.format("far")
CANARY = "canary.internal.example"  # stands for a host of whoever sends it, see `host_of`
CALLER = "4930555"
ROUTES = """
    in: source = north, south; callee = 1; to = berlin
    other-in: source = north, south; callee = 2; to = munich
    out: source = berlin, munich; callee = 1; to = north
    other-out: source = berlin, munich; callee = 2; to = south
"""
TRUSTED = {"north", "berlin"}
PAIRS = [(near, far) for near in ("north", "south") for far in ("berlin", "munich")]
PAIRS += [(far, near) for near, far in PAIRS]


class Sample(NamedTuple):
    """A value as it is sent, and as trunks get it that are trusted and that are not."""

    sent: str
    trusted: str
    other: str


def alike(sent: str, got: str = "") -> Sample:
    return Sample(sent, got or sent, got or sent)


OURS = f"sip:200@{HOST}"
SAMPLES: dict[Callable[..., str | None], Sample] = {
    shapes.address: alike(f'"Ann" <sip:200@{CANARY}:5070;transport=tcp>', f'"Ann" <{OURS}>'),
    shapes.diversion: Sample(
        f"<sip:200@{CANARY}>;reason=user-busy;privacy=full",
        f"<{OURS}>;reason=user-busy;privacy=full",
        f"{shapes.NOBODY};reason=user-busy;privacy=full",
    ),
    shapes.history: Sample(
        f"<sip:200@{CANARY}?Privacy=history>;index=1.1",
        f"<{OURS}?Privacy=history>;index=1.1",
        "<sip:anonymous@anonymous.invalid>;index=1.1",
    ),
    shapes.date: alike("Tue, 24 Nov 2026 10:00:00 GMT"),
    shapes.reason: alike(f'Q.850;cause=21;text="at {CANARY}"', "Q.850;cause=21"),
    shapes.user_to_user: alike("56a390;encoding=hex"),
    shapes.information: alike("<https://pictures.example/ann.png>;purpose=icon"),
    shapes.alert: alike("<urn:alert:source:external>"),
    shapes.text: alike("urgent"),
    shapes.languages: alike("de, en;q=0.5"),
    shapes.warning: alike(f'399 {CANARY} "at {CANARY}"', f'399 {HOST} "Miscellaneous warning"'),
    shapes.retry_after: alike(f"30 (at {CANARY})", "30"),
}
# They cross as they came.
PRIVATE = {
    "X-Account": f"7 at {CANARY}",
    "P-Charge-Info": "<sip:200@charge.example>",
}
UNNAMED = {
    "X-Route": CANARY,
    "P-Access-Network-Info": CANARY,
    "Server": CANARY,
    "In-Reply-To": CANARY,
    "Reply-To": CANARY,
}


def signed(callee: str) -> str:
    """An Identity that is true of a call of CALLER's to `callee`."""
    claims = json.dumps({"orig": {"tn": CALLER}, "dest": {"tn": [callee]}, "iat": 1}).encode()
    return f"aa.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.bb;alg=ES256"


def sample(rule: Rule, callee: str, privacy: str) -> Sample:
    match rule.name:
        case "Identity":
            return alike(signed(callee))
        case "Privacy":
            return alike(privacy, ";".join(sorted(privacy.split(";"))))
        case _:
            return SAMPLES[rule.sanitise]


def host_of(trunk: str) -> str:
    """A host behind that trunk, which the other side is never to see."""
    return f"{trunk}.internal.example"


def all_of_them(near: str, callee: str, privacy: str) -> dict[str, str]:
    """Every header that there is a rule for, and some that there is none for, as `near` sends
    them."""
    every = {rule.name: sample(rule, callee, privacy).sent for rule in RULES} | PRIVATE | UNNAMED
    return {name: value.replace(CANARY, host_of(near)) for name, value in every.items()}


def crosses(rule: Rule, moment: MessageClass, near: str, far: str, privacy: str) -> bool:
    """What docs/headers.md says: from `near` to `far`."""
    believed = rule.accepted_from is Trust.ANYBODY or near in TRUSTED
    withheld = bool(rule.hidden_with & set(privacy.split(";")))
    is_sent = far in TRUSTED or (rule.sent_to is Trust.ANYBODY and not withheld)
    signature = rule.name not in {"Identity", "Date"} or far in TRUSTED  # `identity = yes`
    return moment in rule.crosses_in and believed and is_sent and signature


def as_the_table_says(
    message: Heard, moment: MessageClass | None, near: str, far: str, callee: str, privacy: str
) -> None:
    """`moment`: None for a message that nothing crosses in."""
    for rule in RULES:
        one = sample(rule, callee, privacy)
        expected = [one.trusted if far in TRUSTED else one.other]
        if moment is None or not crosses(rule, moment, near, far, privacy):
            expected = []
        assert message.all(rule.name) == expected, (rule.name, message.start, near, far, privacy)
    named = moment is not None and far in TRUSTED
    for name, value in PRIVATE.items():
        kept = [value.replace(CANARY, host_of(near))] if named else []
        assert message.all(name) == kept, (name, message.start, near, far)
    for name in UNNAMED:
        assert not message.all(name), (name, message.start)
    as_named = PRIVATE["X-Account"].replace(CANARY, host_of(near))
    assert host_of(near) not in message.text.replace(as_named, ""), (message.start, near, far)


@pytest.fixture
async def land(tmp_path: Path) -> AsyncIterator[Country]:
    async with country(tmp_path, ROUTES, north=KEYS, berlin=KEYS) as made:
        yield made


def invite(near: SipPeer, host: str, callee: str, headers: dict[str, str]) -> Heard:
    whom = {"From": f"<sip:{CALLER}@{host}>;tag=near", "To": f"<sip:{callee}@{host}>"}
    text = near.request("INVITE", body=OFFER, **whom | headers)
    text = text.replace(f"INVITE sip:bob@{HOST}", f"INVITE sip:{callee}@{HOST}", 1)
    near.send(text)
    return Heard(text, (HOST, 0))


def test_every_shape_has_a_sample() -> None:
    for rule in ALL:
        assert sample(rule, "1", "none") if rule.name != "X-*, P-*" else PRIVATE


@pytest.mark.parametrize("privacy", ["none", "id;user"])
async def test_each_header_crosses_as_the_table_says(land: Country, privacy: str) -> None:
    for near, far in PAIRS:
        callee = "155500" if far in TRUSTED else "255500"
        headers, replied = all_of_them(near, callee, privacy), all_of_them(far, callee, privacy)
        ends = {"near": near, "far": far, "callee": callee, "privacy": privacy}
        back = ends | {"near": far, "far": near, "privacy": privacy}
        one, other = getattr(land, near), getattr(land, far)
        # A call that is answered, changed and hung up.
        invite(one, host_of(near), callee, headers)
        invited = await other.hear("INVITE")
        as_the_table_says(invited, MessageClass.INVITE, **ends)
        other.reply(invited, 183, body=ANSWER, **replied)
        as_the_table_says(await one.hear("183"), MessageClass.PROVISIONAL, **back)
        other.reply(invited, 200, body=ANSWER, **replied)
        ok = await one.hear("200")
        as_the_table_says(ok, MessageClass.SUCCESS, **back)
        call = Call.placed(ok)
        one.send(one.request("ACK", call=call, **headers))
        as_the_table_says(await other.hear("ACK"), None, **ends)
        one.send(one.request("INVITE", call=call, cseq=2, body=SDP.format("moved"), **headers))
        again = await other.hear("INVITE")
        as_the_table_says(again, None, **ends)
        other.reply(again, 200, body=ANSWER, **replied)
        as_the_table_says(await one.hear("200"), None, **back)
        one.send(one.request("ACK", call=call, cseq=2, **headers))
        await other.hear("ACK")
        one.send(one.request("INFO", call=call, cseq=3, body="x", **headers | {"Content-Type": "text/plain"}))
        info = await other.hear("INFO")
        as_the_table_says(info, None, **ends)
        other.reply(info, 200, **replied)
        as_the_table_says(await one.hear("200"), None, **back)
        one.send(one.request("BYE", call=call, cseq=4, **headers))
        bye = await other.hear("BYE")
        as_the_table_says(bye, MessageClass.BYE, **ends)
        other.reply(bye, 200, **replied)
        as_the_table_says(await one.hear("200"), None, **back)
        # One that is refused.
        invite(one, host_of(near), callee, headers)
        other.reply(await other.hear("INVITE"), 486, **replied)
        as_the_table_says(await land.refused(one, 486), MessageClass.FAILURE, **back)
        # One that is given up.
        sent = invite(one, host_of(near), callee, headers)
        invited = await other.hear("INVITE")
        other.reply(invited, 180)
        await one.hear("180")
        cancelled(one, sent, headers)
        as_the_table_says(await one.hear("200"), None, **back)
        cancel = await other.hear("CANCEL")
        as_the_table_says(cancel, MessageClass.CANCEL, **ends)
        other.reply(cancel, 200)
        other.reply(invited, 487)
        as_the_table_says(await land.refused(one, 487), None, **back)
