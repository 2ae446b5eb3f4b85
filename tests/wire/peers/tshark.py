"""tshark as witness: captures the loopback interface and counts telephone events with Wireshark's
own dissectors."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import socket
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.wire.peers.ports import until


class TsharkFailed(Exception):
    """tshark did not do what was asked; the text ends with what it said."""


class Capture:
    """UDP on the loopback interface into a pcap file. Use `start`, then `stop`: only then is the
    file complete."""

    def __init__(self, file: Path, process: asyncio.subprocess.Process, probe: socket.socket) -> None:
        self.file = file
        self._process = process
        self._probe = probe

    @classmethod
    async def start(cls, file: Path, filter_expression: str = "udp", within: float = 15.0) -> Self:
        """Start to capture what the filter (pcap syntax) lets through; return when a packet has
        really been captured."""
        probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        probe.bind(("127.0.0.1", 0))
        with file.with_suffix(".log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                "tshark", "-i", "lo", "-q", "-n", "-B", "32", "-F", "pcap", "-w", str(file),
                "-f", f"({filter_expression}) or (udp port {probe.getsockname()[1]})",
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        capture = cls(file, process, probe)
        try:
            await capture._see_a_packet("capture", within)
        except BaseException:
            await capture.stop(complete=False)
            raise
        return capture

    async def stop(self, *, complete: bool = True, within: float = 10.0) -> Path:
        """End the capture; with `complete`, after every packet sent so far is in the file."""
        try:
            if complete:
                await self._see_a_packet("end of the capture", within)
        finally:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGINT)
            try:
                await asyncio.wait_for(self._process.wait(), within)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
            self._probe.close()
        return self.file

    async def _see_a_packet(self, what: str, within: float) -> None:
        """Send a packet that only this capture knows, until it is in the file."""
        token = uuid.uuid4().bytes
        turns = 0

        def captured() -> bool:
            nonlocal turns
            if self._process.returncode is not None:
                said = self.file.with_suffix(".log").read_text(errors="replace")
                raise TsharkFailed(f"tshark ended with exit code {self._process.returncode}:\n{said}")
            if turns % 10 == 0:
                self._probe.sendto(token, self._probe.getsockname())
            turns += 1
            return self.file.exists() and token in self.file.read_bytes()

        await until(captured, f"tshark to write a packet ({what})", within)


@dataclass(frozen=True, slots=True)
class Counts:
    """RTP packets by destination port: all, and those of the telephone-event payload type."""

    packets: Counter[int]
    events: Counter[int]


async def count(file: Path, ports: Iterable[int], event_type: int = 101) -> Counts:
    """Let tshark decode as RTP what goes to these UDP ports, and count. Raises TsharkFailed."""
    wanted = sorted(set(ports))
    decode = [item for port in wanted for item in ("-d", f"udp.port=={port},rtp")]
    process = await asyncio.create_subprocess_exec(
        "tshark", "-r", str(file), "-n", *decode, "-Y", "rtp", "-T", "fields", "-E", "occurrence=f",
        "-e", "udp.dstport", "-e", "rtp.p_type",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, errors = await process.communicate()
    if process.returncode != 0:
        raise TsharkFailed(
            f"tshark -r ended with exit code {process.returncode}:\n{errors.decode(errors='replace')}"
        )
    counts = Counts(Counter(), Counter())
    for line in out.decode().splitlines():
        port, kind = (int(field or -1) for field in line.split("\t"))
        if port in wanted:
            counts.packets[port] += 1
            counts.events[port] += kind == event_type
    return counts


def available() -> bool:
    return shutil.which("tshark") is not None
