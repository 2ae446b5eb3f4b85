"""baresip as an agent's telephone: another SIP stack, commanded over its ctrl_tcp module
(JSON in netstrings).

It speaks from a WAV file and writes what it hears to another; it has no audio device. The keys that
it heard can be counted and compared, never shown.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import shutil
import struct
import wave
from collections import Counter, deque
from pathlib import Path
from typing import Any, Self

from tests.wire.peers.aiortc_view import Keys
from tests.wire.peers.ports import free_ports, listens, until

_MODULES = Path("/usr/lib/baresip/modules")
_RATE = 8000
_SPEECH_SECONDS = 120
_CONFIG = """\
module_path {modules}
module g711.so
module aufile.so
module aubridge.so
module sndfile.so
{srtp_module}
module_app account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen {address}:{control}
sip_listen {address}:{sip}
net_interface {address}
rtp_ports {rtp}-{rtp_last}
call_max_calls 4
audio_source aufile,{speech}
audio_player aubridge,heard
audio_alert aubridge,alert
snd_path {directory}
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
audio_buffer 20-160
rtcp_mux {rtcp_mux}
"""
_ACCOUNT = "<sip:{user}@{address}:{sip}>;regint=0;answermode={answer};audio_codecs=PCMU,PCMA;ptime=20;mwi=no{mediaenc}\n"  # noqa: E501


class BaresipFailed(Exception):
    """baresip did not do what was asked or awaited; the text says what it did instead."""


class Baresip:
    """One baresip. Use `start`, then `stop` it whatever happened."""

    def __init__(self, process: asyncio.subprocess.Process, directory: Path, user: str, address: str) -> None:
        self.user = user
        self.address = address
        self.port = 0
        self.rtp_ports = range(0)
        self._process = process
        self._directory = directory
        self._unread: deque[dict[str, Any]] = deque()
        self._seen: Counter[str] = Counter()
        self._digits: list[str] = []
        self._news = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []
        self._writer: asyncio.StreamWriter | None = None

    @classmethod
    async def start(
        cls,
        directory: Path,
        *,
        user: str = "agent",
        speech: Path | None = None,
        auto_answer: bool = True,
        address: str = "127.0.0.1",
        srtp: bool = False,
        rtcp_mux: bool = False,
        within: float = 15.0,
    ) -> Self:
        """Start baresip in a directory of its own and wait until it takes calls and commands.

        `speech`: WAV file (16 bit, 8 kHz, mono) that it plays again and again to whoever calls,
        else a tone of 440 Hz. `srtp`: RTP is encrypted, or there is none. `rtcp_mux`: it offers
        RTCP on the RTP port.
        """
        sip, control, rtp = free_ports(2, address), free_ports(1, address), free_ports(20, address)
        settings = {
            "modules": _MODULES, "address": address, "sip": sip, "control": control, "user": user,
            "rtp": rtp, "rtp_last": rtp + 19, "speech": directory / "speech.wav", "directory": directory,
            "answer": "auto" if auto_answer else "manual",
            "srtp_module": "module srtp.so" if srtp else "",
            "rtcp_mux": "yes" if rtcp_mux else "no",
            "mediaenc": ";mediaenc=srtp-mand" if srtp else "",
        }  # fmt: skip
        _speak_on(directory / "speech.wav", speech)
        (directory / "config").write_text(_CONFIG.format(**settings))
        (directory / "accounts").write_text(_ACCOUNT.format(**settings))
        (directory / "contacts").write_text("")
        with (directory / "baresip.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                "baresip", "-4", "-f", str(directory),
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, cwd=directory,
            )  # fmt: skip
        phone = cls(process, directory, user, address)
        phone.port, phone.rtp_ports = sip, range(rtp, rtp + 20)
        try:
            await until(
                lambda: (listens(control, "tcp") and listens(sip)) or process.returncode is not None,
                "baresip to listen",
                within,
            )
            if process.returncode is not None:
                raise BaresipFailed(
                    f"baresip did not start: exit code {process.returncode}\n{phone.complaints()}"
                )
            reader, phone._writer = await asyncio.open_connection(address, control)
            phone._tasks.append(asyncio.create_task(phone._read(reader)))
        except BaseException:
            await phone.stop()
            raise
        return phone

    @property
    def uri(self) -> str:
        return f"sip:{self.user}@{self.address}:{self.port}"

    @property
    def heard(self) -> list[Path]:
        """What it heard, a WAV file a call; complete when it has stopped."""
        return sorted(self._directory.glob("dump-*-dec.wav"))

    @property
    def keys(self) -> Keys:
        """The keys heard so far (RFC 4733 events)."""
        return Keys("".join(self._digits))

    def seen(self, event: str) -> int:
        """How many such events there were, e.g. CALL_INCOMING, CALL_ESTABLISHED, CALL_CLOSED,
        CALL_DTMF_START."""
        return self._seen[event]

    async def wait(self, event: str, within: float = 10.0) -> dict[str, Any]:
        """The next such event that nobody has waited for yet. Raises BaresipFailed."""
        try:
            async with asyncio.timeout(within), self._news:
                while True:
                    for news in self._unread:
                        if news.get("type") == event:
                            self._unread.remove(news)
                            return news
                    if all(task.done() for task in self._tasks):
                        raise BaresipFailed(f"baresip ended while {event} was awaited\n{self.complaints()}")
                    await self._news.wait()
        except TimeoutError:
            raise BaresipFailed(
                f"baresip: waited {within:g} s for {event}; it reported: {dict(self._seen)}"
            ) from None

    async def command(self, name: str, params: str = "") -> None:
        """One of baresip's long commands: "accept", "hangup", "dial", "sndcode" … (see its
        `/help`)."""
        if self._writer is None:
            raise BaresipFailed("baresip is not connected")
        body = json.dumps({"command": name, "params": params}).encode()
        self._writer.write(b"%d:%b," % (len(body), body))
        await self._writer.drain()

    def complaints(self) -> str:
        """The end of what baresip wrote, without what it says about keys."""
        lines = (self._directory / "baresip.log").read_text(errors="replace").splitlines()
        return "\n".join([line for line in lines if "dtmf" not in line.lower()][-25:])

    async def stop(self) -> None:
        """End it, calls and all; what it heard is complete in `heard` afterwards."""
        if self._writer is not None:
            with contextlib.suppress(ConnectionError):
                await self.command("quit")
        try:
            await asyncio.wait_for(self._process.wait(), 5.0 if self._writer else 0.1)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        if self._writer is not None:
            self._writer.close()
        await asyncio.gather(*self._tasks)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                length = int((await reader.readuntil(b":"))[:-1])
                news = json.loads(await reader.readexactly(length))
                await reader.readexactly(1)
                if not news.get("event"):
                    continue
                if news["type"] == "CALL_DTMF_START":
                    self._digits.append(str(news.pop("param", "")))
                async with self._news:
                    self._seen[news["type"]] += 1
                    self._unread.append(news)
                    self._news.notify_all()
        async with self._news:
            # By the time that a waiting task looks, this one is done.
            self._news.notify_all()


def _speak_on(file: Path, speech: Path | None) -> None:
    """Two minutes of it, as baresip plays a file once only."""
    if speech is None:
        once = b"".join(
            struct.pack("<h", round(8000 * math.sin(2 * math.pi * 440 * n / _RATE))) for n in range(_RATE)
        )
    else:
        with wave.open(str(speech)) as source:
            once = source.readframes(source.getnframes())
    with wave.open(str(file), "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(_RATE)
        target.writeframes(once * (_SPEECH_SECONDS * _RATE * 2 // len(once) + 1))


def available() -> bool:
    return shutil.which("baresip") is not None and _MODULES.is_dir()
