"""What is masked waits for other packets, in a set of sockets of its own: nothing is lost or
overtaken, and nobody else waits."""

from __future__ import annotations

import contextlib
import os
import select
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from media._core import AGENT, CALLER, Relay
from media.formats.rtp import parse
from tests.unit.media.core.relay_rig import (
    AUDIO,
    EVENTS,
    HOST,
    Phone,
    bound,
    everything,
    key,
    received,
    rtp,
    threads,
    until,
)

SILENCE = b"\xff" * 160
PAUSE_US = 10000  # the longest that there may be: whoever waits for it by mistake is seen


class Calls:
    """One relay with many calls of G.711, the first of them masked."""

    def __init__(self, count: int, masked: int, masked_coalescing_us: int = PAUSE_US) -> None:
        before = threads()
        self.relay = Relay()
        self.relay.start(masked_coalescing_us=masked_coalescing_us)
        [self.thread] = threads() - before
        with contextlib.suppress(PermissionError):
            self.relay.set_realtime()  # where others want the processor it would do without pauses
        self.calls: list[tuple[Phone, Phone]] = []
        self.sockets: list[set[int]] = []
        for stream in range(count):
            sockets = [bound() for _ in range(4)]
            ports = [own.getsockname()[1] for own in sockets]
            self.calls.append((Phone(*ports[:2]), Phone(*ports[2:])))
            taken = [own.detach() for own in sockets]
            self.sockets.append(set(taken))
            self.relay.open_stream(stream, *taken)
            self.relay.set_types(stream, bytes([EVENTS]), b"", mu=bytes([AUDIO]))
            for leg, phone in zip((CALLER, AGENT), self.calls[-1], strict=True):
                port, rtcp_port = phone.rtp.getsockname()[1], phone.rtcp.getsockname()[1]
                self.relay.set_peer(stream, leg, HOST, port, HOST, rtcp_port, False)
            self.relay.set_mask(stream, stream < masked)

    def waiting(self) -> tuple[set[int], set[int]]:
        """The sockets that wake the thread at once, and those that wait for others."""
        watched = {}
        for name in os.listdir("/proc/self/fd"):
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/self/fd/{name}") == "anon_inode:[eventpoll]":
                    lines = Path(f"/proc/self/fdinfo/{name}").read_text().splitlines()
                    watched[int(name)] = {int(line.split()[1]) for line in lines if line.startswith("tfd:")}
        ours = set().union(*self.sockets)
        pairs = [(each, inner) for each in watched for inner in watched if inner in watched[each]]
        # Other relays of this process may not have been collected yet.
        [(prompt, later)] = [
            (watched[own] & ours, watched[nested] & ours)
            for own, nested in pairs
            if (watched[own] | watched[nested]) & ours
        ]
        return prompt, later

    def wakes(self) -> int:
        """How often the media thread has waited so far."""
        status = Path(f"/proc/self/task/{self.thread}/status").read_text()
        return int(status.split("voluntary_ctxt_switches:")[1].split()[0])

    def close(self) -> None:
        self.relay.stop()
        for caller, agent in self.calls:
            caller.close()
            agent.close()


@contextlib.contextmanager
def busy(calls: list[tuple[Phone, Phone]]) -> Iterator[None]:
    """Both sides of these calls talk, and hear."""
    over = threading.Event()

    def talk() -> None:
        number = 0
        while not over.is_set():
            number += 1
            for caller, agent in calls:
                caller.send(rtp(number, SILENCE))
                agent.send(rtp(number, SILENCE))
                everything(caller.rtp)
                everything(agent.rtp)

    talking = threading.Thread(target=talk)
    talking.start()
    try:
        yield
    finally:
        over.set()
        talking.join()


def latency(speaker: Phone, hearer: Phone, packets: int = 51) -> float:
    """Of the packet in the middle, in seconds."""
    taken = []
    for number in range(packets):
        begun = time.monotonic()
        speaker.send(rtp(number, SILENCE))
        assert received(hearer.rtp) == rtp(number, SILENCE)
        taken.append(time.monotonic() - begun)
    return statistics.median(taken)


def test_the_sockets_of_a_masked_call_wait_for_others_and_no_other_call_s_do():
    with contextlib.closing(Calls(3, 1)) as rig:
        first, second, third = rig.sockets
        assert rig.waiting() == (second | third, first)
        rig.relay.set_mask(1, True)
        rig.relay.set_mask(1, True, policy=2)
        assert rig.waiting() == (third, first | second)
        rig.relay.set_mask(0, False)
        rig.relay.set_mask(0, False)
        assert rig.waiting() == (first | third, second)
        rig.relay.close_stream(1)
        assert rig.waiting() == (first | third, set())
    with contextlib.closing(Calls(1, 1, 0)) as rig:
        assert rig.waiting() == (rig.sockets[0], set())


