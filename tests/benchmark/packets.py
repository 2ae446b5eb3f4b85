"""The packet load: rtpload.c, driven line by line. It sends speech: near silence a detector of
tones has nothing to do."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from tests.benchmark.machine import BUILD, LOAD_CORE, BenchmarkError, compiled, pinned, stop
from tests.leak.codec import PCMU, amplitude, encoded
from tests.leak.speech import ESPEAK, voice


@dataclass(frozen=True, slots=True)
class Ends:
    """The two UDP ports of one call, on 127.0.0.1: of its phones, or of a relay towards them."""

    caller: int
    agent: int


@dataclass(frozen=True, slots=True)
class Traffic:
    """What one run showed. Latency is from before sendto(2) to the kernel's receive time stamp, in
    microseconds."""

    sent: int
    received: int
    timed: int  # those that the latency is of
    lost: int
    foreign: int  # packets that are none of this run's
    send_errors: int
    latency_p50_us: float
    latency_p99_us: float
    latest_send_us: float  # how late the load itself was, at worst


def _speech() -> Path:
    """Eight seconds of each voice without its pauses, in mu-law at -15 dBm0."""
    path = BUILD / "speech.mu"
    if not path.exists():
        said = np.concatenate([voice(name)[: 8 * 8000] for name in ESPEAK]) * amplitude(-15.0)
        path.write_bytes(b"".join(encoded(said, PCMU)))
    return path


class PacketLoad:
    """`calls` calls of 50 packets a second each way, 172 bytes each. Use as a context manager."""

    def __init__(self, calls: int) -> None:
        command = pinned(LOAD_CORE, [str(compiled("rtpload")), str(calls), str(_speech())])
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ports = self._answer()
        self.ends = [Ends(*pair) for pair in zip(ports["caller"], ports["agent"], strict=True)]

    @property
    def pid(self) -> int:
        return self._process.pid

    def send_to(self, relay: list[Ends]) -> None:
        """Where each call's two sides send to from now on."""
        self._say("peers " + " ".join(f"{ends.caller} {ends.agent}" for ends in relay))

    def run(self, seconds: float, without: int = 0) -> Traffic:
        """Send for so long, wait for stragglers, report. The latency is of all calls but the first
        `without`."""
        self._say(f"run {int(seconds * 1000)} {without}")
        return Traffic(**self._answer())

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise BenchmarkError("the packet load ended early; its standard error says why")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        stop(self._process)
