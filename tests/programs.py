"""Programs of the system that tests run, where they are installed."""

from __future__ import annotations

import os
import shutil

import pytest


def require_program(name: str) -> str:
    """The path of a program. Without it the test is passed over, or fails where everything has to
    be there."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if found is None:
        if os.environ.get("TONEWALL_REQUIRE_ALL"):
            pytest.fail(f"{name} is missing; `make test` installs it")
        pytest.skip(f"no {name}")
    return found
