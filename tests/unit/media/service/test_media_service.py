"""The media service over its unix socket, with the real core: what it refuses, whatever b2bua
asks."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from media.events import (
    AnyAnswer,
    CancelCapture,
    CaptureId,
    CaptureState,
    CloseSession,
    Counted,
    CountSessions,
    Done,
    InfoKeyed,
    KeyWithheld,
    OpenSession,
    Refused,
    SendKey,
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
from media.service.payers import Payers
from media.service.relayed_session import RelayedSession
from media.service.service import MediaService
from media.settings import MaskTimes, MediaSettings
from media.stream_description import Interface, RemoteStream
from tests.canary import CANARY
from tests.complaints import permit_error
from tests.leak.codec import PACKET, encoded
from tests.leak.presses import dual_tone
from tests.stack import media_ports, until
from tests.unit.media.service.b2bua import B2bua, connected

S, C = SessionId("s"), CaptureId("c")


@pytest.fixture(params=[1, 3], ids=["one thread", "three threads"])
async def path(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Path]:
    settings = MediaSettings(address="127.0.0.1", ports=media_ports(500), threads=request.param)
    service = MediaService(settings, Payers(), MaskTimes(guard_time=0.2, release_time=1.5))
    await service.start()
    server = await asyncio.get_running_loop().create_unix_server(service.accept, tmp_path / "media.sock")
    yield tmp_path / "media.sock"
    server.close()
    await service.stop()


async def collecting(b2bua: B2bua) -> None:
    """A session in which a capture collects."""
    assert isinstance(await b2bua.ask(OpenSession(serial=1, session=S, streams=1)), SessionOpened)
    stream = RemoteStream(
        address="127.0.0.1", port=9, rtcp_address="127.0.0.1", rtcp_port=10, event_types=(101,), mu_types=(0,)
    )
    for side in Side:
        assert isinstance(await b2bua.ask(SetRemote(serial=2, session=S, side=side, streams=(stream,))), Done)
    assert isinstance(await b2bua.ask(SetMask(serial=3, session=S, on=True)), Done)
    assert isinstance(await b2bua.ask(StartCapture(serial=4, session=S, capture=C)), Done)


async def test_nothing_is_collected_without_a_mask_and_no_mask_is_opened_over_a_capture(path: Path) -> None:
    async with connected(path) as b2bua:
        await b2bua.ask(OpenSession(serial=1, session=S, streams=1))
        assert isinstance(await b2bua.ask(StartCapture(serial=2, session=S, capture=C)), Refused)
    async with connected(path) as b2bua:
        session = SessionId("other")
        await b2bua.ask(OpenSession(serial=1, session=session, streams=1))
        await b2bua.ask(SetMask(serial=2, session=session, on=True))
        assert isinstance(await b2bua.ask(StartCapture(serial=3, session=session, capture=C)), Done)
        assert isinstance(await b2bua.ask(SetMask(serial=4, session=session, on=False)), Refused)


async def test_a_key_by_info_after_the_end_keeps_the_mask_and_is_told(path: Path) -> None:
    async with connected(path) as b2bua:
        await by_info(b2bua)
        assert isinstance(await b2bua.ask(CancelCapture(serial=4, session=S, capture=C)), Done)
        assert isinstance(await b2bua.ask(KeyWithheld(serial=5, session=S)), Done)
        answer = await b2bua.ask(SetMask(serial=6, session=S, on=False, released=True))
        assert isinstance(answer, Refused)
        assert "still keying" in answer.reason
        # After `release_time`.
        assert isinstance(await b2bua.ask(SetMask(serial=7, session=S, on=False)), Done)
        assert b2bua.keying[0] is True


async def test_a_newer_b2bua_takes_over_and_the_captures_of_the_older_are_wiped(path: Path) -> None:
    async with connected(path) as older:
        await collecting(older)
        async with connected(path) as newer:

            async def none_left() -> bool:
                counted = await newer.ask(CountSessions(serial=9))
                assert isinstance(counted, Counted)
                return counted.captures == 0 and counted.sessions == 1

            await until(none_left, "the older b2bua's capture to be wiped, and its session to go on")
            assert not newer.news or newer.news[-1].state is CaptureState.ABORTED


async def test_one_session_that_cannot_be_looked_at_keeps_no_orphan_from_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = MediaSettings(address="127.0.0.1", ports=media_ports(500), quiet_time=0.05)
    service = MediaService(settings, Payers())
    await service.start()
    monkeypatch.setattr("media.service.service.LOOK", 0.02)
    permit_error("orphan_check_failed")
    permit_error("line_watch_failed")
    permit_error("orphan_not_closed")
    received, heard, close = RelayedSession.count_packets, RelayedSession.line_arrivals, RelayedSession.close
    failed: set[str] = set()

    def failing(
        name: str, work: Callable[[RelayedSession], Any], bad: str
    ) -> Callable[[RelayedSession], Any]:
        def call(session: RelayedSession) -> Any:
            if session.id == bad:
                failed.add(name)
                raise OSError(9, "of a broken session")
            return work(session)

        return call

    monkeypatch.setattr(RelayedSession, "count_packets", failing("count_packets", received, "odd"))
    monkeypatch.setattr(
        RelayedSession, "received_by_leg", failing("by leg", RelayedSession.received_by_leg, "odd")
    )
    monkeypatch.setattr(RelayedSession, "line_arrivals", failing("line_arrivals", heard, "odd"))
    monkeypatch.setattr(RelayedSession, "close", failing("close", close, "stuck"))
    server = await asyncio.get_running_loop().create_unix_server(service.accept, tmp_path / "media.sock")
    loops = [
        asyncio.create_task(service.end_quiet_orphans()),
        asyncio.create_task(service.watch_lines()),
    ]
    async with connected(tmp_path / "media.sock") as b2bua:
        for name in ("odd", "stuck", "quiet"):
            assert isinstance(
                await b2bua.ask(OpenSession(serial=1, session=SessionId(name), streams=1)), SessionOpened
            )
        await until(lambda: "count_packets" in failed, "the odd session to be looked at")
    await until(lambda: "quiet" not in service._sessions, "the quiet orphan to be closed")
    assert {"by leg", "close"} <= failed
    assert not any(each.done() for each in loops)
    for each in loops:
        each.cancel()
    server.close()
    monkeypatch.undo()
    await service.stop()


async def test_a_key_that_got_through_the_mask_is_stopped_ends_the_capture_and_is_told(path: Path) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as desk,
    ):
        for own in (phone, desk):
            own.bind(("127.0.0.1", 0))
            own.setblocking(False)
        async with connected(path) as b2bua:
            opened = await b2bua.ask(OpenSession(serial=1, session=S, streams=1))
            assert isinstance(opened, SessionOpened)
            for side, own in ((Side.CALLER, phone), (Side.AGENT, desk)):
                # Telephone audio that is called video passes the mask: what a bug of ours might do.
                stream = RemoteStream(
                    address="127.0.0.1",
                    port=own.getsockname()[1],
                    rtcp_address="127.0.0.1",
                    rtcp_port=9,
                    other_types=(0,),
                )
                assert isinstance(
                    await b2bua.ask(SetRemote(serial=2, session=S, side=side, streams=(stream,))), Done
                )
            await b2bua.ask(SetMask(serial=3, session=S, on=True))
            await b2bua.ask(StartCapture(serial=4, session=S, capture=C))
            tone = encoded(dual_tone("5", 20 * PACKET, (-10.0, -10.0)), 0)
            for number, payload in enumerate(tone):
                packet = Rtp(0, False, number, number * PACKET, Ssrc(1), payload)
                phone.sendto(serialise(packet), ("127.0.0.1", opened.caller[0].port))

            async def ended() -> bool:
                counted = await b2bua.ask(CountSessions(serial=9))
                assert isinstance(counted, Counted)
                return counted.leaks == 1 and counted.captures == 0

            await until(ended, "the capture to end because of the canary")
            assert b2bua.news[-1].state is CaptureState.ABORTED
            assert "cut off" in (b2bua.news[-1].reason or "")
            closed = await b2bua.ask(CloseSession(serial=10, session=S))
            assert isinstance(closed, SessionClosed)
            assert closed.agent.sent + closed.agent.masked == closed.caller.received, (
                "the last may not have been read"
            )
            assert closed.agent.sent <= 3


async def test_each_side_has_its_interface_and_a_session_can_be_opened_again_on_others(path: Path) -> None:
    async with connected(path) as b2bua:
        agent = Interface(address="::1", advertised="2001:db8::7")
        first = await b2bua.ask(OpenSession(session=S, streams=2, agent=agent))
        assert isinstance(first, SessionOpened)
        assert {stream.address for stream in first.caller} == {"127.0.0.1"}
        assert {stream.address for stream in first.agent} == {"2001:db8::7"}
        assert isinstance(await b2bua.ask(OpenSession(session=S, streams=2)), Refused)
        again = await b2bua.ask(
            OpenSession(session=S, streams=2, agent=Interface(address="127.0.0.2"), again=True)
        )
        assert isinstance(again, SessionOpened)
        assert {stream.address for stream in again.agent} == {"127.0.0.2"}
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", first.agent[0].port))  # the first ports are free again
        await b2bua.ask(SetMask(session=S, on=True))
        # What is masked stays.
        assert isinstance(await b2bua.ask(OpenSession(session=S, streams=1, again=True)), Refused)
        nowhere = OpenSession(session=SessionId("other"), streams=1, agent=Interface(address="198.51.100.77"))
        assert isinstance(await b2bua.ask(nowhere), Refused)
        counted = await b2bua.ask(CountSessions())
        assert isinstance(counted, Counted)
        assert counted.sessions == 1


async def test_a_peer_of_the_other_family_gets_nothing_and_the_log_says_why(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        async with connected(path) as b2bua:

            async def relayed() -> SessionClosed | None:
                """The counters of a session that has heard the phone."""
                opened = await b2bua.ask(OpenSession(session=S, streams=1))
                assert isinstance(opened, SessionOpened)
                for side, host in ((Side.CALLER, "127.0.0.1"), (Side.AGENT, "::1")):
                    port = phone.getsockname()[1]
                    stream = RemoteStream(
                        address=host, port=port, rtcp_address=host, rtcp_port=9, mu_types=(0,)
                    )
                    assert isinstance(
                        await b2bua.ask(SetRemote(session=S, side=side, streams=(stream,))), Done
                    )
                phone.sendto(
                    serialise(Rtp(0, False, 1, 160, Ssrc(1), b"voice")), ("127.0.0.1", opened.caller[0].port)
                )
                closed = await b2bua.ask(CloseSession(session=S))
                return closed if isinstance(closed, SessionClosed) and closed.caller.received else None

            closed = await until(relayed, "a packet that was taken")
            assert (closed.caller.received, closed.agent.sent) == (1, 0)
    assert "media_address" in capsys.readouterr().out


# --- keys that come as SIP INFO -------------------------------------------------------------------


async def by_info(b2bua: B2bua) -> None:
    """A session in which a capture takes keys from SIP INFO; no telephone-event was agreed on."""
    await b2bua.ask(OpenSession(serial=1, session=S, streams=1))
    assert isinstance(await b2bua.ask(SetMask(serial=2, session=S, on=True)), Done)
    assert isinstance(await b2bua.ask(StartCapture(serial=3, session=S, capture=C, by_info=True)), Done)


async def info(b2bua: B2bua, body: bytes) -> AnyAnswer:
    return await b2bua.ask(InfoKeyed(serial=9, session=S, body=body))


async def test_a_card_is_keyed_by_info_and_a_flash_of_the_hook_is_no_key(path: Path) -> None:
    async with connected(path) as b2bua:
        await by_info(b2bua)
        for key in CANARY.keys:
            assert isinstance(await info(b2bua, f"Signal={key}\r\nDuration=160\r\n".encode()), Done)
            assert isinstance(await info(b2bua, b"Signal=!\r\n"), Done)
        assert b2bua.news[-1].state is CaptureState.READY
        assert b2bua.news[-1].last_four == CANARY.number[-4:]


async def test_an_info_that_is_not_understood_ends_the_capture_since_no_digit_is_skipped(path: Path) -> None:
    async with connected(path) as b2bua:
        await by_info(b2bua)
        await info(b2bua, b"Signal=4\r\n")
        await info(b2bua, b"Signal=what\r\n")
        assert (b2bua.news[-1].state, b2bua.news[-1].reason) == (CaptureState.ABORTED, "a key press was lost")


async def test_info_is_refused_where_no_capture_takes_keys_from_it(path: Path) -> None:
    async with connected(path) as b2bua:
        await collecting(b2bua)
        assert isinstance(await info(b2bua, b"5"), Refused)
        assert b2bua.news[-1].fields[0].count == 0
    assert "5" not in repr(InfoKeyed(serial=0, session=S, body=b"Signal=5"))


async def test_a_key_to_send_is_refused_while_masked_and_where_it_is_none_or_has_no_stream(
    path: Path,
) -> None:
    def send(body: bytes = b"Signal=5", stream: int = 0) -> SendKey:
        return SendKey(
            serial=9, session=S, request="r", body=body, stream=stream, payload_type=101, clock_rate=8000
        )

    async with connected(path) as b2bua:
        await b2bua.ask(OpenSession(serial=1, session=S, streams=1))
        assert isinstance(await b2bua.ask(send()), Done)
        for none in (send(b"Signal=16"), send(b"what"), send(stream=1)):
            assert isinstance(await b2bua.ask(none), Refused)
        await b2bua.ask(SetMask(serial=2, session=S, on=True))
        assert isinstance(await b2bua.ask(send()), Refused)
        await b2bua.ask(SetMask(serial=3, session=S, on=False, released=True))
        assert isinstance(await b2bua.ask(send()), Done)


async def test_a_session_is_widened_and_what_is_there_goes_on_but_not_under_a_mask(path: Path) -> None:
    async with connected(path) as b2bua:
        opened = await b2bua.ask(OpenSession(serial=1, session=S, streams=1))
        wider = await b2bua.ask(WidenSession(serial=2, session=S, streams=3))
        assert isinstance(opened, SessionOpened)
        assert isinstance(wider, SessionOpened)
        assert (wider.caller[:1], wider.agent[:1]) == (opened.caller, opened.agent)
        assert len({stream.port for stream in (*wider.caller, *wider.agent)}) == 6
        assert await b2bua.ask(WidenSession(serial=2, session=S, streams=2)) == wider, "nothing is taken away"
        await b2bua.ask(SetMask(serial=3, session=S, on=True))
        assert isinstance(await b2bua.ask(WidenSession(serial=4, session=S, streams=4)), Refused)
        assert isinstance(await b2bua.ask(SetMask(serial=5, session=S, on=False, released=True)), Done)
        assert isinstance(await b2bua.ask(WidenSession(serial=6, session=S, streams=4)), SessionOpened)
        assert isinstance(await b2bua.ask(CloseSession(serial=7, session=S)), SessionClosed)
