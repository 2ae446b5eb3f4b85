"""The delivery: the fields of a form, none of them a card's, by an HTTPS POST to the company's own
service.

The contract is docs/delivery.md. What binds here: only a 2xx whose body is empty or a JSON object
counts as delivered; a refusal is a 4xx that names a reason; whatever leaves it open is `Unknown`,
and there is nobody to ask. The request is repeated only where the account says that the service
takes a key once (`idempotent`). With an `encryption_key` the body is a JWE to it.
"""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from typing import ClassVar

import msgspec

from provider_adapters.account import Account
from provider_adapters.base import Charging, Examination, FollowingUp, Inquiry, Notes, Request, Response
from provider_adapters.http_errors import judge_error
from provider_adapters.keyed import KeyedFields
from provider_adapters.payment import (
    Approved,
    Charge,
    Declined,
    Failed,
    FollowUp,
    Operation,
    Outcome,
    Unknown,
)
from provider_adapters.text import clean_code, clean_reference, clean_text

TEST_FORM = "tonewall-test"
"""The form of a trial's delivery, which a service answers and does not keep."""
_NOT_SUPPORTED = Failed(reason="not_supported")
# Of the client errors: who we are was refused, not what was keyed; or it says nothing.
_NO_REFUSAL = frozenset({401, 403, 407, 408, 409, 425, 429})


class _Answer(msgspec.Struct):
    """The body of an answer; unknown members are ignored."""

    reference: str | int | None = None
    message: str | None = None
    reason: str | int | None = None
    delivery: str | None = None


class Delivery:
    """Speaks the contract with the account's credentials."""

    OPERATIONS: ClassVar[frozenset[Operation]] = frozenset({Operation.DELIVER})
    ABSENT_AFTER: ClassVar[float | None] = None
    PROVES: ClassVar[str] = "our credentials are accepted, and the service speaks the contract"

    def __init__(self, account: Account) -> None:
        """Raises ValueError where the account's encryption key is none."""
        self._account = account
        self._headers = {"Accept": "application/json"} | _credentials(account)
        self._key = None
        if account.encryption_key:
            # Only here: loading it takes long, and most payers have no use for it.
            from provider_adapters.jwe import read_public_key  # noqa: PLC0415

            self._key = read_public_key(account.encryption_key)

    def charge(self, charge: Charge, keyed: KeyedFields) -> Charging:
        """One POST of the fields."""
        message: dict[str, object] = {
            "payment": charge.idempotency_key,
            "transaction_id": charge.transaction_id,
            "description": charge.description,
            "metadata": charge.metadata,
            "form": charge.form,
        }
        if charge.submitted_at:
            message["submitted_at"] = datetime.fromtimestamp(charge.submitted_at, UTC).isoformat(
                timespec="milliseconds"
            )
        if charge.call and self._account.call_id:
            message["call"] = charge.call
        values = {name: field.reveal() or None for name, field in keyed.fields.items()}
        message["fields"] = values
        body = message if self._key is None else self._key.encrypt(msgspec.json.encode(message))
        # Encrypted, nothing else of it stays while the answer is awaited.
        del values, message
        response = yield Request(
            "POST",
            "",
            headers=self._headers | {"Idempotency-Key": charge.idempotency_key},
            body=body,
            media_type="application/json" if self._key is None else "application/jose",
            may_charge=True,
            repeatable=self._account.idempotent,
        )
        return _judge(response)

    def charge_saved(self, charge: Charge, token: str) -> Charging:
        """Not offered."""
        return _NOT_SUPPORTED
        yield Request("POST", "")

    def inquire(self, charge: Charge, notes: Notes) -> Inquiry:
        """Nothing to ask: the contract has no inquiry."""
        return None
        yield Request("GET", "")

    def follow_up(self, request: FollowUp) -> FollowingUp:
        """Not offered: no money moves."""
        return _NOT_SUPPORTED
        yield Request("POST", "")

    def examine(self) -> Examination:
        """One GET, which a service that speaks the contract answers by a word of it."""
        response = yield Request("GET", "", headers=self._headers)
        answer = response.read(_Answer)
        if response.status == 200 and answer is not None and answer.delivery == "ready":
            return None
        return judge_error(response.status).reason if response.status >= 400 else "answer_not_understood"


def _credentials(account: Account) -> dict[str, str]:
    if not account.api_key:
        return {}
    if account.key_header:
        return {account.key_header: account.api_key}
    if account.api_user:
        pair = f"{account.api_user}:{account.api_key}".encode()
        return {"Authorization": f"Basic {b64encode(pair).decode('ascii')}"}
    return {"Authorization": f"Bearer {account.api_key}"}


def _judge(response: Response) -> Outcome:
    answer = response.read(_Answer) if response.body.strip() else _Answer()
    if 200 <= response.status < 300:
        if answer is None:
            return Unknown(reason="answer_not_understood")
        return Approved(
            reference=clean_reference(_text(answer.reference)),
            message=clean_text(answer.message) or msgspec.UNSET,
        )
    may_refuse = 400 <= response.status < 500 and response.status not in _NO_REFUSAL
    code = clean_code(answer.reason) if may_refuse and answer is not None else ""
    if answer is not None and code:
        return Declined(reason="fields_refused", message=clean_text(answer.message), code=code)
    return judge_error(response.status)


def _text(value: str | int | None) -> str:
    return "" if value is None else str(value)
