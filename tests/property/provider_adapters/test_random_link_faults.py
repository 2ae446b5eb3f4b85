"""Payment links through random faults: no approval without money, no link that is called closed or
expired with it, none that never ends, whoever was killed at whichever step."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from provider_adapters.links.adyen import AdyenLinks
from provider_adapters.links.square import SquareLinks
from provider_adapters.links.stripe import StripeLinks
from provider_adapters.payer.journal import Journal
from provider_adapters.payment import LINK_CLOSED, Failed, Link
from tests.contract.link_faults import run_link_towns
from tests.contract.providers import LINK_MAKERS, TABLE

RUNS = int(os.environ.get("TONEWALL_FAULT_RUNS", "250"))


@pytest.mark.parametrize("adapter", [row.adapter for row in LINK_MAKERS])
def test_no_link_ends_otherwise_than_its_money(adapter: str, tmp_path: Path) -> None:
    seen = run_link_towns(TABLE[adapter], tmp_path, range(RUNS))
    assert seen["runs"] == RUNS
    assert seen["handed out"] > RUNS, "most towns have links"
    assert seen["paid"] > RUNS // 2, "and customers who pay"
    assert seen[LINK_CLOSED] > RUNS // 20
    assert seen["link_expired"] > RUNS // 10
    # Square may delete a link and leave its order open, which a person then closes.
    assert seen["not_decided"] == 0 or adapter == "square"


# --- the simulation finds what it is for ----------------------------------------------------------


def test_a_link_that_is_called_closed_without_asking_is_found_out(tmp_path: Path) -> None:
    def close(self: AdyenLinks, charge: Any, link: Link) -> Any:
        yield from original(self, charge, link)
        return Failed(reason=LINK_CLOSED)

    original = AdyenLinks.close_link
    with patch.object(AdyenLinks, "close_link", close), pytest.raises(AssertionError, match="and paid"):
        run_link_towns(TABLE["adyen"], tmp_path, range(RUNS))


def test_visits_that_are_left_open_are_found_out(tmp_path: Path) -> None:
    def leave(*_: Any) -> Any:
        return True
        yield

    with patch.object(StripeLinks, "_expire", leave), pytest.raises(AssertionError, match="and paid"):
        run_link_towns(TABLE["stripe"], tmp_path, range(RUNS))


def test_an_order_that_is_taken_for_closed_with_its_link_is_found_out(tmp_path: Path) -> None:
    def close(self: SquareLinks, charge: Any, link: Link) -> Any:
        found = yield from original(self, charge, link)
        return Failed(reason=LINK_CLOSED) if isinstance(found, Link) else found

    original = SquareLinks.close_link
    with patch.object(SquareLinks, "close_link", close), pytest.raises(AssertionError, match="and paid"):
        run_link_towns(TABLE["square"], tmp_path, range(RUNS))


def test_a_url_that_is_handed_out_before_it_is_noted_is_found_out(tmp_path: Path) -> None:
    """Who is killed then forgets a link that the customer has."""
    with patch.object(Journal, "note_link", lambda *_: True), pytest.raises(AssertionError):
        run_link_towns(TABLE["adyen"], tmp_path, range(RUNS))
