"""sipp as carrier or as PBX: an independent SIP stack that plays recorded RTP.

A call's script is a list of steps. `Go` waits for a SIP request of that name with the call's
Call-ID, which `Sipp.go` sends to sipp from a socket of its own: so a test decides when a customer
begins to key, and sipp waits for no fixed time. A `Mark` that a call passes becomes a line `NAME
CALL-ID` in a log; `Sipp.reached` waits for such lines.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import shutil
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.stack import free_port
from tests.wire.peers import pcap
from tests.wire.peers.ports import free_ports, listens, until

FIXTURES = Path(__file__).parents[2] / "fixtures" / "sipp"
_PORTS_A_CALL = 4  # sipp's own step for [auto_media_port]


class SippFailed(Exception):
    """Calls failed; the text ends with the last lines that sipp wrote about errors."""


@dataclass(frozen=True, slots=True)
class Play:
    """Play RTP, one file for all calls or (`files`) one a call, and go on when its `seconds` are
    over."""

    files: tuple[Path, ...]
    seconds: float
    wait: bool = True


@dataclass(frozen=True, slots=True)
class Go:
    """Wait until the test says so: `await sipp.go(name)`."""

    name: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Say in the log that the call came this far."""

    name: str


HANG_UP = "hang up"
AWAIT_BYE = "await BYE"
Step = Play | Go | Mark


def play(directory: Path, *parts: list[tuple[float, bytes]], name: str = "part", wait: bool = True) -> Play:
    """RTP to play: one part for all calls, or a part for each call (in the order in which sipp
    numbers them)."""
    files = []
    for index, part in enumerate(parts):
        files.append(directory / f"{name}-{index}.pcap")
        pcap.write(files[-1], part)
    return Play(tuple(files), max(part[-1][0] for part in parts) + 0.03, wait)


def scenario(template: str, directory: Path, steps: Sequence[Step], ending: str) -> Path:
    """Write the scenario file for `template` (carrier or pbx) with those steps."""
    text = (FIXTURES / f"{template}.xml").read_text()
    body: list[str] = []
    for number, step in enumerate(steps):
        match step:
            case Go(name):
                # Nothing answers: the test's socket is no SIP peer, and an answer would go to the
                # real one.
                body.append(_log(_waits_at(name)))
                body.append(f'<recv request="{name}" timeout="120000"/>')
            case Mark(name):
                body.append(_log(name))
            case Play(files, seconds, wait):
                body += _play(number, files)
                if wait:
                    body.append(f'<pause milliseconds="{round(seconds * 1000)}"/>')
    text = text.replace("<!-- STEPS -->", "\n  ".join(body)).replace(
        "<!-- ENDING -->", _ENDINGS[template, ending]
    )
    path = directory / f"{template}.xml"
    path.write_text(text)
    return path


def _log(mark: str) -> str:
    return f'<nop><action><log message="{mark} [call_id]"/></action></nop>'


def _waits_at(name: str) -> str:
    return f"waits-at-{name}"


def _play(number: int, files: Sequence[Path]) -> list[str]:
    if len(files) == 1:
        return [f'<nop><action><exec play_pcap_audio="{files[0]}"/></action></nop>']
    lines = [f'<nop><action><assignstr assign_to="n{number}" value="[call_number]"/><todouble '
    f'assign_to="d{number}"'
             f' variable="n{number}"/></action></nop>']  # fmt: skip
    end = 10_000 * (number + 1)
    for index, file in enumerate(files, 1):
        lines += [
            f'<nop><action><test assign_to="t{number}" variable="d{number}" compare="not_equal" '
            f'value="{index}"/>'
            "</action></nop>",
            f'<nop next="{end + index}" test="t{number}"/>',
            f'<nop next="{end}"><action><exec play_pcap_audio="{file}"/></action></nop>',
            f'<label id="{end + index}"/>',
        ]
    return [*lines, f'<label id="{end}"/>', "<nop/>"]


