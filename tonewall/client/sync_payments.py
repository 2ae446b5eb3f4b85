"""Methods about payments and payment links, sync.

Rule 1: made from b2bua/api/openapi.json by `make docs`, and not changed by hand."""

from __future__ import annotations

from typing import Literal, Unpack

from tonewall.client.bodies import (
    FollowUpBody,
    LinkBody,
    PreparedBody,
    ReceiptBody,
    ReconcileBody,
    SavedChargeBody,
    SettlementBody,
    SubmitBody,
)
from tonewall.client.call_views import CallView
from tonewall.client.payment_views import PaymentView
from tonewall.client.requests import SyncSender, make_request
from tonewall.client.service_views import LinkOffer, ReceiptView


class SyncPayments(SyncSender):
    """Methods about payments and payment links."""

    def list_payments(
        self,
        *,
        transaction_id: str | None = None,
        limit: int | None = None,
        outcome: Literal["approved", "partially_approved", "declined", "failed", "unknown"] | None = None,
        since: float | None = None,
        after: str | None = None,
        stage: Literal["prepared"] | None = None,
    ) -> list[PaymentView]:
        """List payments, the newest first."""
        answer: list[PaymentView] = self._send(
            make_request(
                "GET",
                "/v1/payments",
                query={
                    "transaction_id": transaction_id,
                    "limit": limit,
                    "outcome": outcome,
                    "since": since,
                    "after": after,
                    "stage": stage,
                },
            )
        )
        return answer

    def create_payment(
        self, body: PreparedBody | SavedChargeBody, *, idempotency_key: str | None = None
    ) -> PaymentView:
        """Prepare a payment, or charge a saved card."""
        answer: PaymentView = self._send(
            make_request("POST", "/v1/payments", body=body, key=idempotency_key, has_key=True)
        )
        return answer

    def reconcile_payments(self, **body: Unpack[ReconcileBody]) -> list[PaymentView]:
        """Ask what became of unknown payments now."""
        answer: list[PaymentView] = self._send(make_request("POST", "/v1/payments/reconcile", body=body))
        return answer

    def get_payment(self, payment_id: str) -> PaymentView:
        """One payment."""
        answer: PaymentView = self._send(make_request("GET", "/v1/payments/{payment_id}", payment_id))
        return answer

    def cancel_prepared_payment(self, payment_id: str) -> PaymentView:
        """Cancel a prepared payment."""
        answer: PaymentView = self._send(make_request("DELETE", "/v1/payments/{payment_id}", payment_id))
        return answer

    def start_prepared_payment(
        self, payment_id: str, *, idempotency_key: str | None = None, **body: Unpack[SubmitBody]
    ) -> CallView:
        """Start a prepared payment in its call."""
        answer: CallView = self._send(
            make_request(
                "POST",
                "/v1/payments/{payment_id}/start",
                payment_id,
                body=body,
                key=idempotency_key,
                has_key=True,
            )
        )
        return answer

    def settle_payment(
        self, payment_id: str, *, idempotency_key: str | None = None, **body: Unpack[SettlementBody]
    ) -> PaymentView:
        """Settle an unknown payment by hand."""
        answer: PaymentView = self._send(
            make_request(
                "POST",
                "/v1/payments/{payment_id}/settlement",
                payment_id,
                body=body,
                key=idempotency_key,
                has_key=True,
            )
        )
        return answer

    def capture_payment(
        self, payment_id: str, *, idempotency_key: str | None = None, **body: Unpack[FollowUpBody]
    ) -> PaymentView:
        """Capture an authorised payment."""
        answer: PaymentView = self._send(
            make_request(
                "POST",
                "/v1/payments/{payment_id}/captures",
                payment_id,
                body=body,
                key=idempotency_key,
                has_key=True,
            )
        )
        return answer

    def void_payment(self, payment_id: str, *, idempotency_key: str | None = None) -> PaymentView:
        """Void a payment."""
        answer: PaymentView = self._send(
            make_request(
                "POST", "/v1/payments/{payment_id}/voids", payment_id, key=idempotency_key, has_key=True
            )
        )
        return answer

    def refund_payment(
        self, payment_id: str, *, idempotency_key: str | None = None, **body: Unpack[FollowUpBody]
    ) -> PaymentView:
        """Refund a payment."""
        answer: PaymentView = self._send(
            make_request(
                "POST",
                "/v1/payments/{payment_id}/refunds",
                payment_id,
                body=body,
                key=idempotency_key,
                has_key=True,
            )
        )
        return answer

    def send_receipt(
        self, payment_id: str, *, idempotency_key: str | None = None, **body: Unpack[ReceiptBody]
    ) -> ReceiptView:
        """Send the receipt of a payment."""
        answer: ReceiptView = self._send(
            make_request(
                "POST",
                "/v1/payments/{payment_id}/receipt",
                payment_id,
                body=body,
                key=idempotency_key,
                has_key=True,
            )
        )
        return answer

    def get_link_offer(self) -> LinkOffer:
        """Whether payment links can be opened."""
        answer: LinkOffer = self._send(make_request("GET", "/v1/links"))
        return answer

    def open_link(self, *, idempotency_key: str | None = None, **body: Unpack[LinkBody]) -> PaymentView:
        """Open a payment link without a call."""
        answer: PaymentView = self._send(
            make_request("POST", "/v1/links", body=body, key=idempotency_key, has_key=True)
        )
        return answer

    def open_link_in_call(
        self, call_id: str, *, idempotency_key: str | None = None, **body: Unpack[LinkBody]
    ) -> PaymentView:
        """Open a payment link in a call."""
        answer: PaymentView = self._send(
            make_request(
                "POST", "/v1/calls/{call_id}/links", call_id, body=body, key=idempotency_key, has_key=True
            )
        )
        return answer

    def close_link(self, payment_id: str, *, idempotency_key: str | None = None) -> PaymentView:
        """Close a payment link."""
        answer: PaymentView = self._send(
            make_request(
                "POST", "/v1/payments/{payment_id}/link/close", payment_id, key=idempotency_key, has_key=True
            )
        )
        return answer

    def get_link_qr(self, payment_id: str) -> str:
        """The QR code of a payment link."""
        answer: str = self._send(make_request("GET", "/v1/payments/{payment_id}/link/qr.svg", payment_id))
        return answer
