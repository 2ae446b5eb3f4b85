"""The media service over rtpengine: what it refuses where a server is not certain to mask, and what
it loses with one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from b2bua.doctor.examination import examine
from b2bua.doctor.finding import Level
from media.events import (
    AnyAnswer,
    CaptureChanged,
    CaptureId,
    CaptureState,
    CloseSession,
    Counted,
    CountSessions,
    Done,
    Masking,
    OpenSession,
    Refused,
    SessionClosed,
    SessionId,
    SessionOpened,
    SetMask,
    SetRemote,
    Side,
    StartCapture,
    WidenSession,
)
from media.formats.rtp import Rtp, Ssrc, serialise
from media.mask_policy import MaskPolicy
from media.rtpengine.service import DistributedMedia
from media.service.payers import Payers
from media.settings import MediaSettings
from media.stream_description import RemoteStream, StreamKeys
from tests.complaints import expect_error
from tests.leak.carriers import Habit, keyed
from tests.leak.codec import PCMU
from tests.leak.decoders import union
from tests.leak.timeline import heard, parse
from tests.stack import free_port, until
from tests.unit.media.service.b2bua import B2bua, connected
from tests.wire.conftest import Peers
from tests.wire.handmade import MediaPair
from tests.wire.peers.liar import Liar

S, C = SessionId("s"), CaptureId("c")
MUTE = Masking(policy=MaskPolicy.MUTE)
OK = {"result": "ok"}
GLUED = Habit("events, and a tail of tone at once", apart=(0, 0), tail=(100, 160))


@contextlib.asynccontextmanager
async def served(peers: Peers, digits: int, *servers: str) -> AsyncIterator[B2bua]:
    """A media service over these servers, and its b2bua."""
    settings = MediaSettings(
        address="127.0.0.1",
        engine="rtpengine",
        rtpengine=", ".join(servers),
        rtpengine_digits=f"127.0.0.1:{digits}",
    )
    service = DistributedMedia(settings, Payers())
    await service.start()
    path = peers.directory / "media.sock"
    server = await asyncio.get_running_loop().create_unix_server(service.accept, path)
    try:
        async with connected(path) as b2bua:
            yield b2bua
    finally:
        server.close()
        await service.stop()


def stream(port: int = 9, **more: object) -> RemoteStream:
    given = {"event_types": (101,), "mu_types": (0,), "rtcp_port": port + 1, **more}
    return RemoteStream(address="127.0.0.1", port=port, rtcp_address="127.0.0.1", **given)  # type: ignore[arg-type]


async def up(b2bua: B2bua, session: SessionId = S, remote: RemoteStream | None = None) -> SessionOpened:
    """A session whose legs are both described."""
    opened = await b2bua.ask(OpenSession(serial=1, session=session, streams=1))
    assert isinstance(opened, SessionOpened), opened
    for side in Side:
        said = await b2bua.ask(SetRemote(serial=2, session=session, side=side, streams=(remote or stream(),)))
        assert isinstance(said, Done), said
    return opened


async def masked(b2bua: B2bua, session: SessionId = S, masking: Masking = MUTE) -> AnyAnswer:
    return await b2bua.ask(SetMask(serial=3, session=session, on=True, masking=masking))


async def collecting(b2bua: B2bua, session: SessionId = S) -> AnyAnswer:
    return await b2bua.ask(StartCapture(serial=4, session=session, capture=C))


@contextlib.asynccontextmanager
async def lied_to(peers: Peers) -> AsyncIterator[tuple[Liar, B2bua]]:
    digits = free_port()
    daemon = await peers.rtpengine(digits)
    liar = await Liar(daemon.port).start()
    try:
        async with served(peers, digits, liar.address) as b2bua:
            yield liar, b2bua
    finally:
        await liar.stop()


async def test_a_mask_that_the_server_refuses_is_no_mask_and_nothing_is_collected(peers: Peers) -> None:
    expect_error("command_failed", kind="SetMask")
    async with lied_to(peers) as (liar, b2bua):
        await up(b2bua)
        for command in ("block DTMF", "silence media"):
            liar.lies = {command: {"result": "error", "error-reason": "Unrecognized command"}}
            assert isinstance(await masked(b2bua), Refused), command
            assert isinstance(await collecting(b2bua), Refused), command
        liar.lies = {}
        assert isinstance(await masked(b2bua), Done), "the control"
        assert isinstance(await collecting(b2bua), Done), "the control"


async def test_a_server_that_says_ok_and_does_not_look_into_the_audio_is_not_believed(peers: Peers) -> None:
    async with lied_to(peers) as (liar, b2bua):
        await up(b2bua)
        liar.lies = {"block DTMF": OK}
        refused = await masked(b2bua)
        assert isinstance(refused, Refused)
        assert "does not look into" in refused.reason


async def test_a_server_that_says_ok_and_lets_audio_through_gets_no_card(peers: Peers) -> None:
    async with lied_to(peers) as (liar, b2bua):
        await up(b2bua)
        liar.lies = {"silence media": OK}
        assert isinstance(await masked(b2bua), Done), "so far there is nothing to see"
        refused = await collecting(b2bua)
        assert isinstance(refused, Refused)
        assert "does not mask" in refused.reason


async def test_a_capture_ends_where_a_moved_session_cannot_be_masked_again(peers: Peers) -> None:
    expect_error("command_failed", kind="SetRemote")
    async with lied_to(peers) as (liar, b2bua):
        await up(b2bua)
        assert isinstance(await masked(b2bua), Done)
        assert isinstance(await collecting(b2bua), Done)
        liar.lies = {"silence media": {"result": "error", "error-reason": "Unknown call-ID"}}
        moved = SetRemote(serial=7, session=S, side=Side.CALLER, streams=(stream(port=7),))
        assert isinstance(await b2bua.ask(moved), Refused)
        assert b2bua.news[-1].state is CaptureState.ABORTED
        assert "no longer certain" in (b2bua.news[-1].reason or "")
        assert isinstance(await collecting(b2bua), Refused)


async def test_a_server_that_reports_no_keys_to_us_gets_no_card(peers: Peers) -> None:
    for index, reports_to in enumerate((None, free_port())):
        daemon = await peers.rtpengine(reports_to, index)
        async with served(peers, free_port(), daemon.address) as b2bua:
            await up(b2bua)
            assert isinstance(await masked(b2bua), Done)
            refused = await collecting(b2bua)
            assert isinstance(refused, Refused)
            assert "does not report keys" in refused.reason


async def test_what_this_engine_cannot_do_is_refused(peers: Peers) -> None:
    expect_error("command_failed", kind="SetRemote")
    digits = free_port()
    daemon = await peers.rtpengine(digits)
    async with served(peers, digits, daemon.address) as b2bua:
        await up(b2bua)
        for masking in (
            Masking(policy=MaskPolicy.MASK),
            Masking(policy=MaskPolicy.MUTE_ON_KEY),
            Masking(policy=MaskPolicy.MUTE, tones=True),
            Masking(policy=MaskPolicy.MUTE, placeholder=True),
        ):
            assert isinstance(await masked(b2bua, masking=masking), Refused), masking
        keys = StreamKeys(suite="AES_CM_128_HMAC_SHA1_80", peer=bytes(30), ours=bytes(30))
        refused = await b2bua.ask(
            SetRemote(serial=5, session=S, side=Side.CALLER, streams=(stream(keys=keys),))
        )
        assert isinstance(refused, Refused)
        for number, dark in enumerate(
            (stream(opaque_types=(96,)), stream(g722_types=(9,)), stream(other_types=(98,)))
        ):
            session = SessionId(f"dark-{number}")
            await up(b2bua, session, dark)
            assert isinstance(await masked(b2bua, session), Refused), dark


async def test_a_session_gets_more_streams_and_keeps_those_that_it_has(peers: Peers) -> None:
    digits = free_port()
    daemon = await peers.rtpengine(digits)
    async with served(peers, digits, daemon.address) as b2bua:
        opened = await up(b2bua)
        wider = await b2bua.ask(WidenSession(serial=5, session=S, streams=2))
        assert isinstance(wider, SessionOpened), wider
        assert (wider.caller[0], wider.agent[0]) == (opened.caller[0], opened.agent[0])
        assert len({*wider.caller, *wider.agent}) == 4
        video = stream(port=21, event_types=(), mu_types=(), other_types=(98,))
        for side in Side:
            said = await b2bua.ask(SetRemote(serial=6, session=S, side=side, streams=(stream(), video)))
            assert isinstance(said, Done), said
        assert isinstance(await masked(b2bua), Refused), "it is not audio alone any more"
        assert isinstance(await b2bua.ask(WidenSession(serial=7, session=S, streams=3)), Refused)


async def test_a_capture_needs_a_mask_and_holds_it_shut(peers: Peers) -> None:
    digits = free_port()
    daemon = await peers.rtpengine(digits)
    async with served(peers, digits, daemon.address) as b2bua:
        await up(b2bua)
        assert isinstance(await collecting(b2bua), Refused)
        assert isinstance(await masked(b2bua), Done)
        assert isinstance(await collecting(b2bua), Done)
        assert isinstance(await b2bua.ask(SetMask(serial=6, session=S, on=False)), Refused)
        moved = await b2bua.ask(SetRemote(serial=7, session=S, side=Side.CALLER, streams=(stream(port=7),)))
        assert isinstance(moved, Done)
        assert isinstance(await b2bua.ask(CloseSession(serial=8, session=S)), SessionClosed)
        assert await daemon.calls() == 0


async def test_sessions_are_spread_by_weight_and_go_elsewhere_when_a_server_dies(peers: Peers) -> None:
    digits = free_port()
    light, heavy = await peers.rtpengine(digits), await peers.rtpengine(digits, 1)
    async with served(peers, digits, light.address, f"{heavy.address}/3") as b2bua:
        for number in range(8):
            await up(b2bua, SessionId(f"s{number}"))
        assert (await light.calls(), await heavy.calls()) == (2, 6)
        await heavy.kill()
        await until_lost(b2bua, 6)
        for number in range(8, 11):
            await up(b2bua, SessionId(f"s{number}"))
        assert await light.calls() == 5


@pytest.mark.parametrize("again", [False, True])
async def test_a_capture_is_wiped_with_the_server_that_it_depends_on(peers: Peers, *, again: bool) -> None:
    digits = free_port()
    daemon = await peers.rtpengine(digits)
    async with served(peers, digits, daemon.address) as b2bua:
        await up(b2bua)
        assert isinstance(await masked(b2bua), Done)
        assert isinstance(await collecting(b2bua), Done)
        await daemon.kill()
        if again:  # so soon that nobody has missed it
            await daemon.start()
        await until_lost(b2bua, 1)
        assert [news.state for news in b2bua.news if isinstance(news, CaptureChanged)][
            -1
        ] is CaptureState.ABORTED
        assert isinstance(await masked(b2bua), Refused)
        if again:
            await until_up(b2bua)


@pytest.mark.parametrize("muxed", [(), (Side.CALLER,), (Side.AGENT,), tuple(Side)], ids=str)
async def test_each_leg_has_rtcp_where_its_own_peer_has_it(peers: Peers, muxed: tuple[Side, ...]) -> None:
    digits = free_port()
    daemon = await peers.rtpengine(digits)
    ends = {side: MediaPair() for side in Side}
    report = bytes((0x80, 201, 0, 1, 0, 0, 0, 7))
    async with served(peers, digits, daemon.address) as b2bua:
        opened = await up(b2bua)
        for side, pair in ends.items():
            await pair.open()
            wanted = stream(pair.port, rtcp_port=pair.port + (side not in muxed))
            assert isinstance(
                await b2bua.ask(SetRemote(serial=2, session=S, side=side, streams=(wanted,))), Done
            )
        at = {Side.CALLER: opened.caller[0], Side.AGENT: opened.agent[0]}
        for side, other in ((Side.CALLER, Side.AGENT), (Side.AGENT, Side.CALLER)):
            one = ends[side].rtp if side in muxed else ends[side].rtcp
            there, elsewhere = ends[other].rtp, ends[other].rtcp
            if other not in muxed:
                there, elsewhere = elsewhere, there
            one.send(report, (at[side].address, at[side].port + (side not in muxed)))
            await until(lambda there=there: there.heard, "the report")  # type: ignore[misc]
            assert not elsewhere.heard
        for pair in ends.values():
            pair.close()


@pytest.mark.parametrize("latch", [True, False])
async def test_a_leg_is_heard_from_where_its_sdp_says_and_from_elsewhere_only_behind_nat(
    peers: Peers, *, latch: bool
) -> None:
    digits = free_port()
    daemon = await peers.rtpengine(digits)
    named, elsewhere, agent = MediaPair(), MediaPair(), MediaPair()
    async with served(peers, digits, daemon.address) as b2bua:
        for pair in (named, elsewhere, agent):
            await pair.open()
        opened = await b2bua.ask(OpenSession(serial=1, session=S, streams=1))
        assert isinstance(opened, SessionOpened)
        for side, pair in ((Side.CALLER, named), (Side.AGENT, agent)):
            wanted = stream(pair.port, latch=latch and side is Side.CALLER)
            assert isinstance(
                await b2bua.ask(SetRemote(serial=2, session=S, side=side, streams=(wanted,))), Done
            )
        to, loud = (opened.caller[0].address, opened.caller[0].port), b"\x10" * 160

        def arrived(ssrc: int) -> bool:
            return any((packet := parse(data)) and packet.ssrc == ssrc for data, _ in agent.rtp.heard)

        async def spoken(pair: MediaPair, ssrc: int, enough: int) -> bool:
            """Whether the agent heard it, before so many packets were sent."""
            for number in range(enough):
                pair.rtp.send(serialise(Rtp(PCMU, False, number, number * 160, Ssrc(ssrc), loud)), to)
                await asyncio.sleep(0.02)
                if arrived(ssrc):
                    return True
            return False

        assert await spoken(elsewhere, 1, 100 if latch else 20) is latch
        if not latch:
            assert await spoken(named, 2, 100), "the control"
            assert not arrived(1), "what was sent before the control"
        for pair in (named, elsewhere, agent):
            pair.close()


@pytest.mark.parametrize("silenced", [True, False])
async def test_the_recipe_alone_lets_tails_of_tone_through_so_audio_is_silenced_too(
    peers: Peers, *, silenced: bool
) -> None:
    """Why `mute` is the only policy: docs/rtpengine.md."""
    customer, agent = MediaPair(), MediaPair()
    async with lied_to(peers) as (liar, b2bua):
        if not silenced:
            liar.lies = {"silence media": OK}
        for pair in (customer, agent):
            await pair.open()
        opened = await b2bua.ask(OpenSession(serial=1, session=S, streams=1))
        assert isinstance(opened, SessionOpened)
        for side, pair in ((Side.CALLER, customer), (Side.AGENT, agent)):
            await b2bua.ask(SetRemote(serial=2, session=S, side=side, streams=(stream(pair.port),)))
        assert isinstance(await masked(b2bua), Done)
        to = (opened.caller[0].address, opened.caller[0].port)
        packets = keyed("4929", GLUED, 3, payload_type=PCMU, event_type=101)
        for packet in packets:
            customer.rtp.send(bytes(packet), to)
            await asyncio.sleep(0.02)  # its delay buffer goes by the clock
        await until(
            lambda: len(agent.rtp.heard) > len(packets) // 2, "what is left of it at the agent's telephone"
        )
        heard_there = [packet for data, _ in agent.rtp.heard if (packet := parse(data)) is not None]
        read = [one.digit for digits in union(heard(heard_there)).values() for one in digits]
        assert bool(read) is not silenced
        for pair in (customer, agent):
            pair.close()


async def test_the_doctor_tries_each_server(peers: Peers) -> None:
    digits = free_port()
    good, mute = await peers.rtpengine(digits), await peers.rtpengine(None, 1)
    servers = f"{good.address}, {mute.address}, 127.0.0.1:{free_port()}"
    conf = peers.directory / "sip.conf"
    conf.write_text(
        "[carrier]\nhost = 127.0.0.1\nport = 9\nmask = mute\n[pbx]\nhost = 127.0.0.1\nport = 9\n"
        f"[general]\ndirectory = {peers.directory}\nother_audio = refuse\n[api]\ntokens = "
        "a:0123456789abcdef\n"
        "[provider]\nurl = https://127.0.0.1:9\napi_key = k\n"
        f"[media]\nengine = rtpengine\nrtpengine = {servers}\nrtpengine_digits = 127.0.0.1:{digits}\n"
    )
    found = [each for each in await examine(conf) if each.what.startswith("rtpengine ")]
    assert [each.level for each in found] == [Level.GOOD, Level.FAULT, Level.FAULT], found
    assert "reports it to us" in found[0].text
    assert "does not report keys" in found[1].text
    assert "no answer" in found[2].text
    assert await good.calls() == await mute.calls() == 0
    async with served(peers, digits, good.address):
        found = [each for each in await examine(conf) if each.what.startswith("rtpengine ")]
        assert [each.level for each in found] == [Level.WARNING, Level.WARNING, Level.FAULT], found
        assert "where media runs" in found[0].text


async def until_lost(b2bua: B2bua, sessions: int) -> None:
    """Until b2bua has heard of so many lost sessions; then no capture goes on in them."""

    async def lost() -> Counted | None:
        counted = await b2bua.ask(CountSessions(serial=90))
        assert isinstance(counted, Counted)
        return counted if len(b2bua.lost) == sessions else None

    counted = await until(lost, f"{sessions} sessions to be lost")
    assert counted.captures == 0


async def until_up(b2bua: B2bua) -> None:
    """Until the server takes sessions again."""

    async def takes() -> bool:
        return isinstance(
            await b2bua.ask(OpenSession(serial=91, session=SessionId("new"), streams=1)), SessionOpened
        )

    await until(takes, "the server to be used again")
