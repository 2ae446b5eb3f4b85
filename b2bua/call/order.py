"""Describes what is to be paid, by which saved card, under which name a request is repeated, and
how a person settles it."""

from __future__ import annotations

from typing import Literal

import msgspec

from provider_adapters.payment import Charge, ChargeOperation, Operation, TokenType


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What the customer is to pay. `amount` in minor units; `currency` ISO 4217; `form`: the name
    of what the customer keys; `country`: that of an IBAN in it, ISO 3166-1 alpha-2; empty: the
    form's usual one. A delivery has neither amount nor currency. The rest is as in `Charge`."""

    transaction_id: str
    amount: int
    currency: str
    description: str = ""
    operation: ChargeOperation = "charge"
    token_type: TokenType | None = None
    customer: str = ""
    merchant_account: str = ""
    statement: str = ""
    metadata: dict[str, str] = {}
    form: str = ""
    country: str = ""

    @property
    def moves_money(self) -> bool:
        """Whether it is more than a question about the card, or a delivery of other fields."""
        return self.operation not in ("verify", "deliver")

    def charge(self, key: str, amount: int | None = None) -> Charge:
        """The charge of this order under that idempotency key. `amount`: where that is not the
        order's."""
        values = msgspec.structs.asdict(self)
        del values["form"], values["country"]
        return Charge(idempotency_key=key, **values if amount is None else values | {"amount": amount})

    def missing(self, offered: frozenset[Operation]) -> str | None:
        """The field of this order that asks for more than those operations, or None."""
        if Operation(self.operation) not in offered:
            return "operation"
        saves = self.token_type not in (None, "none")
        return "token_type" if saves and Operation.CHARGE_SAVED not in offered else None


class SavedCard(msgspec.Struct, frozen=True, kw_only=True):
    """Which saved card: that of a payment here, or the one of a token, whose provider `provider`
    names; empty: the default one."""

    saved_from: str = ""
    token: str = ""
    provider: str = ""


class RequestName(msgspec.Struct, frozen=True, kw_only=True):
    """The name of an agent's request (`Idempotency-Key`), and a digest of the request itself."""

    agent: str
    key: str
    digest: bytes


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """What a person says of a payment, or of what was done about it under the key `follow_up`.
    `reference`: the provider's; `amount`: what was approved, where that is not all, in the
    payment's minor unit."""

    outcome: Literal["approved", "declined", "failed"]
    reference: str = ""
    amount: int | None = None
    follow_up: str = ""
