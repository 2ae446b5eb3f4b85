"""Adyen's standard webhooks: an HMAC-SHA256 in base64 over eight fields of each item.

Source: Adyen's description of its webhooks v1, and its own libraries. What binds here: the
signature covers `SIGNED` alone, so token, reason and date, which stand beside it, are not used. It
has no time in it: what is played again is known by its event. The key is in hexadecimal digits, and
`[accepted]` is the answer.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping

import msgspec

from provider_adapters.codes.adyen import SHIFTS
from provider_adapters.minor_units import from_provider
from provider_adapters.notice import About, Claim, Notice
from provider_adapters.payment import Approved, Declined, Failed
from provider_adapters.text import clean_text
from provider_adapters.webhook.scheme import BadSignature, Unreadable, event_id, read_json, same

ANSWER = b"[accepted]"
SIGNED = (
    "psp_reference", "original_reference", "merchant_account_code", "merchant_reference", "value", "currency",
    "event_code", "success",
)  # fmt: skip
_KEY_OCTETS = 32
_ABOUT: Mapping[str, About] = {
    "AUTHORISATION": "charge", "CAPTURE": "capture", "CAPTURE_FAILED": "capture", "CANCELLATION": "void",
    "REFUND": "refund", "REFUND_FAILED": "refund", "REFUNDED_REVERSED": "refund",
}  # fmt: skip
# Events of something that was confirmed before, and was undone or failed after all.
_UNDONE = frozenset({"CAPTURE_FAILED", "REFUND_FAILED", "REFUNDED_REVERSED"})


class _Amount(msgspec.Struct):
    value: int = 0
    currency: str = ""


class _Additional(msgspec.Struct, rename="camel"):
    hmac_signature: str = ""


class _Item(msgspec.Struct, rename="camel"):
    """NotificationRequestItem, as far as it is signed."""

    psp_reference: str
    merchant_account_code: str
    merchant_reference: str
    event_code: str
    success: str
    amount: _Amount
    original_reference: str | None = None
    additional_data: _Additional = msgspec.field(default_factory=_Additional)


class _Wrapper(msgspec.Struct):
    item: _Item = msgspec.field(name="NotificationRequestItem")


class _Request(msgspec.Struct, rename="camel"):
    notification_items: list[_Wrapper]


def check_secret(secret: str) -> str:
    """What was expected of the secret; empty where it is fit."""
    try:
        fit = len(bytes.fromhex(secret)) == _KEY_OCTETS and secret.isalnum()
    except ValueError:
        fit = False
    return "" if fit else "expected the HMAC key of the webhook, 64 hexadecimal digits"


def read(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> tuple[Notice, ...]:
    """The notices in a request. Its signature is in the body, so a body that cannot be read is not
    signed. Raises BadSignature."""
    try:
        items = [each.item for each in read_json(body, _Request).notification_items]
    except Unreadable:
        raise BadSignature from None
    if not items:
        raise BadSignature
    for item in items:
        _check(item, bytes.fromhex(secret))
    return tuple(notice for item in items if (notice := _notice(item, now)) is not None)


def _fields(item: _Item) -> list[str]:
    values = {"value": str(item.amount.value), "currency": item.amount.currency}
    return [values[name] if name in values else getattr(item, name) or "" for name in SIGNED]


def _check(item: _Item, key: bytes) -> None:
    # Adyen escapes nothing, whatever its older texts say (adyen-php-api-library #165).
    signed = ":".join(_fields(item)).encode("utf-8", "replace")
    right = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    if not same(item.additional_data.hmac_signature, right):
        raise BadSignature


def _notice(item: _Item, now: float) -> Notice | None:
    about = _ABOUT.get(item.event_code)
    # With a colon in a field, one signature fits several items. No field of ours has one.
    if about is None or any(":" in field for field in _fields(item)):
        return None
    amount = from_provider(item.amount.value, item.amount.currency, SHIFTS)
    return Notice(
        event=event_id(item.psp_reference, item.event_code, item.success),
        about=about,
        key=item.merchant_reference,
        reference=item.psp_reference,
        claim=_claim(item),
        amount=-1 if amount is None else amount,
        currency=item.amount.currency,
        at=now,
    )


def _claim(item: _Item) -> Claim | None:
    reference = clean_text(item.psp_reference)
    match item.event_code, item.success:
        case code, "true":
            undone = code in _UNDONE
            return Failed(reason="request_refused", code=code) if undone else Approved(reference=reference)
        case "AUTHORISATION", "false":
            return Declined(reason="declined", reference=reference)
        case ("CAPTURE" | "CANCELLATION" | "REFUND") as code, "false":
            return Failed(reason="request_refused", code=code)
        case _:
            return None
