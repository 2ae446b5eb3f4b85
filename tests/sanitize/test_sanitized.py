"""The media core while sanitizers watch: a short form of `make sanitize` and `make fuzz-core`."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.fuzz.core.run import HARNESSES, fuzz, kept, replay
from tests.sanitize.build import Watch, core, runtime
from tests.sanitize.running import CORE_TESTS, THREAD_TESTS, watched

SECONDS = 5  # of new inputs, each harness
QUICK = "tests/unit/media/core/test_core_bounds.py"
OVERRUN = "import ctypes; ctypes.memmove(ctypes.create_string_buffer(8), bytes(4000), 4000)"


@pytest.mark.parametrize(("watch", "test"), [(Watch.ADDRESS, CORE_TESTS[1]), (Watch.THREAD, THREAD_TESTS[0])])
def test_the_relay_on_real_sockets_has_neither_faults_of_memory_nor_races(watch: Watch, test: str) -> None:
    ended = watched(watch, [test, QUICK], capture=True)
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-4000:]


def test_the_tests_run_with_the_core_that_is_watched_and_a_fault_ends_them() -> None:
    environment = os.environ | {
        "LD_PRELOAD": runtime(Watch.ADDRESS),
        "PYTHONMALLOC": "malloc",
        "ASAN_OPTIONS": "detect_leaks=0",
    }
    ended = subprocess.run(
        [sys.executable, "-c", OVERRUN], env=environment, check=False, capture_output=True, text=True
    )
    assert "AddressSanitizer: heap-buffer-overflow" in ended.stderr
    symbols = (
        (core(Watch.ADDRESS) / "_core.abi3.so").read_bytes(),
        (core(Watch.THREAD) / "_core.abi3.so").read_bytes(),
    )
    assert b"__asan_report_store" in symbols[0]
    assert b"__ubsan_handle_out_of_bounds_abort" in symbols[0]
    assert b"__tsan_write" in symbols[1]


def test_a_race_that_is_planted_in_the_core_is_found_by_the_tests_of_the_relay() -> None:
    ended = watched(Watch.THREAD, ["-x", THREAD_TESTS[0]], capture=True, unlocked=True)
    assert ended.returncode != 0
    assert "WARNING: ThreadSanitizer: data race" in ended.stderr


@pytest.mark.parametrize("name", HARNESSES)
def test_what_once_did_something_new_still_passes(name: str) -> None:
    assert len(kept(name)) > 5
    ended = replay(name)
    assert ended.returncode == 0, ended.stderr[-4000:]


@pytest.mark.parametrize("name", HARNESSES)
def test_new_inputs_break_no_rule_and_no_memory(name: str) -> None:
    ended = fuzz(name, SECONDS, capture=True)
    assert ended.returncode == 0, ended.stderr[-4000:]
