"""One running Tonewall with its peers and clients, which serves many examples; started again when
it is asked to be.

Times of Tonewall are shortened by its settings; the model's own are derived from them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

from b2bua.call.sdp import directions
from b2bua.config.general_settings import GeneralSettings
from media.settings import MediaSettings
from tests.everybody import ROLES
from tests.model.phones import Agent, Customer, Phone
from tests.model.sip import Trunk, user_of
from tests.stack import TOKEN, Stack, free_port, until
from tests.wire.sip_peer import Heard

T = TypeVar("T")
GUARD, RELEASE = 0.6, 2.0  # seconds: guard_time and release_time
PATIENCE = 30.0  # seconds that anything may take on a busy machine
TOKENS = {"test": TOKEN, "other": "agent-under-test-0002"}
READY = 2  # payers
_TICK = 0.02
_TIMES = {
    "general": {"guard_time": str(GUARD), "release_time": str(RELEASE), "ring_time": "20"},
    "media": {
        "key_timeout": "1.6", "capture_timeout": "9", "ready_timeout": "4", "quiet_time": "1",
        "release_time": str(RELEASE),
    },
    "provider": {"timeout": "0.8", "inquiry_time": "1.2", "ready": str(READY)},
    "carrier": {"capture_tones": "yes"},
    "carrier info": {"info_digits": "yes"},
}  # fmt: skip
# Errors that a kill provokes; nothing else may be logged as one.
PROVOKED = frozenset({"restarting", "media_lost", "gave_up", "no_decoder"})


def settings() -> dict[str, dict[str, str]]:
    """More keys for sip.conf; those that this Tonewall does not have are left out."""
    known = {"general": GeneralSettings.model_fields, "media": MediaSettings.model_fields}
    return {
        name: {key: value for key, value in keys.items() if name not in known or key in known[name]}
        for name, keys in _TIMES.items()
    }


@dataclass(slots=True)
class Followed:
    """What the feed has said of one call."""

    view: dict[str, Any] = field(default_factory=dict)
    # Capture id: when it was said to collect.
    collecting: dict[str, float] = field(default_factory=dict)
    keyed: dict[str, float] = field(default_factory=dict)  # when it was said to collect no more
    masked: bool = False


class World:
    """`run` whatever is asynchronous; time passes for the peers only meanwhile."""

    def __init__(self, directory: Path, environment: dict[str, str] | None = None) -> None:
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(self._failed)
        self.directory = directory
        self.environment = environment or {}
        self.phones: list[Phone] = []
        # Who takes a call of the PBX, by the user that is called.
        self.expected: dict[str, Any] = {}
        self.followed: dict[str, Followed] = {}
        self.failures: list[str] = []
        self.killed: list[tuple[float, str]] = []
        self.paths: dict[str, Any] = {}  # of the API
        self.keeps_masks = self.keeps_payments = self.keeps_sending = (
            False  # what this Tonewall has of the specification
        )
        self._clients: dict[str, httpx.AsyncClient] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._log_read = 0
        self._feeds = 0  # that were begun

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def _failed(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.failures.append(f"the model itself: {context.get('message')} {context.get('exception')!r}")

    # --- start and stop ---------------------------------------------------------------------------

    async def start(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.carrier, self.info, self.pbx = Trunk("127.0.0.1"), Trunk("127.0.0.7"), Trunk("127.0.0.8")
        extra = settings()
        extra["carrier"] |= {"host": "127.0.0.1", "port": str(self.carrier.port)}
        extra["carrier info"] |= {"host": "127.0.0.7", "port": str(self.info.port)}
        extra["pbx"] = {"host": "127.0.0.8"}
        tokens = ", ".join(f"{name}:{token}" for name, token in TOKENS.items())
        extra["api"] = {"roles": ROLES, "tokens": tokens}
        extra["general"] |= {"port": str(free_port()), "log_level": "info"}
        self.stack = Stack(
            self.directory, self.carrier.port, self.pbx.port, pairs=200, extra=extra,
            environment=self.environment,
            provider_module="tests.model.provider", provider_arguments=["--delay", "1.0"],
        )  # fmt: skip
        for trunk in (self.carrier, self.info, self.pbx):
            await trunk.open()
        self.pbx.on_invite = self._invited
        await self.stack.start()
        for trunk in (self.carrier, self.info, self.pbx):
            trunk.engine = ("127.0.0.1", self.stack.sip_port)
        await self._connect()
        self.paths = (await self.stack.api.get("/openapi.json")).json()["paths"]
        self.keeps_masks = any(path.endswith("/release") for path in self.paths)
        self.keeps_payments = "/v1/payments" in self.paths
        self.keeps_sending = hasattr(directions, "within")
        await self.idle()
        self.baseline = self.descriptors()
        self._tasks = [asyncio.create_task(self._tick()), asyncio.create_task(self._follow())]

    async def _connect(self) -> None:
        for client in self._clients.values():
            await client.aclose()
        self._clients = {
            name: httpx.AsyncClient(
                base_url=self.stack.api_url, headers={"Authorization": f"Bearer {token}"}, trust_env=False,
                timeout=PATIENCE
            )
            for name, token in TOKENS.items()
        }  # fmt: skip

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for client in self._clients.values():
            await client.aclose()
        for trunk in (self.carrier, self.info, self.pbx):
            trunk.close()
        for phone in self.phones:
            phone.close()
        await self.stack.stop()

    def close(self) -> None:
        try:
            self.run(self.stop())
        finally:
            self.loop.close()

    # --- peers ------------------------------------------------------------------------------------

    def _invited(self, invite: Heard) -> Agent | None:
        answer = self.expected.pop(user_of(invite), None)
        return answer(invite) if answer is not None else None

    async def customer(self, name: str, *, by_info: bool) -> Customer:
        phone = Customer(self.info if by_info else self.carrier, name, by_info=by_info)
        await phone.open()
        self.phones.append(phone)
        return phone

    async def agent(self, name: str) -> Agent:
        phone = Agent(self.pbx, name)
        await phone.open()
        self.phones.append(phone)
        return phone

    def forget(self) -> None:
        """Close all phones: their example is over."""
        for phone in self.phones:
            phone.close()
        self.phones.clear()
        self.expected.clear()
        for trunk in (self.carrier, self.info, self.pbx):
            trunk.parties.clear()

    async def _tick(self) -> None:
        due = time.monotonic()
        while True:
            now = time.monotonic()
            due = max(due + _TICK, now - 5 * _TICK)  # at most so much is made up for
            for phone in self.phones:
                phone.tick(now)
            await asyncio.sleep(max(due - time.monotonic(), 0))

    # --- the API ----------------------------------------------------------------------------------

    async def ask(self, agent: str, method: str, path: str, **json_body: Any) -> tuple[int, Any]:
        """Code and body; 0 while nobody is there to answer."""
        try:
            answer = await self._clients[agent].request(method, path, json=json_body or None)
        except httpx.HTTPError:
            return 0, None
        with contextlib.suppress(ValueError):
            return answer.status_code, answer.json()
        return answer.status_code, None

    async def health(self) -> dict[str, Any]:
        _, body = await self.ask("test", "GET", "/healthz")
        return body or {}

    async def _follow(self) -> None:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        while True:
            with contextlib.suppress(httpx.HTTPError):
                async with (
                    httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as client,
                    client.stream("GET", f"{self.stack.api_url}/v1/feed", headers=headers) as answer,
                ):
                    self._feeds += 1
                    event = ""
                    async for line in answer.aiter_lines():
                        if line.startswith("event: "):
                            event = line.removeprefix("event: ")
                        elif line.startswith("data: ") and event == "call":
                            self.saw(json.loads(line.removeprefix("data: ")))
            await asyncio.sleep(0.05)

    def saw(self, view: dict[str, Any]) -> None:
        """A view of a call, by the feed or as it was asked for."""
        followed = self.followed.setdefault(view["id"], Followed())
        followed.view, followed.masked = view, view["masked"]
        capture = view["capture"]
        if capture and capture["stage"] == "collecting":
            followed.collecting.setdefault(capture["id"], time.monotonic())
            followed.keyed.pop(capture["id"], None)
        elif capture and capture["stage"] != "starting":
            followed.keyed.setdefault(capture["id"], time.monotonic())

    # --- processes --------------------------------------------------------------------------------

    def pids(self, kind: str) -> list[int]:
        if kind != "decoder":
            return self.stack.pids()[kind]
        [root] = self.stack.pids()["supervisor"]
        children = Path(f"/proc/{root}/task/{root}/children").read_text().split()
        return [
            int(pid)
            for pid in children
            if b"media.decoder.process" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]

    async def kill(self, kind: str) -> None:
        """kill -9, and wait until it is there again."""
        feeds = self._feeds
        self.killed.append((time.monotonic(), kind))
        ready = self.stack.directory / "run" / "ready.json"
        for pid in self.pids(kind):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if kind == "b2bua":
            [before] = [json.loads(ready.read_text())["pid"]]

            def back() -> bool:
                with contextlib.suppress(OSError, ValueError):
                    return bool(json.loads(ready.read_text())["pid"] != before)
                return False

            await until(back, "b2bua to be there again", 2 * PATIENCE)
        await self.stack.await_ready()
        if kind == "b2bua":
            await self._connect()
            await until(lambda: self._feeds > feeds, "the feed", PATIENCE)

    async def idle(self) -> dict[str, Any]:
        """Until nothing is going on; what is, where that does not come. Raises AssertionError."""
        seen: dict[str, Any] = {}

        async def nothing() -> bool:
            seen.clear()
            seen.update(await self.health())
            left = [seen.get(name, 1) for name in ("calls", "sessions", "legs", "dialogs")]
            return not any(left) and seen.get("payers") == READY and len(self.pids("payer")) == READY

        try:
            await until(nothing, "", PATIENCE)
        except AssertionError:
            raise AssertionError(f"left behind: {seen}, payers {self.pids('payer')}") from None
        return seen

    def descriptors(self) -> dict[int, int]:
        """Open files, by process."""
        pids = self.stack.pids()
        return {
            pid: len(os.listdir(f"/proc/{pid}/fd"))
            for kind in ("keeper", "supervisor", "media", "b2bua")
            for pid in pids[kind]
        }  # fmt: skip

    def complaints(self) -> list[dict[str, Any]]:
        """Error lines of the log since the last look, but for those that a kill provokes."""
        with self.stack.log.open("rb") as log:
            log.seek(self._log_read)
            new = log.read()
        self._log_read += len(new)
        found = []
        for line in new.decode(errors="replace").splitlines():
            entry: dict[str, Any] = {"event": line, "level": "error"}
            with contextlib.suppress(ValueError):
                entry = json.loads(line)
            if entry.get("level") == "error" and not (self.killed and entry.get("event") in PROVOKED):
                found.append(entry)
        return found
