"""Runs pytest with a core that is watched."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from tests.sanitize.build import ROOT, Watch, core, runtime

THREAD_TESTS = [
    "tests/unit/media/core/test_core_relay.py",
    "tests/unit/media/core/test_core_bounds.py",
    "tests/unit/media/core/test_playing.py",
    "tests/unit/media/core/test_relay_pauses.py",
    "tests/unit/media/core/test_agent_keys.py",
    "tests/unit/media/core/test_tap.py",
    "tests/unit/media/core/test_recovery.py",
    "tests/unit/media/core/test_recovered_streams.py",
]
CORE_TESTS = [
    "tests/unit/media/core/test_core_bounds.py",
    "tests/unit/media/core/test_core_relay.py",
    "tests/unit/media/core/test_core_srtp.py",
    "tests/unit/media/core/test_event_habits.py",
    "tests/unit/media/core/test_playing.py",
    "tests/unit/media/core/test_reports.py",
    "tests/property/media/core/test_core_decides_like_the_reference.py",
    "tests/property/media/core/test_core_masks_audio_like_the_reference.py",
    "tests/property/media/core/test_core_reads_the_feed_like_the_reference.py",
    "tests/property/media/core/test_gaps.py",
    "tests/property/media/core/test_info_key.py",
    "tests/property/media/core/test_key_presses.py",
    "tests/property/media/core/test_player.py",
    "tests/property/media/core/test_quality.py",
    "tests/property/media/core/test_sent_keys.py",
    "tests/unit/media/core/test_agent_keys.py",
    "tests/property/media/core/test_agent_keys.py",
    "tests/unit/media/core/test_tap.py",
    "tests/property/media/core/test_tap.py",
    "tests/unit/media/core/test_recovery.py",
    "tests/unit/media/core/test_recovery_of_srtp.py",
    "tests/unit/media/core/test_recovered_streams.py",
]
# Python keeps what it never frees, and its own allocator hides from both sanitizers what is freed.
_ADDRESS = "detect_leaks=0:abort_on_error=1:detect_stack_use_after_return=1:strict_string_checks=1"
_THREAD = "halt_on_error=1:abort_on_error=1:report_signal_unsafe=0"
_UNDEFINED = "halt_on_error=1:print_stacktrace=1"


def watched(
    watch: Watch, arguments: Sequence[str], *, capture: bool = False, unlocked: bool = False
) -> subprocess.CompletedProcess[str]:
    """pytest with these arguments. A fault of the core ends it, with the sanitizer's report on
    standard error (which pytest would have captured, and lost)."""
    environment = os.environ | {
        "LD_PRELOAD": runtime(watch),
        "TONEWALL_CORE": str(core(watch, unlocked=unlocked)),
        "ASAN_OPTIONS": _ADDRESS,
        "TSAN_OPTIONS": _THREAD,
        "UBSAN_OPTIONS": _UNDEFINED,
        "PYTHONMALLOC": "malloc",
    }
    python = [sys.executable, "-m", "pytest", "-p", "tests.sanitize.watched", "--capture=no", *arguments]
    # Races are looked for at addresses that are the same in every run.
    command = ["setarch", "-R", *python] if watch is Watch.THREAD else python
    return subprocess.run(command, cwd=ROOT, env=environment, check=False, text=True, capture_output=capture)
