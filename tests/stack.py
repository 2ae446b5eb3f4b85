"""A whole Tonewall for a test: the local provider and `tonewall run`, as real processes on free
ports of loopback."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from b2bua.api.own_certificate import running_api
from b2bua.records.export import rows
from b2bua.records.store import connect, prepare
from tests.complaints import COMPLAINTS, expect_error, permit_error
from tests.everybody import ROLES as EVERY_ROLE

TOKEN = "agent-under-test-0001"
PATIENCE = 30.0  # seconds after which a condition that never came is a failure


async def until(condition: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """The condition's first true value. Raises AssertionError, naming `what`, where it never
    comes."""
    deadline = asyncio.get_running_loop().time() + patience
    while True:
        value = condition()
        if isinstance(value, Awaitable):
            value = await value
        if value:
            return value
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"never came within {patience} s: {what}")
        await asyncio.sleep(0.02)


FREE_PORTS = 500  # of each worker, of eight
_NUMBERS = itertools.count(os.getpid())


def free_port() -> int:
    """A port of UDP and TCP that was free a moment ago, and that no other worker of this test run
    asks for. Below Linux's ephemeral ports, so that no connection takes it before it is used."""
    for _ in range(FREE_PORTS):
        port = _lowest_port() + next(_NUMBERS) % FREE_PORTS
        if all(_is_free(kind, port) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM)):
            return port
    raise RuntimeError("no free port")


def _is_free(kind: socket.SocketKind, port: int) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _lowest_port() -> int:
    return 10000 + _worker() * FREE_PORTS


def _worker() -> int:
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


def media_ports(pairs: int) -> str:
    """A range for `[media] ports` that no other worker of this test run uses."""
    worker = _worker()
    # Below Linux's ephemeral ports, so that nothing else takes them by chance.
    low = 20000 + worker * 1200
    return f"{low}-{low + 2 * pairs - 1}"


def children_of(pid: int) -> list[int]:
    """The processes that this one has started; [] where it has ended."""
    with contextlib.suppress(OSError):
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _threads(pid: int) -> int:
    """Of a process; 0 where it has ended. One that waits for its turn has one."""
    with contextlib.suppress(OSError):
        return len(os.listdir(f"/proc/{pid}/task"))
    return 0


