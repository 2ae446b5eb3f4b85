"""The decoder process and what it may ask of the kernel: real processes, real calls."""

from __future__ import annotations

import errno
import json
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from media.codecs import DecodedCodec
from media.decoder.messages import MAX_BYTES, AnswerKind, RequestKind
from tests.leak import phones
from tests.leak.decoded_line import keyed
from tonewall.process import card_environment

# Each is done once before, which shows that it can be, and once after; what came of it is written
# in one line.
ATTEMPTS = """
import ctypes, json, mmap, os, socket, sys
from tonewall.confinement import DECODER, confine
libc = ctypes.CDLL(None, use_errno=True)
taken = socket.create_server(("127.0.0.1", 0))
spare = os.path.join(sys.argv[1], "spare")

def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")

def connect():
    own.connect(taken.getsockname())

def fork():
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)

own = socket.socket()
attempts = {
    "open": lambda: os.close(os.open("/etc/hostname", os.O_RDONLY)),
    "create": lambda: os.close(os.open(spare, os.O_CREAT | os.O_WRONLY)),
    "unlink": lambda: os.unlink(spare),
    "socket": lambda: socket.socket().close(),
    "connect": connect,
    "kill": lambda: os.kill(os.getppid(), 0),
    "fork": fork,
    "spawn": lambda: os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0),
    "execute": lambda: os.execv("/nothing", ["nothing"]),
    "trace": lambda: checked(libc.ptrace(16, 2**30, None, None)),  # attach, to nobody
    "chmod": lambda: os.chmod(sys.argv[1], 0o700),
    "priority": lambda: os.setpriority(os.PRIO_PROCESS, 0, 0),
    "receive descriptors": lambda: one.recvmsg(1, 64),
    "code": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC).close(),
    "make code": lambda: checked(libc.mprotect(ctypes.c_void_p(page), 4096, mmap.PROT_READ | mmap.PROT_EXEC)),
}
kept = mmap.mmap(-1, 4096)
page = ctypes.addressof(ctypes.c_char.from_buffer(kept))
one, other = socket.socketpair()
other.send(b"12")

def attempt():
    came = {}
    for name, act in attempts.items():
        try:
            act()
            came[name] = 0
        except OSError as error:
            came[name] = error.errno
    return came

before = attempt()
own = socket.socket()
open(spare, "w").close()
confine(DECODER)
print(json.dumps(before), json.dumps(attempt()), sep="\\n", flush=True)
print(bytearray(1 << 24)[-1], one.recv(1))
"""
MAY_FAIL_BEFORE = {"execute": errno.ENOENT, "trace": errno.ESRCH}


def tried(tmp_path: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", ATTEMPTS, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_what_is_confined_opens_starts_signals_and_runs_nothing_new(tmp_path: Path) -> None:
    before, after, still = tried(tmp_path)
    could = {
        name: error
        for name, error in json.loads(before).items()
        if error and MAY_FAIL_BEFORE.get(name) != error
    }
    assert could == {}
    assert set(json.loads(after).values()) == {errno.EPERM}, after
    assert still == "0 b'2'", "memory and what is open are still its own"


class Process:
    """A decoder process, and our end of its socket. `started`: how Python starts it."""

    def __init__(self, *started: str) -> None:
        self.ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.ours.settimeout(20)
        with theirs:
            self.running = subprocess.Popen(
                [sys.executable, *(started or ("-m", "media.decoder.process")), "--fd", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env=card_environment({}),
                stderr=subprocess.PIPE,
            )

    @property
    def is_filtered(self) -> bool:
        return "Seccomp:\t2" in Path(f"/proc/{self.running.pid}/status").read_text()

    def said(self, payloads: list[bytes], codec: DecodedCodec) -> set[int]:
        """What it says of them, but for the last, which wait for more."""
        for serial, payload in enumerate(payloads, 1):
            self.ours.send(
                struct.pack("<qIBBBH", 1, serial, RequestKind.AUDIO, codec.number, 0, 24) + payload
            )
        answers = 0
        said: set[int] = set()
        while answers < len(payloads) - 4:
            message = self.ours.recv(MAX_BYTES)
            answers += message[12] != AnswerKind.TONE  # which is of no packet
            said.add(message[12])
        return said

    def end(self) -> tuple[int, bytes]:
        self.ours.close()
        complaints = self.running.communicate(timeout=20)[1]
        return self.running.returncode, complaints


@pytest.mark.parametrize("codec", list(DecodedCodec), ids=lambda codec: codec.name)
def test_a_decoder_under_the_filter_decodes_also_after_one_was_killed(codec: DecodedCodec) -> None:
    payloads = phones.sent(keyed("5")[0], codec)
    first = Process()
    assert first.said(payloads, codec) == {AnswerKind.SHUT, AnswerKind.OPEN, AnswerKind.TONE}, (
        "a key and no key"
    )
    assert first.is_filtered
    first.running.kill()
    assert first.end()[0] == -9
    second = Process()
    assert second.said(payloads, codec) == {AnswerKind.SHUT, AnswerKind.OPEN, AnswerKind.TONE}
    assert second.is_filtered
    assert second.end() == (0, b""), "it ends in good order, and has nothing to complain of"


@pytest.mark.parametrize("codec", list(DecodedCodec), ids=lambda codec: codec.name)
def test_a_decoder_tells_of_a_key_in_what_has_left_and_of_nothing_else(codec: DecodedCodec) -> None:
    process = Process()
    for stream, keys in ((1, ""), (2, "5"), (3, "")):
        for payload in phones.sent(keyed(keys)[0], codec):
            process.ours.send(
                struct.pack("<qIBBBH", stream, 0, RequestKind.LEFT, codec.number, 0, 24) + payload
            )
    process.ours.shutdown(socket.SHUT_WR)
    answers = []
    while message := process.ours.recv(MAX_BYTES):
        answers.append((int.from_bytes(message[:8], "little"), message[12]))
    assert set(answers) == {(2, AnswerKind.LEAKED)}
    assert process.end() == (0, b"")


REFUSING = """
from media.decoder import process as decoder
from tonewall import confinement
def install(kind):
    raise OSError(38, "Function not implemented")
confinement.install = install
decoder.main()
"""


def test_a_decoder_whose_kernel_has_no_filters_says_so_and_decodes() -> None:
    payloads = phones.sent(keyed("5")[0], DecodedCodec.GSM)
    process = Process("-c", REFUSING)
    assert process.said(payloads, DecodedCodec.GSM) == {AnswerKind.SHUT, AnswerKind.OPEN, AnswerKind.TONE}
    assert not process.is_filtered
    status, complaints = process.end()
    assert status == 0
    assert b"no_system_call_filter" in complaints
