"""For all tests: where everything must be tested, a test that is skipped is a test that failed."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

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
