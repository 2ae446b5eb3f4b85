"""Where the kernel has no memfd_secret: memory that is locked instead. It can be read through
/proc/self/mem, so here it can be seen that what was masked and keyed is wiped."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

# memfd_secret is refused to this process alone, as a kernel without it does.
_REFUSED = """
import ctypes, json, os, re, resource, socket, struct, sys, time
libc = ctypes.CDLL(None, use_errno=True)
def filtered(*instructions):
    program = b"".join(struct.pack("HBBI", *one) for one in instructions)
    kept = ctypes.create_string_buffer(program)
    head = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(instructions), ctypes.addressof(kept)))
    assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
    assert libc.prctl(22, 2, head, 0, 0) == 0, ctypes.get_errno()  # PR_SET_SECCOMP
filtered((0x20, 0, 0, 0), (0x15, 0, 1, 447), (0x06, 0, 0, 0x50000 | 38), (0x06, 0, 0, 0x7FFF0000))
from media._core import AGENT, CALLER, Relay, SecretMemory

def locked():
    found, span = [], None
    for line in open("/proc/self/smaps"):
        if head := re.match("([0-9a-f]+)-([0-9a-f]+) ", line):
            span = [int(one, 16) for one in head.groups()]
        elif line.startswith("VmFlags") and {"lo", "dd", "dc"} <= set(line.split()):
            found.append(span)
    return found

def holds(what):
    with open("/proc/self/mem", "rb", 0) as memory:
        for first, last in locked():
            memory.seek(first)
            if what in memory.read(last - first):
                return True
    return False

def said(**facts):
    print(json.dumps(facts))
"""
_ALONE = """
memory = SecretMemory(5000)
memoryview(memory)[:5] = b"\\x01\\x05\\x09\\x0d\\x11"
there, spans = holds(b"\\x01\\x05\\x09\\x0d\\x11"), locked()
reading, writing = os.pipe()
if (child := os.fork()) == 0:
    os.write(writing, json.dumps([span for span in spans if span in locked()]).encode())
    os._exit(0)
os.waitpid(child, 0)
left = json.loads(os.read(reading, 9999))
memory.wipe()
after = holds(b"\\x01\\x05\\x09\\x0d\\x11")
resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536))
if os.geteuid() == 0:
    os.setgroups([]), os.setgid(65534), os.setuid(65534)
try:
    SecretMemory(1 << 20)
    refused = False
except OSError:
    refused = True
said(kind=memory.kind, there=there, in_child=left, after=after, refused=refused)
"""
_MASKED = """
def bound():
    own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    own.bind(("127.0.0.1", 0))
    return own
relay = Relay()
relay.start()
customer, agent, *inner = (bound() for _ in range(6))
port = inner[0].getsockname()[1]
relay.open_stream(7, *(own.detach() for own in inner))
for leg, peer in ((CALLER, customer), (AGENT, agent)):
    relay.set_peer(7, leg, "127.0.0.1", peer.getsockname()[1], "127.0.0.1", 9, False)
relay.set_types(7, b"\\x65", b"", mu=b"\\x00")
relay.set_mask(7, True)
spoken = os.urandom(160).replace(b"\\x7f", b"\\x01").replace(b"\\xff", b"\\x01")
def send(number):
    customer.sendto(struct.pack("!BBHII", 0x80, 0, number, 160 * number, 9) + spoken, ("127.0.0.1", port))
    deadline = time.monotonic() + 20
    while relay.counters(7)["caller_received"] <= number and time.monotonic() < deadline:
        time.sleep(0.001)
send(0), send(1)
there = holds(spoken[:64])
END
said(there=there, after=holds(spoken[:64]))
"""


def run_script(script: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", _REFUSED + script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_is_locked_in_no_child_and_no_dump_is_wiped_and_has_a_limit() -> None:
    assert run_script(_ALONE) == {
        "kind": "mlock",
        "there": True,
        "in_child": [],
        "after": False,
        "refused": True,
    }


@pytest.mark.parametrize(
    "end", ["relay.set_mask(7, False)", "relay.close_stream(7)"], ids=["the mask goes off", "the call ends"]
)
def test_what_a_mask_held_is_wiped_when(end: str) -> None:
    assert run_script(_MASKED.replace("END", end)) == {"there": True, "after": False}
