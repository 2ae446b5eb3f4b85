"""Finds what a customer owes who keys without an agent: what the route says, or a header of the
INVITE.

A header has the reference, and behind semicolons `amount` in minor units, `currency` and
`description`: `INV-2041;amount=4990;currency=EUR`. A User-to-User header may have it in hexadecimal
(RFC 7433). What is missing is the route's.

Rule 1: a header that does not fit as a whole is none: no part of it is guessed, and a person takes
        the call.
Rule 2: a card number is no reference, whoever sends it.
"""

from __future__ import annotations

import re

from b2bua.call.leg import Carried
from b2bua.call.order import Order
from b2bua.call.routing.form_end import Owed
from provider_adapters.currency import MINOR_UNITS
from tonewall.card_numbers import looks_like_card_number

MAX_AMOUNT = 99_999_999_999  # as in the API
_MAX_VALUE = 512  # characters of a header
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}")
_AMOUNT = re.compile(r"[0-9]{1,11}")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_NAMES = frozenset({"amount", "currency", "description"})


def find_order(owed: Owed, carried: Carried, call: str) -> Order | None:
    """The order of a call; None where nothing is known, or not all of it. `call`: its id, which is
    the reference where nothing else is."""
    said: dict[str, str] = {}
    reference = call
    if owed.header:
        values = [value for name, value in carried.headers if name.lower() == owed.header.lower()]
        read = _read(values[0]) if len(values) == 1 else None
        if read is None:
            return None
        reference, said = read
    amount = said.get("amount") or str(owed.amount)
    currency = said.get("currency") or owed.currency
    description = said.get("description") or owed.description
    if not _AMOUNT.fullmatch(amount) or not 0 < int(amount) <= MAX_AMOUNT or currency not in MINOR_UNITS:
        return None
    # A call's id is ours: one in five hundred has digits that look like a card number.
    if any(looks_like_card_number(text) for text in (reference if owed.header else "", description)):
        return None
    return Order(
        transaction_id=reference, amount=int(amount), currency=currency, description=description[:140]
    )


def _read(value: str) -> tuple[str, dict[str, str]] | None:
    """Reference and the rest; None where it is not as it should be."""
    if len(value) > _MAX_VALUE:
        return None
    first, *rest = (each.strip() for each in value.split(";"))
    given = dict(each.partition("=")[::2] for each in rest)
    if given.get("encoding", "").lower() == "hex":
        return _decoded(first)
    if not _REFERENCE.fullmatch(first) or not given.keys() <= _NAMES or len(given) != len(rest):
        return None
    if not all(text and text.isprintable() for text in given.values()):
        return None
    return first, given


def _decoded(text: str) -> tuple[str, dict[str, str]] | None:
    """What stands in hexadecimal, once: it is not decoded again."""
    if not _HEX.fullmatch(text):
        return None
    try:
        value = bytes.fromhex(text).decode("ascii")
    except ValueError:
        return None
    return None if "encoding" in value else _read(value)
