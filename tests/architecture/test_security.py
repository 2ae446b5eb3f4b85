"""docs/security.md says what is so: its processes are started, its tests exist, its files are
accepted by systemd and nftables."""

from __future__ import annotations

import ast
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.architecture.security import OPTIONS, OUTSIDE, PAGE, PROCESSES, THREATS, draw
from tests.programs import require_program

ROOT = Path(__file__).parents[2]
HARDENING = ROOT / "docs" / "hardening"
UNIT = ROOT / "deploy" / "systemd" / "tonewall@.service"
MAX_EXPOSURE = 20  # of 100, as systemd-analyze has it
STRIDE = {
    "spoofing", "tampering", "repudiation", "information disclosure", "denial of service",
    "elevation of privilege",
}  # fmt: skip


def test_the_processes_are_those_that_the_supervisor_starts() -> None:
    source = "".join(path.read_text() for path in (ROOT / "b2bua" / "supervise").glob("*.py"))
    started = set(re.findall(r'module = \["([a-z_.0-9]+)"', source))
    assert set(PROCESSES) == started
    ends = {end for option in OPTIONS for flow in option.flows for end in (flow.source, flow.target)}
    assert ends <= {*PROCESSES.values(), *OUTSIDE}
    assert {*PROCESSES.values()} - {"prompts"} <= ends  # which runs before there are calls


@pytest.mark.parametrize("test", sorted({test for threat in THREATS for test in threat.tests}))
def test_the_tests_of_each_threat_exist(test: str) -> None:
    file, _, name = test.partition("::")
    tree = ast.parse((ROOT / "tests" / file).read_text())
    assert name in {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_each_kind_of_threat_is_there() -> None:
    assert {threat.kind for threat in THREATS} == STRIDE
    assert all(threat.tests for threat in THREATS)


def test_the_page_is_that_of_the_tables() -> None:
    assert PAGE.read_text() == draw()


def test_systemd_finds_the_units_exposure_low() -> None:
    analyze = [
        require_program("systemd-analyze"),
        "security",
        "--offline=yes",
        f"--threshold={MAX_EXPOSURE}",
        str(UNIT),
    ]
    found = subprocess.run(analyze, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout[-400:] + found.stderr
    exposure = re.search(r"level for tonewall@\w*\.service: ([0-9.]+)", found.stdout)
    assert exposure is not None
    assert f"exposure of {exposure[1]}" in PAGE.read_text()


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    text = UNIT.read_text()
    unit = tmp_path / "tonewall@main.service"
    unit.write_text(text.replace("/usr/local/bin/tonewall", "/bin/true"))
    found = subprocess.run(
        [require_program("systemd-analyze"), "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert str(unit) not in found.stderr
    assert found.returncode == 0, found.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may load rules")
def test_the_firewall_loads_in_a_namespace_of_its_own() -> None:
    load = [
        require_program("unshare"),
        "--net",
        require_program("nft"),
        "-f",
        str(HARDENING / "tonewall.nft"),
    ]
    found = subprocess.run(load, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
