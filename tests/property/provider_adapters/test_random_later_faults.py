"""Every adapter's refunds, captures and voids through random faults: nothing is done twice, what is
done was done, and what failed was not, whoever was killed at whichever step."""

from __future__ import annotations

import os
from pathlib import Path
from unittest.mock import patch

import pytest

from provider_adapters.payer import runner as runners
from provider_adapters.payment import Operation
from provider_adapters.reconciler import repetition
from tests.contract.later_faults import run_later_towns
from tests.contract.providers import TABLE

RUNS = int(os.environ.get("TONEWALL_FAULT_RUNS", "120"))
# Square takes no card: what it refunds was paid by link.
ABLE = [
    name for name, each in TABLE.items() if {Operation.CHARGE, Operation.REFUND} <= each.flow().OPERATIONS
]
ALL = ("capture", "void", "refund")
# Their keys make it safe to send a request again (PayU: a refund's).
REPEATS = {"adyen": ALL, "stripe": ALL, "payu": ("refund",)}


@pytest.mark.parametrize("adapter", ABLE)
def test_nothing_is_done_twice_and_no_outcome_is_wrong(adapter: str, tmp_path: Path) -> None:
    seen = run_later_towns(TABLE[adapter], tmp_path, range(RUNS))
    assert seen["requests"] >= RUNS
    assert seen["moved"] > RUNS // 3, "most towns have something done"
    for kind in REPEATS.get(adapter, ()):
        assert seen[f"{kind} left unknown"] == 0, "the promise of the key decides it"
    if adapter in REPEATS:
        assert seen["found later"] > RUNS // 20
    else:
        assert sum(seen[f"{kind} left unknown"] for kind in ALL), "and faults"


# --- the simulation finds what it is for ----------------------------------------------------------


def test_a_repetition_that_nobody_promised_is_found_out(tmp_path: Path) -> None:
    async def always(self: runners.Runner, request: runners.Request) -> runners.Response:
        self.has_repeated = True
        return await self._repeat(request)

    with patch.object(runners.Runner, "_send_noted", always), pytest.raises(AssertionError, match="not once"):
        run_later_towns(TABLE["braintree"], tmp_path, range(RUNS))


def test_a_repetition_after_the_keys_are_gone_is_not_sent(tmp_path: Path) -> None:
    with patch.object(repetition, "REPEATED_FOR", 0.0):
        seen = run_later_towns(TABLE["stripe"], tmp_path, range(RUNS))
    assert seen["found later"] == 0
    assert seen["refund left unknown"] > 0
