"""A claim that contradicts what is decided: the provider is asked, and a person is called where it
does not take the claim back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import structlog

from provider_adapters.notice import Notice
from provider_adapters.payer.entry import Entry
from provider_adapters.payment import Approved, Declined, Failed, Outcome
from provider_adapters.reconciler.agenda import Item
from provider_adapters.reconciler.contradictions import Contradictions

APPROVED, DECLINED = Approved(reference="r"), Declined(reason="declined")


async def examine(found: Outcome | None, **more: Any) -> tuple[list[str], int, int]:
    """The events of the log, the count, and how often the provider was asked."""
    asked: list[Item] = []

    async def inquire(item: Item) -> Outcome | None:
        asked.append(item)
        return found

    contradictions = Contradictions(inquire)
    entry = Entry(
        at="2027-01-15T08:00:00.000+00:00", key="k-1", state="finished", outcome=APPROVED, provider="first"
    )
    with structlog.testing.capture_logs() as lines:
        contradictions.examine(Notice(event="e", key="k-1", claim=DECLINED, **more), entry)
        await contradictions._tasks.wait(5)
    return [line["event"] for line in lines], contradictions.count, len(asked)


@pytest.mark.parametrize("found", [None, DECLINED, Failed(reason="no_such_charge")])
async def test_what_the_provider_does_not_take_back_is_reported_and_counted(found: Outcome | None) -> None:
    assert await examine(found) == (["outcome_contradicted"], 1, 1)


async def test_what_the_provider_takes_back_is_no_contradiction() -> None:
    assert await examine(APPROVED) == (["claim_disproved"], 0, 1)


async def test_another_provider_is_not_asked_about_what_the_first_claims() -> None:
    assert await examine(APPROVED, provider="second") == (["outcome_contradicted"], 1, 0)


async def test_what_ends_meanwhile_is_cancelled() -> None:
    async def never(_: Item) -> Outcome | None:
        await asyncio.Event().wait()
        return None

    contradictions = Contradictions(never)
    entry = Entry(at="2027-01-15T08:00:00.000+00:00", key="k-1", state="finished", outcome=APPROVED)
    contradictions.examine(Notice(event="e", claim=DECLINED), entry)
    await asyncio.wait_for(contradictions.close(), 5)
    assert contradictions.count == 0
