"""Drives the demo's phones, each a process of its own: a crash of pjsua2 must not end the demo.

`Phone` drives one from asyncio. `python -m b2bua.demo.phones --role customer` is the process:
instructions are JSON lines on standard input ({"do": "call", "uri": …}), events on standard output
({"event": "ready", "port": …}). It ends when its standard input closes. Neither side ever writes
out which keys were pressed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import queue
import sys
import threading
import time
from collections import Counter, deque
from pathlib import Path
from typing import Any, Self

from tonewall.process import plain_environment

ROLES = ("customer", "agent")
_ROOT = Path(__file__).resolve().parents[2]
_STOP_SECONDS = 5.0
_BUSY = 3  # factor for the time of keying: a busy machine sends late


class PhoneError(Exception):
    """The phone could not do it, or is gone; the text names the phone and its last instruction."""


class PhoneTimeoutError(PhoneError):
    """An event did not come in time; the text names it, and the events that came."""


class Phone:
    """A telephone with one line, in a process of its own. Use `start`, then `stop` it whatever
    happened."""

    def __init__(self, role: str, user: str, address: str, process: asyncio.subprocess.Process) -> None:
        self.role = role
        self.user = user
        self.address = address
        self.port = 0
        self.traffic: dict[
            str, int
        ] = {}  # as `stats`, but a fifth of a second old at most while a call lasts
        self._process = process
        self._unread: deque[dict[str, Any]] = deque()
        self._seen: Counter[str] = Counter()
        self._news = asyncio.Condition()
        self._reader = asyncio.create_task(self._read_events())

    @classmethod
    async def start(
        cls,
        role: str,
        *,
        user: str | None = None,
        address: str = "127.0.0.1",
        ring_ms: int | None = None,
        play: Path | None = None,
        record: Path | None = None,
        srtp: bool = False,
        within: float = 15.0,
    ) -> Self:
        """Start a phone on a free SIP port and wait until it is ready.

        `ring_ms`: answer by itself after ringing so long (180 first); None waits for `answer`.
        `play`: a WAV file that the other side hears in a loop; `record`: a WAV file for what this
        side hears; `srtp`: RTP is encrypted, or there is none. Raises PhoneError.
        """
        command = [sys.executable, "-m", "b2bua.demo.phones", "--role", role, "--address", address]
        options = {"--user": user, "--ring-ms": ring_ms, "--play": play, "--record": record}
        for option, value in options.items():
            command += [] if value is None else [option, str(value)]
        command += ["--srtp"] if srtp else []
        paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=plain_environment({"PYTHONPATH": os.pathsep.join(paths)}),
        )
        phone = cls(role, user or role, address, process)
        try:
            phone.port = int((await phone.wait("ready", within))["port"])
        except BaseException:
            await phone.stop()
            raise
        return phone

    @property
    def uri(self) -> str:
        """Where to call this phone."""
        return f"sip:{self.user}@{self.address}:{self.port}"

    @property
    def pid(self) -> int:
        """The process id of the phone."""
        return self._process.pid

    def seen(self, event: str) -> int:
        """How many such events the phone has reported so far, waited for or not."""
        return self._seen[event]

    async def wait(self, event: str, within: float = 10.0) -> dict[str, Any]:
        """The next event of that name that nobody has waited for yet, at most `within` seconds from
        now.

        Raises PhoneTimeoutError, or PhoneError as soon as the phone is gone or an instruction
        failed.
        """
        try:
            async with asyncio.timeout(within), self._news:
                while True:
                    for news in self._unread:
                        if news["event"] == event:
                            self._unread.remove(news)
                            return news
                    self._check_alive(event)
                    await self._news.wait()
        except TimeoutError:
            raise PhoneTimeoutError(
                f"{self._name} waited {within:g} s for {event!r}; {self._history}"
            ) from None

    async def call(self, uri: str) -> None:
        """Place a call; `ringback`, `answered` and `media`, or `ended`, follow as events."""
        await self._instruct({"do": "call", "uri": uri})

    async def answer(self) -> None:
        """Answer the call that rings; `answered` and `media` follow."""
        await self._instruct({"do": "answer"})

    async def hangup(self) -> None:
        """End the call, whatever its state; `ended` follows."""
        await self._instruct({"do": "hangup"})

    async def keys(self, digits: str, *, gap_ms: int = 100) -> int:
        """Press keys (RFC 4733, 240 ms each, `gap_ms` of speech after each); how many, once the
        last has left."""
        await self._instruct({"do": "keys", "digits": digits, "gap_ms": gap_ms})
        return int((await self.wait("keyed", 10.0 + len(digits) * (gap_ms + 300) / 1000 * _BUSY))["count"])

    async def play(self, file: Path, *, loop: bool = True) -> None:
        """Let the other side hear a WAV file (16 bit, mono, 8 kHz) from now on."""
        await self._instruct({"do": "play", "file": str(file), "loop": loop})

    async def record(self, file: Path | None) -> None:
        """Write what this side hears to a WAV file; None ends the recording and completes the
        file."""
        await self._instruct({"do": "record", "file": str(file) if file else ""})
        while (await self.wait("recording"))["on"] is not bool(file):
            pass  # of an earlier change that nobody waited for

    async def stats(self) -> dict[str, int]:
        """Of this call or the last: packets `sent`, `received`, `lost`, `reordered`, `duplicated`.
        Of all calls: keys `pressed`, and keys received as `dtmf`."""
        await self._instruct({"do": "stats"})
        return _numbers(await self.wait("stats"))

    async def stop(self) -> None:
        """Hang up and end the process; harmless when it is gone already."""
        with contextlib.suppress(PhoneError):
            await self._instruct({"do": "quit"})
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), _STOP_SECONDS)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._reader

    @property
    def _name(self) -> str:
        return f"the {self.role}'s phone"

    @property
    def _history(self) -> str:
        return f"it has reported: {', '.join(self._seen) or 'nothing'}"

    def _check_alive(self, awaited: str) -> None:
        if self._reader.done():
            code = self._process.returncode
            raise PhoneError(
                f"{self._name} ended (exit code {code}) while {awaited!r} was awaited; {self._history}"
            )
        for news in self._unread:
            if news["event"] == "failed":
                self._unread.remove(news)
                raise PhoneError(
                    f"{self._name} could not {news['do']}: {news['error']}, status {news['status']}"
                )

    async def _instruct(self, instruction: dict[str, Any]) -> None:
        if self._process.stdin is None or self._process.returncode is not None:
            raise PhoneError(f"{self._name} is gone; {self._history}")
        try:
            self._process.stdin.write(json.dumps(instruction).encode() + b"\n")
            await self._process.stdin.drain()
        except ConnectionError:
            raise PhoneError(f"{self._name} is gone; {self._history}") from None

    async def _read_events(self) -> None:
        if self._process.stdout is None:
            return
        while line := await self._process.stdout.readline():
            try:
                news = json.loads(line)
            except ValueError:
                continue  # pjsip itself writes to standard output when an assertion fails
            if news["event"] == "traffic":
                self.traffic = _numbers(news)
                continue
            async with self._news:
                self._seen[news["event"]] += 1
                self._unread.append(news)
                self._news.notify_all()
        await self._process.wait()
        # Waiters must learn that no event will follow; by then this task is done.
        asyncio.get_running_loop().call_soon(lambda: asyncio.create_task(self._wake()))

    async def _wake(self) -> None:
        async with self._news:
            self._news.notify_all()


def _numbers(news: dict[str, Any]) -> dict[str, int]:
    return {name: value for name, value in news.items() if name != "event"}


def main(arguments: list[str] | None = None) -> int:
    """Run a phone in this process. Its exit status."""
    # pjsua2 comes with the demo's requirements only; who merely drives phones does not load it.
    from b2bua.demo.softphone import Setup, Softphone  # noqa: PLC0415

    parser = argparse.ArgumentParser(
        prog="python -m b2bua.demo.phones", description="A telephone for the demo."
    )
    parser.add_argument("--role", choices=ROLES, required=True)
    parser.add_argument("--user", help="user part of its SIP address (default: its role)")
    parser.add_argument("--address", default="127.0.0.1", help="IP address of this machine to use")
    parser.add_argument("--ring-ms", type=int, help="answer by itself after so many milliseconds of ringing")
    parser.add_argument("--play", type=Path, help="WAV file that the other side hears")
    parser.add_argument("--record", type=Path, help="WAV file for what this side hears")
    parser.add_argument("--srtp", action="store_true", help="encrypt RTP, or have none")
    given = parser.parse_args(arguments)
    setup = Setup(
        given.user or given.role, given.address, given.ring_ms, given.play, given.record, given.srtp
    )
    instructions: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
    threading.Thread(target=_read_instructions, args=(instructions,), daemon=True).start()
    Softphone(setup, _report).run(instructions)
    return 0


def _read_instructions(instructions: queue.SimpleQueue[dict[str, Any] | None]) -> None:
    for line in sys.stdin:
        try:
            instructions.put(json.loads(line))
        except ValueError:
            _report({"event": "failed", "do": "?", "error": "ValueError", "status": 0})
    instructions.put(None)
    # Whoever drove this phone is gone; do not stay behind, even if pjsip hangs.
    time.sleep(_STOP_SECONDS)
    os._exit(1)


def _report(event: dict[str, Any]) -> None:
    # Where nobody listens any more, `_read_instructions` ends this process.
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