_DIALOG_CARRIER = """
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      [routes]
      From: "Customer [call_number]" <sip:+3222000[call_number]@[local_ip]:[local_port]>;tag=[pid]carrier[call_number]
      To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
      Call-ID: [call_id]
      CSeq: 2 BYE
      Max-Forwards: 70
      Content-Length: 0
"""
_DIALOG_PBX = """
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      [routes]
      From: [$to];tag=[pid]pbx[call_number]
      To: [$from]
      Call-ID: [call_id]
      CSeq: 1 BYE
      Max-Forwards: 70
      Content-Length: 0
"""
_BYE = """<send retrans="500"><![CDATA[
      BYE [next_url] SIP/2.0{dialog}
    ]]></send>
  <recv response="200" crlf="true"/>"""
_ANSWER_BYE = """<recv request="BYE" crlf="true"/>
  <send><![CDATA[
      SIP/2.0 200 OK
      [last_Via:]
      [last_From:]
      [last_To:]
      [last_Call-ID:]
      [last_CSeq:]
      Content-Length: 0
    ]]></send>"""
_ENDINGS = {
    ("carrier", HANG_UP): _BYE.format(dialog=_DIALOG_CARRIER),
    ("carrier", AWAIT_BYE): _ANSWER_BYE,
    ("pbx", HANG_UP): _BYE.format(dialog=_DIALOG_PBX),
    ("pbx", AWAIT_BYE): _ANSWER_BYE,
}


@dataclass(frozen=True, slots=True)
class Tally:
    """How sipp's calls ended."""

    successful: int
    failed: int
    current: int


