"""Tries a line: control keys that must arrive, then canary keys under a mask, of which none may.

Rule 1: where the control keys do not arrive, or the canary keys do not reach media, nothing is
        proven, and the result says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol

import msgspec

from b2bua.self_test.audio import Arrived
from b2bua.self_test.canary_keys import CONTROL, draw_keys
from b2bua.self_test.phone import Dialog, Phone, PhoneFailed

_POLL: Final = 0.1  # seconds
_SETTLES: Final = 2.0  # seconds for what is under way to arrive
_MASKS: Final = 10.0  # seconds for a mask to be confirmed


class Result(StrEnum):
    """What a trial shows."""

    PASSED = "passed"
    FAILED = "failed"  # a key reached the agent's side
    INCONCLUSIVE = "inconclusive"


class Reached(msgspec.Struct, kw_only=True):
    """Keys on the agent's side, by form."""

    events: int = 0
    tones: int = 0
    sip_infos: int = 0

    @property
    def total(self) -> int:
        """In whatever form."""
        return self.events + self.tones + self.sip_infos


class Round(msgspec.Struct, kw_only=True):
    """One form of keys, under the mask. `keys`: those that were pressed, which are no card number:
    look for them in recordings and logs. `media`: how many the media process counted. Times: RFC
    3339, UTC."""

    form: str
    keys: str
    masked_since: str
    ended_at: str
    pressed: int
    media: int
    packets: int  # of audio that the agent's side got under the mask
    reached: Reached


class Trial(msgspec.Struct, kw_only=True):
    """A self-test. `call`: its id in the audit log and the call records."""

    at: str
    result: Result
    why: str
    number: str
    call: str = ""
    product: str = ""
    configuration: str = ""
    control_pressed: int = 0
    control: Reached = msgspec.field(default_factory=Reached)
    rounds: list[Round] = msgspec.field(default_factory=list)


class Api(Protocol):
    """What a trial asks of the running Tonewall."""

    async def calls(self) -> list[dict[str, Any]]:
        """The calls that there are."""

    async def call(self, call_id: str) -> dict[str, Any]:
        """One of them."""

    async def mask(self, call_id: str) -> None:
        """Announce a payment."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`number`: whom to call; `forms`: how keys are pressed, a mask each. `by_hand`: a person calls
    and keys; `ask` shows what to key. `patience`: seconds for a person, or for a call."""

    number: str
    forms: tuple[str, ...] = ("events", "tones")
    keys: int = 16
    by_hand: bool = False
    patience: float = 60.0
    ask: Callable[[str], None] = lambda _text: None
    now: Callable[[], str] = lambda: ""


async def try_line(phone: Phone, api: Api, plan: Plan) -> Trial:
    """Call, key, and count what arrives. Raises PhoneFailed where no call comes about."""
    trial = Trial(at=plan.now(), result=Result.INCONCLUSIVE, why="", number=plan.number)
    before = {each["id"] for each in await api.calls()}
    customer = None
    if plan.by_hand:
        plan.ask(f"Call {plan.number} now, from a telephone outside.")
    else:
        customer = await phone.call(plan.number, plan.patience)
    try:
        agent = await asyncio.wait_for(phone.incoming.get(), plan.patience)
    except TimeoutError:
        raise PhoneFailed(f"no call came in for the self-test within {plan.patience:g} s") from None
    trial.call = await _find_call(api, before)
    await _control(trial, plan, customer, agent)
    if not trial.control.total:
        trial.why = "the control keys did not arrive unmasked: this line cannot show a leak"
        return trial
    for form in plan.forms if customer is not None else ("by hand",):
        trial.rounds.append(await _mask_round(trial.call, form, api, plan, customer, agent))
    trial.result, trial.why = judge(trial.rounds)
    return trial


def judge(rounds: list[Round]) -> tuple[Result, str]:
    """The result of all rounds, and why."""
    leaked = sum(each.reached.total for each in rounds)
    if leaked:
        return Result.FAILED, f"{leaked} keys reached the agent's side under a mask"
    for each in rounds:
        if each.media != each.pressed:
            why = f"{each.pressed} keys were pressed as {each.form}, and media counted {each.media}"
            return Result.INCONCLUSIVE, why
        if not each.packets:
            return Result.INCONCLUSIVE, "no audio came under the mask: a silent line shows nothing"
    return Result.PASSED, "every key was counted by media, and none reached the agent's side"


async def _control(trial: Trial, plan: Plan, customer: Dialog | None, agent: Dialog) -> None:
    keys = draw_keys(CONTROL)
    agent.audio.mark()
    infos = agent.infos
    if customer is not None:
        await customer.audio.press(keys, as_tones=False)
        await asyncio.sleep(_SETTLES)
    else:
        plan.ask(f"Key {' '.join(keys)}")

        async def all_arrived() -> bool:
            return len(agent.audio.arrived.presses) + agent.infos - infos >= CONTROL

        await _until(all_arrived, plan.patience)
    trial.control_pressed = CONTROL
    trial.control = await _reached(agent.audio.mark(), agent.infos - infos)


async def _mask_round(
    call: str, form: str, api: Api, plan: Plan, customer: Dialog | None, agent: Dialog
) -> Round:
    await api.mask(call)
    since = await _masked_since(api, call)
    dropped = int((await api.call(call))["keys_dropped"])
    keys = draw_keys(plan.keys)
    agent.audio.mark()
    infos = agent.infos
    if customer is not None:
        await customer.audio.press(keys, as_tones=form == "tones")
        await asyncio.sleep(_SETTLES)
    else:
        plan.ask(f"Key {' '.join(keys)}")

        async def all_counted() -> bool:
            return int((await api.call(call))["keys_dropped"]) - dropped >= plan.keys

        await _until(all_counted, plan.patience)
        await asyncio.sleep(_SETTLES)
    media = int((await api.call(call))["keys_dropped"]) - dropped
    arrived, ended_at = agent.audio.mark(), plan.now()
    return Round(
        form=form,
        keys=keys,
        masked_since=since,
        ended_at=ended_at,
        pressed=len(keys),
        media=media,
        packets=arrived.packets,
        reached=await _reached(arrived, agent.infos - infos),
    )


async def _reached(arrived: Arrived, infos: int) -> Reached:
    tones = await asyncio.to_thread(arrived.count_tones)
    return Reached(events=len(arrived.presses), tones=tones, sip_infos=infos)


async def _find_call(api: Api, before: set[str]) -> str:
    """The call of the customer's, among those that are new."""
    found = [
        each["id"]
        for each in await api.calls()
        if each["id"] not in before and each["direction"] == "inbound" and each["state"] == "up"
    ]
    if len(found) != 1:
        raise PhoneFailed(f"{len(found)} calls came in at once: try it again when there are fewer")
    return str(found[0])


async def _masked_since(api: Api, call: str) -> str:
    async def is_masked() -> bool:
        return bool((await api.call(call))["masked_since"])

    if not await _until(is_masked, _MASKS):
        raise PhoneFailed("the mask was not confirmed: nothing was keyed")
    return str((await api.call(call))["masked_since"])


async def _until(condition: Callable[[], Awaitable[bool]], seconds: float) -> bool:
    deadline = asyncio.get_running_loop().time() + seconds
    while not await condition():
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(_POLL)
    return True
