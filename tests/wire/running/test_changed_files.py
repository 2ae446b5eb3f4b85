"""A whole Tonewall from an installation in which a script of the page was changed says so; from one
that is as it was released, it does not.

Both are started in the folder of these sources: no process takes a module from there.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.complaints import expect_error
from tests.installed import Signer, make_environment
from tests.stack import until
from tests.wire.conftest import Peers
from tests.wire.line import line
from tonewall.manifest import MANIFEST

APP = "b2bua/api/web/app.js"
COMPARED = 120.0  # seconds: at the lowest priority, beside other tests


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer(tmp_path / "key")


@pytest.fixture
def installed(tmp_path: Path, signer: Signer) -> tuple[str, Path]:
    python, root = make_environment(tmp_path / "venv")
    signer.sign(root / MANIFEST)
    return python, root


async def compared(peers: Peers, python: str, key: str) -> tuple[dict[str, Any], str]:
    """The health of a Tonewall that this Python runs, and its metrics."""
    extra = {"general": {"manifest_key": key}}
    environment = {"PYTHONSAFEPATH": "1"}  # not from the folder that the test runs in
    async with line(peers, extra=extra, python=python, environment=environment) as wire:
        api = wire.stack.api

        async def health() -> dict[str, Any]:
            found: dict[str, Any] = (await api.get("/healthz")).json()
            return found if found["listed_files"] or found["changed_files"] else {}

        return await until(health, "the first comparison", COMPARED), (await api.get("/metrics")).text


async def test_a_changed_script_is_named_by_the_health_check(
    peers: Peers, installed: tuple[str, Path], signer: Signer
):
    python, root = installed
    expect_error("file_changed", path=APP)
    with (root / APP).open("a") as file:
        file.write("skim();\n")
    health, metrics = await compared(peers, python, signer.public)
    assert health["status"] == "degraded"
    (fault,) = [each for each in health["faults"] if each["what"] == "files"]
    assert f"{APP} (changed)" in fault["says"]
    assert str(root) not in json.dumps(health)
    assert "tonewall_changed_files 1.0" in metrics


async def test_an_installation_as_released_is_well(peers: Peers, installed: tuple[str, Path], signer: Signer):
    python, _ = installed
    health, metrics = await compared(peers, python, signer.public)
    assert (health["status"], health["changed_files"]) == ("ok", 0)
    assert health["listed_files"] > 500
    assert "tonewall_changed_files 0.0" in metrics
