"""What was keyed is not to be found on the media thread's stack, where it was only passing
through."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from media._core import CALLER, SecretMemory
from tests.leak.carriers import HABITS, Habit, keyed
from tests.unit.media.core.relay_rig import AUDIO, EVENTS, Rig, threads, until
from tests.unit.media.core.sealed import Sealed

# Bytes of the frames of waiting and of wiping: places in the program, a pause, descriptors.
WAITS, WIPES = 1024, 64
LOOKED_AT = 256 * 1024


def below(thread: int) -> bytes:
    """The stack below the frame in which the thread waits, the deepest first."""
    told = Path(f"/proc/self/task/{thread}/syscall").read_text().split()
    while told[0] == "running":
        told = Path(f"/proc/self/task/{thread}/syscall").read_text().split()
    pointer = int(told[-2], 16)
    for line in Path("/proc/self/maps").read_text().splitlines():
        first, last = (int(part, 16) for part in line.split()[0].split("-"))
        if first <= pointer < last:
            start = max(first, pointer - LOOKED_AT)
            with open("/proc/self/mem", "rb", 0) as memory:
                memory.seek(start)
                return memory.read(pointer - start)
    raise AssertionError("no stack")


def is_clean(stack: bytes, before: bytes) -> bool:
    """Of what was not there before: glibc gives a new thread the stack of one that ended.

    Whether there is nothing between the frames of waiting and the deepest one, if that is of the
    wiping itself."""
    assert len(stack) == len(before)
    stack = bytes(now if now != then else 0 for now, then in zip(stack, before, strict=True))
    deepest = len(stack) - len(stack.lstrip(b"\0"))
    return not any(stack[deepest + WIPES : -WAITS])


@pytest.mark.parametrize("habit", HABITS, ids=lambda habit: habit.name)
@pytest.mark.parametrize("suite", ["in clear", "AEAD_AES_256_GCM", "AES_CM_128_HMAC_SHA1_80"])
@pytest.mark.parametrize("masked_coalescing_us", [0, 2000])
def test_keys_that_were_captured_leave_nothing_on_the_media_thread_s_stack(
    habit: Habit, suite: str, masked_coalescing_us: int
) -> None:
    before = threads()
    with contextlib.closing(Rig(masked_coalescing_us=masked_coalescing_us)) as rig:
        [thread] = threads() - before
        at_first = below(thread)
        rig.connect_both()
        rig.relay.set_types(7, bytes([EVENTS]), b"", mu=bytes([AUDIO]))
        peer = Sealed(suite).set(rig.relay, CALLER) if suite != "in clear" else None
        rig.relay.set_mask(7, True, tones=True)
        rig.relay.set_capture(7, True)
        sent = [bytes(packet) for packet in keyed("4929", habit, 1, payload_type=AUDIO, event_type=EVENTS)]
        for number, packet in enumerate(sent):
            rig.caller.send(peer.tx.protect(packet) if peer else packet)
            until(lambda number=number: rig.relay.counters(7)["caller_received"] > number - 50)
        memory, taken = SecretMemory(8), 0
        until(lambda: rig.relay.counters(7)["caller_received"] == len(sent))
        until(lambda: is_clean(below(thread), at_first))

        def all_are_taken() -> bool:
            nonlocal taken
            taken += rig.relay.take_digits(7, memory, taken)
            return taken == 4

        until(all_are_taken)
        assert bytes(memoryview(memory)[:5]) == b"4929\0"
        until(lambda: is_clean(below(thread), at_first))
