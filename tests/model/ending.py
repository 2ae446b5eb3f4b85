"""The end of an example: everybody hangs up, and nothing is left anywhere; every payment is
known."""

from __future__ import annotations

from dataclasses import dataclass

from tests.model import oracles
from tests.model.acts import Acts
from tests.model.conversation import Conversation
from tests.model.world import PATIENCE, RELEASE, World
from tests.stack import until

_SPARE = 6  # descriptors of b2bua: the clients' kept connections


@dataclass(slots=True)
class Ending:
    """Of one example."""

    world: World
    acts: Acts

    async def end(self) -> None:
        for conversation in self.acts.conversations:
            conversation.customer.stop_keying()
        for conversation in self.acts.conversations:
            await self._opened(conversation)
        for conversation in self.acts.conversations:
            await self._hung_up(conversation)
        await self._nothing_left()
        await self._known()
        self.world.forget()
        self.world.followed.clear()
        self.world.killed.clear()

    async def _opened(self, conversation: Conversation) -> None:
        """Where a call is still up: its mask opens in the end, and then its keys pass again."""
        if not conversation.up or conversation.lost or not conversation.call_id:
            return
        if oracles.capture_of(self.world, conversation).get("stage") in ("starting", "collecting", "ready"):
            await self.acts.ask(conversation, conversation.payments[-1].agent, "cancel")
        followed = self.world.followed.get(conversation.call_id)
        if followed is None:
            return
        await self.acts.wait_for(
            lambda: not followed.masked or conversation.over, "a mask to open", RELEASE + PATIENCE
        )  # fmt: skip
        customer, agent = conversation.customer, conversation.agent
        if agent is None or followed.masked or customer.is_quiet or customer.by_info:
            return
        agreed = agent.theirs is not None and agent.theirs.events is not None and agent.own.events is not None
        if (
            not agreed
            or agent.own.direction != "sendrecv"
            or customer.theirs is None
            or customer.theirs.events is None
        ):
            return
        agent.seen.clear()
        self.acts.key(conversation, "D", "event")
        await self.acts.wait_for(
            lambda: any(seen.key == "D" for seen in agent.seen) or conversation.over,
            "a key to pass an open mask",
            5,
        )

    async def _hung_up(self, conversation: Conversation) -> None:
        conversation.customer.hang_up()
        if conversation.customer.ended and conversation.lost:  # nobody hands it on
            for agent in conversation.agents:
                agent.hang_up()
        elif not conversation.customer.ended:  # a CANCEL may be crossed by the answer

            def over() -> bool:
                if conversation.customer.up:
                    conversation.customer.hang_up()
                return conversation.customer.ended

            await self.acts.wait_for(over, "the end of a call that was given up")
        for agent in conversation.agents:
            if conversation.lost:
                agent.hang_up()
        await self.acts.wait_for(
            lambda: conversation.over, f"both ends of {conversation.callee} to know that it is over"
        )

    async def _nothing_left(self) -> None:
        try:
            await self.world.idle()
        except AssertionError as error:
            self.acts.faults.append(str(error))
            return
        if self.world.killed:
            self.world.baseline = self.world.descriptors()
            return

        def as_before() -> bool:
            now = self.world.descriptors()
            return all(now.get(pid, 0) <= count + _SPARE for pid, count in self.world.baseline.items())

        await self.acts.wait_for(as_before, f"open files to be as before ({self.world.baseline})")

    async def _known(self) -> None:
        """Every payment has a final state, a record and no more money than it says."""
        payments = self.acts.payments
        self.acts.faults += await oracles.charges(self.world, payments)

        async def all_known() -> list[str]:
            return await oracles.recorded(self.world, payments) + await oracles.settled(self.world, payments)

        async def kept() -> bool:
            return not await all_known()

        try:
            await until(kept, "", PATIENCE)
        except AssertionError:
            self.acts.faults += await all_known()
