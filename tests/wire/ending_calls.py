"""Many calls at once through one running Tonewall, each brought to a stage of its payment, for the
walk of tests/endings.py."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import struct
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.model.phones import Agent, Customer
from tests.model.session import Own
from tests.model.sip import Trunk, user_of
from tests.stack import Stack, free_port, running, until
from tests.wire.sip_peer import Heard

# The second after the provider's --delay.
APPROVED, LATE = (
    "37828224631000511397391",
    "4000000000010019#1139739",
)
NEXT_DESK = "next"  # of whoever is called next
_TICK = 0.02
_HEARD_ON = 25  # packets of audio behind a key, by which it would have come


@dataclass(slots=True)
class PaidCall:
    """One call and its payment. `way`, `stage`: row and column of the table."""

    rig: Rig
    way: str
    stage: str
    customer: Customer
    agents: list[Agent]
    call_id: str = ""
    payment: str = ""
    silent: bool = False  # neither end sends anything any more
    consulting: Agent | None = None  # the agent's telephone in another call
    consulted: Agent | None = None  # whom that call is with

    @property
    def agent(self) -> Agent:
        return self.agents[-1]

    async def ask(self, method: str, path: str, **body: Any) -> tuple[int, Any]:
        answer = await self.rig.stack.api.request(
            method, f"/v1/calls/{self.call_id}/{path}", json=body or None
        )
        return answer.status_code, answer.json()

    async def view(self) -> dict[str, Any]:
        """The call, empty where the API does not know it."""
        answer = await self.rig.stack.api.get(f"/v1/calls/{self.call_id}")
        found: dict[str, Any] = answer.json() if answer.status_code == 200 else {}
        return found

    async def said(self) -> tuple[str, str]:
        """Stage and outcome of the payment, as /v1/payments has them."""
        answer = await self.rig.stack.api.get(f"/v1/payments/{self.payment}")
        body = answer.json()
        return (
            (body["stage"], (body["outcome"] or {}).get("type", ""))
            if answer.status_code == 200
            else ("", "")
        )

    async def is_open(self) -> bool:
        return bool((await self.view())["mask"] == "off")

    async def is_quiet(self) -> bool:
        return not (await self.view())["still_keying"]

    async def is_charged(self) -> bool:
        """Whether the provider has been asked."""
        return any(each["idempotency_key"] == self.payment for each in await self.rig.stack.charges())

    def records(self) -> list[tuple[str, str | None]]:
        """Stage and outcome of the payment in each call record that has it."""
        found = [each for record in self.rig.stack.records() for each in record["captures"]]
        return [(each["stage"], each["outcome"]) for each in found if each["payment"] == self.payment]

    async def start(self) -> None:
        order = {"transaction_id": f"order-{self.customer.name}", "amount": 4995, "currency": "EUR"}
        code, body = await self.ask("POST", "capture", **order)
        assert code == 201, body
        self.payment = body["capture"]["id"]

    async def keyed(self, keys: str) -> None:
        self.customer.key(keys, "event", gap=1)
        await until(lambda: not self.customer.is_keying, f"the keys of {self.customer.name}")

    async def complete(self, keys: str) -> None:
        await self.start()
        await self.rig.stack.stage(self.call_id, "collecting")
        await self.keyed(keys)
        await self.rig.stack.stage(self.call_id, "ready")

    async def submit(self) -> None:
        code, body = await self.ask("POST", "capture/submit")
        assert code == 200, body

    async def reach(self, card: str) -> None:
        """The stage that this call is for. Of `charging` all but the submission, which others must
        not be waited for behind."""
        if self.stage == "collecting":
            await self.start()
            await self.rig.stack.stage(self.call_id, "collecting")
            await self.keyed(card[:5])
        elif self.stage in ("ready", "charging"):
            await self.complete(card)
        elif self.stage == "held":
            await self.start()
            await self.rig.stack.stage(self.call_id, "collecting")
            await self.keyed(card[:5])
            assert (await self.ask("DELETE", "capture"))[0] == 200
        elif self.stage == "open":
            await self.complete(APPROVED)
            assert (await self.rig.stack.submit(self.call_id))["type"] == "approved"
            await self.rig.stack.unmasked(self.call_id)

    def lose_key(self) -> None:
        """Nine events in one packet: more than anybody could tell apart."""
        customer = self.customer
        customer._send(101, customer._clock, struct.pack("!BBH", 4, 0x80 | 10, 640) * 9)

    async def transfer(self) -> None:
        """Blind: REFER by the PBX, to a desk that answers."""
        old, name = self.agent, f"{self.agent.name}-new"
        new = await self.rig.desk(name)
        asked = old.say("REFER", Refer_To=f"<sip:{name}@{self.rig.pbx.host}>")
        assert asked is not None
        assert (await asked.final).what == "202"
        await until(lambda: new.up and old.ended, "the new agent")
        self.agents.append(new)

    async def passed_on(self) -> None:
        """The agent hangs up; the next one answers. One call after another: all call one number."""
        async with self.rig.next_desk:
            old, new = self.agent, await self.rig.desk(NEXT_DESK)
            old.hang_up()
            await until(lambda: new.up, "the next agent")
            self.agents.append(new)

    async def consult(self) -> None:
        """The agent calls somebody at the carrier, who answers."""
        asks = await self.rig.desk(f"{self.agent.name}-asks")
        self.consulted = await self.rig.desk(f"{self.agent.name}-asked", self.rig.carrier)
        asks.dial(self.consulted.name)
        await until(lambda: asks.up and self.consulted is not None and self.consulted.up, "the other call")
        self.consulting = asks

    async def join(self) -> str:
        """Attended: REFER by the PBX, to whom the agent's other call is with; its final answer."""
        old, asks, consulted = self.agent, self.consulting, self.consulted
        assert asks is not None
        assert consulted is not None
        dialog = asks.dialog
        assert dialog is not None
        replaces = f"{dialog.call_id};to-tag={tag_of(dialog.remote)};from-tag={tag_of(dialog.local)}"
        replaces = replaces.replace("@", "%40").replace(";", "%3B").replace("=", "%3D")
        asked = old.say("REFER", Refer_To=f"<sip:{consulted.name}@{self.rig.pbx.host}?Replaces={replaces}>")
        assert asked is not None
        answered = (await asked.final).what
        if answered == "202":
            await until(lambda: old.ended and asks.ended, "the agent to be out of both calls")
            self.agents.append(consulted)
        return answered

    async def pressed(self, key: str) -> None:
        """Until a key is certainly at the agent's side, if it ever gets there."""
        before, packets = _seen_of(await self.view()), self.agent.packets
        await self.keyed(key)

        async def behind() -> bool:
            return self.agent.packets > packets + _HEARD_ON or _seen_of(await self.view()) != before

        packets = self.agent.packets
        await until(behind, "what comes behind a key")

    @property
    def leaked(self) -> list[str]:
        """Keys at any agent of this call."""
        heard = {phone.name: phone.seen for phone in (*self.agents, self.consulted) if phone is not None}
        return [seen.key for each in heard.values() for seen in each]


