"""Plays the demo: one call, one card, step by step, checked on the wire at the end.

Rule 1: the table counts packets and recordings; nothing in it is a claim of Tonewall's.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from b2bua.demo.phones import PhoneError
from b2bua.demo.remote import KINDS, serve_customer
from b2bua.demo.speech import loudness, speak
from b2bua.demo.stage import AGENT, CUSTOMER, TONEWALL, DemoFailed, Stage, set_stage
from b2bua.demo.wire import Flow, WireTap

_CARDS = {"approved": "4111111111111111", "declined": "4000000000000002", "mistyped": "4111111111111112"}
_AUDIBLE = 0.005  # root mean square of full scale; a silent line is below 0.001
_ORDER = {"transaction_id": "demo-1001", "amount": 4995, "currency": "EUR", "description": "Two tickets"}


@dataclass(slots=True)
class Check:
    """A line of the table: expected and found."""

    name: str
    seen: str
    held: bool


@dataclass(slots=True)
class Story:
    """The steps and checks of a demo; printed as they come, unless `quiet`."""

    console: Console
    quiet: bool
    steps: list[dict[str, Any]] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    outcome: dict[str, Any] = field(default_factory=dict)
    _started: float = field(default_factory=time.monotonic)

    def add_step(self, text: str) -> None:
        """Add a step, and print it. `text`: with rich's markup."""
        seconds = time.monotonic() - self._started
        self.steps.append({"seconds": round(seconds, 2), "step": Text.from_markup(text).plain})
        if not self.quiet:
            self.console.print(f"[dim]{seconds:6.2f} s[/]  {text}")

    @property
    def held(self) -> bool:
        """Whether there were checks, and all of them held."""
        return bool(self.checks) and all(check.held for check in self.checks)


async def play_story(*, as_json: bool, leave: bool, adapter: str = "connector") -> int:
    """Play the demo. The exit status: 0 only if every check held.

    `as_json`: print one JSON object instead of the steps; `leave`: end with the first payment;
    `adapter`: whose interface the provider has.
    """
    story = Story(Console(stderr=as_json), quiet=as_json)
    error: str | None = None
    directory = Path(tempfile.mkdtemp(prefix="tonewall-demo-"))
    try:
        await _play(story, directory, adapter, leave=leave)
    except (DemoFailed, PhoneError, OSError) as failure:
        error = str(failure)
        story.add_step(f"[red]{escape(error)}[/]")
    finally:
        kept = await asyncio.to_thread(_tidy, directory, keep_log=not story.held or error is not None)
    if kept:
        story.add_step(f"The log is kept: {kept}")
    if as_json:
        checks = [{"check": check.name, "seen": check.seen, "held": check.held} for check in story.checks]
        held = story.held and error is None
        print(
            json.dumps(
                {
                    "held": held,
                    "error": error,
                    "outcome": story.outcome,
                    "checks": checks,
                    "steps": story.steps,
                }
            )
        )
    return 0 if story.held and error is None else 1


def _tidy(directory: Path, *, keep_log: bool) -> Path | None:
    """Remove the files of the demo, but its log where that is to be read. The log, or None."""
    log = directory / "tonewall.log"
    if not keep_log or not log.exists():
        shutil.rmtree(directory, ignore_errors=True)
        return None
    for each in directory.iterdir():
        if each.is_dir():
            shutil.rmtree(each, ignore_errors=True)
        elif each != log:
            each.unlink(missing_ok=True)
    return log


async def _play(story: Story, directory: Path, adapter: str, *, leave: bool) -> None:
    speech = (directory / "customer.wav", directory / "agent.wav")
    recordings = (directory / "customer-heard.wav", directory / "agent-heard.wav")
    story.add_step("Recording what the two will say")
    await asyncio.to_thread(
        speak, "Hello, I would like to pay for my two tickets by card, please.", speech[0]
    )
    await asyncio.to_thread(
        speak, "Certainly. Please key your card number, and then the hash key.", speech[1]
    )
    story.add_step(
        f"Starting a payment provider ({adapter}; HTTPS, its own certificate authority), two telephones and "
        "Tonewall"
    )
    async with contextlib.AsyncExitStack() as stack:
        stage = await stack.enter_async_context(set_stage(directory, speech, recordings, adapter))
        tap = WireTap(stage.customer, stage.agent, middle=TONEWALL)
        tap.start()
        stack.callback(tap.stop)
        call = await _connect_call(story, stage)
        await _pay_by_card(story, stage, tap, call)
        await _verify_voice(story, stage, recordings)
        if not story.quiet:
            story.console.print(_table(story, tap))
        if not leave:
            await _continue_with_page(story, stage, directory)
        await stage.customer.hangup()
        await stage.agent.wait("ended")
        story.add_step("The customer hangs up; the agent's phone is told")


async def _connect_call(story: Story, stage: Stage) -> str:
    story.add_step("The customer calls; Tonewall calls the agent's phone behind the PBX")
    await stage.customer.call(stage.number)
    await stage.customer.wait("answered", 20)
    await stage.agent.wait("answered", 20)
    call = await stage.wait_for_call("an answered call", lambda call: call["state"] == "up")
    story.add_step("The agent answers; both hear each other")
    return str(call["id"])


