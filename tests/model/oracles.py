"""What must hold: on the wire at any time, and of everything at the end. Each returns sentences of
what does not.

Where a rule of the specification needs something that a Tonewall does not have, its oracle is off
and says so."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from tests.leak.codec import PCMU, decoded
from tests.leak.decoders import spandsp
from tests.model.cards import DIGESTS
from tests.model.conversation import Conversation, Payment
from tests.model.phones import Agent, Press, Seen
from tests.model.world import World

LATE = 1.5  # seconds that a key may be under way on a busy machine
# Seconds that this process may get no processor, so that it reads later what has come.
STALLED = 6.0
SURE_AFTER = 0.2  # seconds after the beginning of a capture in which a hold may have been under way
_FINAL = frozenset({"finished", "cancelled", "aborted"})
# What an outcome says of money.
_MOVED = {
    "approved": (1,),
    "declined": (0,),
    "failed": (0,),
    "unknown": (0, 1),
}


# --- the wire -------------------------------------------------------------------------------------


def leaks(conversation: Conversation) -> list[str]:
    """Keys at an agent's side that were pressed while the line must have been masked."""
    found = []
    for agent in conversation.agents:
        for seen in [*agent.seen, *_tones(agent)]:
            found += _judge(conversation, agent, seen)
        agent.seen.clear()
    return found


def _judge(conversation: Conversation, agent: Agent, seen: Seen) -> list[str]:
    same = [press for press in conversation.customer.presses if press.key == seen.key]
    pressed = [press for press in same if _fits(press, seen, LATE)] or [
        press for press in same if _fits(press, seen, STALLED)
    ]
    where = f"at {agent.name}, by {seen.way}"
    if not pressed:
        return [f"a key that nobody pressed: {seen.key} {where}"]
    if all(conversation.must_be_masked(press.began) for press in pressed):
        return [
            f"a key got through the mask: {seen.key} {where}, pressed by {pressed[0].way}; "
            f"{_state(conversation)}"
        ]
    if not seen.agreed:
        return [f"an event came to a phone that has agreed on none: {seen.key} {where}"]
    return []


def _fits(press: Press, seen: Seen, late: float) -> bool:
    return press.began - 0.1 <= seen.at <= (press.ended or seen.at) + late


def _state(conversation: Conversation) -> str:
    now = time.monotonic()
    times = [
        f"{payment.transaction}: collecting {_ago(payment.collecting_at, now)}, submitted "
        f"{_ago(payment.submitted_at, now)}, released {_ago(payment.released_at, now)}"
        for payment in conversation.payments
    ]
    return "; ".join(times)


def _ago(at: float | None, now: float) -> str:
    return "never" if at is None else f"{now - at:.1f} s ago"


def _tones(agent: Agent) -> list[Seen]:
    """What a decoder that shares no code with ours reads from the audio since the last look."""
    if not agent.audio:
        return []
    pcm = decoded([payload for _, payload in agent.audio], PCMU)
    ends = np.cumsum([len(payload) for _, payload in agent.audio])
    times = [at for at, _ in agent.audio]
    agent.audio.clear()
    return [
        Seen(heard.digit, "tone", times[min(int(np.searchsorted(ends, heard.sample)), len(times) - 1)])
        for heard in spandsp(pcm)
    ]


def held(world: World, conversation: Conversation) -> list[str]:
    """A customer whose side was put on hold while his card was collected: what he keys then is
    lost."""
    followed = world.followed.get(conversation.call_id)
    if followed is None or not world.keeps_sending:
        return []
    found = []
    for payment in conversation.payments:
        begin, end = payment.collecting_at, followed.keyed.get(payment.capture, time.monotonic())
        if begin is not None and any(begin + SURE_AFTER < at < end for at in conversation.customer.stopped):
            found.append(f"{payment.transaction}: the customer was put on hold while keys were collected")
    return found


# --- money ----------------------------------------------------------------------------------------


def capture_of(world: World, conversation: Conversation) -> dict[str, Any]:
    """The newest capture as the feed has it."""
    followed = world.followed.get(conversation.call_id)
    return (followed.view.get("capture") or {}) if followed else {}


def is_final(capture: dict[str, Any]) -> bool:
    return capture.get("stage") in _FINAL


async def charges(world: World, payments: list[Payment]) -> list[str]:
    """What the provider was asked for: once for each that was submitted, with a card's own
    digits."""
    found = []
    submitted = [payment for payment in payments if payment.submitted_at is not None]
    records = await world.stack.charges()
    keys = {payment.capture for payment in submitted}
    names = {payment.transaction for payment in payments}
    for record in records:
        if record["transaction_id"] not in names:
            continue
        if record["charges"] > 1:
            found.append(f"{record['transaction_id']} was charged {record['charges']} times")
        if record["idempotency_key"] not in keys:
            found.append(f"{record['transaction_id']} was charged, and nobody submitted it")
        keyed = [payment.card for payment in submitted if payment.capture == record["idempotency_key"]]
        if keyed and keyed[0] is not None and record["digits_sha256"] not in DIGESTS:
            found.append(f"{record['transaction_id']} was charged with other digits than were keyed")
    for name in names:
        moved = sum(record["charges"] for record in records if record["transaction_id"] == name)
        asked = [payment for payment in submitted if payment.transaction == name]
        if world.keeps_payments and moved > 1 and not any(payment.repeats for payment in asked):
            found.append(
                f"{name} was charged {moved} times, by {len(asked)} captures, and nobody asked for a "
                "repetition"
            )
    return found


async def recorded(world: World, payments: list[Payment]) -> list[str]:
    """Exactly one record of each payment that was submitted, with an outcome that fits what the
    provider did."""
    moved = {record["idempotency_key"]: record["charges"] for record in await world.stack.charges()}
    kept = [each for record in world.stack.records() for each in record["captures"]]
    found = []
    for payment in payments:
        if payment.submitted_at is None or payment.lost:
            # Of a killed process's calls there may be no record; of its payments there is, see
            # `settled`.
            continue
        same = [each for each in kept if each.get("payment") == payment.capture]
        if world.keeps_payments and len(same) != 1:
            found.append(f"{payment.transaction}: {len(same)} records of one payment that was submitted")
        found += [
            each
            for one in same
            for each in fits(payment, one["outcome"], moved.get(payment.capture, 0), "the record")
        ]
    return found


async def settled(world: World, payments: list[Payment]) -> list[str]:
    """Every payment is in a final state at the API, whatever died meanwhile, and tells the truth
    about money."""
    if not world.keeps_payments:
        return []
    moved = {record["idempotency_key"]: record["charges"] for record in await world.stack.charges()}
    found = []
    for payment in payments:
        code, view = await world.ask("test", "GET", f"/v1/payments/{payment.capture}")
        if code == 404 and payment.lost and payment.submitted_at is None:
            continue  # nothing was handed over: it went with its process
        if code != 200 or not is_final(view):
            found.append(f"{payment.transaction} is {view.get('stage') if view else code} in the end")
        elif payment.submitted_at is not None and view["outcome"] is not None:
            found += fits(payment, view["outcome"]["type"], moved.get(payment.capture, 0), "the API")
        elif payment.capture in moved:
            found.append(f"{payment.transaction} reached the provider, and the API knows no outcome")
    return found


def fits(payment: Payment, outcome: str | None, moved: int, who: str) -> list[str]:
    """Whether an outcome tells the truth about money."""
    if moved not in _MOVED.get(outcome or "", ()):
        return [f"{payment.transaction}: {who} says {outcome}, the provider charged {moved} times"]
    return []
