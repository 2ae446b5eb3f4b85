"""Marks each test by what it takes, and fails one that is skipped where everything must be tested,
or that meets an error which it does not name."""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

from tests.complaints import COMPLAINTS, Asyncio

REQUIRE_ALL = "TONEWALL_REQUIRE_ALL"
ROOT = Path(__file__).parent
# Whole processes, phones, browsers: seconds a test, and not all of them this machine's.
WIRE = ("benchmark", "browser", "model", "wire")
# Files and folders that need four seconds of processor time and more (`--durations=0` says which).
SLOW = (
    "architecture/test_patterns.py",
    "architecture/test_prose.py",
    "contract/test_prism.py",
    "contract/test_sign_in.py",
    "fuzz",
    "leak",
    "packaging/test_deb.py",
    "packaging/test_licences.py",
    "packaging/test_release.py",
    "packaging/test_sbom.py",
    "property/b2bua/call/test_call_stateful.py",
    "property/b2bua/call/test_calls_are_written.py",
    "property/b2bua/sip/test_linear_time.py",
    "property/media/core/test_core_decides_like_the_reference.py",
    "property/media/core/test_core_masks_audio_like_the_reference.py",
    "property/media/core/test_odd_senders.py",
    "property/provider_adapters/test_random_faults.py",
    "property/provider_adapters/test_random_link_faults.py",
    "sanitize",
    "unit/b2bua/commands/test_cli.py",
    "unit/b2bua/commands/test_cli_terminal.py",
    "unit/b2bua/doctor/test_doctor_checks.py",
    "unit/b2bua/switchboard/test_installed_files.py",
    "unit/b2bua/records/test_records.py",  # a PostgreSQL
    "unit/media/capture/test_canary.py",
    "unit/media/core/test_relay_pauses.py",
    "unit/media/decoder/test_decoder_process.py",
    "unit/tests/test_complaints.py",
)
MOST_NEW_DESCRIPTORS = 64  # what fixtures of a module or of all tests may hold beyond a test
_DESCRIPTORS = pytest.StashKey[int]()
# A change lands or not by what it is: chance finds its faults in `make test` and `make explore`.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("exploring", deadline=None)
settings.load_profile("repeatable" if os.environ.get(REQUIRE_ALL) else "exploring")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if os.environ.get(REQUIRE_ALL) and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, where {REQUIRE_ALL} is set: {report.longrepr}"
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Before `-m` chooses by these marks."""
    for item in items:
        if item.path.is_relative_to(ROOT):
            item.add_marker(_mark(item.path.relative_to(ROOT)))


def _mark(path: Path) -> str:
    if path.parts[0] in WIRE:
        return "wire"
    return "slow" if any(path.is_relative_to(each) for each in SLOW) else "fast"


def pytest_configure() -> None:
    # The default, with its frames and locals, takes up to seconds for one exception.
    structlog.dev.ConsoleRenderer.get_active().exception_formatter = structlog.dev.plain_traceback


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()  # what is loaded by now is not looked through again after each test


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """What a file has loaded and left is not looked through again after each test of the next.

    Descriptors that nobody closes come to a thousand in the end, and what fails then is another
    test: select() takes none from 1,024 on."""
    yield
    if nextitem is not None and nextitem.path != item.path:
        gc.collect()
        gc.freeze()
    if _count_descriptors() - item.stash[_DESCRIPTORS] > MOST_NEW_DESCRIPTORS:
        gc.collect()
        left = _count_descriptors() - item.stash[_DESCRIPTORS]
        assert left <= MOST_NEW_DESCRIPTORS, f"{left} descriptors are left open"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    item.stash[_DESCRIPTORS] = _count_descriptors()


def _count_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


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
