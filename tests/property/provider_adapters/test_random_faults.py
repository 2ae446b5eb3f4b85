"""Every adapter through random faults: nobody is charged twice, an approval is one charge, and a
failure is none, whoever was killed at whichever step."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest

from provider_adapters.local.books import Answer
from provider_adapters.local.delivery import LocalDelivery
from provider_adapters.payer import runner as runners
from tests.contract.faults import Town, run_towns
from tests.contract.providers import CARD_TAKERS, TABLE

RUNS = int(os.environ.get("TONEWALL_FAULT_RUNS", "250"))
EACH = pytest.mark.parametrize("adapter", [row.adapter for row in CARD_TAKERS])
# They cannot be asked, or never say that something is not there: then a person decides.
LEAVES_UNKNOWN = {"adyen", "pay_connector", "payu"}


@EACH
def test_nobody_is_charged_twice_and_no_outcome_is_wrong(adapter: str, tmp_path: Path) -> None:
    seen = run_towns(TABLE[adapter], tmp_path, range(RUNS))
    assert seen["runs"] == RUNS
    assert seen["doubles"] == 0
    assert seen["charges"] > RUNS // 4, "most towns have charges"
    assert seen["unknown to the agent"] > RUNS // 10, "and faults"
    if adapter not in LEAVES_UNKNOWN:
        assert seen["unknown"] == 0


@pytest.mark.parametrize("idempotent", [False, True])
def test_no_form_is_delivered_twice_and_no_outcome_is_wrong(idempotent: bool, tmp_path: Path) -> None:
    service = replace(TABLE["delivery"], account={"idempotent": idempotent})
    seen = run_towns(service, tmp_path, range(RUNS))
    assert seen["doubles"] == 0
    assert seen["charges"] > RUNS // 4, "most towns have deliveries"
    assert seen["unknown to the agent"] > RUNS // 10, "and faults"


def test_a_service_that_does_not_promise_gets_nothing_twice(tmp_path: Path) -> None:
    arrived: Counter[str] = Counter()

    async def count(self: LocalDelivery, headers: Mapping[str, str], body: bytes) -> Answer | None:
        arrived[headers["idempotency-key"]] += 1
        return await deliver(self, headers, body)

    deliver = LocalDelivery._deliver

    def look(_town: Town) -> None:
        assert set(arrived.values()) <= {1}, arrived
        arrived.clear()

    with patch.object(LocalDelivery, "_deliver", count):
        run_towns(TABLE["delivery"], tmp_path, range(RUNS), look)
        promising = replace(TABLE["delivery"], account={"idempotent": True})
        # The count sees what it is for.
        with pytest.raises(AssertionError, match="2"):
            run_towns(promising, tmp_path, range(RUNS, 2 * RUNS), look)


def test_a_charge_that_a_webhook_speaks_of_is_left_unknown_by_nobody(tmp_path: Path) -> None:
    left = []

    def look(town: Town) -> None:
        for customer in town.customers:
            record = town.books.find(customer.key)
            final = town.final(customer)
            if (
                record is not None
                and record.charges
                and final is not None
                and "unknown" in repr(final).lower()
            ):
                left.append((customer, final))

    run_towns(TABLE["adyen"], tmp_path, range(RUNS), look)
    assert left == []


# --- the simulation finds what it is for ----------------------------------------------------------


def test_a_runner_that_repeats_where_nobody_promised_is_found_out(tmp_path: Path) -> None:
    async def always(self: runners.Runner, request: runners.Request) -> runners.Response:
        return await self._repeat(request)

    with patch.object(runners.Runner, "_send_noted", always), pytest.raises(AssertionError, match="times"):
        run_towns(TABLE["worldpay"], tmp_path, range(RUNS))


def test_a_reconciler_that_takes_not_found_for_final_at_once_is_found_out(tmp_path: Path) -> None:
    flow = type(TABLE["worldpay"].flow())
    with patch.object(flow, "ABSENT_AFTER", 0.0), pytest.raises(AssertionError, match="and charged"):
        run_towns(TABLE["worldpay"], tmp_path, range(RUNS))
