"""The relays that are compared: Tonewall's media process and rtpengine, behind one protocol."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Protocol

import msgspec

from media.events import (
    Done,
    MaskWentOff,
    MaskWentOn,
    OpenSession,
    Refused,
    SessionId,
    SessionOpened,
    SetMask,
    SetRemote,
    Side,
)
from media.rtpengine import ng
from media.stream_description import RemoteStream
from tests.benchmark.machine import ROOT, SUBJECT_CORE, BenchmarkError, MissingPeerError, pinned, stop
from tests.benchmark.ng import NgClient
from tests.benchmark.packets import Ends
from tonewall.frames import pack
from tonewall.process import card_environment

_SDP = (
    "v=0\r\no=- {port} 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 "
    "101\r\n"
)
# The only way to mask tones in rtpengine 10.5 that lets none through: anything less leaks whole
# digits or all of them.
_RECIPE: dict[str, ng.Value] = {"DTMF-security": "silence", "delay-buffer": 60, "flags": ["detect-DTMF"]}
# Four are used; some are others', and rtpengine looks for pairs by chance.
_PORTS_A_CALL, _SPARE_PORTS = (
    6,
    1000,
)
_ANSWER = msgspec.msgpack.Decoder(Done | SessionOpened | Refused | MaskWentOn | MaskWentOff)


class Relay(Protocol):
    """One relay under test, a process of its own on SUBJECT_CORE."""

    name: str

    def start(self, calls: int = 1000) -> None:
        """With ports for so many calls.

        Raises MissingPeerError where it is not installed, BenchmarkError where it does not come up.
        """

    def open_calls(self, phones: list[Ends]) -> list[Ends]:
        """Relay between each pair of phones; returns the relay's own ports, in the same order."""
        ...

    def mask(self, calls: int) -> None:
        """Keep keys and tones from the agent, in the first `calls` calls that were opened."""

    def pid(self) -> int: ...

    def stop(self) -> None: ...


class TonewallRelay:
    """The media process as `tonewall run` starts it (`python -m tonewall.start
    media.process`), driven over its unix socket."""

    name = "tonewall"
    _process: subprocess.Popen[bytes] | None = None
    _b2bua: socket.socket

    def __init__(self, directory: Path) -> None:
        self._path, self._log = directory / f"media-{os.getpid()}.sock", directory / "media.log"

    def start(self, calls: int = 1000) -> None:
        low, high = free_port_range(_PORTS_A_CALL * calls + _SPARE_PORTS)
        own = {"TONEWALL_MEDIA_ADDRESS": "127.0.0.1", "TONEWALL_MEDIA_PORTS": f"{low}-{high}"}
        command = [sys.executable, "-m", "tonewall.start", "media.process", "--socket", str(self._path)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                pinned(SUBJECT_CORE, command), cwd=ROOT, env=card_environment(own), stdout=log, stderr=log
            )
        self._b2bua = self._connected(time.monotonic() + 20)
        self._answers = self._b2bua.makefile("rb")

    def _connected(self, give_up: float) -> socket.socket:
        assert self._process is not None
        while time.monotonic() < give_up and self._process.poll() is None:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(str(self._path))
            except OSError:  # not listening yet
                connection.close()
                time.sleep(0.05)
            else:
                connection.settimeout(10)
                return connection
        raise BenchmarkError(
            f"the media process did not come up; is the core built (make setup)? See {self._log}"
        )

    def open_calls(self, phones: list[Ends]) -> list[Ends]:
        for index, call in enumerate(phones):
            self._send_call(SessionId(f"bench-{index}"), call)
        return [self._opened_call() for _ in phones]

    def mask(self, calls: int) -> None:
        for index in range(calls):
            self._b2bua.sendall(pack(SetMask(session=SessionId(f"bench-{index}"), on=True)))
            self._answer()

    def _send_call(self, session: SessionId, phones: Ends) -> None:
        remotes = [
            SetRemote(session=session, side=side, streams=(_remote(port),))
            for side, port in ((Side.CALLER, phones.caller), (Side.AGENT, phones.agent))
        ]
        self._b2bua.sendall(b"".join(map(pack, (OpenSession(session=session, streams=1), *remotes))))

    def _opened_call(self) -> Ends:
        opened, *_ = self._answer(), self._answer(), self._answer()
        assert isinstance(opened, SessionOpened)
        return Ends(caller=opened.caller[0].port, agent=opened.agent[0].port)

    def _answer(self) -> Done | SessionOpened:
        while True:
            answer = _ANSWER.decode(self._answers.read(int.from_bytes(self._answers.read(4), "big")))
            if isinstance(answer, Refused):
                raise BenchmarkError(f"the media process refused a command: {answer.reason}")
            if not isinstance(answer, MaskWentOn | MaskWentOff):  # these are no answers
                return answer

    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        if self._process is not None:
            stop(self._process)
        self._path.unlink(missing_ok=True)