@pytest.mark.parametrize("masked_coalescing_us", [0, 2000])
def test_switching_the_mask_amid_audio_loses_no_packet_and_lets_none_overtake(
    one_processor, masked_coalescing_us
):
    with contextlib.closing(Calls(1, 0, masked_coalescing_us)) as rig:
        [(caller, agent)] = rig.calls
        at_agent: list[bytes] = []
        at_caller: list[bytes] = []

        def has_come(count: int) -> bool:
            at_agent.extend(everything(agent.rtp))
            at_caller.extend(everything(caller.rtp))
            return len(at_agent) >= count and len(at_caller) >= count

        for round_ in range(200):
            for number in range(round_ * 5, round_ * 5 + 5):
                caller.send(rtp(number, SILENCE))
                agent.send(rtp(number, bytes([number % 256]) * 160))
            rig.relay.set_mask(0, round_ % 2 == 0)
            # No more than a socket has room for.
            until(lambda so_far=round_ * 5: has_come(so_far - 50))
        until(lambda: has_come(1000))
        assert [parse(packet).sequence_number for packet in at_agent] == list(range(1000))
        assert [parse(packet).rtp_timestamp for packet in at_agent] == [
            number * 160 for number in range(1000)
        ]
        assert at_caller == [rtp(number, bytes([number % 256]) * 160) for number in range(1000)]


def test_keys_that_wait_in_a_masked_calls_sockets_are_still_masked_when_the_mask_goes_off(one_processor):
    with contextlib.closing(Calls(1, 1)) as rig:
        [(caller, agent)] = rig.calls
        for round_ in range(100):
            rig.relay.set_mask(0, True)
            for step in range(8):
                caller.send(key(round_ * 8 + step, round_ % 10, round_ * 16000, 160 * (step + 1)))
            rig.relay.set_mask(0, False)
        assert rig.relay.counters(0)["agent_masked"] == 800
        assert everything(agent.rtp) == []


def test_a_call_that_is_not_masked_is_relayed_at_once_beside_fifty_that_are():
    with contextlib.closing(Calls(51, 50)) as rig, busy(rig.calls[:50]):
        caller, agent = rig.calls[50]
        assert latency(caller, agent) < PAUSE_US / 1e6 / 2
        assert latency(agent, caller) < PAUSE_US / 1e6 / 2


def test_a_masked_call_s_agent_is_heard_within_some_milliseconds():
    with contextlib.closing(Calls(2, 2, 2000)) as rig, busy(rig.calls[:1]):
        caller, agent = rig.calls[1]
        assert latency(agent, caller) < 0.01


def test_masked_packets_are_taken_together():
    """Packets 0.5 ms apart wake the thread once in twenty; without the pause each wakes it. Where
    the processor is wanted by others the thread does without pauses, so one quiet moment must
    do."""

    def waits(rig: Calls) -> float:
        [(_, agent)] = rig.calls
        before, begun = rig.wakes(), time.monotonic()
        for number in range(200):
            agent.send(rtp(number, SILENCE))
            while time.monotonic() < begun + number * 0.0005:
                pass
        return (rig.wakes() - before) / 200

    with contextlib.closing(Calls(1, 1)) as rig:
        until(lambda: waits(rig) < 0.3)
    with contextlib.closing(Calls(1, 1, 0)) as rig:
        until(lambda: waits(rig) > 0.6)


def test_an_idle_masked_call_wakes_nobody():
    with contextlib.closing(Calls(50, 50)) as rig:
        with busy(rig.calls):
            until(lambda: rig.relay.counters(0)["caller_received"] > 50)
        before = rig.wakes()
        assert select.select([rig.relay.fileno()], [], [], 0.5)[0] == []
        assert rig.wakes() - before < 20  # what was held leaves; pauses would be fifty


def test_a_backlog_of_masked_packets_arrives_whole_and_in_order(one_processor):
    with contextlib.closing(Calls(3, 3)) as rig:
        for number in range(100):
            for _, agent in rig.calls:
                agent.send(rtp(number, SILENCE))
        for caller, _ in rig.calls:
            assert [received(caller.rtp) for _ in range(100)] == [
                rtp(number, SILENCE) for number in range(100)
            ]


def test_a_masked_call_may_be_closed_and_what_is_open_stopped_in_the_middle_of_a_pause():
    before = len(os.listdir("/proc/self/fd"))
    with contextlib.closing(Calls(20, 20)) as rig, busy(rig.calls[10:19]):
        for stream in range(10):
            assert rig.relay.close_stream(stream)["caller_received"] == 0
        assert latency(*reversed(rig.calls[19])) < 1
    del rig  # with what is its own
    assert len(os.listdir("/proc/self/fd")) == before
