"""The SIP load: sipp as caller and as callee, both on LOAD_CORE, with the scenarios that lie beside
this file."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.benchmark.machine import LOAD_CORE, BenchmarkError, pinned, stop

HOST = "127.0.0.1"
_PATIENCE = 15  # seconds without the message that is expected, after which a call has failed
_SCENARIOS = Path(__file__).with_name("scenarios")


@dataclass(frozen=True, slots=True)
class Load:
    """`calls` calls, `rate` of them a second begin; each is held for `hold` seconds after its
    ACK."""

    calls: int
    rate: int
    hold: float = 0.0

    @property
    def ramp(self) -> float:
        """Seconds until the last call has begun."""
        return self.calls / self.rate


@dataclass(frozen=True, slots=True)
class Ports:
    """UDP ports on 127.0.0.1: of the caller, of the program under test (towards both sides), of the
    callee."""

    caller: int
    subject: int
    callee: int


class Calls:
    """Calls on their way; `finish` waits until the last has ended."""

    def __init__(self, process: subprocess.Popen[bytes], directory: Path, load: Load) -> None:
        self._process, self._directory, self._load = process, directory, load

    def finish(self) -> int:
        """How many calls failed. Raises BenchmarkError where sipp itself did, or never ended."""
        try:
            code = self._process.wait(self._load.ramp + self._load.hold + 2 * _PATIENCE)
        except subprocess.TimeoutExpired:
            raise BenchmarkError(f"sipp did not end by itself; its files are in {self._directory}") from None
        if code not in (0, 1):  # 1: at least one call failed
            raise BenchmarkError(
                f"sipp ended with status {code}: {_last_line(self._directory / 'caller.out')}"
            )
        return self._statistic("FailedCall(C)")

    def _statistic(self, name: str) -> int:
        names, *_, last = (self._directory / "caller.csv").read_text().splitlines()
        return int(last.split(";")[names.split(";").index(name)])


class SippCallers:
    """A callee that listens as long as the context lasts, and callers on demand."""

    def __init__(self, ports: Ports, directory: Path) -> None:
        self._ports, self._directory = ports, directory
        self._running: list[subprocess.Popen[bytes]] = []

    def listen(self) -> None:
        self._start(
            "callee",
            ["-sf", str(_SCENARIOS / "uas.xml"), "-buff_size", str(4 << 20), "-p", str(self._ports.callee)],
        )

    def call(self, load: Load) -> Calls:
        """Start the calls and return at once."""
        statistics = self._directory / "caller.csv"
        statistics.unlink(missing_ok=True)
        options = [
            "-sf", str(_SCENARIOS / "uac.xml"), "-s", "1000", "-p", str(self._ports.caller),
            "-m", str(load.calls), "-r", str(load.rate), "-l", str(load.calls), "-d",
            str(int(load.hold * 1000)),
            "-trace_stat", "-stf", str(statistics), "-recv_timeout", str(_PATIENCE * 1000),
            "-buff_size", str(4 << 20), f"{HOST}:{self._ports.subject}",
        ]  # fmt: skip
        return Calls(self._start("caller", options), self._directory, load)

    def _start(self, who: str, options: list[str]) -> subprocess.Popen[bytes]:
        command = ["sipp", "-i", HOST, "-mi", HOST, "-nostdin", *options]
        with (self._directory / f"{who}.out").open("wb") as out:
            process = subprocess.Popen(
                pinned(LOAD_CORE, command), cwd=self._directory, stdout=out, stderr=out
            )
        self._running.append(process)
        return process

    def stop(self) -> None:
        for process in self._running:
            stop(process)


@contextlib.contextmanager
def sipp(ports: Ports) -> Iterator[SippCallers]:
    """sipp on these ports; what it writes is gone afterwards. Raises BenchmarkError where it is not
    installed."""
    if shutil.which("sipp") is None:
        raise BenchmarkError("sipp is not installed; the SIP load needs it: apt-get install sip-tester")
    with tempfile.TemporaryDirectory(prefix="tonewall-bench-") as directory:
        callers = SippCallers(ports, Path(directory))
        try:
            callers.listen()
            yield callers
        finally:
            callers.stop()


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "no output"
