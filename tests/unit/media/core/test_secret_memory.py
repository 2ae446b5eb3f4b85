"""Secret memory: locked, wiped, and in no place where it could be copied from."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys

import pytest

from media._core import Relay, SecretMemory

CANARY = bytes(range(200, 240)) * 4


def smaps_of(address_in: memoryview) -> str:
    """The kernel's view of the mapping that holds this buffer."""
    import ctypes

    address = ctypes.addressof(ctypes.c_char.from_buffer(address_in))
    with open("/proc/self/smaps", encoding="ascii") as file:
        for line in file:
            head = line.split(maxsplit=1)[0]
            if "-" in head and not head.endswith(":"):
                first, last = (int(part, 16) for part in head.split("-"))
                inside = first <= address < last
            if inside and line.startswith("VmFlags:"):
                return line
    raise AssertionError("no such mapping")


def test_it_is_a_writable_buffer_of_its_size_and_starts_empty():
    memory = SecretMemory(5000)
    assert len(memory) == 5000
    view = memoryview(memory)
    assert not any(view)
    view[4999] = 7
    assert memoryview(memory)[4999] == 7
    with pytest.raises(IndexError):
        view[5000] = 1


def test_wiping_overwrites_what_a_view_sees():
    memory = SecretMemory(len(CANARY))
    view = memoryview(memory)
    view[:] = CANARY
    memory.wipe()
    assert bytes(view) == bytes(len(CANARY))


def test_freed_memory_is_unmapped():
    def lines() -> int:
        with open("/proc/self/maps", encoding="ascii") as file:
            return sum("secretmem" in line for line in file)

    before = lines()
    kept = [SecretMemory(4096) for _ in range(8)]
    assert lines() == before + 8 or kept[0].kind == "mlock"
    del kept
    assert lines() == before


def test_neither_dumped_nor_inherited_nor_swapped():
    memory = SecretMemory(100)
    flags = smaps_of(memoryview(memory)).split()
    assert {"dc", "lo"} <= set(flags)  # not copied on fork; locked
    assert memory.kind == "memfd_secret" or "dd" in flags


def test_root_cannot_read_it_through_proc():
    memory = SecretMemory(len(CANARY))
    if memory.kind != "memfd_secret":
        pytest.skip("this kernel has no memfd_secret")
    memoryview(memory)[:] = CANARY
    with open("/proc/self/maps", encoding="ascii") as maps, open("/proc/self/mem", "rb", 0) as pages:
        for line in maps:
            if "secretmem" in line:
                pages.seek(int(line.split("-")[0], 16))
                with pytest.raises(OSError, match=r"Input/output error|Bad address"):
                    pages.read(16)


def test_it_shows_nothing_and_cannot_be_copied():
    memory = SecretMemory(8)
    memoryview(memory)[:] = b"12345678"
    for shown in (repr(memory), str(memory), f"{memory}"):
        assert shown == "<SecretMemory of 8 bytes>"
    for copying in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            copying(memory)
    with pytest.raises(TypeError):
        pickle.dumps(Relay())
    with pytest.raises(TypeError):
        type("Derived", (SecretMemory,), {})


@pytest.mark.parametrize("size", [0, -1, 2**62])
def test_a_size_that_cannot_be_had_is_an_error(size):
    with pytest.raises((ValueError, OSError)):
        SecretMemory(size)


def test_a_forked_child_has_no_access_and_may_drop_it():
    memory = SecretMemory(8)
    child = os.fork()
    if child == 0:
        try:
            memoryview(memory)
        except BufferError:
            memory.wipe()
            del memory
            os._exit(0)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_more_than_the_lock_limit_is_refused_and_not_left_unlocked():
    # Root has no lock limit; so the child gives up root, once it has read what only root may be
    # able to read.
    code = (
        "import os, resource, media._core as c\n"
        "resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536))\n"
        "if os.geteuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: c.SecretMemory(1 << 20)\nexcept OSError: print('refused')\nelse: print('given')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.stdout.strip() == "refused", result.stderr
