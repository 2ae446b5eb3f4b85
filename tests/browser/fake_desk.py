"""The other side of the protocol `CallDesk`, in memory: calls that a test plays by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from b2bua.call.desk import Keep
from b2bua.call.feature_codes import ClaimView
from b2bua.call.follow_up import FollowUpView, Kind
from b2bua.call.form_result import order_for_form
from b2bua.call.link import LinkOffer, LinkState, LinkView, Recipient
from b2bua.call.order import Order, RequestName, SavedCard, Settlement
from b2bua.call.prepared import CallFacts, FindBy, PreparedState, PreparedView, Start
from b2bua.call.prepared_desk import CallQuery
from b2bua.call.service_view import Fault, ServiceView
from b2bua.call.settlement import find_settled, outcome_for
from b2bua.call.tallies import Tallies
from b2bua.call.trunk_view import TrunkView
from b2bua.call.view import (
    CallState,
    CallView,
    CaptureStage,
    CaptureView,
    KeyReused,
    MaskStage,
    NoSuchCall,
    NoSuchPayment,
    NotNow,
    NotWell,
    NotYours,
    PaymentView,
    Repeated,
)
from b2bua.switchboard.claims import Claims
from b2bua.switchboard.view_feed import Feed, Follower
from media.events import CaptureForm, Field, FieldProgress
from provider_adapters.payment import (
    Approved,
    FollowUpOutcome,
    Operation,
    Outcome,
    PartiallyApproved,
    Unknown,
    outcome_type,
)

FIELDS = (Field.CARD_NUMBER, Field.EXPIRY, Field.SECURITY_CODE)
EMPTY = tuple(FieldProgress(field=field) for field in FIELDS)
FINAL = (CaptureStage.FINISHED, CaptureStage.CANCELLED, CaptureStage.ABORTED)


def capture_of(view: CallView) -> CaptureView:
    assert view.capture is not None
    return view.capture


def payment_of(view: CallView, capture: CaptureView) -> PaymentView:
    """A capture as a payment."""
    names = ("id", "stage", "order", "started_by", "agent", "brand", "last_four", "outcome", "reason")
    values = {name: getattr(capture, name) for name in names}
    final = view.started_at if capture.stage in FINAL else None
    return PaymentView(call=view.id, started_at=view.started_at, settled_at=final, **values)


def is_charged(payment: PaymentView) -> bool:
    charged = isinstance(payment.outcome, Approved | PartiallyApproved | Unknown)
    return charged or payment.stage in (CaptureStage.CHARGING, CaptureStage.LINKED)


class FakeDesk:
    """Calls by id. `asked` is what was asked for, in order."""

    def __init__(self, *, backlog: int = 256) -> None:
        self.forms: dict[str, CaptureForm] = {}  # other than the usual one
        self.feed = Feed(backlog=backlog)
        self.asked: list[tuple[Any, ...]] = []
        self.kept: dict[Field, int] = {}
        self.media = True
        self.counted = Tallies()
        self.wrong: tuple[Fault, ...] = ()
        self.refuses: Exception | None = None  # what the next start is refused with
        self._captures = 0
        self.paid: dict[str, PaymentView] = {}
        self.offers: tuple[Operation, ...] | None = None  # what the provider can do; None: not known
        self.keys: dict[tuple[str, str], tuple[bytes, bytes]] = {}
        self.claims = Claims()
        self.keys_codes = True
        self.opened: list[ClaimView] = []
        self.offers_links = LinkOffer(offered=True, hand_over=True, expires=86_400.0)

    # --- the protocol ---

    def find_calls(self, query: CallQuery) -> list[CallView]:
        return [
            view
            for view in self.calls()
            if query.fits(CallFacts(call=view.id, callers=(view.caller,), agent=view.agent))
        ]

    def find_call(self, name: str) -> CallView:
        for view in self.calls():
            if view.id == name:
                return view
        raise NoSuchCall

    async def prepare_payment(
        self, order: Order, find_by: FindBy, agent: str, name: RequestName | None = None, *,
        start: Start = "press", expires_in: float = 3600.0, allow_repeat: bool = False,
    ) -> PaymentView:  # fmt: skip
        if self.refuses is not None:
            raise self.refuses
        self.asked.append(("prepare", order, find_by, agent, start, expires_in))
        prepared = PreparedView(find_by=find_by, start=start, expires_at="2026-12-01T11:00:00+00:00")
        payment = PaymentView(
            id=f"prepared-{len(self.asked)}", stage=CaptureStage.PREPARED, order=order, prepared=prepared,
            started_by=agent, agent=agent, started_at="2026-12-01T10:00:00+00:00",
        )  # fmt: skip
        self.tell(payment)
        return payment

    async def start_prepared(
        self, payment_id: str, agent: str = "", *, allow_repeat: bool = False
    ) -> CallView:
        payment = self.paid.get(payment_id)
        if payment is None or payment.stage is not CaptureStage.PREPARED:
            raise NoSuchPayment
        if not payment.call:
            raise NotNow("No call fits this payment yet.")
        self.asked.append(("start prepared", payment_id, agent))
        view = await self.start_capture(payment.call, payment.order, agent, allow_repeat=allow_repeat)
        assert payment.prepared is not None
        started = msgspec.structs.replace(payment.prepared, state=PreparedState.STARTED)
        self.tell(msgspec.structs.replace(payment, stage=CaptureStage.STARTING, prepared=started))
        return view

    async def cancel_prepared(self, payment_id: str, agent: str) -> PaymentView:
        payment = self.paid.get(payment_id)
        if payment is None:
            raise NoSuchPayment
        if payment.stage is not CaptureStage.PREPARED:
            raise NotNow("This payment is not prepared any more. Cancel it in its call.")
        self.asked.append(("cancel prepared", payment_id, agent))
        at = "2026-12-01T10:01:00+00:00"
        payment = msgspec.structs.replace(payment, stage=CaptureStage.CANCELLED, settled_at=at)
        self.tell(payment)
        return payment

    def prepared_payments(self, most: int) -> list[PaymentView]:
        found = [each for each in self.paid.values() if each.stage is CaptureStage.PREPARED]
        return found[::-1][:most]

    def bind(self, payment: PaymentView, call: str) -> PaymentView:
        """A call fits a prepared payment."""
        assert payment.prepared is not None
        bound = msgspec.structs.replace(payment.prepared, state=PreparedState.BOUND)
        payment = msgspec.structs.replace(payment, call=call, prepared=bound)
        self.tell(payment)
        return payment

    def calls(self) -> list[CallView]:
        return self.feed.calls()

    def follow(self, after: str = "") -> Follower:
        return self.feed.follow(after)

    def trunks(self) -> list[TrunkView]:
        return [TrunkView(name="carrier", kind="carrier", calls=len(self.calls()), refused=0)]

    def health(self) -> dict[str, int | bool]:
        return {"media": self.media, "calls": len(self.calls()), "payers": 1}

    def tallies(self) -> Tallies:
        return self.counted

    def faults(self) -> tuple[Fault, ...]:
        return self.wrong

    def fail(self, *faults: Fault) -> None:
        """These are wrong from now on."""
        self.wrong = faults
        self.feed.publish_service(ServiceView(faults=faults))

    def offers_claims(self) -> bool:
        return self.keys_codes

    def open_claim(self, agent: str, order: Order | None = None, *, allow_repeat: bool = False) -> ClaimView:
        self.opened.append(self.claims.open(agent, order, 0.0, allow_repeat=allow_repeat))
        return self.opened[-1]

    def find_claim(self, claim_id: str, agent: str) -> ClaimView | None:
        return self.claims.find(claim_id, agent, 0.0)

    def close_claim(self, claim_id: str, agent: str) -> None:
        self.claims.close(claim_id, agent)

    async def start_capture(
        self, call_id: str, order: Order, agent: str = "", *, allow_repeat: bool = False
    ) -> CallView:
        if self.refuses is not None:
            raise self.refuses
        order = order_for_form(order, self.forms.get(order.form, CaptureForm()))
        charged = tuple(each for each in await self.payments(order.transaction_id, 9) if is_charged(each))
        if charged and not allow_repeat:
            raise Repeated(charged)
        for fault in self.wrong:
            if fault.stops is not None:
                raise NotWell(fault.says)
        view = self.find(call_id)
        if view.capture is not None and view.capture.stage not in FINAL:
            raise NotNow("A payment is under way in this call already.")
        self.check_mask(view, agent)
        self.asked.append(("start", call_id, order))
        self._captures += 1
        capture = CaptureView(
            id=f"p-{self._captures}", stage=CaptureStage.STARTING, order=order, started_by=agent, agent=agent
        )
        return self.publish(msgspec.structs.replace(view, capture=capture, announced_by=None))

    async def skip_field(self, call_id: str, field: Field, agent: str = "") -> CallView:
        del agent
        self.asked.append(("skip", call_id, field))
        fields = tuple(
            msgspec.structs.replace(each, complete=True, skipped=True) if each.field == field else each
            for each in capture_of(self.find(call_id)).fields
        )
        ready = all(each.complete for each in fields)
        stage = CaptureStage.READY if ready else CaptureStage.COLLECTING
        return self.change(call_id, stage=stage, field=None, fields=fields)

    async def ask_field(self, call_id: str, field: Field | None = None, agent: str = "") -> CallView:
        del agent
        self.asked.append(("ask", call_id, field))
        capture = capture_of(self.find(call_id))
        if field is None:
            fields = tuple(
                msgspec.structs.replace(each, complete=True, kept=False, count=self.kept.pop(each.field))
                if each.kept
                else each
                for each in capture.fields
            )
            return self.change(call_id, stage=CaptureStage.READY, field=None, fields=fields)
        for each in capture.fields:
            if each.field == field and each.complete:
                self.kept[field] = each.count
        fields = tuple(
            msgspec.structs.replace(each, complete=False, kept=each.complete, count=0)
            if each.field == field
            else each
            for each in capture.fields
        )
        return self.change(call_id, stage=CaptureStage.COLLECTING, field=field, fields=fields)

    async def reset_capture(self, call_id: str, field: Field | None = None, agent: str = "") -> CallView:
        view = self.under_way(call_id, agent)
        self.asked.append(("reset", call_id, field))
        kept = FIELDS.index(field) if field else 0
        fields = capture_of(view).fields[:kept] + EMPTY[kept:]
        if not kept:
            self.change(call_id, brand=None, last_four=None)
        return self.change(call_id, stage=CaptureStage.COLLECTING, field=FIELDS[kept], fields=fields)

    async def submit_capture(self, call_id: str, agent: str = "", *, allow_repeat: bool = False) -> CallView:
        view = self.under_way(call_id, agent)
        if capture_of(view).stage is not CaptureStage.READY:
            raise NotNow("Not every field is complete.")
        self.asked.append(("submit", call_id))
        return self.change(call_id, stage=CaptureStage.CHARGING)

    async def take_over_capture(self, call_id: str, agent: str) -> CallView:
        view = self.find(call_id)
        if view.announced_by is not None:
            self.asked.append(("take over", call_id, agent))
            return self.publish(msgspec.structs.replace(view, announced_by=agent))
        capture = capture_of(view if view.masked else self.under_way(call_id))
        self.asked.append(("take over", call_id, agent))
        return self.change(call_id, agent=agent, taken_over_by=(*capture.taken_over_by, agent))

    async def payment(self, payment_id: str) -> PaymentView:
        if payment_id not in self.paid:
            raise NoSuchPayment
        return self.paid[payment_id]

    async def payments(
        self,
        transaction_id: str | None,
        most: int,
        outcome: str | None = None,
        keep: Keep | None = None,
    ) -> list[PaymentView]:
        found = [each for each in self.paid.values() if transaction_id in (None, each.order.transaction_id)]
        if outcome is not None:
            found = [each for each in found if each.outcome and outcome_type(each.outcome) == outcome]
        return [*filter(keep, found[::-1])][:most]

    async def payments_since(self, since: float, after: str | None, most: int) -> list[PaymentView]:
        found = [*self.paid.values()]
        place = 1 + [each.id for each in found].index(after) if after is not None else 0
        return found[place : place + most]

    async def reconcile(self, payment_ids: tuple[str, ...]) -> list[PaymentView]:
        if self.refuses is not None:
            raise self.refuses
        self.asked.append(("reconcile", payment_ids))
        named = [await self.payment(each) for each in payment_ids]
        return named or [each for each in self.paid.values() if isinstance(each.outcome, Unknown)]

    async def follow_up(
        self, payment_id: str, kind: Kind, amount: int | None, agent: str, name: RequestName | None = None
    ) -> PaymentView:
        if self.refuses is not None:
            raise self.refuses
        payment = await self.payment(payment_id)
        wanted = payment.balance.left(kind) if amount is None else amount
        if refusal := payment.balance.refusal(kind, wanted):
            raise NotNow(refusal)
        self.asked.append((kind, payment_id, amount, agent))
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        begun = FollowUpView(key=f"f-{len(self.asked)}", kind=kind, amount=wanted, at=now, by=agent)
        return self.tell(msgspec.structs.replace(payment, follow_ups=(*payment.follow_ups, begun)))

    async def settle_payment(self, payment_id: str, said: Settlement, agent: str) -> PaymentView:
        if self.refuses is not None:
            raise self.refuses
        payment = await self.payment(payment_id)
        assert find_settled(payment, said) is None
        outcome = outcome_for(payment, said)
        self.asked.append(("settle", payment_id, said, agent))
        return self.tell(
            msgspec.structs.replace(
                payment, outcome=outcome, decided_at=payment.started_at, decided_by="person", settled_by=agent
            )
        )

    async def charge_saved(
        self,
        order: Order,
        card: SavedCard,
        agent: str,
        name: RequestName | None = None,
        *,
        allow_repeat: bool = False,
    ) -> PaymentView:
        if self.refuses is not None:
            raise self.refuses
        charged = tuple(each for each in await self.payments(order.transaction_id, 9) if is_charged(each))
        if charged and not allow_repeat:
            raise Repeated(charged)
        if card.saved_from:
            await self.payment(card.saved_from)
        self.asked.append(("saved", order, card, agent))
        payment_id, now = f"s-{len(self.asked)}", datetime.now(UTC).isoformat(timespec="milliseconds")
        return self.tell(
            PaymentView(
                id=payment_id, stage=CaptureStage.CHARGING, order=order, started_by=agent, agent=agent,
                started_at=now, submitted_at=now, saved_from=card.saved_from or None,
            )
        )  # fmt: skip

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
        if self.refuses is not None:
            raise self.refuses
        charged = tuple(each for each in await self.payments(order.transaction_id, 9) if is_charged(each))
        if charged and not allow_repeat:
            raise Repeated(charged)
        if call_id and (capture := self.find(call_id).capture) is not None and capture.stage not in FINAL:
            raise NotNow("A card payment is under way in this call. Cancel it first.")
        self.asked.append(("link", call_id, order, to, expires_in, provider, agent))
        now = datetime.now(UTC)
        until = now + timedelta(seconds=expires_in or self.offers_links.expires)
        at = now.isoformat(timespec="milliseconds")
        return self.tell(
            PaymentView(
                id=f"l-{len(self.asked)}", call=call_id, stage=CaptureStage.LINKED, order=order,
                started_by=agent, agent=agent, started_at=at, submitted_at=at,
                link=LinkView(expires_at=until.isoformat(timespec="milliseconds")),
            )
        )  # fmt: skip

    async def close_link(self, payment_id: str, agent: str) -> PaymentView:
        if self.refuses is not None:
            raise self.refuses
        payment = await self.payment(payment_id)
        if payment.link is None or payment.link.is_over:
            raise NotNow("This payment link is over: look at what became of it.")
        self.asked.append(("close link", payment_id, agent))
        return self.link(payment_id, state=LinkState.CLOSING)

    def links(self) -> LinkOffer:
        return self.offers_links

    def link(self, payment_id: str, outcome: Outcome | None = None, **changes: Any) -> PaymentView:
        """The link of a payment has changed; with an outcome, it is over."""
        payment = self.paid[payment_id]
        assert payment.link is not None
        payment = msgspec.structs.replace(payment, link=msgspec.structs.replace(payment.link, **changes))
        if outcome is not None:
            payment = msgspec.structs.replace(
                payment, stage=CaptureStage.FINISHED, outcome=outcome, settled_at=payment.started_at
            )
        return self.tell(payment)

    def decide(self, payment_id: str, outcome: FollowUpOutcome) -> PaymentView:
        """What became of the newest that was done about a payment."""
        payment = self.paid[payment_id]
        *before, newest = payment.follow_ups
        newest = msgspec.structs.replace(newest, outcome=outcome)
        return self.tell(msgspec.structs.replace(payment, follow_ups=(*before, newest)))

    async def recall(self, name: RequestName) -> bytes | None:
        before, answer = self.keys.get((name.agent, name.key), (name.digest, None))
        if before != name.digest:
            raise KeyReused
        return answer

    async def remember(self, name: RequestName, answer: bytes) -> None:
        self.keys[name.agent, name.key] = (name.digest, answer)

    async def slow_keys(self, call_id: str, on: bool, agent: str = "") -> CallView:
        self.under_way(call_id, agent)
        self.asked.append(("slow", call_id, on))
        return self.change(call_id, slow=on)

    async def cancel_capture(self, call_id: str, agent: str = "") -> CallView:
        view = self.under_way(call_id, agent)
        self.asked.append(("cancel", call_id))
        capture = msgspec.structs.replace(
            capture_of(view), stage=CaptureStage.CANCELLED, field=None, fields=()
        )
        return self.publish(msgspec.structs.replace(view, masked=True, mask=MaskStage.HELD, capture=capture))

    async def announce_payment(self, call_id: str, agent: str = "") -> CallView:
        if self.refuses is not None:
            raise self.refuses
        view = self.find(call_id)
        self.check_mask(view, agent)
        self.asked.append(("announce", call_id))
        masked = msgspec.structs.replace(view, masked=True, mask=MaskStage.ON, announced_by=agent)
        return self.publish(masked)

    async def release_mask(self, call_id: str, agent: str = "") -> CallView:
        view = self.find(call_id)
        self.check_mask(view, agent)
        if view.still_keying:
            raise NotNow("The customer is still keying; nothing reaches you.")
        self.asked.append(("release", call_id))
        return self.publish(msgspec.structs.replace(view, mask=MaskStage.RELEASING))

    # --- what a test plays ---

    def find(self, call_id: str) -> CallView:
        for view in self.calls():
            if view.id == call_id:
                return view
        raise NoSuchCall

    def under_way(self, call_id: str, agent: str | None = None) -> CallView:
        view = self.find(call_id)
        if view.capture is None or view.capture.stage in FINAL:
            raise NotNow("There is no payment under way in this call.")
        if agent is not None and view.capture.agent != agent:
            raise NotYours(view.capture.agent)
        return view

    def check_mask(self, view: CallView, agent: str) -> None:
        """Raises NotYours while the mask of another agent's payment is on."""
        if view.announced_by:
            if view.announced_by != agent:
                raise NotYours(view.announced_by)
            return
        if view.masked and view.capture is not None and view.capture.agent != agent:
            raise NotYours(view.capture.agent)

    def publish(self, view: CallView) -> CallView:
        self.feed.publish(view)
        if view.capture is not None:
            self.note(payment_of(view, view.capture))
        return view

    def tell(self, payment: PaymentView) -> PaymentView:
        """A payment has changed."""
        self.paid[payment.id] = payment
        self.feed.publish_payment(payment)
        return payment

    def note(self, payment: PaymentView) -> PaymentView:
        """A payment stands so."""
        before = self.paid.get(payment.id)
        if before is not None:
            payment = msgspec.structs.replace(payment, follow_ups=before.follow_ups)
        payment = msgspec.structs.replace(payment, offers=self.offers)
        self.paid[payment.id] = payment
        if before is None or before.stage is not payment.stage:
            self.feed.publish_payment(payment)
        return payment

    def ring(self, call_id: str = "c-1", caller: str = "+49 30 1234567", **changes: Any) -> CallView:
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        view = CallView(
            id=call_id, state=CallState.RINGING, direction="inbound", caller=caller, callee="+49 89 765432",
            started_at=now, masked=False,
        )  # fmt: skip
        return self.publish(msgspec.structs.replace(view, **changes))

    def up(self, call_id: str = "c-1", **changes: Any) -> CallView:
        return self.ring(call_id, state=CallState.UP, **changes)

    def change_owner(self, call_id: str, agent: str) -> CallView:
        """The call is this agent's from now on."""
        return self.publish(msgspec.structs.replace(self.find(call_id), agent=agent))

    def change(self, call_id: str, *, masked: bool | None = None, **changes: Any) -> CallView:
        """Change the capture of a call."""
        view = self.find(call_id)
        capture = msgspec.structs.replace(capture_of(view), **changes)
        return self.publish(
            msgspec.structs.replace(view, capture=capture, masked=view.masked if masked is None else masked)
        )

    def mask(self, stage: MaskStage, call_id: str = "c-1", *, still_keying: bool = False) -> CallView:
        """The mask as media has it now."""
        view, masked = self.find(call_id), stage is not MaskStage.OFF
        return self.publish(
            msgspec.structs.replace(view, mask=stage, masked=masked, still_keying=still_keying)
        )

    def confirm_mask(self, call_id: str = "c-1", **changes: Any) -> CallView:
        """Media has confirmed the mask of an announced payment."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return self.publish(msgspec.structs.replace(self.find(call_id), masked_since=now, **changes))

    def masked(self, call_id: str = "c-1") -> CallView:
        """The mask was confirmed: the customer may key."""
        return self.change(call_id, masked=True, stage=CaptureStage.COLLECTING, field=FIELDS[0], fields=EMPTY)

    def keyed(self, field: Field, count: int, /, *, call_id: str = "c-1", **changes: Any) -> CallView:
        """So many keys of a field were pressed. `complete`, `rejected`, `ignored` and
        `reason_of_field` go to the field, all else to the capture."""
        own = {key: changes.pop(key) for key in ("complete", "rejected", "ignored", "kept") if key in changes}
        own["reason"] = changes.pop("reason_of_field", None)
        fields = tuple(
            msgspec.structs.replace(progress, count=count, **own) if progress.field == field else progress
            for progress in capture_of(self.find(call_id)).fields
        )
        return self.change(call_id, fields=fields, **changes)

    def key_all(
        self, call_id: str = "c-1", *, brand: str = "visa", last_four: str = "1111", count: int = 16
    ) -> CallView:
        """The customer keys a whole card."""
        card, expiry, code = FIELDS
        self.keyed(
            card, count, call_id=call_id, complete=True, brand=brand, last_four=last_four, field=expiry
        )
        self.keyed(expiry, 4, call_id=call_id, complete=True, field=code)
        self.keyed(code, 4 if brand == "amex" else 3, call_id=call_id, complete=True, field=None)
        return self.change(call_id, stage=CaptureStage.READY)

    def finish(self, outcome: Outcome, call_id: str = "c-1") -> CallView:
        return self.change(call_id, masked=False, stage=CaptureStage.FINISHED, outcome=outcome)

    def end(self, call_id: str = "c-1") -> CallView:
        view = self.find(call_id)
        return self.publish(msgspec.structs.replace(view, state=CallState.ENDED, masked=False))


class FakeCustomer:
    """The demo's hook."""

    kinds = ("approved", "declined", "mistyped")

    def __init__(self, desk: FakeDesk) -> None:
        self._desk = desk
        self.keyed: list[tuple[str, str]] = []

    async def key_card(self, call_id: str, kind: str) -> None:
        self._desk.under_way(call_id)
        self.keyed.append((call_id, kind))
        self._desk.key_all(call_id)
