"""Several media threads: calls are spread over them, each call stays on its own, and each tells of
its keys."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from media.events import (
    CaptureId,
    CloseSession,
    Done,
    OpenSession,
    SessionClosed,
    SessionId,
    SessionOpened,
    SetMask,
    SetRemote,
    Side,
    StartCapture,
)
from media.formats.rtp import Rtp, Ssrc, serialise
from media.formats.telephone_event import TelephoneEvent
from media.formats.telephone_event import serialise as serialise_event
from media.service.payers import Payers
from media.service.service import MediaService
from media.service.threads import MediaThreads
from media.settings import MediaSettings
from media.stream_description import RemoteStream
from tests.stack import media_ports, until
from tests.unit.media.service.b2bua import B2bua, connected

THREADS, CALLS = 2, 6


def test_a_session_goes_to_the_thread_that_has_the_fewest():
    threads = MediaThreads(3)
    taken = []
    for _ in range(6):
        taken.append(threads.least_busy())
        threads.add_session(taken[-1])
    assert sorted(taken.count(relay) for relay in threads) == [2, 2, 2]
    threads.remove_session(taken[4])
    assert threads.least_busy() is taken[4]


def test_several_threads_keep_to_a_processor_each_where_there_are_enough():
    processors = sorted(os.sched_getaffinity(0))
    before = os.listdir("/proc/self/task")
    threads = MediaThreads(len(processors))
    threads.start(realtime=False, coalescing=0, masked_coalescing=0)
    own = [int(task) for task in os.listdir("/proc/self/task") if task not in before]
    kept = sorted(tuple(os.sched_getaffinity(task)) for task in own)
    assert kept == ([(each,) for each in processors] if len(processors) > 1 else [tuple(processors)])
    threads.stop()
    many = MediaThreads(len(processors) + 1)
    before = os.listdir("/proc/self/task")
    many.start(realtime=False, coalescing=0, masked_coalescing=0)
    own = [int(task) for task in os.listdir("/proc/self/task") if task not in before]
    assert all(os.sched_getaffinity(task) == set(processors) for task in own)
    many.stop()


def test_where_real_time_is_not_permitted_the_threads_run_as_all_others_and_the_log_says_so():
    script = (
        "import os, resource, sys; from media.service.threads import MediaThreads; from "
        "tonewall.log import configure_log; configure_log('media')\n"
        "resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))\n"
        "before = os.listdir('/proc/self/task'); threads = MediaThreads(1)\n"
        "threads.start(realtime=True, coalescing=0, masked_coalescing=0)\n"
        "[own] = set(os.listdir('/proc/self/task')) - set(before)\n"
        "sys.exit(0 if os.sched_getscheduler(int(own)) == os.SCHED_OTHER else 'real-time')"
    )
    without = ["setpriv", "--bounding-set", "-sys_nice"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*without, sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "thread_not_realtime" in done.stdout + done.stderr
    assert "LimitRTPRIO" in done.stdout + done.stderr


async def test_calls_on_every_thread_are_relayed_masked_and_captured(tmp_path: Path):
    service = MediaService(
        MediaSettings(address="127.0.0.1", ports=media_ports(50), threads=THREADS), Payers()
    )
    await service.start()
    server = await asyncio.get_running_loop().create_unix_server(service.accept, tmp_path / "media.sock")
    with ExitStack() as sockets:
        async with connected(tmp_path / "media.sock") as b2bua:
            calls = [await _call(b2bua, f"call-{number}", sockets) for number in range(CALLS)]
            for _, phone, _, port in calls:
                phone.sendto(_packet(1, 0, b"voice"), ("127.0.0.1", port))
            for _, _, desk, _ in calls:
                assert await asyncio.get_running_loop().sock_recv(desk, 2048) == _packet(1, 0, b"voice")
            for session, _, _, _ in calls:
                assert isinstance(await b2bua.ask(SetMask(session=session, on=True)), Done)
                started = StartCapture(session=session, capture=CaptureId(session))
                assert isinstance(await b2bua.ask(started), Done)
            for _, phone, _, port in calls:
                press = serialise_event(TelephoneEvent(code=4, end=False, duration=160))
                phone.sendto(_packet(2, 101, press), ("127.0.0.1", port))

            async def counted() -> bool:
                await asyncio.sleep(0.05)
                # Reads what has come meanwhile.
                await b2bua.ask(SetMask(session=calls[0][0], on=True))
                counted = {
                    news.session for news in b2bua.news if any(field.count == 1 for field in news.fields)
                }
                return counted == {session for session, *_ in calls}

            await until(counted, "a key of each call")
            for session, *_ in calls:
                closed = await b2bua.ask(CloseSession(session=session))
                assert isinstance(closed, SessionClosed)
                assert (closed.agent.sent, closed.agent.masked) == (1, 1)
    server.close()
    await service.stop()


async def _call(
    b2bua: B2bua, name: str, sockets: ExitStack
) -> tuple[SessionId, socket.socket, socket.socket, int]:
    """A session between two phones: its id, the phones, and the port that the customer sends to."""
    session = SessionId(name)
    opened = await b2bua.ask(OpenSession(session=session, streams=1))
    assert isinstance(opened, SessionOpened)
    phones = []
    for side in Side:
        phone = sockets.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        phone.bind(("127.0.0.1", 0))
        phone.setblocking(False)
        phones.append(phone)
        port = phone.getsockname()[1]
        stream = RemoteStream(
            address="127.0.0.1",
            port=port,
            rtcp_address="127.0.0.1",
            rtcp_port=9,
            event_types=(101,),
            mu_types=(0,),
        )
        assert isinstance(await b2bua.ask(SetRemote(session=session, side=side, streams=(stream,))), Done)
    return session, phones[0], phones[1], opened.caller[0].port


def _packet(number: int, kind: int, payload: bytes) -> bytes:
    return serialise(Rtp(kind, False, number, number * 160, Ssrc(7), payload))
