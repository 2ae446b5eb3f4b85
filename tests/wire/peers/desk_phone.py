"""An agent's desk phone with several lines: pjsua2, which holds, consults, and transfers (REFER,
with Replaces or without).

`DeskPhone` drives it from a test; `python -m tests.wire.peers.desk_phone` is the process:
instructions are JSON lines on standard input, events on standard output. A line is named by its
number, counted from 0 in the order of the calls.
"""

from __future__ import annotations

import asyncio
import json
import os
import queue
import sys
import threading
from collections import Counter, deque
from pathlib import Path
from typing import Any, Self

_ROOT = Path(__file__).parents[3]
_POLL_MS = 10


class DeskPhone:
    """One running phone; it answers every call. `stop` it whatever happened."""

    def __init__(self, process: asyncio.subprocess.Process, user: str, address: str) -> None:
        self.user, self.address, self.port = user, address, 0
        self._process = process
        self._unread: deque[dict[str, Any]] = deque()
        self._seen: Counter[str] = Counter()

    @classmethod
    async def start(cls, user: str, address: str = "127.0.0.1") -> Self:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.wire.peers.desk_phone", user, address, cwd=_ROOT,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        phone = cls(process, user, address)
        phone.port = int((await phone.wait("ready", 20))["port"])
        return phone

    @property
    def uri(self) -> str:
        return f"sip:{self.user}@{self.address}:{self.port}"

    def seen(self, event: str) -> int:
        """How many such events it has reported, as far as its reports were read."""
        return self._seen[event]

    async def wait(self, event: str, within: float = 20, **wanted: object) -> dict[str, Any]:
        """The next such event that nobody has waited for, and that has these values."""
        async with asyncio.timeout(within):
            while True:
                for news in self._unread:
                    if news["event"] == event and wanted.items() <= news.items():
                        self._unread.remove(news)
                        return news
                await self._read()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise AssertionError(f"the desk phone ended; it had reported {dict(self._seen)}")
        if line.startswith(b"{"):  # pjsip itself writes where an assertion fails
            news = json.loads(line)
            self._seen[news["event"]] += 1
            self._unread.append(news)

    async def do(self, what: str, **how: object) -> None:
        """`call` uri; `hold`, `hangup`, `packets` line; `transfer` line, uri; `join` line, other;
        "quit"."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": what, **how}).encode() + b"\n")
        await self._process.stdin.drain()

    async def packets(self, line: int) -> int:
        """How many RTP packets have come on a line."""
        await self.do("packets", line=line)
        return int((await self.wait("packets", line=line))["count"])

    async def stop(self) -> None:
        if self._process.returncode is None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            try:
                await asyncio.wait_for(self._process.communicate(), 10)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()


def _report(event: str, **more: object) -> None:
    sys.stdout.write(json.dumps({"event": event, **more}) + "\n")
    sys.stdout.flush()


def _listen(instructions: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        instructions.put(line)
    instructions.put("")  # nobody drives it any more


def _serve(user: str, address: str) -> None:
    """The phone's process; everything of pjsua2 happens on this thread."""
    import pjsua2 as pj  # whoever merely drives phones does not load it

    from b2bua.demo import pjsip

    calls: list[Any] = []

    class Line(pj.Call):  # type: ignore[misc]
        def __init__(self, account: Any, number: int = pj.PJSUA_INVALID_ID) -> None:
            super().__init__(account, number)
            self.account, self.line = account, len(calls)
            calls.append(self)

        def onCallState(self, _prm: Any) -> None:  # noqa: N802
            info = self.getInfo()
            if info.state == pj.PJSIP_INV_STATE_CONFIRMED:
                _report("answered", line=self.line)
            elif info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
                _report("ended", line=self.line, code=int(info.lastStatusCode))

        def onCallMediaState(self, _prm: Any) -> None:  # noqa: N802
            for index, media in enumerate(self.getInfo().media):
                if media.type == pj.PJMEDIA_TYPE_AUDIO and media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                    heard, said = self.getAudioMedia(index), pj.Endpoint.instance().audDevManager()
                    said.getCaptureDevMedia().startTransmit(heard)
                    heard.startTransmit(said.getPlaybackDevMedia())

        def onCallTransferStatus(self, prm: Any) -> None:  # noqa: N802
            _report("transfer", line=self.line, code=int(prm.statusCode), last=bool(prm.finalNotify))

        def onDtmfDigit(self, _prm: Any) -> None:  # noqa: N802
            _report("dtmf", line=self.line)

        def onCallReplaced(self, prm: Any) -> None:  # noqa: N802
            _report("replaced", line=self.line)
            prm.newCall = Line(self.account, prm.newCallId)

    class Account(pj.Account):  # type: ignore[misc]
        def onIncomingCall(self, prm: Any) -> None:  # noqa: N802
            answer = pj.CallOpParam(True)
            answer.statusCode = 200
            Line(self, prm.callId).answer(answer)

    endpoint = pj.Endpoint()
    port = pjsip.start_endpoint(endpoint, address, calls=4, codecs=("PCMU/8000",))
    settings = pjsip.account_config(user, address, port, srtp=False)
    account = Account()
    account.create(settings)
    _report("ready", port=port)

    def obey(order: dict[str, Any]) -> None:
        line = calls[order["line"]] if "line" in order else None
        match order["do"]:
            case "call":
                Line(account).makeCall(order["uri"], pj.CallOpParam(True))
            case "hold":
                line.setHold(pj.CallOpParam(True))
            case "hangup":
                line.hangup(pj.CallOpParam(True))
            case "transfer":
                line.xfer(order["uri"], pj.CallOpParam(True))
            case "join":
                line.xferReplaces(calls[order["other"]], pj.CallOpParam(True))
            case "packets":
                statistics = line.getStreamStat(0)
                _report("packets", line=order["line"], count=int(statistics.rtcp.rxStat.pkt))

    instructions: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(instructions,), daemon=True).start()
    while True:
        endpoint.libHandleEvents(_POLL_MS)
        if instructions.empty():
            continue
        order = instructions.get()
        if not order:
            break
        try:
            obey(json.loads(order))
        except pj.Error as error:
            _report("failed", do=json.loads(order)["do"], status=error.status)
    endpoint.hangupAllCalls()
    for _ in range(30):
        endpoint.libHandleEvents(_POLL_MS)
    sys.stdout.flush()
    os._exit(0)  # pjsua2's own end trips over calls that Python has let go of already


if __name__ == "__main__":
    _serve(*sys.argv[1:])
