"""Measures payments without an agent, many at once: whole Tonewall on one core, prompts that play,
and customers who key at the same time (RFC 4733).

Rule 1: Tonewall with all its processes runs on SUBJECT_CORE; telephones, provider and the page
        that follows the calls run on LOAD_CORE.
Rule 2: a press begins as its first packet is sent; its effect is there once the feed has said so.
        Both clocks are the machine's.
Rule 3: each customer presses one key more as soon as the outcome is there. No press may come to
        the place where the call goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.benchmark.machine import (
    LOAD_CORE,
    SUBJECT_CORE,
    BenchmarkError,
    Usage,
    allow_many_files,
    stolen_seconds,
    usage,
)
from tests.benchmark.phones import Phones, Telephone
from tests.benchmark.rows import Result, Row
from tests.stack import TOKEN, Stack, until
from tests.wire.handmade import offer
from tests.wire.sip_peer import HOST, Call, Heard, SipPeer

_NUMBER, _NEXT = "800", "700"
_FIRST_CALLER = 32_220_000
_CONFIRMS_AFTER = (1.5, 4.0)  # seconds, between the amount and `#`
_PATIENCE = 240.0  # seconds, for all of them
_TALK = 1.0  # seconds with the next place until the customer hangs up
_CONF = {
    "general": {"log_level": "info", "guard_time": "1"},
    "form": {"prompts": "placeholder", "language": "en"},
    "media": {"key_timeout": "300"},  # the last customers wait for their turn
    "provider": {"timeout": "30", "inquiry_time": "30"},
    "route pay": {
        "callee": _NUMBER, "ends_in": "form", "amount": "4995", "currency": "EUR", "silence": "120",
        "then": f"pbx/{_NEXT}", "person": "pbx/600",
    },
    "route out": {"source": "pbx", "to": "carrier"},
}  # fmt: skip


FIGURES = (
    "unattended_approved", "unattended_charges", "unattended_presses_at_next_place",
    "unattended_cores_while_keying", "unattended_cpu_ms_per_payment",
    "unattended_key_to_confirm_p50_ms", "unattended_key_to_confirm_p99_ms",
    "unattended_confirm_to_outcome_p50_ms", "unattended_confirm_to_outcome_p99_ms",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class UnattendedPlan:
    """`calls` at once, dialled at `rate` a second. When the last is up, the customers begin to key
    within the next `over` seconds: as many calls are charged then in a second as callers with a
    minute and a half for each would have charged."""

    calls: int = 200
    rate: float = 40.0
    over: float = 90.0


SHORT = UnattendedPlan(calls=20, over=10.0)


@dataclass(slots=True)
class Payment:
    """What became of one customer's. Times are of the monotonic clock; `seen`: of each step."""

    call: str = ""
    seen: dict[str, float] = field(default_factory=dict)
    outcome: str = ""
    why: str | None = None


class Trunk(asyncio.DatagramProtocol):
    """Carrier or PBX: answers what comes. `replies`: the final responses that came, by
    Call-ID. A PBX takes calls on the media ports that it has."""

    def __init__(self, ports: Iterator[int] | None = None) -> None:
        self.peer = SipPeer()
        self.replies: dict[str, asyncio.Future[Heard]] = {}
        self._ports, self._taken = ports, dict[str, int]()
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, sock=self.peer.socket)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        message = Heard(data.decode(), addr)
        match message.what:
            case "INVITE" if self._ports is not None:
                call = message.one("Call-ID")
                if call not in self._taken:
                    self._taken[call] = next(self._ports)
                    self.peer.reply(message, 180)
                self.peer.reply(message, 200, body=offer(self._taken[call], "next"))
            case "BYE" | "OPTIONS":
                self.peer.reply(message, 200)
            case code if code.isdigit() and int(code) >= 200 and "INVITE" in message.one("CSeq"):
                waiting = self.replies.get(message.one("Call-ID"))
                if waiting is not None and not waiting.done():
                    waiting.set_result(message)

    async def dial(self, caller: int, port: int) -> tuple[Call, int]:
        """Call the form; the dialog, and the port where Tonewall receives RTP."""
        known = f'"Ann" <sip:{caller}@{HOST}:{self.peer.port}>;tag=near'
        text = self.peer.request("INVITE", body=offer(port), Call_ID=f"{caller}@bench", From=known)
        waiting = self.replies[f"{caller}@bench"] = asyncio.get_running_loop().create_future()
        self.peer.send(text.replace("INVITE sip:bob@", f"INVITE sip:{_NUMBER}@", 1))
        answer = await asyncio.wait_for(waiting, _PATIENCE)
        if answer.what != "200":
            raise BenchmarkError(f"a call was answered with {answer.start}")
        call = Call.placed(answer)
        self.peer.send(self.peer.request("ACK", call=call))
        return call, int(answer.body.partition("m=audio ")[2].split()[0])


