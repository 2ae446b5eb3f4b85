"""The machine: hypothesis chooses what happens next, in which of three conversations; the oracles
look after each step.

Rule 1: what is drawn depends on what was drawn before and on nothing that time decides, so that a
        seed gives the same steps.
Rule 2: a step that makes no sense now does nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, ClassVar, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.model import oracles
from tests.model.acts import CHANGES, Acts
from tests.model.cards import CARDS, Card
from tests.model.conversation import Conversation
from tests.model.ending import Ending
from tests.model.killing import Killing
from tests.model.world import TOKENS, World

T = TypeVar("T")
SLOTS = st.integers(0, 2)
AGENTS = st.sampled_from(sorted(TOKENS))
WAYS = st.sampled_from(["event", "event", "tone"])
THEN = st.sampled_from([0.0, 0.1, 0.5, 1.0, 1.6])  # seconds until the next step
PAUSES = st.sampled_from([0.0, 0.3, 0.9, 1.1, 2.3])
DISTURBANCES = (
    "cancel", "reset", "transfer", "silence", "customer without events", "agent without events",
    "customer another type", "agent sendonly", "customer inactive",
)  # fmt: skip
_SLOWLY = 10  # packets of silence between two keys: they last longer than it takes to start again
KEYINGS = ("first group", "card", "groups", "slip", "bounce", "wrong digits", "stars", "letters", "stop")


class Fault(AssertionError):
    """What the product did wrong, in this example."""


class Product(RuleBasedStateMachine):
    """One example, in a world that others have used before. `kills`: of six that are drawn, so many
    are done."""

    world: ClassVar[World]
    trace: ClassVar[list[str]]
    verbose: ClassVar[bool] = False
    kills: ClassVar[int] = 1
    fault: ClassVar[str] = ""

    def __init__(self) -> None:
        super().__init__()
        if self.fault:
            raise Fault
        self.acts = Acts(self.world)
        self.slots: list[Conversation | None] = [None, None, None]
        self.began = time.monotonic()
        self.trace.clear()

    # --- calls ------------------------------------------------------------------------------------

    @initialize(info=st.booleans())
    def first_call(self, info: bool) -> None:
        """Most of what can happen needs one."""
        self.dial(0, "answers", info)

    @rule(
        slot=SLOTS,
        how=st.sampled_from(["answers", "answers", "answers", "rings", "declines"]),
        info=st.booleans(),
    )
    def dial(self, slot: int, how: str, info: bool) -> None:
        self._do("dial", slot, how, info)
        before = self.slots[slot]
        if before is None or before.over:
            self.slots[slot] = self._run(self.acts.dial(how, by_info=info and how == "answers"))

    @rule(slot=SLOTS, who=st.sampled_from(["customer", "agent"]), then=THEN)
    def hang_up(self, slot: int, who: str, then: float) -> None:
        self._do("hang_up", slot, who, then)
        self._run(self.acts.hang_up(self._at(slot), who))
        self._run(asyncio.sleep(then))

    @rule(slot=SLOTS, who=st.sampled_from(["customer", "agent"]), what=st.sampled_from(CHANGES))
    def change(self, slot: int, who: str, what: str) -> None:
        self._do("change", slot, who, what)
        self._run(self.acts.change(self._at(slot), who, what))

    @rule(slot=SLOTS, how=st.sampled_from(["answers", "leaves", "declines", "rings"]))
    def transfer(self, slot: int, how: str) -> None:
        self._do("transfer", slot, how)
        self._run(self.acts.transfer(self._at(slot), how))

    # --- keys -------------------------------------------------------------------------------------

    @rule(
        slot=SLOTS,
        card=st.sampled_from(CARDS),
        what=st.sampled_from(KEYINGS),
        way=WAYS,
        pause=PAUSES,
        then=THEN,
    )
    def key(self, slot: int, card: Card, what: str, way: str, pause: float, then: float) -> None:
        self._do("key", slot, card.number[-4:], what, way, pause, then)
        conversation = self._at(slot)
        if what == "stop":
            conversation.customer.stop_keying()
        for keys in _groups(card.keys, what):
            self.acts.key(conversation, keys, way, pause)
        self._run(asyncio.sleep(then))

    @rule(seconds=st.sampled_from([0.0, 0.2, 0.7, 1.0, 1.9, 2.6]))
    def wait(self, seconds: float) -> None:
        self._do("wait", seconds)
        self._run(asyncio.sleep(seconds))

    # --- payments ---------------------------------------------------------------------------------

    @rule(slot=SLOTS, agent=AGENTS, again=st.sampled_from(["", "", "again", "expressly"]))
    def start(self, slot: int, agent: str, again: str) -> None:
        """`again`: the same order as the last, by mistake or expressly."""
        self._do("start", slot, agent, again)
        conversation = self._at(slot)
        transaction = conversation.payments[-1].transaction if again and conversation.payments else ""
        self._run(self.acts.start(conversation, agent, transaction, repeat=again == "expressly"))

    @rule(slot=SLOTS, card=st.sampled_from(CARDS), repeat=st.booleans())
    def pay_again(self, slot: int, card: Card, repeat: bool) -> None:
        """The order that was paid last, once more and to the end."""
        self._do("pay_again", slot, card.number[-4:], repeat)
        conversation = self._at(slot)
        if conversation.payments:
            order = conversation.payments[-1].transaction
            self._run(self.acts.pay(conversation, card, "event", order, repeat=repeat))

    @rule(slot=SLOTS, agent=AGENTS, card=st.sampled_from(CARDS), way=WAYS, then=THEN)
    def start_and_key(self, slot: int, agent: str, card: Card, way: str, then: float) -> None:
        """The beginning of most payments: without it few examples come far."""
        self._do("start_and_key", slot, agent, card.number[-4:], way, then)
        conversation = self._at(slot)
        if conversation.customer.is_keying:
            return
        payment = self._run(self.acts.start(conversation, agent))
        if payment is not None and payment.collecting_at is not None:
            payment.card = card
            self.acts.key(conversation, card.keys, way)
        self._run(asyncio.sleep(then))

    @rule(
        slot=SLOTS,
        agent=AGENTS,
        card=st.sampled_from(CARDS),
        way=WAYS,
        what=st.sampled_from(DISTURBANCES),
        pause=PAUSES,
    )
    def keep_keying(self, slot: int, agent: str, card: Card, way: str, what: str, pause: float) -> None:
        """A card is begun, something happens, and the customer keys on."""
        self._do("keep_keying", slot, agent, card.number[-4:], way, what, pause)
        conversation = self._at(slot)
        if conversation.customer.is_keying:
            return
        self._run(self.acts.start(conversation, agent))
        self.acts.key(conversation, card.keys[:6], way, 0.1)
        self._run(self.acts.keyed(conversation))
        if what in ("cancel", "reset"):
            self._run(self.acts.ask(conversation, agent, what))
        elif what == "transfer":
            self._run(self.acts.transfer(conversation, "answers"))
        elif what == "silence":
            self._run(asyncio.sleep(1.8))
        else:
            who, _, change = what.partition(" ")
            self._run(self.acts.change(conversation, who, change))
        self._run(asyncio.sleep(pause))
        self.acts.key(conversation, card.keys[6:], way)
        self._run(self.acts.keyed(conversation))

    @rule(slot=SLOTS, agent=AGENTS, then=THEN, leaves=st.sampled_from(["", "", "customer", "agent"]))
    def submit_in_time(self, slot: int, agent: str, then: float, leaves: str) -> None:
        """As soon as the card is complete, if it ever is. `leaves`: who hangs up while it is
        charged."""
        self._do("submit_in_time", slot, agent, then, leaves)
        self._run(self.acts.submit_in_time(self._at(slot), agent))
        if leaves:
            self._run(self.acts.hang_up(self._at(slot), leaves))
        self._run(asyncio.sleep(then))

    @rule(
        slot=SLOTS,
        agent=AGENTS,
        what=st.sampled_from(["submit", "submit", "cancel", "reset", "ask", "release", "take over"]),
    )
    def ask(self, slot: int, agent: str, what: str) -> None:
        self._do("ask", slot, agent, what)
        self._run(self.acts.ask(self._at(slot), agent, what))

    @rule(slot=SLOTS, card=st.sampled_from(CARDS), way=WAYS)
    def pay(self, slot: int, card: Card, way: str) -> None:
        self._do("pay", slot, card.number[-4:], way)
        self._run(self.acts.pay(self._at(slot), card, way))

    @rule(what=st.sampled_from(["b2bua", "media", "payer", "decoder"]), really=st.integers(0, 5))
    def kill(self, what: str, really: int) -> None:
        if really >= self.kills:
            return
        self._do("kill", what)
        self._run(Killing(self.world, self.acts).kill(what))

    @rule(
        slot=SLOTS,
        agent=AGENTS,
        card=st.sampled_from(CARDS),
        way=WAYS,
        what=st.sampled_from(["b2bua", "media"]),
        really=st.integers(0, 2),
    )
    def key_through_kill(self, slot: int, agent: str, card: Card, way: str, what: str, really: int) -> None:
        """A card is begun, and the customer keys on whatever dies."""
        if 2 * really >= self.kills:
            return
        self._do("key_through_kill", slot, agent, card.number[-4:], way, what)
        conversation = self._at(slot)
        if conversation.customer.is_keying:
            return
        self._run(self.acts.start(conversation, agent))
        self.acts.key(conversation, card.keys[:4], way)
        self._run(self.acts.keyed(conversation))
        if conversation.customer.up:
            conversation.customer.key(card.keys[4:], way, _SLOWLY)
        self._run(Killing(self.world, self.acts).kill(what))
        self._run(self.acts.keyed(conversation))

    # --- the oracles ------------------------------------------------------------------------------

    @invariant()
    def nothing_is_wrong(self) -> None:
        found = [*self.acts.faults, *self.world.failures]
        for conversation in self.acts.conversations:
            found += oracles.leaks(conversation) + oracles.held(self.world, conversation)
        found += [f"logged: {entry}" for entry in self.world.complaints()]
        self.acts.faults.clear()
        self.world.failures.clear()
        if found:
            self._fail("\n".join(dict.fromkeys(found)))
            raise Fault

    def teardown(self) -> None:
        self._do("end")
        ending = Ending(self.world, self.acts)
        self._run(ending.end())
        self.nothing_is_wrong()

    # --- inside -----------------------------------------------------------------------------------

    def _at(self, slot: int) -> Conversation:
        """The call in that place: a new one, where there is none or the last is over."""
        conversation = self.slots[slot]
        if conversation is None or conversation.over:
            self.slots[slot] = conversation = self._run(self.acts.dial("answers", by_info=False))
        return conversation

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return self.world.run(work)
        except Exception as error:
            self._fail(f"{type(error).__name__}: {error}")
            raise

    def _fail(self, what: str) -> None:
        """Keep what was found first: hypothesis tries a fault again, when it may be gone."""
        type(self).fault = type(self).fault or "\n".join([what, *self.trace])

    def _do(self, *what: object) -> None:
        self.trace.append(f"{time.monotonic() - self.began:7.2f} {' '.join(map(str, what))}")
        if self.verbose:
            print(self.trace[-1], flush=True)


def _groups(keys: str, what: str) -> list[str]:
    """What a customer presses, in groups with pauses between them."""
    match what:
        case "first group":
            return [keys[:4]]
        case "card":
            return [keys]
        case "groups":
            return [keys[:4], keys[4:8], keys[8:12], keys[12:]]
        case "slip":  # two wrong digits, and from the beginning
            return [f"{keys[:5]}99*{keys}"]
        case "bounce":
            return [keys[:7] + keys[6:]]
        case "wrong digits":
            return ["1234567890123456#"]
        case "stars":
            return ["**"]
        case "letters":
            return ["ABCD"]
        case _:
            return []
