"""Methods about calls, and of the payment in one, sync.

Rule 1: made from b2bua/api/openapi.json by `make docs`, and not changed by hand."""

from __future__ import annotations

from typing import Unpack

from tonewall.client.bodies import AskBody, CaptureBody, ClaimBody, ResetBody, SkipBody, SlowBody, SubmitBody
from tonewall.client.call_views import CallView
from tonewall.client.requests import SyncSender, make_request
from tonewall.client.service_views import ClaimView


class SyncCalls(SyncSender):
    """Methods about calls, and of the payment in one."""

    def list_calls(
        self,
        *,
        mine: bool | None = None,
        call_id: str | None = None,
        caller: str | None = None,
        callee: str | None = None,
        extension: str | None = None,
        reference: str | None = None,
    ) -> list[CallView]:
        """List the calls."""
        answer: list[CallView] = self._send(
            make_request(
                "GET",
                "/v1/calls",
                query={
                    "mine": mine,
                    "call_id": call_id,
                    "caller": caller,
                    "callee": callee,
                    "extension": extension,
                    "reference": reference,
                },
            )
        )
        return answer

    def get_call(self, call_id: str) -> CallView:
        """One call."""
        answer: CallView = self._send(make_request("GET", "/v1/calls/{call_id}", call_id))
        return answer

    def open_claim(self, **body: Unpack[ClaimBody]) -> ClaimView:
        """Ask for a short code that an agent keys on the telephone."""
        answer: ClaimView = self._send(make_request("POST", "/v1/claims", body=body))
        return answer

    def get_claim(self, claim_id: str) -> ClaimView:
        """A claim of one's own."""
        answer: ClaimView = self._send(make_request("GET", "/v1/claims/{claim_id}", claim_id))
        return answer

    def close_claim(self, claim_id: str) -> None:
        """Give a short code up."""
        self._send(make_request("DELETE", "/v1/claims/{claim_id}", claim_id))

    def start_payment(
        self, call_id: str, *, idempotency_key: str | None = None, **body: Unpack[CaptureBody]
    ) -> CallView:
        """Start a payment."""
        answer: CallView = self._send(
            make_request(
                "POST", "/v1/calls/{call_id}/capture", call_id, body=body, key=idempotency_key, has_key=True
            )
        )
        return answer

    def cancel_payment(self, call_id: str) -> CallView:
        """Cancel the payment."""
        answer: CallView = self._send(make_request("DELETE", "/v1/calls/{call_id}/capture", call_id))
        return answer

    def reset_fields(self, call_id: str, **body: Unpack[ResetBody]) -> CallView:
        """Wipe a field and those after it."""
        answer: CallView = self._send(
            make_request("POST", "/v1/calls/{call_id}/capture/reset", call_id, body=body)
        )
        return answer

    def ask_field(self, call_id: str, **body: Unpack[AskBody]) -> CallView:
        """Ask for one field, alone."""
        answer: CallView = self._send(
            make_request("POST", "/v1/calls/{call_id}/capture/ask", call_id, body=body)
        )
        return answer

    def skip_field(self, call_id: str, **body: Unpack[SkipBody]) -> CallView:
        """Go on without a field."""
        answer: CallView = self._send(
            make_request("POST", "/v1/calls/{call_id}/capture/skip", call_id, body=body)
        )
        return answer

    def slow_keys(self, call_id: str, **body: Unpack[SlowBody]) -> CallView:
        """Join keys that come twice."""
        answer: CallView = self._send(
            make_request("POST", "/v1/calls/{call_id}/capture/slow", call_id, body=body)
        )
        return answer

    def submit_card(self, call_id: str, **body: Unpack[SubmitBody]) -> CallView:
        """Charge the card."""
        answer: CallView = self._send(
            make_request("POST", "/v1/calls/{call_id}/capture/submit", call_id, body=body)
        )
        return answer

    def take_over_payment(self, call_id: str) -> CallView:
        """Take a payment over from another agent."""
        answer: CallView = self._send(make_request("POST", "/v1/calls/{call_id}/capture/take-over", call_id))
        return answer

    def announce_payment(self, call_id: str) -> CallView:
        """Mask the call before a payment."""
        answer: CallView = self._send(make_request("POST", "/v1/calls/{call_id}/mask", call_id))
        return answer

    def withdraw_payment(self, call_id: str) -> CallView:
        """Say that no payment is to come."""
        answer: CallView = self._send(make_request("DELETE", "/v1/calls/{call_id}/mask", call_id))
        return answer

    def release_mask(self, call_id: str) -> CallView:
        """Say that the customer's keying is over."""
        answer: CallView = self._send(make_request("POST", "/v1/calls/{call_id}/mask/release", call_id))
        return answer
