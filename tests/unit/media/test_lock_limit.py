"""The limit of locked memory: how many captures it carries is what the core then really maps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from media.lock_limit import MAX_CAPTURES, bytes_needed, captures_carried

ROOT = Path(__file__).parents[4]

# Streams are opened and masked, each with a vault, until the kernel refuses; the limit is for who
# may not pass it.
_FILL = """
import json, os, resource, socket, sys
limit = int(sys.argv[1])
from media._core import Relay, SecretMemory
resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))
if os.geteuid() == 0:
    os.setgroups([]), os.setgid(65534), os.setuid(65534)
def bound():
    own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    own.bind(("127.0.0.1", 0))
    return own.detach()
kept, captures = [], 0
try:
    relay = Relay()
    relay.start()
    while captures < 40:
        relay.open_stream(captures, bound(), bound(), bound(), bound())
        relay.set_mask(captures, True)
        kept.append(SecretMemory(4096))
        captures += 1
except OSError:
    pass
print(captures)
"""


@pytest.mark.parametrize("kib", [16, 128, 240, 256, 300, 512, 640])
def test_what_a_limit_carries_is_what_the_core_maps(kib: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FILL, str(kib * 1024)], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert min(captures_carried(kib * 1024, decoded=False), 40) == int(done.stdout)


def test_more_captures_need_more_and_what_is_needed_is_carried() -> None:
    for threads in (1, 3):
        for decoded in (False, True):
            sizes = [bytes_needed(captures, threads, decoded=decoded) for captures in range(1, 200)]
            assert sizes == sorted(sizes)
            for captures in (1, 7, 64, 150):
                assert (
                    captures_carried(
                        bytes_needed(captures, threads, decoded=decoded), threads, decoded=decoded
                    )
                    >= captures
                )
                assert (
                    captures_carried(
                        bytes_needed(captures, threads, decoded=decoded) - 1, threads, decoded=decoded
                    )
                    < captures
                )
    assert captures_carried(2**40) == MAX_CAPTURES


_AS_ROOT_WITHOUT_CAPABILITY = """
import ctypes, json, resource, sys
resource.setrlimit(resource.RLIMIT_MEMLOCK, (int(sys.argv[1]), int(sys.argv[1])))
class Head(ctypes.Structure): _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]
class Data(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable")]
head, data = Head(0x20080522, 0), (Data * 2)()
libc = ctypes.CDLL(None)
assert libc.capget(ctypes.byref(head), data) == 0
for field in ("effective", "permitted"):
    setattr(data[0], field, getattr(data[0], field) & ~(1 << 14))
assert libc.capset(ctypes.byref(head), data) == 0
from b2bua.doctor.machine import check_memory_limit
from tonewall.process import harden
found = check_memory_limit(1, decoded=True)
print(json.dumps({"level": found.level.name, "says": found.text, "locked": harden()}))
[bytearray(1 << 20) for _ in range(64)]
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="this is about root")
@pytest.mark.parametrize(("kib", "level"), [(64, "FAULT"), (512, "WARNING"), (4096, "WARNING")])
def test_root_without_the_capability_is_limited_as_everybody_else(kib: int, level: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _AS_ROOT_WITHOUT_CAPABILITY, str(kib * 1024)],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    line = json.loads(done.stdout)
    assert line["level"] == level
    assert not line["locked"]
    if level == "FAULT":
        assert "no card can be taken" in line["says"]