class Sipp:
    """One running sipp. Use `start`, then `stop` it whatever happened."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, directory: Path, calls: int) -> None:
        self.name = name
        self.address = "127.0.0.1"
        self.port = 0
        self.media_port = 0
        self.calls = calls
        self._process = process
        self._directory = directory

    @classmethod
    async def start(
        cls,
        script: Path,
        directory: Path,
        *,
        remote: tuple[str, int] | None = None,
        calls: int = 1,
        rate: int = 20,
        callee: str = "1000",
        address: str = "127.0.0.1",
        port: int | None = None,
        at_once: int | None = None,
    ) -> Self:
        """Start sipp and wait until it listens, on `port` or a free one; `at_once` bounds the calls
        that are up.

        With `remote` it calls that address, else it waits to be called.

        It ends by itself after `calls` calls. `directory` takes its files and must belong to this
        sipp alone.
        """
        name = script.stem
        port = port or free_ports(1, address)
        # sipp binds the first media port and the one two above it, and sends from the others raw.
        media = free_ports(_PORTS_A_CALL * (at_once or calls) + 4, address)
        command = [
            "sipp", *([f"{remote[0]}:{remote[1]}"] if remote else []), "-sf", str(script),
            "-i", address, "-p", str(port), "-mi", address, "-mp", str(media), "-bind_local",
            "-m", str(calls), "-l", str(at_once or calls), "-r", str(rate), "-s", callee, "-cid_str",
            f"%u-{name}-{port}",
            # On a busy machine an INVITE may be repeated after its answer; that is no reason to
            # abort the call.
            "-default_behaviors", "all,-abortunexp", "-nostdin", "-cp", str(free_port()),
            "-timer_resol", "1",
            "-trace_err", "-error_file", "errors.log", "-trace_logs", "-log_file", "steps.log",
            "-trace_stat", "-stf", "stat.csv", "-fd", "1",
        ]  # fmt: skip
        with (directory / "screen.log").open("wb") as screen:
            process = await asyncio.create_subprocess_exec(
                *command, cwd=directory, stdin=asyncio.subprocess.DEVNULL, stdout=screen, stderr=screen
            )
        sipp = cls(name, process, directory, calls)
        sipp.address, sipp.port, sipp.media_port = address, port, media
        try:
            await until(lambda: listens(port) or process.returncode is not None, f"sipp ({name}) to listen")
            if process.returncode not in (None, 0):
                raise SippFailed(
                    f"sipp ({name}) did not start: exit code {process.returncode}\n{sipp.complaints()}"
                )
        except BaseException:
            await sipp.stop()
            raise
        return sipp

    def call_id(self, call: int) -> str:
        """The Call-ID of the call that sipp places as number `call`, from 1 on."""
        return f"{call}-{self.name}-{self.port}"

    def rtp_port(self, call: int) -> int:
        """The RTP port of sipp's call number `call`, from 1 on."""
        return self.media_port + _PORTS_A_CALL * (call - 1)

    async def reached(self, mark: str, calls: int | None = None, within: float = 15.0) -> list[str]:
        """Wait until `Mark(mark)` was passed by so many calls (all, where None); their Call-IDs, as
        this sipp knows them."""
        wanted = self.calls if calls is None else calls
        log = self._directory / "steps.log"

        def passed() -> list[str]:
            lines = log.read_text().splitlines() if log.exists() else []
            return [line.split()[1] for line in lines if line.startswith(f"{mark} ")]

        try:
            await until(
                lambda: len(passed()) >= wanted or self._process.returncode is not None,
                f"{wanted} calls of sipp ({self.name}) to reach {mark!r}, seen {len(passed())}",
                within,
            )
        except TimeoutError as error:
            raise SippFailed(f"{error}\n{self.complaints()}") from None
        if len(passed()) < wanted:
            raise SippFailed(f"sipp ({self.name}) ended before {mark!r}\n{self.complaints()}")
        return passed()

    async def go(self, name: str, calls: int | None = None, within: float = 15.0) -> None:
        """Wait until so many calls (all, where None) stand at `Go(name)`, and let those go on."""
        waiting = await self.reached(_waits_at(name), calls, within)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind((self.address, 0))
            host, port = sender.getsockname()
            for call_id in waiting:
                message = (
                    f"{name} sip:{self.address}:{self.port} SIP/2.0\r\n"
                    f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK-{name}-{call_id}\r\n"
                    f"From: <sip:test@{host}>;tag=test\r\nTo: <sip:{self.name}@{self.address}>\r\n"
                    f"Call-ID: {call_id}\r\nCSeq: 1000 {name}\r\nContent-Length: 0\r\n\r\n"
                )
                sender.sendto(message.encode(), (self.address, self.port))

    async def finished(self, within: float = 60.0) -> Tally:
        """Wait until every call has ended. Raises SippFailed unless all went as the script says."""
        try:
            await asyncio.wait_for(self._process.wait(), within)
        except TimeoutError:
            raise SippFailed(
                f"sipp ({self.name}) still ran after {within:g} s\n{self.complaints()}"
            ) from None
        tally = self.tally()
        if self._process.returncode != 0 or tally.failed or tally.successful < self.calls:
            raise SippFailed(
                f"sipp ({self.name}): {tally.successful} of {self.calls} calls succeeded, {tally.failed} "
                "failed, "
                f"exit code {self._process.returncode}\n{self.complaints()}"
            )
        return tally

    def tally(self) -> Tally:
        """The last line of sipp's statistics."""
        with (self._directory / "stat.csv").open(newline="") as file:
            rows = list(csv.DictReader(file, delimiter=";"))
        last = rows[-1] if rows else {}
        return Tally(
            *(int(last.get(key) or 0) for key in ("SuccessfulCall(C)", "FailedCall(C)", "CurrentCall"))
        )

    def complaints(self) -> str:
        """The end of what sipp wrote about errors."""
        log = self._directory / "errors.log"
        screen = self._directory / "screen.log"
        return "\n".join((log if log.exists() else screen).read_text(errors="replace").splitlines()[-25:])

    async def stop(self) -> None:
        """End it now, if it has not ended; calls in progress are dropped without a BYE."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()


def available() -> bool:
    """Whether sipp and the recordings of its Debian package are here."""
    return shutil.which("sipp") is not None and (FIXTURES / "carrier.xml").exists()
