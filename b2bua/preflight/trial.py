"""The test call of a preflight: through the trunk and back in, or with a person who keys.

Rule 1: keys are drawn anew each time, and are no card number; no report has them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from b2bua.preflight.advice import advise
from b2bua.preflight.audio_facts import measure_audio
from b2bua.preflight.key_facts import KeyFacts, measure_keys
from b2bua.preflight.observation import Pressed
from b2bua.preflight.phone import TrunkCall, TrunkPhone
from b2bua.preflight.presses import find_events
from b2bua.preflight.report import LegReport, Report, Result, Round, judge
from b2bua.preflight.signalling_facts import measure_signalling
from b2bua.self_test.canary_keys import draw_keys

_SETTLES: Final = 1.5  # seconds for what is under way to arrive
_LOOK: Final = 2.0  # seconds between two searches for tones
_POLL: Final = 0.1
_HINTS: Final = {
    401: "username and password do not fit", 403: "it does not let this caller, number or address call",
    404: "it does not know the number", 407: "username and password do not fit",
    408: "it did not answer: address, port, transport or firewall", 480: "nobody is registered or free there",
    484: "the number is not whole, or written in another way", 486: "the line is busy",
    488: "it wants other codecs, or SRTP: see srtp", 503: "it cannot be reached, or takes no calls now",
}  # fmt: skip


class NoCall(Exception):
    """No test call came about; `result` and the text say what a report says of it."""

    def __init__(self, result: Result, why: str) -> None:
        super().__init__(why)
        self.result = result


@dataclass(frozen=True, slots=True)
class Plan:
    """`number`: whom to call; "": nobody, a person calls in. `by_hand`: a person keys; `ask` shows
    what to do. `patience`: seconds for a call, or for a person."""

    section: str
    number: str
    caller: str
    keys: int
    by_hand: bool
    patience: float
    ask: Callable[[str], None]
    now: Callable[[], str]
    current: dict[str, str]
    is_carrier: bool


async def try_trunk(phone: TrunkPhone, plan: Plan) -> Report:
    """Call, key, and measure what comes. Each wait takes `patience` of the plan at most."""
    report = Report(
        at=plan.now(), section=plan.section, number=plan.number, result=Result.INCONCLUSIVE, why=""
    )
    calls: list[TrunkCall] = []
    try:
        if not await phone.registered(plan.patience):
            raise NoCall(
                Result.FAILED, "the trunk does not accept our registration: username, password, user"
            )
        report.rounds = await _play(phone, plan, calls)
        report.result, report.why = judge(report.rounds)
    except NoCall as error:
        report.result, report.why = error.result, str(error)
    for call in calls:
        phone.hang_up(call)
        leg = LegReport(signalling=measure_signalling(call.leg), audio=measure_audio(call.leg))
        report.legs.append(leg)
    report.strangers = list(phone.strangers)
    report.settings = advise(
        [each.facts for each in report.rounds],
        [each.audio for each in report.legs],
        [each.signalling for each in report.legs],
        report.strangers,
        plan.current,
        is_carrier=plan.is_carrier,
    )
    return report


async def _play(phone: TrunkPhone, plan: Plan, calls: list[TrunkCall]) -> list[Round]:
    if not plan.number:
        plan.ask("Call a number of this trunk now, from a telephone outside.")
        calls.append(await _await_call(phone, plan))
        return [await _by_hand(calls[0], plan)]
    out = phone.call(plan.number, plan.caller)
    calls.append(out)
    if plan.by_hand:
        plan.ask(f"Answer the telephone {plan.number}.")
        await _until(lambda: _is_decided(out), plan.patience)
        _check_answered(out, plan)
        return [await _by_hand(out, plan)]
    await _until(lambda: not phone.incoming.empty() or out.ended.is_set(), plan.patience)
    if phone.incoming.empty():
        _check_answered(out, plan)
        raise NoCall(Result.INCONCLUSIVE, _no_loop(out, plan))
    calls.append(phone.incoming.get_nowait())
    await _until(lambda: _is_decided(out), plan.patience)
    _check_answered(out, plan)
    return [
        await _press(out, calls[1], plan, as_tones=as_tones)
        for as_tones in (False, True)
        if as_tones or out.line.sends_events
    ]


async def _press(out: TrunkCall, back: TrunkCall, plan: Plan, *, as_tones: bool) -> Round:
    """Press keys on one leg, and measure the other."""
    since = asyncio.get_running_loop().time()
    pressed = await out.line.press(draw_keys(plan.keys), as_tones=as_tones)
    await asyncio.sleep(_SETTLES)
    facts = await asyncio.to_thread(measure_keys, back.leg, pressed, since)
    return Round(pressed="tones" if as_tones else "events", facts=facts)


async def _by_hand(call: TrunkCall, plan: Plan) -> Round:
    keys = draw_keys(plan.keys)
    since = asyncio.get_running_loop().time()
    pressed = [Pressed(key) for key in keys]
    plan.ask(f"Key {' '.join(keys)} on the telephone, about one key a second.")
    deadline = since + plan.patience
    while not call.ended.is_set() and asyncio.get_running_loop().time() < deadline:
        facts = await _look(call, pressed, since)
        if facts.right >= len(keys):
            break
    await asyncio.sleep(_SETTLES)
    return Round(pressed="by hand", facts=await asyncio.to_thread(measure_keys, call.leg, pressed, since))


async def _look(call: TrunkCall, pressed: list[Pressed], since: float) -> KeyFacts:
    """What came so far, once there is something new, or tones may be there."""
    loop = asyncio.get_running_loop()
    until = loop.time() + _LOOK
    while loop.time() < until and not call.ended.is_set():
        types = [each.kind for each in call.leg.remote.events]
        events = find_events((each for each in call.leg.packets if each.at >= since), types)
        if max(len(events), len(call.leg.infos)) >= len(pressed):
            break
        await asyncio.sleep(_POLL)
    return await asyncio.to_thread(measure_keys, call.leg, pressed, since)


async def _await_call(phone: TrunkPhone, plan: Plan) -> TrunkCall:
    try:
        return await asyncio.wait_for(phone.incoming.get(), plan.patience)
    except TimeoutError:
        strangers = f"; INVITEs came from {', '.join(phone.strangers)}" if phone.strangers else ""
        why = f"no call came in within {plan.patience:g} s{strangers}"
        raise NoCall(Result.INCONCLUSIVE, why) from None


def _check_answered(out: TrunkCall, plan: Plan) -> None:
    if out.answered.is_set():
        return
    if out.ended.is_set():
        hint = _HINTS.get(out.code, "")
        why = f"the call to {plan.number} was refused with {out.code}" + (f": {hint}" if hint else "")
        raise NoCall(Result.FAILED, why)
    raise NoCall(Result.INCONCLUSIVE, f"nobody answered {plan.number} within {plan.patience:g} s")


def _no_loop(out: TrunkCall, plan: Plan) -> str:
    end = "ended" if out.ended.is_set() else "was answered"
    return (
        f"the call to {plan.number} {end}, and no call came back in: the number is not one that the trunk "
        "routes here; with --by-hand a person keys there"
    )


def _is_decided(call: TrunkCall) -> bool:
    return call.answered.is_set() or call.ended.is_set()


async def _until(condition: Callable[[], bool], patience: float) -> None:
    """Wait for it, so many seconds at most."""
    deadline = asyncio.get_running_loop().time() + patience
    while not condition():
        if asyncio.get_running_loop().time() > deadline:
            return
        await asyncio.sleep(_POLL)
