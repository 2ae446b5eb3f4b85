"""GOV.UK Pay's webhooks: `Pay-Signature`, an HMAC-SHA256 in hexadecimal digits over the body.

Source: GOV.UK Pay's public texts on webhooks, and the published source of what sends them. A
message names the payment by GOV.UK Pay's own id, which the journal has since before the card left.
The signature has no time in it: what is played again is known by its id, and is a hint to look at
most.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from provider_adapters.notice import Claim, Notice
from provider_adapters.payment import Approved, Declined, Failed
from provider_adapters.text import clean_text
from provider_adapters.webhook.scheme import check_hexadecimal, check_text, event_id, read_json

ANSWER = b"{}"
_APPROVED = frozenset({"card_payment_succeeded", "card_payment_captured", "card_payment_settled"})

check_secret = check_text


class _Message(msgspec.Struct):
    webhook_message_id: str
    resource_id: str
    event_type: str


def read(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> tuple[Notice, ...]:
    """The notices in a request. Raises BadSignature, Unreadable."""
    check_hexadecimal(headers.get("pay-signature", ""), secret.encode(), body)
    message = read_json(body, _Message)
    # Of a refund it names the payment alone, and not which of its refunds.
    if not message.event_type.startswith("card_payment_") or message.event_type.endswith("_refunded"):
        return ()
    return (
        Notice(
            event=event_id(message.webhook_message_id),
            reference=message.resource_id,
            claim=_claim(message),
            at=now,
        ),
    )


def _claim(message: _Message) -> Claim | None:
    reference = clean_text(message.resource_id)
    if message.event_type in _APPROVED:
        return Approved(reference=reference)
    match message.event_type:
        case "card_payment_failed":
            return Declined(reason="declined", reference=reference)
        case "card_payment_expired":
            return Failed(reason="cancelled", code="expired")
        case _:
            return None
