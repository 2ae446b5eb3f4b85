"""For all tests: a test that is skipped where everything must be tested, an error that no test
expected, is a failure."""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Generator, Iterator

import pytest

from tests.complaints import COMPLAINTS, Asyncio

REQUIRE_ALL = "TONEWALL_REQUIRE_ALL"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if os.environ.get(REQUIRE_ALL) and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, where {REQUIRE_ALL} is set: {report.longrepr}"
    return report


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()  # what is loaded by now is not looked through again after each test


@pytest.fixture(autouse=True)
def _without_complaint(request: pytest.FixtureRequest) -> Iterator[None]:
    """Set up before all others of a test, so that it looks when they have ended."""
    COMPLAINTS.begin()
    handler = Asyncio()
    logging.getLogger("asyncio").addHandler(handler)
    yield
    if request.node.get_closest_marker("asyncio") is not None:
        gc.collect()  # a task whose exception nobody retrieved says so when it is collected
    logging.getLogger("asyncio").removeHandler(handler)
    complaints = COMPLAINTS.end()
    if complaints:
        pytest.fail(
            "errors that the test does not name (tests/complaints.py):\n" + "\n".join(complaints),
            pytrace=False,
        )
