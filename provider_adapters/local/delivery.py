"""Plays a company's own service that takes the fields of forms (docs/delivery.md).

Rule 1: it takes each Idempotency-Key once: a repetition gets the first answer.
Rule 2: the longest field decides the behaviour, as a card number does elsewhere
        (docs/connector.md).
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from provider_adapters.local.books import (
    API_KEY,
    Answer,
    Books,
    InProgress,
    KeyOfAnother,
    Order,
)

_BESIDE = ("description", "metadata", "form", "call", "submitted_at")
_ALGORITHMS = ["ECDH-ES", "A256GCM"]
_TEST_FORM = "tonewall-test"


class _Body(msgspec.Struct):
    payment: str
    transaction_id: str
    fields: dict[str, str | None]
    form: str = ""
    description: str = ""
    metadata: dict[str, str] = {}
    call: str = ""
    submitted_at: str = ""


class LocalDelivery:
    """The contract, over the books. `public_key`: the JWK to which bodies may be encrypted."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._key = ECKey.generate_key("P-256")
        self.public_key = self._key.as_dict(private=False)

    async def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        """One request."""
        if headers.get("authorization") != f"Bearer {API_KEY}":
            return Answer(401, {"reason": "unauthorised"})
        if method == "GET":
            return Answer(200, {"delivery": "ready"})
        if method != "POST":
            return Answer(405, {})
        return await self._deliver(headers, body)

    async def _deliver(self, headers: Mapping[str, str], body: bytes) -> Answer | None:
        is_encrypted = headers.get("content-type") == "application/jose"
        try:
            asked = msgspec.json.decode(self._decrypt(body) if is_encrypted else body, type=_Body)
        except (JoseError, ValueError, msgspec.MsgspecError):
            return Answer(400, {"reason": "unreadable"})
        key = headers.get("idempotency-key", "")
        if not key or asked.payment != key:
            return Answer(400, {"reason": "key_differs"})
        if asked.form == _TEST_FORM:
            return Answer(200, {"reference": "test"})
        digits = [each for each in asked.fields.values() if each]
        beside = {name: getattr(asked, name) for name in _BESIDE}
        order = Order(
            key=key,
            transaction_id=asked.transaction_id,
            amount=0,
            currency="",
            number=max(digits, key=len, default=""),
            code="".join(digits),
            beside=beside | {"names": list(asked.fields), "encrypted": is_encrypted},
        )
        try:
            record, behaviour = await self._books.charge(order)
        except KeyOfAnother:
            return Answer(422, {"reason": "key_of_another"})
        except InProgress:
            return Answer(409, {"reason": "in_progress"})
        if record.state == "declined":
            answer = Answer(422, {"reason": record.reason, "message": record.message})
        else:
            answer = Answer(201, {"reference": record.reference, "message": "The mandate is set up."})
        return self._books.transmit(key, behaviour, answer, Answer(500, {"error": "internal_error"}))

    def _decrypt(self, body: bytes) -> bytes:
        found = jwe.decrypt_compact(body, self._key, algorithms=_ALGORITHMS).plaintext
        return found or b""
