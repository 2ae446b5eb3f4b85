"""Charges whose answer is lost, brought to their end by the payer's own runner: what was charged is
found by asking, and nothing is charged twice."""

from __future__ import annotations

import pytest

from provider_adapters.approval import approve
from provider_adapters.payment import Approved
from tests.contract.playing import CARDS, make_card
from tests.contract.providers import TABLE
from tests.contract.settling import settle


@pytest.mark.parametrize("card", ["error_charged", "cut_charged", "closed_charged"])
@pytest.mark.parametrize("adapter", ["checkout", "govuk_pay", "worldpay"])
async def test_what_was_charged_is_found_by_asking(adapter: str, card: str) -> None:
    provider = TABLE[adapter]
    books, dialect = provider.dialect()
    outcome, noted, sent = await settle(provider.flow(), provider.charge(), make_card(CARDS[card]), dialect)
    record = books.find("k-1")
    assert record is not None
    assert record.charges == 1
    assert books.requests == 1
    assert isinstance(outcome, Approved)
    assert outcome.reference == record.reference
    assert sent[-1][0] == "GET"
    assert all(request.notes for request in noted)


def test_a_reference_is_kept_whole_or_not_at_all() -> None:
    """Some are links of hundreds of signs; half of one would name nothing."""
    charge = TABLE["worldpay"].charge()
    for reference, kept in (("x" * 900, "x" * 900), ("x" * 3000, ""), ("a\x00b", ""), (None, "")):
        outcome = approve(charge, reference=reference)
        assert isinstance(outcome, Approved)
        assert outcome.reference == kept