@dataclass
class Stack:
    """`await stack.start()`, then talk SIP to `stack.sip_port` and HTTP through `stack.api`."""

    directory: Path
    carrier_port: int
    pbx_port: int
    pairs: int = 500
    # More keys for sip.conf, by section.
    extra: dict[str, dict[str, str]] = field(default_factory=dict)
    without: tuple[str, ...] = ()  # sections that it does not have
    provider_arguments: list[str] = field(default_factory=list)
    provider_module: str = "provider_adapters.local.provider"
    environment: dict[str, str] = field(default_factory=dict)  # more variables for `tonewall run`
    python: str = sys.executable  # that `tonewall run` is started with
    # Whose processes they are, where not ours; the directory has to be theirs.
    user: int | None = None
    sip_port: int = 0
    api_url: str = ""
    provider: dict[str, str] = field(default_factory=dict)
    _processes: list[asyncio.subprocess.Process] = field(default_factory=list)
    api: httpx.AsyncClient = field(default_factory=httpx.AsyncClient)

    @property
    def _owner(self) -> dict[str, int]:
        """Only where it is another: uvloop's processes know nothing of users."""
        return {} if self.user is None else {"user": self.user, "group": self.user}

    @property
    def log(self) -> Path:
        return self.directory / "tonewall.log"

    def records(self) -> list[dict[str, Any]]:
        """The call detail records that are in the database by now, oldest first."""
        if not (self.directory / "cdr.sqlite").exists():
            return []
        engine = connect(self._cdr_url)
        try:
            prepare(engine)
            return list(rows(engine))
        finally:
            engine.dispose()

    @property
    def _cdr_url(self) -> str:
        return f"sqlite:///{self.directory / 'cdr.sqlite'}"

    @property
    def conf(self) -> Path:
        return self.directory / "sip.conf"

    @property
    def provider_pid(self) -> int:
        return self._processes[0].pid

    def __post_init__(self) -> None:
        for log in (self.log, self.directory / "provider.log"):
            COMPLAINTS.watch(log)

    async def start(self) -> Stack:
        await self.start_provider()
        self.conf.write_text(self._conf())
        await self.start_tonewall()
        return self

    async def start_provider(self) -> None:
        out = self.directory / "provider.out"
        with out.open("wb") as stdout, (self.directory / "provider.log").open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", self.provider_module, "--directory", str(self.directory / "provider"),
                *self.provider_arguments, stdout=stdout, stderr=stderr, **self._owner,
            )  # fmt: skip
        self._processes.append(process)
        line = await until(
            lambda: out.read_text().partition("\n")[1] and out.read_text(), "the provider's address"
        )
        self.provider = json.loads(line.splitlines()[0])

    async def start_tonewall(self) -> None:
        ready = self.directory / "run" / "ready.json"
        ready.unlink(missing_ok=True)
        with self.log.open("ab") as stderr:
            process = await asyncio.create_subprocess_exec(
                self.python, "-m", "b2bua", "run", "-c", str(self.conf), stdout=stderr, stderr=stderr,
                env={**os.environ, **self.environment}, **self._owner,
            )  # fmt: skip
        self._processes.append(process)
        await self.await_ready()

    async def await_ready(self) -> None:
        """Until calls can come: b2bua has its ports, media is connected, the payers wait."""
        ready = self.directory / "run" / "ready.json"
        said = json.loads(
            await until(lambda: ready.exists() and ready.read_text(), f"ready; see {self.log}", 90)
        )
        self.sip_port, self.api_url = said["sip_port"], said["api_url"]
        await self.api.aclose()
        self.api = httpx.AsyncClient(
            base_url=self.api_url, headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False,
            timeout=PATIENCE, verify=running_api(self.directory / "run") or True,
            # The API closes idle connections: none is used while it may do so.
            limits=httpx.Limits(keepalive_expiry=1.0),
        )  # fmt: skip

        async def healthy() -> bool:
            with contextlib.suppress(httpx.HTTPError):
                health = (await self.api.get("/healthz")).json()
                return bool(health.get("media") and health.get("payers", 0) > 0)
            return False

        await until(healthy, f"media and payers; see {self.log}")

    async def stop(self) -> None:
        await self.api.aclose()
        for process in reversed(self._processes):
            await self._stop(process)

    async def stop_tonewall(self) -> None:
        """Stop `tonewall run` in good order; the provider goes on."""
        await self._stop(self._processes[-1])

    async def _stop(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), PATIENCE)
            except TimeoutError:
                process.kill()
                raise AssertionError(f"a process did not stop; see {self.log}") from None

    # --- what a test asks -------------------------------------------------------------------------

    async def calls(self) -> list[dict[str, Any]]:
        answer = await self.api.get("/v1/calls")
        answer.raise_for_status()
        body = answer.json()
        return body if isinstance(body, list) else body["calls"]

    async def calls_up(self, count: int = 1) -> list[dict[str, Any]]:
        """The calls, once `count` of them are answered."""

        async def up() -> list[dict[str, Any]]:
            found = [call for call in await self.calls() if call["state"] == "up"]
            return found if len(found) >= count else []

        return await until(up, f"{count} calls up; see {self.log}")

    async def call(self, call_id: str) -> dict[str, Any]:
        answer = await self.api.get(f"/v1/calls/{call_id}")
        answer.raise_for_status()
        return answer.json()

    async def start_capture(
        self, call_id: str, amount: int = 4995, transaction: str = "order-1", **options: Any
    ) -> None:
        """Returns once the customer may key. `options`: more of the order."""
        order = {"transaction_id": transaction, "amount": amount, "currency": "EUR", **options}
        answer = await self.api.post(f"/v1/calls/{call_id}/capture", json=order)
        assert answer.status_code == 201, answer.text
        await self.stage(call_id, "collecting")

    async def stage(self, call_id: str, *stages: str, patience: float = PATIENCE) -> dict[str, Any]:
        """The capture, once it is in one of `stages`."""
        seen: dict[str, Any] = {}

        async def there() -> dict[str, Any] | None:
            seen.update(await self.call(call_id))
            capture = seen["capture"]
            return capture if capture and capture["stage"] in stages else None

        try:
            return await until(there, "", patience)
        except AssertionError:
            capture = seen.get("capture") or {}
            raise AssertionError(
                f"capture is {capture.get('stage')} ({capture.get('reason')}), never {stages}; see {self.log}"
            ) from None

    async def unmasked(self, call_id: str) -> None:
        """Until the mask is off; said to be over where that is not so by itself."""

        async def is_off() -> bool:
            view = await self.call(call_id)
            if view["mask"] == "held" and not view["still_keying"]:
                await self.api.post(f"/v1/calls/{call_id}/mask/release")
            return view["mask"] == "off"

        await until(is_off, f"the mask of {call_id} to go off")

    async def submit(self, call_id: str) -> dict[str, Any]:
        """The outcome of the charge."""
        answer = await self.api.post(f"/v1/calls/{call_id}/capture/submit")
        assert answer.status_code == 200, answer.text
        capture = await self.stage(call_id, "finished")
        return capture["outcome"]

    async def charges(self) -> list[dict[str, Any]]:
        """What the provider was asked to charge."""
        trust = ssl.create_default_context(cafile=self.provider["ca_file"])
        async with httpx.AsyncClient(verify=trust, trust_env=False) as client:
            answer = await client.get(f"{self.provider['url']}/test/charges")
        return answer.json()["records"]

    def pids(self) -> dict[str, list[int]]:
        """The running processes of Tonewall, by kind."""
        found: dict[str, list[int]] = {
            "keeper": [], "supervisor": [], "media": [], "media spare": [], "b2bua": [], "spare": [],
            "payer": [], "decoder": [], "reconciler": [], "webhooks": [],
        }  # fmt: skip
        roots = {process.pid for process in self._processes if process.returncode is None}
        supervisors = {pid for root in roots for pid in children_of(root)}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                command = (entry / "cmdline").read_bytes().split(b"\0")
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                pid = int(entry.name)
                if pid in roots and b"b2bua" in command:
                    found["keeper"].append(pid)
                if pid in supervisors and b"b2bua.cli" in command:
                    found["supervisor"].append(pid)
                for kind, module in (
                    ("media", b"media.process"),
                    ("b2bua", b"b2bua.app"),
                    ("payer", b"provider_adapters.payer.process"),
                    ("decoder", b"media.decoder.process"),
                    ("reconciler", b"provider_adapters.reconciler.process"),
                    ("webhooks", b"provider_adapters.webhook.process"),
                ):
                    if parent in supervisors and module in command:
                        found[kind].append(pid)
        relaying = [pid for pid in found["media"] if _threads(pid) > 1]
        if len(found["media"]) > len(relaying) == 1:
            found["media spare"] = [pid for pid in found["media"] if pid not in relaying]
            found["media"] = relaying
        if len(found["b2bua"]) > 1:  # the others wait for their turn
            carrying = self._ready().get("pid")
            found["spare"] = [pid for pid in found["b2bua"] if pid != carrying]
            found["b2bua"] = [pid for pid in found["b2bua"] if pid == carrying]
        return found

    def _ready(self) -> dict[str, Any]:
        """What b2bua wrote when calls could come; {} before."""
        with contextlib.suppress(OSError):
            return dict(json.loads((self.directory / "run" / "ready.json").read_text()))
        return {}

    async def await_restart(self, before: int) -> None:
        """Wait until another b2bua than that process is ready."""
        await until(lambda: self._ready().get("pid", before) != before, "b2bua to be ready again")
        await self.await_ready()

    def kill(self, kind: str) -> list[int]:
        """kill -9 of all processes of that kind; their ids. What is said of it in the log is
        expected."""
        pids = self.pids()[kind]
        assert pids
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        name = "spare" if kind == "media spare" else kind
        expect_error("restarting", child=name, signal="SIGKILL")
        permit_error("gave_up", process="payer")  # one that had just been started, and found nobody
        if kind == "media":
            expect_error("media_lost")
            for what in ("payer", "decoder"):
                permit_error("restarting", child=what, signal=None)
        return pids

    def _conf(self) -> str:
        sections: dict[str, dict[str, str]] = {
            "general": {
                "bind": "127.0.0.1", "port": "0", "log_level": "debug",
                "directory": str(self.directory / "run"),
                "guard_time": "0.3", "spare": "no",
            },
            "cdr": {"url": self._cdr_url, "spool": str(self.directory / "cdr.spool")},
            "carrier": {"host": "127.0.0.1", "port": str(self.carrier_port)},
            "pbx": {"host": "127.0.0.1", "port": str(self.pbx_port)},
            "media": {"address": "127.0.0.1", "ports": media_ports(self.pairs)},
            "api": {"port": "0", "tokens": f"test:{TOKEN}", "roles": EVERY_ROLE},
            "provider": {
                "url": self.provider["url"], "api_key": self.provider["api_key"],
                "ca_file": self.provider["ca_file"],
                "journal": str(self.directory / "journal.jsonl"), "timeout": "3", "inquiry_time": "3",
            },
        }  # fmt: skip
        for name in self.without:
            del sections[name]
        for name, keys in self.extra.items():
            sections.setdefault(name, {}).update(keys)
        return "\n".join(
            f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())
            for name, keys in sections.items()
        )


@contextlib.asynccontextmanager
async def running(stack: Stack) -> AsyncIterator[Stack]:
    """The stack, started, and stopped whatever happens."""
    try:
        yield await stack.start()
    finally:
        await stack.stop()
