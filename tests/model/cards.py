"""The cards that the model's customers have, and what the provider does with each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from tests.model.provider import NEVER

EXPIRY, CODE = "1139", "739"


@dataclass(frozen=True, slots=True)
class Card:
    """`outcomes`: what may be said of a charge while nothing is killed."""

    number: str
    outcomes: frozenset[str]
    code: str = CODE

    @property
    def approvable(self) -> bool:
        return bool({"approved", "unknown"} & self.outcomes)

    @property
    def keys(self) -> str:
        return f"{self.number}#{EXPIRY}{self.code}"

    @property
    def digits_sha256(self) -> str:
        return hashlib.sha256(f"{self.number}{EXPIRY}{self.code}".encode()).hexdigest()


def _card(number: str, *outcomes: str) -> Card:
    return Card(number, frozenset(outcomes))


CARDS = (
    _card("4111111111111111", "approved"),
    _card("5555555555554444", "approved"),
    _card("4000000000000002", "declined"),
    _card("4000000000000119", "failed", "unknown"),  # answers 500, not charged
    _card("4000000000010019", "approved", "unknown"),  # late
    _card("4000000000010035", "approved", "unknown"),  # half an answer
    _card("4000000000010043", "failed", "unknown"),  # closed, not charged
    _card("4000000000010050", "approved", "unknown"),  # closed, charged
    _card(NEVER, "unknown"),
)
DIGESTS = frozenset(card.digits_sha256 for card in CARDS)
