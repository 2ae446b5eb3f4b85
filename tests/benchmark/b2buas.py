"""The B2BUAs that are compared: `tonewall run` with all its processes, and sippy's `b2bua_simple`,
behind one protocol."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Protocol

from tests.benchmark.machine import ROOT, SUBJECT_CORE, BenchmarkError, MissingPeerError, family, pinned, stop
from tests.benchmark.relays import free_port_range, free_udp_port
from tests.benchmark.sip_load import HOST, Ports

_STARTING = 60.0


class B2bua(Protocol):
    """One B2BUA under test, on SUBJECT_CORE: what arrives at `Ports.subject` from the caller goes
    to the callee."""

    name: str

    def start(self, ports: Ports) -> None:
        """Returns when it answers. Raises MissingPeerError, BenchmarkError."""

    def pids(self) -> list[int]:
        """All its processes, now."""
        ...

    def stop(self) -> None: ...


class Tonewall:
    """`tonewall run`: b2bua, media and whatever else it starts, media sessions and RTP ports
    included."""

    name = "tonewall"
    _process: subprocess.Popen[bytes] | None = None

    def __init__(self, directory: Path, calls: int = 1000, module: str | None = None) -> None:
        """`calls`: how many at once there are to be media ports for; `module`: what is run instead
        of the command."""
        self._directory, self._calls, self._module = directory, calls, module

    def start(self, ports: Ports) -> None:
        config, log = self._directory / "tonewall-bench.conf", self._directory / "tonewall.log"
        config.write_text(tonewall_conf(ports, self._directory, self._calls))
        command = [str(Path(sys.executable).with_name("tonewall"))]
        if self._module is not None:
            command = [sys.executable, "-m", self._module]
        command += ["run", "-c", str(config)]
        with log.open("wb") as out:
            try:
                self._process = subprocess.Popen(
                    pinned(SUBJECT_CORE, command), cwd=ROOT, stdout=out, stderr=out
                )
            except FileNotFoundError:
                raise BenchmarkError("the tonewall command is not installed; make setup") from None
        await_answer(ports, self._process, log)

    def pids(self) -> list[int]:
        assert self._process is not None
        return family(self._process.pid)

    def signalling(self) -> list[int]:
        """The process that carries the signalling."""
        return [pid for pid in self.pids() if b"b2bua.app" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    def health(self) -> dict[str, int]:
        """What it says of itself: calls, sessions, legs, dialogs, transactions."""
        url = json.loads((self._directory / "run" / "ready.json").read_text())["api_url"]
        with urllib.request.urlopen(f"{url}/healthz", timeout=30) as answer:  # our own
            found: dict[str, int] = json.load(answer)
        return found

    def stop(self) -> None:
        if self._process is not None:
            stop(self._process, 15)


class SippySimple:
    """sippy's `b2bua_simple`: one Python process, signalling only, every call to one next hop,
    quiet logging."""

    name = "sippy b2bua_simple"
    _process: subprocess.Popen[bytes] | None = None

    def __init__(self, directory: Path) -> None:
        self._log = directory / "sippy.log"

    def start(self, ports: Ports) -> None:
        program = Path(sys.executable).with_name("b2bua_simple")
        if not program.exists():
            raise MissingPeerError("sippy is not installed; for the comparison: pip install sippy")
        command = [str(program), "-f", "-l", HOST, "-p", str(ports.subject), "-n", f"{HOST}:{ports.callee}"]
        quiet = os.environ | {"SIPLOG_BEND": "none", "SIPLOG_LVL": "CRIT"}
        with self._log.open("wb") as out:
            self._process = subprocess.Popen(pinned(SUBJECT_CORE, command), env=quiet, stdout=out, stderr=out)
        await_answer(ports, self._process, self._log)

    def pids(self) -> list[int]:
        assert self._process is not None
        return family(self._process.pid)

    def stop(self) -> None:
        if self._process is not None:
            stop(self._process)


def tonewall_conf(ports: Ports, directory: Path, calls: int) -> str:
    """The configuration that is measured: both trunks on loopback, UDP, logging at its default
    level, no charge made."""
    low, high = free_port_range(4 * calls + 1000)  # other programs may hold some of them
    return f"""\
[general]
bind = {HOST}
port = {ports.subject}
directory = {directory / "run"}
spare = no

[cdr]
url = sqlite:///{directory / "cdr.sqlite"}
spool = {directory / "cdr.spool"}

[carrier]
host = {HOST}
port = {ports.caller}

[pbx]
host = {HOST}
port = {ports.callee}

[media]
address = {HOST}
ports = {low}-{high}
; the idle calls send no RTP
quiet_time = 3600

[api]
port = {free_tcp_port()}
tokens = benchmark:{secrets.token_hex(16)}
roles = *:supervisor

[provider]
url = https://{HOST}:9/
api_key = {secrets.token_hex(16)}
journal = {directory / "journal.jsonl"}
"""


def await_answer(ports: Ports, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the program answers an OPTIONS from the caller's port, whatever the answer. Raises
    BenchmarkError."""
    request = (
        f"OPTIONS sip:{HOST}:{ports.subject} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {HOST}:{ports.caller};branch=z9hG4bKbench{{}}\r\n"
        f"From: <sip:bench@{HOST}:{ports.caller}>;tag=bench\r\nTo: <sip:{HOST}:{ports.subject}>\r\n"
        f"Call-ID: bench-{{}}@{HOST}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
        caller.bind((HOST, ports.caller))
        caller.connect((HOST, ports.subject))
        caller.settimeout(0.25)
        give_up = time.monotonic() + _STARTING
        while time.monotonic() < give_up and process.poll() is None:
            try:
                caller.send(request.replace("{}", str(time.monotonic_ns())).encode())
                if caller.recv(65535).startswith(b"SIP/2.0 "):
                    return
            except TimeoutError:
                continue
            except ConnectionRefusedError:  # not listening yet
                time.sleep(0.1)
    raise BenchmarkError(
        f"{process.args!r} does not answer OPTIONS; it wrote: {log.read_text(errors='replace')[-500:]}"
    )


def free_ports() -> Ports:
    return Ports(free_udp_port(), free_udp_port(), free_udp_port())


def free_tcp_port() -> int:
    """A TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
