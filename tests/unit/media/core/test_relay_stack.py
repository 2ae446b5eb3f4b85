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
FOR_EVER = 0xFFFFFFFF  # epoll_wait's timeout of -1


def waiting(thread: int, *, for_ever: bool = False) -> int:
    """The stack pointer of the thread, which waits in the kernel. `for_ever`: in epoll_wait, until
    a packet or a command comes."""
    while True:
        words = Path(f"/proc/self/task/{thread}/syscall").read_text().split()
        if words[0] != "running" and (not for_ever or int(words[4], 16) & FOR_EVER == FOR_EVER):
            return int(words[-2], 16)


def below(pointer: int) -> int:
    """Where the part of the stack begins that ends at its pointer and is looked at."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        first, last = (int(part, 16) for part in line.split()[0].split("-"))
        if first <= pointer < last:
            return max(first, pointer - LOOKED_AT)
    raise AssertionError("no stack")


def clear_stack(thread: int) -> None:
    """Overwrite what is left below the frames of waiting: glibc gives a new thread the stack of one
    that ended. Nothing may wake the thread meanwhile."""
    pointer = waiting(thread, for_ever=True)
    start = below(pointer)
    with open("/proc/self/mem", "r+b", 0) as memory:
        memory.seek(start)
        memory.write(bytes(pointer - WAITS - start))


def is_clean(thread: int) -> bool:
    """Whether there is nothing between the frames of waiting and the deepest one, if that is of the
    wiping itself."""
    pointer = waiting(thread)
    start = below(pointer)
    with open("/proc/self/mem", "rb", 0) as memory:
        memory.seek(start)
        stack = memory.read(pointer - start)
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
        clear_stack(thread)
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
        until(lambda: is_clean(thread))

        def all_are_taken() -> bool:
            nonlocal taken
            taken += rig.relay.take_digits(7, memory, taken)
            return taken == 4

        until(all_are_taken)
        assert bytes(memoryview(memory)[:5]) == b"4929\0"
        until(lambda: is_clean(thread))
