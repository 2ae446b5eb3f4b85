"""An INVITE that comes back: for the same number it is a loop, for another a spiral, which is a
call of its own."""

from __future__ import annotations

import re

import pytest

from b2bua.call.leg import LegInvited
from tests.wire.signalling.stage import ANSWER, OFFER, Stage, staged
from tests.wire.sip_peer import Call, Heard


@pytest.fixture
async def stage():
    async with staged() as made:
        yield made


def returned(stage: Stage, invite: Heard, user: str) -> str:
    """The INVITE as a proxy sends it on to us for somebody, as its last hop."""
    via = f"Via: SIP/2.0/UDP 127.0.0.1:{stage.pbx.port};branch=z9hG4bKproxy{user};rport\r\n"
    route = f"Record-Route: <sip:127.0.0.1:{stage.pbx.port};lr>\r\n"
    head, _, rest = invite.text.partition("\r\n")
    head = re.sub(r"sip:[^@]*@\S+", f"sip:{user}@127.0.0.1:{stage.pbx.engine[1]}", head)
    return f"{head}\r\n{via}{route}{rest}".replace("Max-Forwards: 69", "Max-Forwards: 68")


async def test_a_call_that_the_pbx_forwards_through_us_to_another_number_is_a_new_call(stage: Stage):
    carrier, pbx = stage.carrier, stage.pbx
    carrier.send(carrier.request("INVITE", body=OFFER))
    first = await pbx.hear("INVITE")
    pbx.send(returned(stage, first, "+4940999999"))
    second = await carrier.hear("INVITE")
    assert second.uri.startswith("sip:+4940999999@")
    assert second.one("Max-Forwards") == "67"
    carrier.reply(second, 200, body=ANSWER)
    answered = await pbx.hear("200")
    assert f"Record-Route: <sip:127.0.0.1:{pbx.port};lr>" in answered.text
    vias = [f"Via: {via}" for via in first.all("Via")]
    back = re.sub(r"(?m)^(Via|Record-Route): .*\r\n", "", answered.text)
    back = back.replace(
        "\r\n", "\r\n" + "\r\n".join(vias) + f"\r\nRecord-Route: <sip:127.0.0.1:{pbx.port};lr>\r\n", 1
    )
    pbx.send(back)  # the proxy hands the 200 on
    ok = await carrier.hear("200")
    near = Call.placed(ok)
    carrier.send(carrier.request("ACK", call=near))
    ack = await pbx.hear("ACK")
    # The proxy sees the ACK of the first leg pass, for the Contact of the second: that is us.
    pbx.send(f"{ack.text.partition(' ')[0]} {ack.uri} SIP/2.0\r\n"
             f"Via: SIP/2.0/UDP 127.0.0.1:{pbx.port};branch=z9hG4bKproxyack;rport\r\n" + _unrouted(ack))  # fmt: skip  # noqa: E501
    await carrier.hear("ACK")
    assert stage.bridge.engine.counters().get("loops", 0) == 0
    assert len(stage.bridge.kinds(LegInvited)) == 2
    carrier.send(carrier.request("BYE", call=near, cseq=2))
    bye = await pbx.hear("BYE")
    pbx.send(f"BYE {bye.uri} SIP/2.0\r\n"
             f"Via: SIP/2.0/UDP 127.0.0.1:{pbx.port};branch=z9hG4bKproxybye;rport\r\n" + _unrouted(bye))  # fmt: skip  # noqa: E501
    end = await carrier.hear("BYE")
    carrier.reply(end, 200)
    done = next(each for each in [await pbx.hear("200")] if "BYE" in each.one("CSeq"))
    pbx.send(re.sub(r"(?m)^Via: .*z9hG4bKproxybye.*\r\n", "", done.text))
    await carrier.hear("200")
    await stage.empty()


def _unrouted(message: Heard) -> str:
    return re.sub(r"(?m)^Route: .*\r\n", "", message.text.partition("\r\n")[2])


@pytest.mark.parametrize("user", ["bob", "bo%62"])
async def test_one_that_comes_back_for_the_same_number_is_a_loop(stage: Stage, user: str):
    stage.carrier.send(stage.carrier.request("INVITE", body=OFFER))
    first = await stage.pbx.hear("INVITE")
    stage.pbx.send(returned(stage, first, user))
    await stage.pbx.hear("482")
    assert stage.bridge.engine.counters()["loops"] == 1
    assert len(stage.bridge.kinds(LegInvited)) == 1


async def test_two_numbers_that_a_proxy_forks_to_are_two_calls_and_one_on_two_ways_is_one(stage: Stage):
    text = stage.carrier.request("INVITE", body=OFFER)
    stage.carrier.send(text)
    await stage.pbx.hear("INVITE")
    other = re.sub(
        "^INVITE sip:bob@", "INVITE sip:carol@", re.sub("branch=z9hG4bK", "branch=z9hG4bKother", text)
    )
    stage.carrier.send(other)
    assert (await stage.pbx.hear("INVITE")).uri.startswith("sip:carol@")
    stage.carrier.send(re.sub("branch=z9hG4bK", "branch=z9hG4bKagain", text))
    await stage.carrier.hear("482")
    assert len(stage.bridge.kinds(LegInvited)) == 2
