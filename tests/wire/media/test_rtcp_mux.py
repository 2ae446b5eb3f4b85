"""RTCP on the RTP port (RFC 5761): agreed on with each leg by itself, so that one leg has it and
the other has not."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from tests.stack import Stack, running, until
from tests.wire.conftest import Peers
from tests.wire.handmade import Customer, MediaPair, offer, passed, trunk
from tests.wire.media.offers import MUX, port
from tests.wire.paying import Addresses
from tests.wire.peers.aiortc_view import flows
from tests.wire.sip_peer import HOST, Call

REPORT = bytes.fromhex("80c9000112345678")


@pytest.mark.parametrize("who", ["customer", "agent"])
async def test_a_leg_that_multiplexes_and_one_that_does_not_hear_each_other_s_reports(
    tmp_path: Path, who: str
) -> None:
    with trunk() as carrier, trunk() as pbx, contextlib.ExitStack() as undo:
        async with running(Stack(tmp_path, carrier.port, pbx.port, pairs=8)) as stack:
            carrier.engine = pbx.engine = (HOST, stack.sip_port)
            customer, desk = Customer(carrier), MediaPair()
            for media in (customer.media, desk):
                await media.open()
                undo.callback(media.close)
            phone = customer.media
            # The one of the two that multiplexes calls: an answer may have it only where it was
            # offered.
            near, far, own, other = (
                (carrier, pbx, phone, desk) if who == "customer" else (pbx, carrier, desk, phone)
            )
            near.send(near.request("INVITE", body=offer(own.port) + MUX))
            invite = await far.hear("INVITE", 30)
            assert "rtcp-mux" not in invite.body
            far.reply(invite, 200, body=offer(other.port))
            answer = await near.hear("200")
            assert answer.body.endswith(MUX)
            call = Call.placed(answer)
            near.send(near.request("ACK", call=call))
            await far.hear("ACK")
            sockets = {own: (HOST, port(answer.body)), other: (HOST, port(invite.body))}
            own.rtp.send(REPORT, sockets[own])
            await until(
                lambda: [data for data, _ in other.rtcp.heard] == [REPORT],
                "the report on the port for reports",
            )
            host, number = sockets[other]
            other.rtcp.send(REPORT, (host, number + 1))
            await until(lambda: own.rtp.heard == [(REPORT, sockets[own])], "the report on the port for voice")
            # Nobody listens there to it any more.
            own.rtcp.send(REPORT, (host, sockets[own][1] + 1))
            speech = customer.speech().serialize()
            own.rtp.send(speech, sockets[own])
            await until(lambda: [data for data, _ in other.rtp.heard] == [speech], "voice as ever")
            # A re-INVITE that no longer has it ends it.
            near.send(near.request("INVITE", call=call, cseq=2, body=offer(own.port)))
            asked = await far.hear("INVITE")
            far.reply(asked, 200, body=offer(other.port))
            again = await near.hear("200")
            near.send(near.request("ACK", call=call, cseq=2))
            assert "rtcp-mux" not in again.body
            other.rtcp.heard.clear()
            await passed(REPORT, own.rtcp, (host, sockets[own][1] + 1), other.rtcp)
            assert len(other.rtp.heard) == 1
            near.send(near.request("BYE", call=call, cseq=3))
            far.reply(await far.hear("BYE"), 200)
            await near.hear("200")
            [record] = await until(stack.records, "the call's record")
            assert record[f"{'caller' if who == 'customer' else 'agent'}_foreign_source"] == 1


async def test_baresip_multiplexes_and_pjsip_does_not(peers: Peers) -> None:
    """An agent's baresip calls a customer's pjsua2; reports of both reach both."""
    at = Addresses(agent="127.0.0.1")  # which it sends RTP from, whatever address it listens on
    customer = await peers.phone("customer", address=at.customer, ring_ms=100)
    agent = await peers.baresip(address=at.agent, rtcp_mux=True)
    async with running(Stack(peers.directory, customer.port, agent.port, pairs=20, extra=at.conf())) as stack:
        async with peers.capture("both", at.media(stack)) as capture:
            await agent.command("dial", at.number(stack))
            await customer.wait("answered", 30)
            await stack.calls_up()

            async def reported() -> bool:  # sender reports come every few seconds
                await asyncio.sleep(0.3)
                return all(there(capture))

            def there(file: Path) -> list[bool]:
                muxed = [
                    flow
                    for ends, flow in flows(file).items()
                    if flow.rtp and flow.rtcp and at.agent in hosts(ends)
                ]
                plain = [
                    flow
                    for ends, flow in flows(file).items()
                    if flow.rtcp and not flow.rtp and at.customer in hosts(ends)
                ]
                return [len(muxed) == 2, len(plain) == 2]  # each way

            await until(reported, "reports on one port at the agent, on two at the customer", 40)
            await customer.hangup()
        [record] = await until(stack.records, "the call's record")
        assert record["caller_reports"] > 0
        assert record["agent_reports"] > 0


def hosts(ends: tuple[tuple[str, int], tuple[str, int]]) -> set[str]:
    return {host for host, _ in ends}
