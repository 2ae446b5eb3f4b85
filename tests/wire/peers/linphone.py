"""linphonec, Linphone's telephone without a window, in a network of its own: it opens no socket
where there is no default route.

The network is a namespace that a pair of virtual cables joins to the test's: only root can lay
them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.wire.peers.ports import until

_CONFIG = """\
[sip]
sip_port=5060
sip_tcp_port=5060
use_ipv6=0
use_info=0
use_rfc2833=1
[rtp]
audio_rtp_port=7078
"""


def available() -> bool:
    """Whether it is installed, and a network can be made for it."""
    return os.geteuid() == 0 and all(shutil.which(program) for program in ("linphonec", "ip"))


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@dataclass(frozen=True)
class Network:
    """`here`: our end's address; `there`: the telephone's."""

    name: str
    here: str
    there: str


@contextlib.contextmanager
def network() -> Iterator[Network]:
    """A namespace with a way out, through us."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    name = f"linphone{os.getpid()}"
    made = Network(name, f"10.213.{worker}.1", f"10.213.{worker}.2")
    near, far = f"lin{worker}a", f"lin{worker}b"
    _ip("netns", "add", name)
    try:
        _ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", name)
        _ip("addr", "add", f"{made.here}/30", "dev", near)
        _ip("link", "set", near, "up")
        for words in (
            ("addr", "add", f"{made.there}/30", "dev", far), ("link", "set", far, "up"),
            ("link", "set", "lo", "up"),
            ("route", "add", "default", "via", made.here),
        ):  # fmt: skip
            _ip("-n", name, *words)
        yield made
    finally:
        _ip("netns", "del", name)


class Linphone:
    """One linphonec: commands in, its words out."""

    def __init__(self, process: asyncio.subprocess.Process, out: Path) -> None:
        self._process, self._out = process, out

    def says(self) -> str:
        return self._out.read_text(errors="replace")

    def tell(self, command: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n".encode())

    async def wait(self, words: str, times: int = 1, within: float = 20.0) -> None:
        """Until it has said this so often."""
        await until(
            lambda: self.says().count(words) >= times,
            f"linphonec to say {words!r}; it said {self._out}",
            within,
        )


@contextlib.asynccontextmanager
async def linphone(directory: Path, where: Network, *, answers: bool = False) -> AsyncIterator[Linphone]:
    """A telephone, ready for commands. `answers`: every call, at once."""
    for kind in (".local/share/linphone", ".config/linphone"):
        (directory / kind).mkdir(parents=True, exist_ok=True)
    (directory / "linphonerc").write_text(_CONFIG)
    out, log = directory / "linphonec.out", directory / "linphonec.log"
    command = [
        "ip",
        "netns",
        "exec",
        where.name,
        "linphonec",
        "-d",
        "5",
        "-l",
        str(log),
        "-c",
        str(directory / "linphonerc"),
    ]
    with out.open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            *command, *(["-a"] if answers else []), stdin=subprocess.PIPE, stdout=said, stderr=said,
            env={**os.environ, "HOME": str(directory)},
        )  # fmt: skip
    phone = Linphone(process, out)
    try:
        await phone.wait("linphonec>")
        phone.tell("soundcard use files")
        await phone.wait("Using wav files")
        await until(
            lambda: log.exists() and "Creating listening point" in log.read_text(errors="replace"),
            "its sockets",
        )
        yield phone
    finally:
        with contextlib.suppress(ProcessLookupError, BrokenPipeError, ConnectionResetError):
            phone.tell("quit")
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()
