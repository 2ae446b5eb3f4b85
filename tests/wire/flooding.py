"""Wrong sign-ins, as fast as they are wanted: `python -m tests.wire.flooding --port N --sources N
--seconds N [--rate N]`; prints what came of them, as JSON.

A process of its own, so that whoever measures meanwhile is not slowed down by it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_CONNECTIONS = 64


def memory_kb(pid: int) -> int:
    """What a process has of its own in memory."""
    found = re.search(r"^RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


@dataclass
class Flood:
    """Tries of names that somebody has, and that nobody has, in turn. `sources`: addresses of
    127.0.0.0/8 that they come from."""

    port: int
    sources: int
    rate: int
    sent: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    async def run(self, seconds: float) -> dict[str, object]:
        started = time.monotonic()
        senders = [
            asyncio.create_task(self._send(each, started, seconds))
            for each in range(max(_CONNECTIONS, self.sources))
        ]
        await asyncio.gather(*senders)
        took = time.monotonic() - started
        return {"sent": self.sent, "answers": dict(self.answers), "rate": round(self.sent / took)}

    async def _send(self, place: int, started: float, seconds: float) -> None:
        """The tries of one connection, which is opened again when it is closed."""
        here = f"127.0.{1 + place % self.sources // 200}.{1 + place % self.sources % 200}"
        while time.monotonic() - started < seconds:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(here, 0))
            except OSError:
                self.answers["no connection"] += 1
                await asyncio.sleep(0.1)
                continue
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                while (now := time.monotonic() - started) < seconds:
                    if self.sent >= now * self.rate:
                        await asyncio.sleep((self.sent - now * self.rate + 1) / self.rate)
                        continue
                    self.sent += 1
                    writer.write(self._request())
                    head = await reader.readuntil(b"\r\n\r\n")
                    status, length = _STATUS.match(head), _LENGTH.search(head)
                    if status is None or length is None:
                        raise SystemExit(f"not understood: {head!r}")
                    await reader.readexactly(int(length[1]))
                    self.answers[status[1].decode()] += 1
            writer.close()

    def _request(self) -> bytes:
        number = next(self._numbers)
        body = json.dumps({"name": ("ann", f"n{number}")[number % 2], "password": f"wrong-{number}-aA1"})
        return (
            f"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nSec-Fetch-Site: same-origin\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()


def main() -> None:
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--sources", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--rate", type=int, default=1000)
    chosen = parser.parse_args()
    flood = Flood(chosen.port, chosen.sources, chosen.rate)
    print(json.dumps(asyncio.run(flood.run(chosen.seconds))), flush=True)


if __name__ == "__main__":
    main()
