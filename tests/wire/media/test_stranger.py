"""The racing stranger ("RTP bleed"): from the first packet to after the BYE it injects nothing and
is sent nothing."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.benchmark.packets import Ends
from tests.benchmark.relays import RtpengineRelay
from tests.stack import Stack, media_ports, running, until
from tests.wire.handmade import Customer, MediaPair, offer, trunk
from tests.wire.media.offers import port
from tests.wire.media.renegotiation import FORMS, renegotiated
from tests.wire.paying import nothing_left
from tests.wire.racing import MARK, Racer, racing
from tests.wire.sip_peer import HOST, Call

PAIRS = 8
NEAR = (HOST, "127.0.0.66")  # another port of the peer's host; its network
FAR = ("127.9.9.9",)
STAGE = 25  # rounds of both phones in each stage of the call


class Talk:
    """Both phones speak, RTP and RTCP, as long as the block runs; to where SDP says."""

    def __init__(self, customer: Customer, phones: list[MediaPair]) -> None:
        self.customer, self.phones = customer, phones
        self.to: dict[MediaPair, int] = {}  # the port that each sends to
        self.rounds = 0

    async def run(self) -> None:
        report = bytes.fromhex("80c9000112345678")
        while True:
            for phone, to in self.to.items():
                phone.rtp.send(self.customer.speech().serialize(), (HOST, to))
                phone.rtcp.send(report, (HOST, to + 1))
            self.rounds += 1
            await asyncio.sleep(0.01)

    async def more(self) -> None:
        wanted = self.rounds + STAGE
        await until(lambda: self.rounds >= wanted, "the phones to go on speaking")

    def bled(self) -> int:
        """The stranger's packets among all that any phone was sent."""
        heard = [data for phone in self.phones for part in (phone.rtp, phone.rtcp) for data, _ in part.heard]
        return sum(MARK in data for data in heard)


@contextlib.asynccontextmanager
async def talking(customer: Customer, *phones: MediaPair) -> AsyncIterator[Talk]:
    talk = Talk(customer, list(phones))
    for phone in phones:
        await phone.open()
    speaking = asyncio.create_task(talk.run())
    try:
        yield talk
    finally:
        speaking.cancel()
        for phone in phones:
            phone.close()


@pytest.mark.parametrize("nat", ["no", "yes"])
async def test_a_stranger_injects_nothing_and_is_sent_nothing_at_any_time_of_a_call(
    tmp_path: Path, nat: str
) -> None:
    low, high = (int(end) for end in media_ports(PAIRS).split("-"))
    ports = range(low, high + 1)
    extra = {"carrier": {"nat": nat}, "pbx": {"nat": nat}}
    with trunk() as carrier, trunk() as pbx, contextlib.ExitStack() as strangers:
        async with running(Stack(tmp_path, carrier.port, pbx.port, pairs=PAIRS, extra=extra)) as stack:
            carrier.engine = pbx.engine = (HOST, stack.sip_port)
            # Behind NAT the first packet of the network decides: there the near ones come once it
            # has been sent.
            racers = [strangers.enter_context(racing(FAR if nat == "yes" else FAR + NEAR, HOST, ports))]
            customer, desk, moved = Customer(carrier), MediaPair(), MediaPair()
            async with talking(customer, customer.media, desk, moved) as talk:
                phone = customer.media
                carrier.send(carrier.request("INVITE", body=offer(phone.port)))
                invite = await pbx.hear("INVITE", 30)
                talk.to[desk] = port(invite.body)
                # Early media, before any answer.
                pbx.reply(invite, 183, body=offer(desk.port, "desk"))
                early = await carrier.hear("183")
                talk.to[phone] = port(early.body)
                await until(lambda: desk.rtp.heard and phone.rtp.heard, "early media both ways")
                if nat == "yes":
                    await until(lambda: desk.rtcp.heard and phone.rtcp.heard, "RTCP both ways")
                    racers.append(strangers.enter_context(racing(NEAR, HOST, ports)))
                await talk.more()
                pbx.reply(invite, 200, body=offer(desk.port, "desk"))
                answer = await carrier.hear("200")
                near, agent = Call.placed(answer), Call.taken(invite)
                carrier.send(carrier.request("ACK", call=near))
                await pbx.hear("ACK")
                await talk.more()
                held = FORMS["nowhere"](offer(phone.port))  # on hold: nobody is the customer's leg
                await renegotiated(carrier, near, 2, held, pbx, offer(desk.port, "desk"))
                await talk.more()
                if (
                    nat == "yes"
                    # A new address has to be learnt anew, and the first packet of the network
                    # decides.
                ):
                    racers[-1].stop()
                to = talk.to.pop(phone)
                await renegotiated(carrier, near, 3, offer(moved.port), pbx, offer(desk.port, "desk"))
                heard = len(desk.rtp.heard)
                talk.to[moved] = to
                await until(
                    lambda: len(desk.rtp.heard) > heard + 2 and moved.rtp.heard, "voice at the new address"
                )
                talk.to[phone] = to  # the old one is a stranger now, and goes on
                if nat == "yes":
                    await talk.more()
                    racers.append(strangers.enter_context(racing(NEAR, HOST, ports)))
                await talk.more()
                pbx.send(pbx.request("BYE", call=agent, cseq=2))
                bye = await carrier.hear("BYE")
                carrier.reply(bye, 200)
                await talk.more()
                await nothing_left(stack)
                assert talk.bled() == 0
                assert [racer.received for racer in racers] == [[]] * len(racers)
                [record] = await until(stack.records, "the call's record")
                assert record["caller_foreign_source"] > STAGE
                assert record["agent_foreign_source"] > STAGE
                assert record["caller_received"] > STAGE
                assert record["agent_received"] > STAGE


@pytest.mark.skipif(
    shutil.which("rtpengine") is None, reason="rtpengine (Debian: rtpengine-daemon) is not here"
)
async def test_the_same_stranger_gets_into_rtpengine_as_it_comes(tmp_path: Path) -> None:
    """The control: a stranger that was never heard anywhere would prove nothing."""
    engine = RtpengineRelay(tmp_path / "rtpengine.log")
    engine.start()
    with trunk() as unused, contextlib.ExitStack() as strangers:
        customer, desk = Customer(unused), MediaPair()
        try:
            async with talking(customer, customer.media, desk) as talk:
                [ours] = engine.open_calls([Ends(customer.media.port, desk.port)])
                ports = [ours.caller, ours.caller + 1, ours.agent, ours.agent + 1]
                racer: Racer = strangers.enter_context(racing(FAR + NEAR, HOST, ports))
                await until(lambda: racer.sent > 100, "the stranger to be first")
                talk.to = {customer.media: ours.caller, desk: ours.agent}
                await talk.more()
                await until(
                    lambda: talk.bled() > 0 and racer.received, "the stranger to be heard, and to hear"
                )
        finally:
            engine.stop()
