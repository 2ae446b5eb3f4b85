"""A switchboard whose calls end in a form, with engine and media played by the test."""

from __future__ import annotations

from typing import Any

from b2bua.call import leg, leg_command
from b2bua.call.leg import LegId
from b2bua.call.routing.form_end import FormRule, NextPlace, Owed
from b2bua.call.routing.router import Pattern, Rule
from media.events import (
    CaptureForm,
    CaptureState,
    CaptureWished,
    Side,
    StartCapture,
    Wish,
)
from provider_adapters.payment import Approved, Outcome
from tests.call_script import THEIRS
from tests.stack import until
from tests.unit.b2bua.switchboard.exchange import Exchange

APPROVED = Approved(reference="ch_1")
OWED = Owed(4995, "EUR")
ENDS = FormRule("card", NextPlace("pbx", "700"), NextPlace("pbx", "600"), NextPlace("pbx", "800"), owed=OWED)
NEAR = LegId("near-0")


class FormExchange(Exchange):
    """A switchboard whose calls of 500 end in a form; `call_id` is the one call's."""

    def __init__(self, ends: FormRule = ENDS, recorder: Any = None) -> None:
        rules = [Rule("pay", callee=Pattern.read("500"), ends=ends)]
        super().__init__(rules=rules, recorder=recorder)
        self.board._context.forms = {"card": CaptureForm()}
        self.call_id = ""

    def begins(self) -> None:
        """The customer calls; nothing has been awaited yet."""
        self.invite()
        self.board.on_leg_event(NEAR, leg.LegConfirmed())
        self.call_id = self.board.calls()[-1].id

    @property
    def step(self) -> str:
        entry = self.board._context.registry.get(self.call_id)
        return "" if entry is None else entry.call.unattended.step.value

    @property
    def why(self) -> str | None:
        [call] = [each for each in self.board.calls() if each.id == self.call_id]
        return call.unattended and call.unattended.why

    async def at(self, step: str) -> None:
        await until(lambda: self.step == step, f"the step {step}, not {self.step}", 5)

    def sent(self, kind: type) -> list:
        return [command for command in self.wire.commands if isinstance(command, kind)]

    def invited(self) -> list[str]:
        """The numbers that were called, one after another."""
        return [each.callee.user for _, each in self.wire.sent if isinstance(each, leg_command.InviteLeg)]

    def wish(self, wish: Wish) -> None:
        capture = self.sent(StartCapture)[-1].capture
        self.board.on_media_news(CaptureWished(session=self.call_id, capture=capture, wish=wish))

    async def keying(self) -> None:
        self.begins()
        await until(lambda: self.sent(StartCapture), "a capture", 5)
        self.tell(self.call_id, CaptureState.COLLECTING)
        assert self.step == "keying"

    async def confirming(self) -> None:
        await self.keying()
        self.tell(self.call_id, CaptureState.READY)
        assert self.step == "confirming"

    async def submitting(self) -> None:
        await self.confirming()
        self.passed += 2
        self.wish(Wish.CONFIRM)
        assert self.step == "submitting"

    async def charging(self) -> None:
        await self.submitting()
        await self.at("charging")

    async def settled(self, outcome: Outcome) -> None:
        await self.charging()
        self.tell(self.call_id, CaptureState.FINISHED, outcome=outcome)

    async def going_on(self) -> None:
        await self.settled(APPROVED)
        assert self.step == "going on"

    async def done(self) -> None:
        await self.going_on()
        self.next_answers()
        assert self.step == "done"

    def next_leg(self) -> LegId:
        return LegId([name for name, each in self.wire.sent if isinstance(each, leg_command.InviteLeg)][-1])

    def next_answers(self) -> None:
        self.board.on_leg_event(self.next_leg(), leg.LegAnswered(THEIRS[Side.AGENT]))

    def next_refuses(self, code: int = 486) -> None:
        self.board.on_leg_event(self.next_leg(), leg.LegFailed(code, "Busy Here"))