def tag_of(party: str) -> str:
    """The tag of a From or To."""
    return party.partition(";tag=")[2].partition(";")[0]


def _seen_of(view: dict[str, Any]) -> object:
    """What a key changes in the API."""
    return view.get("still_keying"), (view.get("capture") or {}).get("fields")


async def _open(phone: Agent | Customer) -> None:
    """Another test may take a port between the look and the binding."""
    for _ in range(20):
        with contextlib.suppress(OSError):
            await phone.open()
            return
        phone.media.close()
    raise AssertionError("no port was free")


@dataclass(slots=True)
class Rig:
    """A Tonewall, a carrier and a PBX whose phones obey the test."""

    stack: Stack
    carrier: Trunk
    pbx: Trunk
    calls: list[PaidCall] = field(default_factory=list)
    next_desk: asyncio.Lock = field(default_factory=asyncio.Lock)
    _desks: dict[str, Agent] = field(default_factory=dict)

    async def desk(self, name: str, trunk: Trunk | None = None) -> Agent:
        """A telephone that answers, at the PBX unless elsewhere."""
        agent = Agent(trunk or self.pbx, name)
        await _open(agent)
        self._desks[name] = agent
        return agent

    def invited(self, invite: Heard) -> Agent | None:
        agent = self._desks.get(user_of(invite))
        if agent is not None:
            agent.asked = invite
            asyncio.get_running_loop().call_soon(agent.answer)
        return agent

    async def dial(self, way: str, stage: str) -> PaidCall:
        name = f"desk{len(self.calls)}"
        agent, customer = await self.desk(name), Customer(self.carrier, f"customer{len(self.calls)}")
        await _open(customer)
        call = PaidCall(self, way, stage, customer, [agent])
        self.calls.append(call)
        customer.dial(name)
        await until(lambda: customer.up and agent.up, f"the call of {name}; see {self.stack.log}")
        [call.call_id] = [
            view["id"] for view in await self.stack.calls() if name in re.split(r"[:@]", view["callee"])
        ]
        return call

    async def tick(self) -> None:
        due = time.monotonic()
        while True:
            now = time.monotonic()
            due = max(due + _TICK, now - 5 * _TICK)
            for call in self.calls:
                if not call.silent:
                    for phone in (call.customer, *call.agents):
                        phone.tick(now)
            await asyncio.sleep(max(due - time.monotonic(), 0))

    @contextlib.contextmanager
    def media_stopped(self) -> Iterator[None]:
        """Media answers nobody meanwhile: what is asked of it is asked, and no more."""
        [pid] = self.stack.pids()["media"]
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    async def b2bua_back(self, before: int) -> None:
        """Until another b2bua than that process is ready."""
        ready = self.stack.directory / "run" / "ready.json"

        def other() -> bool:
            with contextlib.suppress(OSError, ValueError):
                return bool(json.loads(ready.read_text())["pid"] != before)
            return False

        await until(other, "b2bua to be ready again")
        await self.stack.await_ready()