def _remote(port: int) -> RemoteStream:
    return RemoteStream(
        address="127.0.0.1",
        port=port,
        rtcp_address="127.0.0.1",
        rtcp_port=port + 1,
        event_types=(101,),
        mu_types=(0,),
    )


class RtpengineRelay:
    """Debian's rtpengine in userspace, one worker thread, no kernel module: SDP offer and answer by
    the ng protocol."""

    name = "rtpengine"
    _process: subprocess.Popen[bytes] | None = None
    _ng: NgClient

    def __init__(self, log: Path, both_ways: bool = True) -> None:
        """`both_ways`: it masks what the agent's side says too."""
        self._log = log
        self._masked = ("caller", "agent") if both_ways else ("caller",)

    def start(self, calls: int = 1000) -> None:
        if shutil.which("rtpengine") is None:
            raise MissingPeerError(
                "rtpengine is not installed; for the comparison: apt-get install rtpengine-daemon"
            )
        control, (low, high) = free_udp_port(), free_port_range(_PORTS_A_CALL * calls + _SPARE_PORTS)
        command = [
            "rtpengine", "--config-file=none", "--interface=127.0.0.1", f"--listen-ng=127.0.0.1:{control}",
            f"--port-min={low}", f"--port-max={high}", "--table=-1", "--foreground", "--log-stderr",
            "--log-level=4",
            "--num-threads=1",
        ]  # fmt: skip
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(pinned(SUBJECT_CORE, command), stderr=log, stdout=log)
        self._ng = NgClient(("127.0.0.1", control))
        self._ask("ping")

    def open_calls(self, phones: list[Ends]) -> list[Ends]:
        return [self._open_call(index, call) for index, call in enumerate(phones)]

    def mask(self, calls: int) -> None:
        for index in range(calls):
            for side in self._masked:
                self._ask("block DTMF", call_id=f"call-{index}", from_tag=f"{side}-{index}", **_RECIPE)

    def _open_call(self, index: int, phones: Ends) -> Ends:
        same = {
            "call_id": f"call-{index}",
            "from_tag": f"caller-{index}",
            "ICE": "remove",
            "flags": ["trust-address"],
        }
        offered = self._ask("offer", **same, sdp=_SDP.format(port=phones.caller))
        answered = self._ask("answer", **same, to_tag=f"agent-{index}", sdp=_SDP.format(port=phones.agent))
        return Ends(caller=_audio_port(answered), agent=_audio_port(offered))

    def _ask(self, command: str, **keys: ng.Value) -> bytes:
        try:
            answer = self._ng.ask(command, **keys)
        except ng.NgError as error:
            raise BenchmarkError(f"rtpengine: {error}; its log is {self._log}") from None
        sdp = answer.get("sdp", b"")
        return sdp if isinstance(sdp, bytes) else b""

    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        if self._process is not None:
            self._ng.close()
            stop(self._process)


def _audio_port(sdp: bytes) -> int:
    found = re.search(rb"^m=audio (\d+) ", sdp, re.MULTILINE)
    if found is None:
        raise BenchmarkError("rtpengine's SDP has no audio")
    return int(found[1])


def free_udp_port(address: str = "127.0.0.1") -> int:
    """A UDP port that was free a moment ago, for a program that must be given its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def free_port_range(count: int) -> tuple[int, int]:
    """A range of ports below those that the kernel hands out by itself, at a place that differs
    from run to run."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    room = max(first - 10000 - count, 1)
    low = 10000 + (time.time_ns() // 1000 % room) // 2 * 2
    return low, low + count - 1
