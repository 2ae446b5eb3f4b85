"""A real syslog server for tests: rsyslog, which takes messages over TLS and writes each as a
line before it reads on, so that none is in its memory alone."""

from __future__ import annotations

import asyncio
import shutil
import signal
from dataclasses import dataclass, field
from pathlib import Path

from tests.stack import free_port, until

PATH = shutil.which("rsyslogd", path="/usr/sbin:/usr/bin")
_CONF = """
global(workDirectory="{directory}" maxMessageSize="32k" DefaultNetstreamDriver="gtls"
       DefaultNetstreamDriverCAFile="{ca}" DefaultNetstreamDriverCertFile="{certificate}"
       DefaultNetstreamDriverKeyFile="{key}")
main_queue(queue.type="direct")
module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.Authmode="{mode}")
input(type="imtcp" address="127.0.0.1" port="{port}")
template(name="line" type="string" string="%msg%\\n")
template(name="header" type="string"
         string="%pri% %timestamp:::date-rfc3339% %hostname% %app-name% %msgid%\\n")
action(type="omfile" file="{directory}/copy.jsonl" template="line")
action(type="omfile" file="{directory}/headers" template="header")
"""


@dataclass
class Rsyslog:
    """`await start()`, then send to `port`. `own`: its certificate and key; `peers`: whether it
    wants a client certificate of `ca`."""

    directory: Path
    ca: str
    own: tuple[str, str]
    peers: bool = False
    port: int = field(default_factory=free_port)
    _process: asyncio.subprocess.Process | None = None

    @property
    def copy(self) -> Path:
        """The file of the lines that it took."""
        return self.directory / "copy.jsonl"

    def lines(self) -> list[bytes]:
        """Those lines, whole."""
        return self.copy.read_bytes().splitlines(keepends=True) if self.copy.exists() else []

    async def start(self) -> None:
        assert PATH is not None, "rsyslogd is not installed"
        conf, pid = self.directory / "rsyslog.conf", self.directory / "rsyslog.pid"
        pid.unlink(missing_ok=True)
        conf.write_text(
            _CONF.format(
                directory=self.directory, ca=self.ca, certificate=self.own[0], key=self.own[1],
                port=self.port, mode="x509/certvalid" if self.peers else "anon",
            )
        )  # fmt: skip
        # It closes every descriptor that it may have: with many, that takes seconds.
        command = f"ulimit -n 256; exec {PATH} -n -f {conf} -i {pid}"
        self._process = await asyncio.create_subprocess_exec("/bin/sh", "-c", command)
        await until(self._answers, "rsyslog listens")

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it; nothing where it has ended."""
        if self._process is not None:
            self._process.send_signal(number)
            await self._process.wait()
            self._process = None

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True