@contextlib.asynccontextmanager
async def rig(directory: Path, extra: dict[str, dict[str, str]], delay: float) -> AsyncIterator[Rig]:
    """`extra`: more of sip.conf; `delay`: how long the late card is charged."""
    carrier, pbx = Trunk("127.0.0.1"), Trunk("127.0.0.8")
    sections = {
        "general": {"port": str(free_port()), "release_time": "60", "guard_time": "0.3"},
        "pbx": {"host": pbx.host},
    }
    for name, keys in extra.items():
        sections.setdefault(name, {}).update(keys)
    stack = Stack(
        directory,
        carrier.port,
        pbx.port,
        pairs=40,
        extra=sections,
        provider_arguments=["--delay", str(delay)],
    )
    made = Rig(stack, carrier, pbx)
    for trunk in (carrier, pbx):
        await trunk.open()
    pbx.on_invite = carrier.on_invite = made.invited
    ticking = asyncio.create_task(made.tick())
    try:
        async with running(stack):
            carrier.engine = pbx.engine = ("127.0.0.1", stack.sip_port)
            yield made
    finally:
        ticking.cancel()
        for call in made.calls:
            for phone in (call.customer, *call.agents):
                phone.close()
        for desk in made._desks.values():
            if not any(desk is each for call in made.calls for each in call.agents):
                desk.close()
        for trunk in (carrier, pbx):
            trunk.close()


def without_events(phone: Agent | Customer) -> Own:
    """What a phone says that does without telephone-event."""
    return replace(phone.own, events=None)
