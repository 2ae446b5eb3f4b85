"""kill -9 of a process of Tonewall, and what must be so after it: calls go on, masked as they were;
what was keyed ends with a sentence, and a charge under way has its outcome."""

from __future__ import annotations

import time
from dataclasses import dataclass

from tests.model.acts import Acts
from tests.model.conversation import Conversation
from tests.model.oracles import capture_of
from tests.model.world import World

# Seconds after which a call that is set up is certainly kept: b2bua writes it 50 ms after its
# INVITE, where the machine lets it.
_KEPT_AFTER = 1.0
# Calls that four b2buas took up, each of which was killed soon, are dropped.
_DROPPED_AFTER = 3
# Seconds without media after which calls may end: they wait ten.
_MEDIA_AWAY = 8.0
_OPEN = ("starting", "collecting", "ready")


@dataclass(slots=True)
class Killing:
    """Of one process."""

    world: World
    acts: Acts

    async def kill(self, what: str) -> None:
        if what not in ("b2bua", "media"):
            await self.world.kill(what)
            return
        if what == "b2bua":
            for conversation in self.acts.conversations:
                self._may_be_lost(conversation)
        going = [
            conversation
            for conversation in self.acts.conversations
            if conversation.call_id and not conversation.lost and not self._ends(conversation)
        ]
        began = time.monotonic()
        await self.world.kill(what)
        if what == "media" and time.monotonic() - began > _MEDIA_AWAY:
            for conversation in self.acts.conversations:
                self._lose(conversation)
            return
        for conversation in going:
            await self._goes_on(conversation, what)

    def _may_be_lost(self, conversation: Conversation) -> None:
        times = [at for at, what in self.world.killed if what == "b2bua"]
        answered = conversation.customer.up and len(conversation.agents) == 1
        fresh = not answered and time.monotonic() - conversation.invited_at < _KEPT_AFTER
        if fresh or len(times) >= _DROPPED_AFTER:
            self._lose(conversation)

    def _lose(self, conversation: Conversation) -> None:
        conversation.lost = True
        for payment in conversation.payments:
            payment.lost = True

    def _ends(self, conversation: Conversation) -> bool:
        """Whether one end has hung up, or nobody is left to talk to."""
        return conversation.customer.ended or all(agent.ended for agent in conversation.agents)

    async def _goes_on(self, conversation: Conversation, what: str) -> None:
        path = f"/v1/calls/{conversation.call_id}"
        code, view = await self.world.ask("test", "GET", path)
        if self._ends(conversation):  # as its ringing may have, meanwhile
            if conversation.up or conversation.agent is not None:
                self.acts.faults.append(f"{conversation.callee} was ended after a kill of {what}")
            return
        if code != 200:
            self.acts.faults.append(f"{conversation.callee} is not known after a kill of {what}: {code}")
            return
        if not view["masked"] and conversation.must_be_masked(time.monotonic()):
            self.acts.faults.append(f"{conversation.callee} lost its mask by a kill of {what}")
        self.world.saw(view)
        await self._decided(conversation, what)
        await self._speaks(conversation, what)

    async def _decided(self, conversation: Conversation, what: str) -> None:
        """What was keyed or charged is over."""

        def stage() -> str:
            return str(capture_of(self.world, conversation).get("stage"))

        await self.acts.wait_for(
            lambda: stage() not in (*_OPEN, "charging") or conversation.over,
            f"an end of the payment of {conversation.callee} after a kill of {what}",
        )
        capture = capture_of(self.world, conversation)
        if stage() == "aborted" and not capture["reason"]:
            self.acts.faults.append(f"{conversation.callee}: a payment ended without a sentence")
        if stage() == "finished" and not capture["outcome"]:
            self.acts.faults.append(f"{conversation.callee}: a charge has no outcome")

    async def _speaks(self, conversation: Conversation, what: str) -> None:
        """The customer's packets come to the agent."""
        agent, customer = conversation.agent, conversation.customer
        if agent is None or not customer.up or customer.is_quiet or agent.own.direction != "sendrecv":
            return
        before = agent.packets
        await self.acts.wait_for(
            lambda: agent.packets > before or self._ends(conversation),
            f"audio at {agent.name} after a kill of {what}",
        )
