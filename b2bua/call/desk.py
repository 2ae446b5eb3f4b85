"""What agents may ask of calls and payments: the face of the switchboard towards the API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Protocol

from b2bua.call.feature_codes import ClaimDesk
from b2bua.call.follow_up import Kind
from b2bua.call.link import LinkOffer, Recipient
from b2bua.call.order import Order, RequestName, SavedCard, Settlement
from b2bua.call.service_view import Fault, ServiceView
from b2bua.call.tallies import Tallied
from b2bua.call.trunk_view import TrunkView
from b2bua.call.view import CallView, PaymentView
from media.events import FieldName

Keep = Callable[[PaymentView], bool]  # whether a list has this payment; called in any thread


class CallDesk(Tallied, ClaimDesk, Protocol):
    """The calls, as the API sees them. Every method raises NoSuchCall, NotNow or NotWell, and
    nothing else of its own."""

    def calls(self) -> list[CallView]: ...
    async def start_capture(
        self, call_id: str, order: Order, agent: str = "", *, allow_repeat: bool = False
    ) -> CallView:
        """Raises Repeated, too, NotOffered, and NotYours while the mask of another agent's payment
        is on."""
        ...

    # The next five raise NotYours where another agent drives the payment; `submit_capture`
    # Repeated, too.

    async def reset_capture(
        self, call_id: str, field: FieldName | None = None, agent: str = ""
    ) -> CallView: ...
    async def skip_field(self, call_id: str, field: FieldName, agent: str = "") -> CallView: ...
    async def ask_field(self, call_id: str, field: FieldName | None = None, agent: str = "") -> CallView: ...
    async def slow_keys(self, call_id: str, on: bool, agent: str = "") -> CallView:
        """Count two equal keys that come within 400 ms as one, or as two again."""

    async def submit_capture(
        self, call_id: str, agent: str = "", *, allow_repeat: bool = False
    ) -> CallView: ...
    async def cancel_capture(self, call_id: str, agent: str = "") -> CallView: ...
    async def announce_payment(self, call_id: str, agent: str = "") -> CallView:
        """Mask before a payment. Raises NotYours while another agent's mask is on."""
        ...

    async def release_mask(self, call_id: str, agent: str = "") -> CallView: ...
    async def take_over_capture(self, call_id: str, agent: str) -> CallView:
        """From now on this agent drives the payment."""
        ...

    async def payment(self, payment_id: str) -> PaymentView:
        """Raises NoSuchPayment."""
        ...

    async def payments(
        self,
        transaction_id: str | None,
        most: int,
        outcome: str | None = None,
        keep: Keep | None = None,
    ) -> list[PaymentView]:
        """The newest first; where a reference or an outcome is given, those with it; with `keep`,
        those of which it is true."""
        ...

    async def payments_since(self, since: float, after: str | None, most: int) -> list[PaymentView]:
        """Those that began since then (seconds since the epoch), or about which something was done,
        the oldest first; behind the payment `after`, where one is given."""
        ...

    async def reconcile(self, payment_ids: tuple[str, ...]) -> list[PaymentView]:
        """Have the provider asked now about these, where their outcome is unknown, or about all
        such where none is named: those. Raises NoSuchPayment."""
        ...

    async def follow_up(
        self, payment_id: str, kind: Kind, amount: int | None, agent: str, name: RequestName | None = None
    ) -> PaymentView:
        """Capture, void or refund: all that is left, or `amount` of it. The answer is kept under
        `name` before anything is sent. Raises NoSuchPayment and NotOffered, too."""
        ...

    async def settle_payment(self, payment_id: str, said: Settlement, agent: str) -> PaymentView:
        """Note what the agent says of a payment, or of what was done about it, whose outcome nobody
        knows. Raises NoSuchPayment, and NotYours while another agent's mask of it is on."""
        ...

    async def charge_saved(
        self,
        order: Order,
        card: SavedCard,
        agent: str,
        name: RequestName | None = None,
        *,
        allow_repeat: bool = False,
    ) -> PaymentView:
        """Charge a card that the provider saved, without a call. As for `follow_up`; raises
        Repeated, too."""
        ...

    async def open_link(
        self,
        order: Order,
        agent: str,
        name: RequestName | None = None,
        *,
        call_id: str = "",
        provider: str = "",
        to: Recipient | None = None,
        expires_in: float | None = None,
        allow_repeat: bool = False,
    ) -> PaymentView:
        """Open a payment link, for so many seconds, in a call or without. As for `charge_saved`."""

    async def close_link(self, payment_id: str, agent: str) -> PaymentView:
        """Close a payment link; what became of it comes later. Raises NoSuchPayment."""

    def links(self) -> LinkOffer:
        """Whether links can be opened, and for how long."""

    async def recall(self, name: RequestName) -> bytes | None:
        """What was answered to the request of that name. Raises KeyReused where it was another."""
        ...

    async def remember(self, name: RequestName, answer: bytes) -> None:
        """Keep an answer for a day, where none is kept yet."""
        ...

    def follow(self, after: str = "") -> AsyncIterator[CallView | PaymentView | ServiceView]:
        """Every call that is up, then each change as it happens; behind the position `after`, where
        that is remembered. Slow readers are dropped, not waited for.

        What is wrong with the service comes first, where anything is, and again when it changes."""
        ...

    def trunks(self) -> list[TrunkView]:
        """Every trunk, in the order of sip.conf."""
        ...

    def health(self) -> dict[str, int | bool]:
        """For the health check: `{"media": bool, "calls": int, "payers": int}`."""
        ...

    def faults(self) -> tuple[Fault, ...]:
        """What is wrong now, the worst first."""
        ...
