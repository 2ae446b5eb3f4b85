"""Starts the demo: a provider, a whole Tonewall and two telephones, each on its own loopback
address.

    customer's phone 127.X.Y.2 ── Tonewall 127.X.Y.1 ── agent's phone 127.X.Y.3

Separate addresses, so that the address of a packet shows its leg; in a network of this demo's own,
so that several demos at once do not see each other.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from b2bua.config.reading import read_settings
from b2bua.config.settings import Settings
from b2bua.demo.phones import Phone
from b2bua.demo.plain_crm import CUSTOMER as CALLER
from b2bua.demo.plain_crm import PlainCrm
from b2bua.supervise.supervisor import Supervisor
from provider_adapters.local.dialect import ACCOUNTS, CURRENCIES, DIALECTS, TAKES_NO_CARD
from tonewall.log import configure_log

_NETWORK = f"127.{os.getpid() // 256 % 254 + 1}.{os.getpid() % 256}"
CUSTOMER, TONEWALL, AGENT = f"{_NETWORK}.2", f"{_NETWORK}.1", f"{_NETWORK}.3"
_TIMEOUT = 20.0  # seconds for each step
_START_TIMEOUT = 90.0  # seconds for what starts processes: a busy machine takes its time
PLAYED = tuple(sorted(DIALECTS.keys() - TAKES_NO_CARD))
"""The adapters whose provider can be played here, and takes a card."""
SAVING = frozenset(PLAYED) - {"fiserv", "govuk_pay", "payu"}
"""Those of them that return a token for later payments."""


class DemoFailed(Exception):
    """The demo could not go on; the text has the missing event, and the log to read."""


@dataclass(slots=True)
class Stage:
    """The telephones, the CRM and the running Tonewall of a demo."""

    customer: Phone
    agent: Phone
    sip_port: int
    api_url: str
    token: str
    directory: Path
    currency: str
    saves_cards: bool
    crm: PlainCrm

    @property
    def number(self) -> str:
        """The URI that the customer calls."""
        return f"sip:+442079460000@{TONEWALL}:{self.sip_port}"

    async def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Send a request of the agent. Raises DemoFailed with the status of a refusal."""
        return await asyncio.to_thread(self._send_request, method, path, body)

    def _send_request(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        request = Request(  # noqa: S310  # our own server's address
            self.api_url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        try:
            with build_opener(ProxyHandler({})).open(request, timeout=_TIMEOUT) as answer:
                return json.loads(answer.read() or b"null")
        except HTTPError as error:
            raise DemoFailed(f"the API answered {error.code} to {method} {path}") from None

    async def wait_until_ready(self) -> None:
        """Wait for media and a payer: b2bua answers before they are there."""
        deadline = asyncio.get_running_loop().time() + _START_TIMEOUT
        while asyncio.get_running_loop().time() < deadline:
            with contextlib.suppress(DemoFailed):  # 503 until then
                health = await self.request("GET", "/healthz")
                if health["media"] and health["payers"]:
                    return
            await asyncio.sleep(0.05)
        raise DemoFailed(f"Tonewall was never ready; see {self.directory}/tonewall.log")

    async def wait_for_call(self, what: str, wanted: Any, within: float = _TIMEOUT) -> dict[str, Any]:
        """The first call for which `wanted(call)` is true. `what`: its name in an error."""
        deadline = asyncio.get_running_loop().time() + within
        while asyncio.get_running_loop().time() < deadline:
            found = await self.request("GET", "/v1/calls")
            for call in found if isinstance(found, list) else found["calls"]:
                if wanted(call):
                    return dict(call)
            await asyncio.sleep(0.05)
        raise DemoFailed(f"{what} did not happen within {within:g} s; see {self.directory}/tonewall.log")


@contextlib.asynccontextmanager
async def set_stage(
    directory: Path, speech: tuple[Path, Path], recordings: tuple[Path, Path], adapter: str = "connector"
) -> AsyncIterator[Stage]:
    """A stage that is ready; stopped at the end. `speech` and `recordings`: the WAV files of the
    customer and of the agent; `adapter`: whose interface the provider has."""
    async with contextlib.AsyncExitStack() as stack:
        provider = await _start_provider(directory, stack, adapter)
        customer = await Phone.start(
            "customer", user=CALLER, address=CUSTOMER, play=speech[0], record=recordings[0]
        )
        stack.push_async_callback(customer.stop)
        agent = await Phone.start("agent", address=AGENT, ring_ms=700, play=speech[1], record=recordings[1])
        stack.push_async_callback(agent.stop)
        crm = PlainCrm()
        crm.start()
        stack.push_async_callback(asyncio.to_thread, crm.close)
        token, key = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
        api = {
            "port": "0", "tokens": f"agent:{token}, crm:{key}", "roles": "agent:supervisor, crm:integration",
            "origins": crm.origin,
        }  # fmt: skip
        settings = _demo_settings(directory, provider, customer.port, agent.port, api)
        ready = await _start_tonewall(settings, directory, stack)
        currency = CURRENCIES.get(adapter, "EUR")
        stage = Stage(
            customer,
            agent,
            ready["sip_port"],
            ready["api_url"],
            token,
            directory,
            currency,
            adapter in SAVING,
            crm,
        )
        crm.connect(stage.api_url, key)
        await stage.wait_until_ready()
        yield stage


async def _start_provider(directory: Path, stack: contextlib.AsyncExitStack, adapter: str) -> dict[str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "provider_adapters.local.provider",
        "--directory",
        str(directory / "provider"),
        "--adapter",
        adapter,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    stack.push_async_callback(_terminate, process)
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), _START_TIMEOUT)
    if not line:
        raise DemoFailed("the local provider did not start")
    return {"adapter": adapter, **ACCOUNTS.get(adapter, {}), **json.loads(line)}


async def _terminate(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    await process.wait()


def _demo_settings(
    directory: Path, provider: dict[str, str], customer: int, agent: int, api: dict[str, str]
) -> Settings:
    sections = {
        "general": {
            "bind": TONEWALL,
            "port": "0",
            "directory": str(directory),
            "spare": "no",
        },
        "cdr": {"url": f"sqlite:///{directory / 'cdr.sqlite'}", "spool": str(directory / "cdr.spool")},
        "carrier": {"host": CUSTOMER, "port": str(customer)},
        "pbx": {"host": AGENT, "port": str(agent)},
        "media": {"address": TONEWALL, "ports": _free_range()},
        "api": api,
        "provider": {
            **provider,
            "token_type": "reusable" if provider["adapter"] in SAVING else "none",
            "journal": str(directory / "journal.jsonl"),
        },
    }
    path = directory / "sip.conf"
    path.write_text(
        "\n".join(
            f"[{name}]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items())
            for name, keys in sections.items()
        )
    )
    path.chmod(0o600)
    return read_settings(path)


def _free_range() -> str:
    """A range of sixteen ports that begins with a free one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((TONEWALL, 0))
        low = min(int(probe.getsockname()[1]) & ~1, 65500)
    return f"{low}-{low + 15}"


async def _start_tonewall(
    settings: Settings, directory: Path, stack: contextlib.AsyncExitStack
) -> dict[str, Any]:
    logs = stack.enter_context((directory / "tonewall.log").open("a"))
    configure_log("supervisor", file=logs)
    stack.callback(configure_log, "demo")  # back to standard error before the file is closed
    supervisor = Supervisor(settings, demo=str(directory / "demo.sock"), logs=logs.fileno())
    running = asyncio.create_task(supervisor.run(), name="tonewall")

    async def stop_supervisor() -> None:
        supervisor.stop()
        await running

    stack.push_async_callback(stop_supervisor)
    ready = directory / "ready.json"
    deadline = asyncio.get_running_loop().time() + _START_TIMEOUT
    while not ready.exists():
        if running.done() or asyncio.get_running_loop().time() > deadline:
            raise DemoFailed(f"Tonewall did not start; see {directory}/tonewall.log")
        await asyncio.sleep(0.02)
    return dict(json.loads(ready.read_text()))