def measure(plan: UnattendedPlan, *, say: Callable[[str], None] = lambda _: None) -> Result:
    """The rows `unattended_*`."""
    say(f"{plan.calls} payments without an agent at once")
    allow_many_files()
    with tempfile.TemporaryDirectory() as directory:
        try:
            return asyncio.run(Run(plan, Path(directory)).whole())
        except AssertionError as error:
            raise BenchmarkError(str(error)) from None


class Run:
    """One run of a plan."""

    def __init__(self, plan: UnattendedPlan, directory: Path) -> None:
        self._plan, self._directory = plan, directory
        self.payments = {str(_FIRST_CALLER + each): Payment() for each in range(plan.calls)}
        self.phones = Phones(plan.calls)

    async def whole(self) -> Result:
        """All of it."""
        carrier, pbx = Trunk(), Trunk(iter(self.phones.place_ports()))
        stack = Stack(
            self._directory, carrier.peer.port, pbx.peer.port, pairs=2 * self._plan.calls + 50, extra=_CONF
        )
        with on_core(LOAD_CORE):
            try:
                await stack.start_provider()
                stack.conf.write_text(stack._conf())
                with on_core(SUBJECT_CORE):
                    await stack.start_tonewall()
                carrier.peer.engine = pbx.peer.engine = (HOST, stack.sip_port)
                await carrier.open()
                await pbx.open()
                async with self._followed(stack):
                    return await self._measured(stack, carrier)
            finally:
                self.phones.stop()
                carrier.close()
                pbx.close()
                await stack.stop()

    async def _measured(self, stack: Stack, carrier: Trunk) -> Result:
        pids = [pid for kind in ("b2bua", "media") for pid in stack.pids()[kind]]
        began, stolen, before = time.monotonic(), stolen_seconds(), usage(pids)
        calls = await self._dial_all(carrier)
        await self._until_all("keying")
        keying, at_keying = time.monotonic(), usage(pids)
        chance = random.Random(2041)
        for phone in self.phones.customers:
            phone.key(card_keys(chance), chance, delay=chance.uniform(0, self._plan.over))
        await self._confirmed(chance)
        charged, at_charged = time.monotonic(), usage(pids)
        await self._until_all("done")
        ended, after = time.monotonic(), usage(pids)
        self.phones.talk_for(_TALK)
        for call in calls:
            carrier.peer.send(carrier.peer.request("BYE", call=call, cseq=2))
        used, busy = after.since(before), at_charged.since(at_keying)
        lasted = ended - began
        disturbed = (used.waited + stolen_seconds() - stolen) / lasted
        charges = [each for each in await stack.charges() if each["charges"]]
        return self._result(busy, charged - keying, used, disturbed, len(charges))

    async def _dial_all(self, carrier: Trunk) -> list[Call]:
        calls = []
        for number, phone in zip(self.payments, self.phones.customers, strict=True):
            call, port = await carrier.dial(int(number), phone.port)
            phone.starts((HOST, port))
            calls.append(call)
            await asyncio.sleep(1 / self._plan.rate)  # the rate that the plan asks for
        return calls

    async def _confirmed(self, chance: random.Random) -> None:
        """Whoever has keyed everything confirms the amount, after a while; whoever has an outcome
        presses one key more."""
        waiting = dict(zip(self.payments, self.phones.customers, strict=True))
        told = dict(waiting)

        def all_told() -> bool:
            for number in [each for each in waiting if "confirming" in self.payments[each].seen]:
                waiting.pop(number).key("#", chance, delay=chance.uniform(*_CONFIRMS_AFTER))
            for number in [each for each in told if self.payments[each].outcome]:
                told.pop(number).key("7", chance)
            ended = [each for each in told if self.payments[each].why]
            return len(told) == len(ended)

        await until(all_told, f"an outcome of {len(told)} payments", _PATIENCE)

    async def _until_all(self, step: str) -> None:
        def there() -> bool:
            return all(step in each.seen for each in self.payments.values())

        try:
            await until(there, "", _PATIENCE)
        except AssertionError:
            missing = [each for each in self.payments.values() if step not in each.seen]
            found = "; ".join(f"{', '.join(each.seen)} ({each.why})" for each in missing[:3])
            raise BenchmarkError(f"{len(missing)} calls never came to {step}: {found}") from None

    # --- what the page sees -----------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _followed(self, stack: Stack) -> AsyncIterator[None]:
        """The feed is read as long as the context lasts."""
        client = httpx.AsyncClient(trust_env=False, timeout=None)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with client, client.stream("GET", f"{stack.api_url}/v1/feed", headers=headers) as answer:
            task = asyncio.ensure_future(self._read(answer.aiter_lines()))
            try:
                yield
            finally:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def _read(self, lines: AsyncIterator[str]) -> None:
        async for line in lines:
            if line.startswith("data:"):
                self._note(json.loads(line[5:]), time.monotonic())

    def _note(self, view: Any, now: float) -> None:
        known = self.payments.get(view.get("caller", "")) if isinstance(view, dict) else None
        if known is None or not view.get("unattended"):
            return
        known.seen.setdefault(view["unattended"]["step"], now)
        known.why = view["unattended"]["why"]
        capture = view["capture"] or {}
        if capture.get("outcome") and not known.outcome:
            known.seen["outcome"], known.outcome = now, capture["outcome"]["type"]

    # --- figures ----------------------------------------------------------------------------------

    def _result(self, busy: Usage, seconds: float, used: Usage, disturbed: float, charges: int) -> Result:
        pairs = list(zip(self.payments.values(), self.phones.customers, strict=True))
        ready = [_since(each, "confirming", phone, -3) for each, phone in pairs]
        paid = [_since(each, "outcome", phone, -2) for each, phone in pairs]
        approved = sum(each.outcome == "approved" for each in self.payments.values())
        rows = [
            Row("unattended_approved", float(approved), f"of {self._plan.calls}"),
            Row("unattended_charges", float(charges), ""),
            Row("unattended_presses_at_next_place", float(self.phones.presses_at_places), ""),
            Row("unattended_cores_while_keying", round(busy.ran / seconds, 3), "cores"),
            Row("unattended_cpu_ms_per_payment", round(used.ran * 1e3 / self._plan.calls, 2), "ms"),
            *(_row("unattended_key_to_confirm", percent, ready) for percent in (50, 99)),
            *(_row("unattended_confirm_to_outcome", percent, paid) for percent in (50, 99)),
        ]
        heard, talked = self.phones.heard_prompts, self.phones.places_reached
        notes = [
            f"{heard} of {self._plan.calls} customers got RTP before they keyed; {talked} next places got "
            f"some of theirs; the load was late by {self.phones.latest * 1e3:.0f} ms at most"
        ]
        whys = Counter(each.why for each in self.payments.values() if each.why)
        notes += [f"not paid: {number} {why}" for why, number in whys.items()]
        if disturbed > 0.05:
            notes.append(f"waited for the core for {disturbed:.0%} of the time")
        run = {"benchmark": "unattended", "ready_ms": ready, "paid_ms": paid, "disturbed": disturbed}
        return Result(rows, [run], notes)


def _since(payment: Payment, what: str, phone: Telephone, press: int) -> float | None:
    """Milliseconds from the customer's press, counted from the last, until this was seen."""
    seen = payment.seen.get(what)
    return None if seen is None or len(phone.pressed) < -press else (seen - phone.pressed[press]) * 1e3


def _row(name: str, percent: int, delays: list[float | None]) -> Row:
    known = sorted(each for each in delays if each is not None)
    value = round(known[math.ceil(len(known) * percent / 100) - 1], 1) if known else None
    return Row(f"{name}_p{percent}_ms", value, "ms")


def card_keys(chance: random.Random) -> str:
    """A card of nobody's, whose number passes Luhn."""
    digits = [4, 9, 2, 9, *(chance.randrange(10) for _ in range(11))]
    doubled = [sum(divmod(2 * each, 10)) if at % 2 == 0 else each for at, each in enumerate(digits)]
    number = "".join(map(str, [*digits, -sum(doubled) % 10]))
    return f"{number}#1139#{chance.randrange(1000):03}#"


@contextlib.contextmanager
def on_core(core: int) -> Iterator[None]:
    """This thread, and processes that it starts, on one core, where there are two."""
    before = os.sched_getaffinity(0)
    if len(before) > 1:
        os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
