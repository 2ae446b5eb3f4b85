"""Takes card numbers out of what a provider says where no card is at hand to compare with.

A payer searches an answer for its own card. The reconciler has none, and a provider may quote the
card in its answer to an inquiry as well: so nothing that is meant to be read is kept, and no
identifier that holds what looks like a card number, however it is encoded. One of ten identifiers
that are nothing but twelve to nineteen digits passes the check digit by chance, and is withheld
too: what is done later about that payment is then done in the provider's own tools.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from provider_adapters.notice import Notice
from provider_adapters.payment import FollowUpOutcome, Outcome
from provider_adapters.readings import readings
from tonewall.card_numbers import looks_like_card_number

WITHHELD = "withheld"
_KEY = re.compile(r"[0-9a-f]{32}")  # tonewall.tokens
# Texts for people, which an agent does without: `reason` has a sentence of ours.
_FOR_PEOPLE = "message"
# A code is optional; the others are identifiers, whose absence the reader should see.
_DROPPED = frozenset({"authorisation_code", "code", "token"})
T = TypeVar("T", bound=FollowUpOutcome | Outcome)


def withhold_card_numbers(outcome: T) -> T:
    """The outcome without a text for people, and without what looks like a card number."""
    changes: dict[str, str | None] = {}
    for name in outcome.__struct_fields__:
        value = getattr(outcome, name)
        if name == _FOR_PEOPLE:
            changes |= {name: ""} if value else {}
        elif name != "provider" and isinstance(value, str) and _holds_card_number(value):
            changes[name] = ("" if name == "code" else None) if name in _DROPPED else WITHHELD
    return msgspec.structs.replace(outcome, **changes)


def withhold_from_notes(notes: Mapping[str, str]) -> dict[str, str]:
    """Notes of a request, for the journal."""
    return {name: WITHHELD if _holds_card_number(value) else value for name, value in notes.items()}


def withhold_from_notice(notice: Notice, secret: str) -> Notice:
    """What a webhook says, as it may be kept. An id that is withheld stays one of its own, by an
    HMAC under the webhook's secret: of a card number, a plain digest could be found by trying."""
    event = notice.event
    if _holds_card_number(event):
        event = hmac.new(secret.encode(), event.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
    return msgspec.structs.replace(
        notice,
        event=event,
        key=notice.key if _is_ours(notice.key) or not _holds_card_number(notice.key) else "",
        reference="" if _holds_card_number(notice.reference) else notice.reference,
        currency="" if _holds_card_number(notice.currency) else notice.currency,
        claim=None if notice.claim is None else withhold_card_numbers(notice.claim),
    )


def _is_ours(key: str) -> bool:
    """Whether a key has the shape of ours, in which one of 200 has a row of digits that passes for
    a card number; digits alone are none of ours, but may be a card number in hexadecimal."""
    return _KEY.fullmatch(key) is not None and not key.isdecimal()


def _holds_card_number(text: str) -> bool:
    return any(looks_like_card_number(each) for each in readings(text))
