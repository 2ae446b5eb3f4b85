"""What agents ask of the payment in a call: whether the call allows it, and what is to be done
then.

Rule 1: a request that does not fit raises NotNow and changes nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

from b2bua.call.agent_phone import Claim
from b2bua.call.bridge import Bridge
from b2bua.call.call_session import CallSession
from b2bua.call.charge_defaults import ChargeDefaults
from b2bua.call.command import CallCommand, ToMedia
from b2bua.call.feature_codes import CodeView
from b2bua.call.mask_note import MaskNotes
from b2bua.call.obstacle import Obstacle, ObstacleCode, obstacle, service_obstacle
from b2bua.call.order import Order
from b2bua.call.payment import Payment
from b2bua.call.report import CallReport
from b2bua.call.state import BridgeState
from b2bua.call.transfer.leg_loan import LegLoan
from b2bua.call.transfer.transfer import Transfer
from b2bua.call.trunk_policy import PreMask
from b2bua.call.unattended import Unattended
from b2bua.call.unattended_view import UNATTENDED, Why
from b2bua.call.view import NotNow, refusal
from media.events import AskField, CaptureForm, FieldName, PlayPrompt, ResetCapture, Side, SkipField
from media.form_description import describe
from provider_adapters.payment import Outcome

_NONE: Final = ChargeDefaults()
_MEDIA_AWAY: Final = "The media process is away; the call goes on with the next one. Try again in a moment."


class CaptureRequests(ABC):
    """The requests for one call, which has the parts below."""

    __slots__ = ()

    id: str
    bridge: Bridge
    payment: Payment
    transfer: Transfer
    loan: LegLoan
    report: CallReport
    unattended: Unattended
    mask_notes: MaskNotes
    session: CallSession

    @abstractmethod
    def _finish(self, commands: list[CallCommand], now: float) -> list[CallCommand]:
        """The commands, and whatever follows from the new state."""

    def start_capture(
        self,
        capture: str,
        order: Order,
        now: float,
        agent: str = "",
        group: ChargeDefaults = _NONE,
        form: CaptureForm | None = None,
    ) -> list[CallCommand]:
        """`group`: what the agent's group says of charges; `form`: the one that the order names.
        Raises NotNow, and NotYours while another agent's mask is on."""
        found = self.obstacle(agent)
        if found is not None:
            raise refusal(found)
        if agent == UNATTENDED and not self.unattended.starts:
            raise NotNow("The customer has asked for a person.")
        policy = self.bridge.trunks.policy(Side.CALLER)
        return self._finish(
            self.payment.start(
                capture,
                order,
                self.bridge.trunks.masking(),
                self.charge_scopes(group),
                form=form,
                keys=policy.keys,
                agent=agent,
            ),
            now,
        )

    def announce_payment(self, agent: str, now: float) -> list[CallCommand]:
        """Mask before a payment, so that keys of a customer who is too quick reach nobody. Raises
        NotNow, and NotYours while another agent's mask is on."""
        found = self._line_obstacle()
        if found is not None:
            raise refusal(found)
        self.payment.check_announceable(agent)
        policy = self.bridge.trunks.policy(Side.CALLER)
        if policy.pre_mask is PreMask.NEVER:
            raise NotNow("Calls of this trunk are masked for payments only (pre_mask = never).")
        masking = self.bridge.trunks.masking()
        return self._finish(self.payment.announce(masking, agent, policy.pre_mask_time, now), now)

    def mask_when_answered(self, now: float) -> list[CallCommand]:
        """Once the call is answered: mask it, where its trunk wants that."""
        if self.payment.answered or self.bridge.state is not BridgeState.UP:
            return []
        self.payment.answered = True
        policy = self.bridge.trunks.policy(Side.CALLER)
        if policy.pre_mask is not PreMask.ANSWER or self.payment.masked:
            return []
        return self.payment.announce(self.bridge.trunks.masking(), "", policy.pre_mask_time, now)

    def obstacle(self, agent: str | None) -> Obstacle | None:
        """Why this agent can begin no capture in this call now; None: nothing is in the way.
        `agent`: None for anybody."""
        return self._line_obstacle() or self.bridge.obstacle() or self.payment.obstacle(agent)

    def shown_obstacle(self) -> Obstacle | None:
        """As the view has it: the same, behind what stops every call."""
        return self._line_obstacle() or self.report.stopped or self.obstacle(None)

    def _line_obstacle(self) -> Obstacle | None:
        if self.bridge.state is BridgeState.ENDED:
            return obstacle(ObstacleCode.ENDED)
        if self.loan.active or self.transfer.borrows:
            return obstacle(ObstacleCode.JOINING)
        if self.session.away:
            return service_obstacle(_MEDIA_AWAY)
        return None if self.bridge.state is BridgeState.UP else obstacle(ObstacleCode.NOT_ANSWERED)

    def service_changed(self, stopped: Obstacle | None, now: float) -> list[CallCommand]:
        """A fault of Tonewall itself stops every capture, or none does any more."""
        if stopped == self.report.stopped:
            return []
        self.report.stopped = stopped
        return self._finish([], now)

    def take_over_capture(self, agent: str, now: float, group: ChargeDefaults = _NONE) -> list[CallCommand]:
        """`group`: as for `start_capture`. Raises NotNow."""
        self.payment.take_over(agent, self.charge_scopes(group))
        return self._finish([], now)

    def reset_capture(self, wanted: FieldName | None, now: float) -> list[CallCommand]:
        """Raises NotNow."""
        self._check_field(wanted)
        return self._finish(self.payment.collect(ResetCapture, wanted), now)

    def ask_field(self, wanted: FieldName | None, now: float) -> list[CallCommand]:
        """Raises NotNow."""
        self._check_field(wanted)
        return self._finish(self.payment.collect(AskField, wanted), now)

    def skip_field(self, wanted: FieldName, now: float) -> list[CallCommand]:
        """Raises NotNow."""
        self._check_field(wanted)
        described = describe(self.payment.form).fields
        if not any(each.optional and each.field == wanted for each in described):
            raise NotNow(f"The {_words(wanted)} is needed in this form.")
        view = self.payment.view
        skipped = {each.field for each in view.fields if each.skipped} if view is not None else set()
        if all(wanted in (each.field, each.confirms) or each.field in skipped for each in described):
            raise NotNow("All other fields are skipped; one of this form is to be keyed.")
        return self._finish(self.payment.collect(SkipField, wanted), now)

    def slow_keys(self, on: bool, now: float) -> list[CallCommand]:
        """Raises NotNow. Slow mode compares keys: where each comes once, the dots of a quick
        customer would say which neighbouring digits are equal."""
        if on and self.payment.keys.by_info:
            raise NotNow("Keys that come as SIP INFO cannot be keyed slowly.")
        if on and not self.payment.keys_come_twice:
            raise NotNow("Keys do not come twice in this call, as far as is known (`keys_doubled`).")
        return self._finish(self.payment.slow_keys(on=on), now)

    def submit_capture(self, now: float) -> list[CallCommand]:
        """Raises NotNow."""
        if self.session.away:
            raise NotNow(_MEDIA_AWAY)
        return self._finish(self.payment.submit(now, self.id), now)

    def cancel_capture(self, now: float) -> list[CallCommand]:
        """Raises NotNow."""
        return self._finish(self.payment.cancel(), now)

    def release_mask(self, now: float, agent: str = "") -> list[CallCommand]:
        """Somebody says that keying is over. Raises NotNow."""
        commands = self.payment.release()
        self.mask_notes.released_by = agent
        return self._finish(commands, now)

    def link_agent(self, claim: Claim, now: float) -> list[CallCommand]:
        """The agent's telephone has keyed the short code of a page."""
        self.report.phone.claim = claim
        return self._finish([], now)

    def code_carried_out(
        self, view: CodeView, now: float, prompt: PlayPrompt | None = None
    ) -> list[CallCommand]:
        """What became of a code that the agent's telephone has keyed. `prompt`: says so to the
        agent."""
        self.report.phone.note_code(view)
        return self._finish([] if prompt is None else [ToMedia(prompt)], now)

    def desk_refused(self, payment: str, now: float, why: Why | None = None) -> list[CallCommand]:
        """What a form without an agent asked for could not be done. `payment`: that was to be
        submitted; "" where none could be started."""
        return self._finish(self.unattended.refused(payment, now, why), now)

    def charge_decided(self, capture: str, outcome: Outcome, now: float) -> list[CallCommand]:
        """The outcome of a payment, which was unknown, was found after its end."""
        self.payment.decide(capture, outcome)
        return self._finish([], now)

    def _check_field(self, wanted: FieldName | None) -> None:
        if wanted not in (None, *(each.field for each in describe(self.payment.form).fields)):
            raise NotNow(f"The form of this payment has no {_words(wanted)}.")

    def charge_scopes(self, group: ChargeDefaults) -> tuple[ChargeDefaults, ...]:
        """What completes an order of this call, the most specific first. `group`: the agent's."""
        agents, customers = (self.bridge.trunks.policy(side) for side in (Side.AGENT, Side.CALLER))
        return group, self.payment.charging, agents.charging, customers.charging


def _words(field: FieldName | None) -> str:
    return str(field).replace("_", " ")
