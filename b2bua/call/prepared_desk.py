"""What agents may ask of calls by what is known of them, and of payments that are prepared: the
part of the vocabulary between calls and API beside `CallDesk`."""

from __future__ import annotations

from typing import Protocol

import msgspec

from b2bua.call.desk import CallDesk
from b2bua.call.order import Order, RequestName
from b2bua.call.plain_number import plain_number
from b2bua.call.prepared import USUAL_EXPIRES, CallFacts, FindBy, Start
from b2bua.call.view import CallView, PaymentView


class CallQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls: all that is given is so. `agent`: whose extension is on the agents' side;
    `call_id`: our id, or a SIP Call-ID; `reference`: in any header; `headers`: by the name of the
    header, in lower case. The rest as in CallFacts."""

    agent: str = ""
    call_id: str = ""
    caller: str = ""
    callee: str = ""
    extension: str = ""
    reference: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    def __bool__(self) -> bool:
        return self != _ALL

    def fits(self, facts: CallFacts) -> bool:
        """Whether this is such a call."""
        values = {value for _, value in facts.references}
        checks = (
            (self.agent, self.agent == facts.agent),
            (self.call_id, self.call_id in (facts.call, *facts.call_ids)),
            (self.caller, _is_among(self.caller, facts.callers)),
            (self.callee, _is_among(self.callee, facts.callees)),
            (self.extension, self.extension in facts.extensions),
            (self.reference, self.reference in values),
            (self.headers, set(self.headers) <= set(facts.references)),
        )
        return all(is_so for wanted, is_so in checks if wanted)


_ALL = CallQuery()


class PreparedDesk(Protocol):
    """Raises as `CallDesk`."""

    def find_calls(self, query: CallQuery) -> list[CallView]:
        """The calls that fit, the oldest first."""
        ...

    def find_call(self, name: str) -> CallView:
        """The call of this name: its id, the SIP Call-ID of one of its legs, or `caller:` and the
        number of who called. Raises NoSuchCall, and NotNow where several fit."""
        ...

    async def prepare_payment(
        self,
        order: Order,
        find_by: FindBy,
        agent: str,
        name: RequestName | None = None,
        *,
        start: Start = "press",
        expires_in: float = USUAL_EXPIRES,
        allow_repeat: bool = False,
    ) -> PaymentView:
        """Prepare a payment before its call is there, for so many seconds. Raises NotOffered,
        Repeated, and TooMany."""
        ...

    async def start_prepared(
        self, payment_id: str, agent: str = "", *, allow_repeat: bool = False
    ) -> CallView:
        """Start it in the call that it is bound to, as `CallDesk.start_capture`. Raises
        NoSuchPayment, too."""
        ...

    async def cancel_prepared(self, payment_id: str, agent: str) -> PaymentView:
        """Prepare it no more. Raises NoSuchPayment, and NotNow where it is not prepared."""
        ...

    def prepared_payments(self, most: int) -> list[PaymentView]:
        """Those that are prepared now, the newest first."""
        ...


class Desk(CallDesk, PreparedDesk, Protocol):
    """All of it."""


def _is_among(number: str, numbers: tuple[str, ...]) -> bool:
    plain = plain_number(number)
    return any(plain_number(each) == plain for each in numbers)