async def _pay_by_card(story: Story, stage: Stage, tap: WireTap, call: str) -> None:
    await stage.customer.keys("5")
    story.add_step("Outside of a payment a key passes: the customer presses one in the company's menu")
    before = _count_flows(tap)
    await stage.request("POST", f"/v1/calls/{call}/capture", _ORDER | {"currency": stage.currency})
    await _wait_for_capture(stage, call, "collecting")
    masked = _count_flows(tap)
    story.add_step("The agent presses one button: the agent's side is masked, and the customer may key")
    keys = _card_keys("approved")
    await stage.customer.keys(keys)
    capture = await _wait_for_capture(stage, call, "ready")
    story.add_step(
        f"The customer has keyed {len(keys)} keys; the agent sees dots: {capture['brand']} ending "
        f"{capture['last_four']}"
    )
    await stage.request("POST", f"/v1/calls/{call}/capture/submit")
    capture = await _wait_for_capture(stage, call, "finished")
    story.outcome = dict(capture["outcome"])
    after = _count_flows(tap)
    story.add_step(
        f"Charged over HTTPS: [bold]{story.outcome['type']}[/], token {story.outcome.get('token')}"
    )
    sent, leaked = after[0] - masked[0], after[1] - masked[1]
    packets = {leg: after[2][leg] - masked[2][leg] for leg in after[2]}
    story.checks += [
        Check("customer → Tonewall, packets while masked", str(packets["in"]), packets["in"] > 0),
        Check("Tonewall → agent, packets while masked", str(packets["out"]), packets["out"] > 0),
        Check("agent → Tonewall, packets while masked", str(packets["back"]), packets["back"] > 0),
        Check("Tonewall → customer, packets while masked", str(packets["home"]), packets["home"] > 0),
        Check("key events on the customer's leg, before", str(before[0]), before[0] > 0),
        Check("key events on the agent's leg, before", str(before[1]), before[1] > 0),
        Check("key events on the customer's leg, while masked", str(sent), sent >= len(keys)),
        Check("key events on the agent's leg, while masked", str(leaked), leaked == 0),
        Check("outcome", str(story.outcome["type"]), story.outcome["type"] == "approved"),
        Check(
            "token for later payments",
            str(story.outcome.get("token")),
            bool(story.outcome.get("token")) is stage.saves_cards,
        ),
    ]


async def _wait_for_capture(stage: Stage, call: str, wanted: str) -> dict[str, Any]:
    def there(found: dict[str, Any]) -> bool:
        return bool(found["id"] == call and found["capture"] and found["capture"]["stage"] == wanted)

    return dict((await stage.wait_for_call(f"the capture being {wanted}", there, 60))["capture"])


def _card_keys(kind: str) -> str:
    expiry = f"12{(datetime.now(UTC).year + 2) % 100:02}"
    again = f"{_CARDS['approved']}#" if kind == "mistyped" else ""
    return f"{_CARDS[kind]}#{again}{expiry}#123#"


def _count_flows(tap: WireTap) -> tuple[int, int, dict[str, int]]:
    """Key events on the customer's leg, on the agent's leg, and packets each way."""
    ways = {
        "in": (CUSTOMER, TONEWALL),
        "out": (TONEWALL, AGENT),
        "back": (AGENT, TONEWALL),
        "home": (TONEWALL, CUSTOMER),
    }
    flows = tap.flows()

    def flows_of(way: str) -> list[Flow]:
        return [flow for flow in flows if (flow.src[0], flow.dst[0]) == ways[way]]

    events = {way: sum(flow.events for flow in flows_of(way)) for way in ("in", "out")}
    return events["in"], events["out"], {way: sum(flow.packets for flow in flows_of(way)) for way in ways}


async def _verify_voice(story: Story, stage: Stage, recordings: tuple[Path, Path]) -> None:
    for phone, name, path in (
        (stage.customer, "customer", recordings[0]),
        (stage.agent, "agent", recordings[1]),
    ):
        await phone.record(None)
        level = await asyncio.to_thread(loudness, path)
        story.checks.append(Check(f"speech that the {name} heard, level", f"{level:.3f}", level > _AUDIBLE))


def _table(story: Story, tap: WireTap) -> Table:
    table = Table(
        "", "checked on the wire", "seen", title="What was verified", title_justify="left", caption=tap.source
    )
    for check in story.checks:
        table.add_row("[green]ok[/]" if check.held else "[red]no[/]", check.name, check.seen)
    return table


async def _continue_with_page(story: Story, stage: Stage, directory: Path) -> None:
    """Let the reader be the agent, on the page, until the call ends or Ctrl-C."""
    keying = asyncio.Lock()
    pressing: set[asyncio.Task[None]] = set()

    async def press_card(kind: str) -> None:
        async with keying:
            await stage.customer.keys(_card_keys(kind))

    async def key_card(kind: str) -> str | None:
        if kind not in KINDS or keying.locked():
            return "The demo's customer is keying already."
        task = asyncio.create_task(press_card(kind))
        pressing.add(task)
        task.add_done_callback(pressing.discard)
        return None

    server = await serve_customer(directory / "demo.sock", key_card)
    story.console.print(
        f"\n[bold]The call goes on, and you are its agent:[/] open [cyan]{stage.api_url}[/]\n"
        f"The page asks for a token: [cyan]{stage.token}[/]\n"
        "Take a payment; the panel at the bottom lets the demo's customer key a card.\n"
        f"A CRM's page with the payment form in it: [cyan]{stage.crm.origin}[/]. Ctrl-C ends it.\n"
    )
    try:
        await stage.customer.wait("ended", within=24 * 3600)
    except (asyncio.CancelledError, KeyboardInterrupt):
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()
        story.add_step("Ended by you")
    finally:
        server.close()
