"""Calls over TCP, mixed with UDP and IPv6: with sipp, and with a peer that restarts, stalls, or
talks nonsense."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
import uvloop

from b2bua.call.leg import LegAnswered, LegFailed, LegHungUp
from b2bua.sip.transport.stream import Limits
from tests.wire.peers.ports import listens
from tests.wire.signalling.streams import FAR, HERE, OFFER, hang_up, line, talk
from tests.wire.sip_bridge import nothing_left, until
from tests.wire.sip_peer import SDP, Call, SipPeer
from tests.wire.stream_peer import StreamPeer

LARGE = "v=0\r\n" + "".join(f"a=x-filler-{number}:{'y' * 60}\r\n" for number in range(20))
FIXTURES = Path(__file__).parents[2] / "fixtures" / "sipp"


@pytest.fixture(scope="module")
def event_loop_policy() -> uvloop.EventLoopPolicy:
    """The loop that the product runs on."""
    return uvloop.EventLoopPolicy()


async def unacknowledged(carrier: SipPeer, pbx: SipPeer) -> Call:
    """A call whose answer the carrier has heard four times: it repeats over every transport (RFC
    3261 section 13.3.1.4), at the pace of an INVITE by UDP."""
    carrier.send(carrier.request("INVITE", body=OFFER))
    pbx.reply(await pbx.hear("INVITE"), 200, body=SDP.format("far"))
    answer = await carrier.hear("200")
    await carrier.repeated(answer, 4)
    carrier.unread = [message for message in carrier.unread if message.text != answer.text]
    return Call.placed(answer)


async def test_a_call_by_tcp_takes_one_connection_each_way_and_is_sent_once():
    carrier, pbx = StreamPeer(HERE), StreamPeer(FAR)
    async with line(carrier, pbx) as made:
        await pbx.listen()
        await carrier.connect()
        carrier.send(carrier.request("INVITE", body=OFFER))
        invite = await pbx.hear("INVITE")
        assert f"SIP/2.0/TCP {HERE}:{pbx.engine[1]};" in invite.all("Via")[0]
        assert invite.contact == f"sip:{HERE}:{pbx.engine[1]};transport=tcp"
        # For so long that by UDP the INVITE would have come three times more.
        other = await unacknowledged(carrier, pbx)
        pbx.reply(invite, 200, body=SDP.format("far"))
        near = Call.placed(await carrier.hear("200"))
        carrier.send(carrier.request("ACK", call=near))
        await pbx.hear("ACK")
        await hang_up(carrier, pbx, near)
        carrier.send(carrier.request("ACK", call=other))
        await pbx.hear("ACK")
        await hang_up(carrier, pbx, other)
        await nothing_left(made)
        assert pbx.counts[invite.text] == 1
        assert pbx.accepted == 1
        assert made.engine.counters()["connections"] == 2


@pytest.mark.parametrize("mode", ["t1", "tn"])
async def test_twenty_calls_of_sipp_by_tcp(mode: str, tmp_path: Path):
    carrier, pbx = StreamPeer(HERE), StreamPeer(FAR)
    ports = carrier.port, pbx.port
    async with line(carrier, pbx) as made:
        for peer in (carrier, pbx):
            peer.socket.close()
        target = f"{HERE}:{carrier.engine[1]}"
        common = ["-m", "20", "-nostdin", "-timeout", "30s", "-timeout_error", "-trace_err"]
        answering = await asyncio.create_subprocess_exec(
            "sipp", "-sf", str(FIXTURES / "answer.xml"), "-t", "t1", "-i", FAR, "-p", str(ports[1]), *common,
            cwd=tmp_path, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        await until(lambda: listens(ports[1], "tcp"))
        calling = await asyncio.create_subprocess_exec(
            "sipp", target, "-sf", str(FIXTURES / "call.xml"), "-t", mode, "-max_socket", "100", "-i", HERE,
            "-p", str(ports[0]), "-r", "40", "-l", "20", "-d", "300", *common,
            cwd=tmp_path, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        codes = [await process.wait() for process in (calling, answering)]
        assert codes == [0, 0], complaints(tmp_path)
        await nothing_left(made)
        assert len(made.kinds(LegAnswered)) == 20
        assert len(made.kinds(LegHungUp)) == 40
        assert made.engine.counters()["connections_out"] == 1


def complaints(directory: Path) -> list[str]:
    return [path.read_text()[-800:] for path in directory.glob("*errors*")]


async def test_from_ipv4_by_udp_to_ipv6_by_tcp_and_each_is_told_an_address_of_its_own_kind():
    carrier, pbx = SipPeer(HERE), StreamPeer("::1")
    async with line(carrier, pbx, bound=(HERE, "::1")) as made:
        await pbx.listen()
        near, far = await talk(carrier, pbx)
        assert near.target == f"sip:{HERE}:{carrier.engine[1]}"
        assert far.target == f"sip:[::1]:{pbx.engine[1]};transport=tcp"
        await hang_up(carrier, pbx, near)
        await nothing_left(made)


# --- size -----------------------------------------------------------------------------------------


async def test_an_invite_too_large_for_udp_goes_by_tcp_and_the_rest_of_the_call_by_udp():
    carrier, pbx, pbx_tcp = StreamPeer(HERE), SipPeer(FAR), StreamPeer(FAR)
    pbx_tcp.port = pbx.port
    async with line(carrier, pbx) as made:
        await pbx_tcp.listen()
        await carrier.connect()
        carrier.send(carrier.request("INVITE", body=LARGE))
        invite = await pbx_tcp.hear("INVITE")
        assert invite.all("Via")[0].startswith("SIP/2.0/TCP ")
        assert "transport" not in invite.contact
        pbx_tcp.reply(invite, 200, body=SDP.format("far"), Contact=pbx.contact("far"))
        near = Call.placed(await carrier.hear("200"))
        carrier.send(carrier.request("ACK", call=near))
        assert (await pbx.hear("ACK")).all("Via")[0].startswith("SIP/2.0/UDP ")
        await hang_up(carrier, pbx, near)
        await nothing_left(made)
        await pbx_tcp.stop()
        pbx_tcp.close()


async def test_where_tcp_is_refused_the_large_invite_goes_by_udp_after_all_and_the_next_one_at_once():
    carrier, pbx = StreamPeer(HERE), SipPeer(FAR)
    async with line(carrier, pbx) as made:
        await carrier.connect()
        for attempt in (1, 2):
            carrier.send(carrier.request("INVITE", body=LARGE))
            invite = await pbx.hear("INVITE")
            assert len(invite.text) > 1300
            assert invite.all("Via")[0].startswith("SIP/2.0/UDP ")
            await pbx_repeats(pbx, invite)
            pbx.reply(invite, 486)
            await pbx.hear("ACK")
            await carrier.hear("486")
            assert made.engine.counters()["connections_out"] == 1, attempt
        await nothing_left(made)


async def pbx_repeats(pbx: SipPeer, invite) -> None:
    """It is a transaction over UDP now: sent again."""
    await pbx.repeated(invite, 2)


async def test_a_trunk_that_wants_no_tcp_gets_none():
    carrier, pbx = StreamPeer(HERE), SipPeer(FAR)
    async with line(carrier, pbx, tcp_switch=False) as made:
        await carrier.connect()
        carrier.send(carrier.request("INVITE", body=LARGE))
        pbx.reply(await pbx.hear("INVITE"), 486)
        await carrier.hear("486")
        assert made.engine.counters().get("connections_out", 0) == 0


# --- connections ----------------------------------------------------------------------------------


async def test_a_peer_that_restarts_in_mid_call_is_connected_to_again():
    carrier, pbx = StreamPeer(HERE), StreamPeer(FAR)
    async with line(carrier, pbx) as made:
        await pbx.listen()
        await carrier.connect()
        near, _ = await talk(carrier, pbx)
        await pbx.stop()
        await until(lambda: made.engine.counters()["connections"] == 1)
        await pbx.listen()
        carrier.send(carrier.request("BYE", call=near, cseq=2))
        pbx.reply(await pbx.hear("BYE"), 481)
        await carrier.hear("200")
        await nothing_left(made)
        assert pbx.accepted == 2


async def test_a_peer_that_does_not_come_back_ends_the_call_at_once():
    carrier, pbx = StreamPeer(HERE), StreamPeer(FAR)
    async with line(carrier, pbx) as made:
        await pbx.listen()
        await carrier.connect()
        near, _ = await talk(carrier, pbx)
        await pbx.stop()
        carrier.send(carrier.request("BYE", call=near, cseq=2))
        await carrier.hear("200")
        await nothing_left(made)
        assert made.engine.counters()["connections_failed"] == 1


async def test_a_call_to_a_peer_that_refuses_connections_fails_with_503():
    carrier, pbx = StreamPeer(HERE), StreamPeer(FAR)
    async with line(carrier, pbx) as made:
        await carrier.connect()
        carrier.send(carrier.request("INVITE", body=OFFER))
        await carrier.hear("503")
        assert [event.code for event in made.kinds(LegFailed)][:1] == [503]


async def test_a_request_whose_connection_broke_before_any_answer_is_sent_again_over_a_new_one():
    carrier, pbx = StreamPeer(HERE), StreamPeer(FAR)
    async with line(carrier, pbx) as made:
        await pbx.listen()
        await carrier.connect()
        carrier.send(carrier.request("INVITE", body=OFFER))
        first = await pbx.hear("INVITE")
        pbx.writers[-1].transport.abort()
        second = await pbx.hear("INVITE")
        assert second.text == first.text
        pbx.reply(second, 486)
        await carrier.hear("486")
        assert pbx.accepted == 2
        assert len(made.kinds(LegFailed)) >= 1


async def test_an_answer_whose_connection_is_gone_goes_to_where_via_says():
    carrier, pbx = StreamPeer(HERE), StreamPeer(FAR)
    async with line(carrier, pbx) as made:
        await pbx.listen()
        await carrier.listen()
        await carrier.connect()
        carrier.send(carrier.request("INVITE", body=OFFER))
        invite = await pbx.hear("INVITE")
        await carrier.hear("100")
        carrier.writers[-1].transport.abort()
        await until(lambda: made.engine.counters()["connections"] == 1)
        pbx.reply(invite, 486)
        await carrier.hear("486")
        assert carrier.accepted == 1


async def test_a_connection_with_alias_is_used_for_calls_to_the_peer():
    carrier, pbx = SipPeer(HERE), StreamPeer(FAR)
    async with line(carrier, pbx) as made:
        pbx.engine = made.engine._transports._bound[2].host, made.engine._transports._bound[2].port
        await pbx.connect()
        via = f"SIP/2.0/TCP {FAR}:{pbx.port};alias;branch=z9hG4bKalias"
        pbx.send(pbx.request("OPTIONS", Via=via))
        await pbx.hear("200")
        near, _ = await talk(carrier, pbx)
        await hang_up(carrier, pbx, near)
        assert made.engine.counters().get("connections_out", 0) == 0
        assert made.engine.counters()["connections_in"] == 1


async def test_a_ping_is_answered_and_ours_is_sent_and_missed():
    carrier, pbx = StreamPeer(HERE), StreamPeer(FAR)
    async with line(carrier, pbx, keepalive=0.6, limits=Limits(pong_time=0.5)) as made:
        await pbx.listen()
        await carrier.connect()
        carrier.send_raw(b"\r\n\r\n")
        await until(lambda: carrier.crlfs == b"\r\n")
        near, _ = await talk(carrier, pbx)
        await until(lambda: pbx.crlfs == b"\r\n\r\n")
        pbx.send_raw(b"\r\n")
        await until(lambda: made.engine.counters().get("connections_dead") == 1)
        await hang_up(carrier, pbx, near)


# --- who costs us something -----------------------------------------------------------------------


async def test_a_stranger_is_cut_before_a_byte_is_read():
    carrier, pbx, stranger = StreamPeer(HERE), StreamPeer(FAR), StreamPeer("127.0.0.3")
    async with line(carrier, pbx) as made:
        stranger.engine = carrier.engine
        await stranger.connect()
        stranger.send(stranger.request("INVITE", body=OFFER))
        await stranger.closed()
        assert not stranger.heard
        counters = made.engine.counters()
        assert (counters["connections_refused_strangers"], counters.get("received", 0)) == (1, 0)
        stranger.close()


async def test_one_source_has_a_bounded_number_of_connections():
    carrier, pbx = StreamPeer(HERE), StreamPeer(FAR)
    async with line(carrier, pbx, limits=Limits(connections_a_source=2)) as made:
        for _ in range(3):
            await carrier.connect()
        await carrier.closed()
        assert made.engine.counters()["connections"] == 2
        assert made.engine.counters()["connections_refused_full"] == 1


@pytest.mark.parametrize("drip", [b"", b"X"])
async def test_who_sends_nothing_or_drips_is_cut_after_a_time(drip: bytes):
    carrier, pbx = StreamPeer(HERE), StreamPeer(FAR)
    async with line(carrier, pbx, limits=Limits(message_time=0.5)) as made:
        await carrier.connect()
        if drip:
            carrier.send_raw(b"OPTIONS sip:a SIP/2.0\r\nX: ")
        async with asyncio.timeout(10):
            while made.engine.counters().get("connections_slow", 0) == 0:
                if drip and not carrier.writers[-1].is_closing():
                    carrier.send_raw(drip)
                await asyncio.sleep(0.05)
        await carrier.closed()


async def test_garbage_closes_and_a_message_without_length_is_answered_first():
    carrier, pbx = StreamPeer(HERE), StreamPeer(FAR)
    async with line(carrier, pbx) as made:
        await carrier.connect()
        carrier.send_raw(b"\x16\x03\x01\x02\x00\x01\x00")
        await carrier.closed()
        await carrier.connect()
        carrier.send_raw(re.sub(r"Content-Length: .*\r\n", "", carrier.request("OPTIONS")).encode())
        await carrier.hear("400")
        await carrier.closed()
        assert made.engine.counters()["streams_broken"] == 2


async def test_who_does_not_read_is_cut():
    carrier, pbx = StreamPeer(HERE), StreamPeer(FAR)
    async with line(carrier, pbx, limits=Limits(unsent=20_000)) as made:
        reader, writer = await asyncio.open_connection(*carrier.engine, local_addr=(HERE, 0), limit=1024)
        text = carrier.request("OPTIONS").encode()

        async def flood() -> None:
            while True:
                branch = f"branch=z9hG4bK{asyncio.get_running_loop().time()}".encode()
                writer.write(re.sub(rb"branch=[^\r;]*", branch, text))
                await writer.drain()

        with pytest.raises(ConnectionError):
            await asyncio.wait_for(flood(), 20)
        await until(lambda: made.engine.counters().get("connections_unread") == 1)
        del reader
        writer.close()
