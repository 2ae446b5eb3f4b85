"""What can be done in a conversation, each at any time: by the customer, an agent, the PBX, or
somebody at the API.

An act asks and looks at the answer; whether it is the right one is the specification's, not the
moment's, to say: a 409 is right where something else came first, a 500 never is."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from tests.model.cards import Card
from tests.model.conversation import Conversation, Payment
from tests.model.oracles import capture_of, fits, is_final
from tests.model.phones import Agent, Phone
from tests.model.world import GUARD, PATIENCE, RELEASE, World
from tests.stack import until
from tests.wire.sip_peer import Heard

REFUSALS = frozenset({0, 403, 404, 409, 422, 503})  # 0: nobody there, as after a kill
_EVENTS = {"same": None, "without events": None, "events again": 101, "another type": 96}
CHANGES = ("same", "without events", "events again", "another type", "sendonly", "inactive", "sendrecv")


@dataclass(slots=True)
class Acts:
    """All conversations of one example. `faults`: what was found to be wrong."""

    world: World
    faults: list[str] = field(default_factory=list)
    conversations: list[Conversation] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    # --- calls ------------------------------------------------------------------------------------

    async def dial(self, how: str, *, by_info: bool) -> Conversation:
        """A new call; `how` the PBX takes it: answers, rings, declines."""
        number = next(_NUMBERS)
        customer = await self.world.customer(f"cust{number}", by_info=by_info)
        conversation = Conversation(
            customer, f"desk{number}", release_time=RELEASE if self.world.keeps_masks else GUARD
        )
        self.conversations.append(conversation)
        await self._expect(conversation, conversation.callee, how)
        customer.dial(conversation.callee)
        if how == "answers":
            await self.wait_for(lambda: conversation.up or customer.ended, f"{conversation.callee} to be up")
        else:
            await self.wait_for(lambda: bool(conversation.agents) or customer.ended, "an INVITE at the PBX")
        await self._named(conversation)
        return conversation

    async def _expect(self, conversation: Conversation, user: str, how: str) -> None:
        agent = await self.world.agent(f"{user}a")

        def take(invite: Heard) -> Agent:
            agent.asked = invite
            conversation.invited_at = time.monotonic()
            conversation.agents.append(agent)
            loop = asyncio.get_running_loop()
            if how == "declines":
                loop.call_soon(agent.decline)
            else:
                agent.ring()
            if how == "answers":
                loop.call_later(0.05, agent.answer)
            return agent

        self.world.expected[user] = take

    async def _named(self, conversation: Conversation) -> None:
        """Learn the id that Tonewall gives to the call."""
        _, calls = await self.world.ask("test", "GET", "/v1/calls")
        for view in calls or []:
            if view["callee"].rpartition(":")[2].partition("@")[0] == conversation.callee:
                conversation.call_id = view["id"]

    async def hang_up(self, conversation: Conversation, who: str) -> None:
        phone = conversation.customer if who == "customer" else self._agent_of(conversation)
        if phone is not None:
            phone.hang_up()

    def _agent_of(self, conversation: Conversation) -> Agent | None:
        living = [agent for agent in conversation.agents if not agent.ended]
        return living[-1] if living else None

    async def change(self, conversation: Conversation, who: str, what: str) -> None:
        """A re-INVITE: refresh, telephone-event taken out, put back or renumbered, hold and its
        end."""
        phone: Phone | None = conversation.customer if who == "customer" else conversation.agent
        if phone is None or not phone.up:
            return
        own = phone.own
        if what in ("sendonly", "inactive", "sendrecv"):
            own = replace(own, direction=what)
        elif what != "same":
            own = replace(own, events=_EVENTS[what])
        code = await phone.change(own)
        if code == 500 or (code == 408 and not conversation.lost and phone.up):
            self.faults.append(f"a re-INVITE ({what}) by the {who} got {code}")

    async def transfer(self, conversation: Conversation, how: str) -> None:
        """REFER by the PBX; `how` its target takes it, or `leaves`: the old agent hangs up at once,
        the target answers."""
        agent = conversation.agent
        if agent is None or not conversation.up:
            return
        number = next(_NUMBERS)
        await self._expect(conversation, f"desk{number}", "answers" if how == "leaves" else how)
        before = len(conversation.agents)
        asked = agent.say("REFER", Refer_To=f"<sip:desk{number}@127.0.0.8>")
        assert asked is not None
        code = int((await asked.final).what)
        if code == 202 and how == "leaves":
            agent.hang_up()
        if code == 202 and not conversation.lost:
            await self.wait_for(
                lambda: len(conversation.agents) > before or conversation.customer.ended,
                "the new agent's INVITE",
            )
        if code == 500:
            self.faults.append("a REFER got 500")

    # --- keys -------------------------------------------------------------------------------------

    def key(self, conversation: Conversation, keys: str, way: str, pause: float = 0.0) -> None:
        if conversation.customer.up:
            conversation.customer.key(keys, way)
            if pause:
                conversation.customer.pause(pause)

    async def keyed(self, conversation: Conversation) -> None:
        """Until the customer has pressed all that he was to, if he can."""
        customer = conversation.customer
        await self.wait_for(
            lambda: not customer.is_keying or conversation.over or not customer.up, "a customer's keys"
        )

    # --- the API ----------------------------------------------------------------------------------

    async def start(
        self, conversation: Conversation, agent: str, transaction: str = "", *, repeat: bool = False
    ) -> Payment | None:
        """A payment, once it collects; None where it was refused, or ended before."""
        order: dict[str, Any] = {
            "transaction_id": transaction or f"m-{next(_NUMBERS)}",
            "amount": 4995,
            "currency": "EUR",
        }
        if repeat and self.world.keeps_payments:
            order["allow_repeat"] = True
        path = f"/v1/calls/{conversation.call_id or 'none'}/capture"
        code, body = await self.world.ask(agent, "POST", path, **order)
        if code != 201:
            self._may_be(code, "start")
            return None
        payment = conversation.taken(str(order["transaction_id"]), agent, body, repeats=repeat)
        self.payments.append(payment)
        followed = self.world.followed[conversation.call_id]

        def begun() -> bool:
            return payment.capture in followed.collecting or is_final(capture_of(self.world, conversation))

        await self.wait_for(
            lambda: begun() or conversation.lost or conversation.over, "a capture to collect or to end"
        )
        payment.collecting_at = followed.collecting.get(payment.capture)
        return payment

    async def ask(self, conversation: Conversation, agent: str, what: str) -> int:
        """submit, cancel, reset, ask, release or take over."""
        known = {
            "submit": ("POST", "capture/submit"), "cancel": ("DELETE", "capture"),
            "reset": ("POST", "capture/reset"), "ask": ("POST", "capture/ask"),
            "release": ("POST", "mask/release"), "take over": ("POST", "capture/take-over"),
        }  # fmt: skip
        method, tail = known[what]
        before = time.monotonic()
        code, _ = await self.world.ask(agent, method, f"/v1/calls/{conversation.call_id or 'none'}/{tail}")
        if code != 200:
            self._may_be(code, what)
        elif what == "submit" and conversation.payments:
            conversation.payments[-1].submitted_at = before
        elif what == "take over" and conversation.payments:
            conversation.payments[-1].agent = agent
        elif what == "release":
            conversation.released(before)
        return code

    def _may_be(self, code: int, what: str) -> None:
        if code not in REFUSALS:
            self.faults.append(f"{what} got {code}")

    async def submit_in_time(self, conversation: Conversation, agent: str) -> None:
        """Submit once the card is complete; nothing where it does not become so while the customer
        keys."""
        customer = conversation.customer

        def stage() -> str:
            return str(capture_of(self.world, conversation).get("stage"))

        def keyed() -> bool:
            return stage() != "collecting" or not customer.is_keying or conversation.over

        with contextlib.suppress(AssertionError):
            await until(keyed, "", PATIENCE)
            await until(lambda: stage() != "collecting", "", 0.5)
        if stage() == "ready":
            await self.ask(conversation, agent, "submit")

    async def pay(
        self, conversation: Conversation, card: Card, way: str, transaction: str = "", *, repeat: bool = False
    ) -> None:
        """All of a payment, undisturbed: it must go as it should, whatever was before."""
        customer = conversation.customer
        if not conversation.up or conversation.lost or customer.is_quiet or customer.is_keying:
            return
        payment = await self.start(conversation, "test", transaction, repeat=repeat)
        if payment is None or payment.collecting_at is None or conversation.lost:
            return
        payment.card = card
        customer.key(card.keys, way)

        def stage() -> str:
            return str(capture_of(self.world, conversation).get("stage"))

        await self.wait_for(lambda: stage() in ("ready", "aborted"), "a card to be complete", PATIENCE)
        if stage() != "ready":
            reason = capture_of(self.world, conversation).get("reason")
            self.faults.append(f"a card that was keyed well was not taken: {stage()}, {reason}")
            return
        if await self.ask(conversation, "test", "submit") != 200:
            self.faults.append("a card that was complete could not be submitted")
            return
        await self.wait_for(lambda: stage() == "finished", "the outcome")
        outcome = (capture_of(self.world, conversation).get("outcome") or {}).get("type", "none")
        if outcome not in card.outcomes:
            self.faults.append(
                f"{payment.transaction}: {outcome}, where it had to be {sorted(card.outcomes)}"
            )
        records = [
            each for each in await self.world.stack.charges() if each["idempotency_key"] == payment.capture
        ]
        self.faults += fits(payment, outcome, sum(each["charges"] for each in records), "the page")
        if records and records[0]["digits_sha256"] != card.digits_sha256:
            self.faults.append(f"{payment.transaction}: other digits were charged than those of the card")

    # --- inside -----------------------------------------------------------------------------------

    async def wait_for(self, condition: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
        try:
            await until(condition, what, patience)
        except AssertionError as error:
            self.faults.append(str(error))


_NUMBERS = itertools.count(1)
