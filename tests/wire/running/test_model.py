"""A short run of the model of the whole product (docs/testing.md), and that its oracles find what
is planted."""

from __future__ import annotations

import os
import random
import re
import time
from pathlib import Path

import pytest

from tests.complaints import permit_error
from tests.model.__main__ import Run
from tests.model.planted import environment
from tests.model.rules import Product
from tests.model.world import PROVOKED

SECONDS = float(os.environ.get("TONEWALL_MODEL_SECONDS", "60"))
# What each planted fault is found by.
PLANTED = {
    "calls_forgotten": "is not known after a kill of b2bua",
    "charged_twice": "nobody submitted it|where it had to be|charged 2 times",
    "mask_forgotten": "a key got through the mask",
    "mask_guarded": "a key got through the mask",
    "mask_opens": "a key got through the mask",
    "payment_lost": "is charging in the end",
    "ports_left": "open files to be as before",
    "record_lost": "0 records of one payment",
}
# Those that a kill brings to light, with a seed that kills soon: others need minutes.
BY_KILLS = {"calls_forgotten": 911_536_999, "mask_forgotten": 1_133_746_726}


@pytest.fixture(autouse=True)
def _judged_by_the_model() -> None:
    """What a kill provokes is the model's to expect."""
    for event in PROVOKED:
        permit_error(event)


@pytest.mark.timeout(SECONDS + 300)
def test_whatever_happens_no_key_gets_through_and_no_payment_is_lost(tmp_path: Path) -> None:
    run, began, number = Run(tmp_path), time.monotonic(), random.randrange(1 << 31)
    try:
        while time.monotonic() - began < SECONDS:
            fault = run.seed(number)
            assert fault is None, f"make model SEED={number}\n{fault}"
            number += 1
    finally:
        run.close()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name in BY_KILLS:
        monkeypatch.setattr(Product, "kills", 6)
    run, began, number = Run(tmp_path, environment(name)), time.monotonic(), BY_KILLS.get(name, 1)
    try:
        while time.monotonic() - began < 300:
            fault = run.seed(number)
            if fault is not None:
                assert re.search(PLANTED[name], fault), fault
                return
            number += 1
    finally:
        run.close()
    raise AssertionError(f"{name} was not found by the seeds up to {number - 1}")
