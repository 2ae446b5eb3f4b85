"""A file that is changed while Tonewall runs is a fault, a metric, a line in the log and an entry
in the audit log."""

from __future__ import annotations

import asyncio
import io
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from b2bua.api.metrics import Metrics
from b2bua.audit.log_file import LogFile
from b2bua.audit.recorder import Recorder
from b2bua.switchboard.installed_files import InstalledFiles
from tests.complaints import permit_error
from tests.configured_log import configured
from tests.installed import copy_installation, list_installation, small_installation
from tests.stack import until
from tonewall.manifest import MANIFEST

APP = "b2bua/web/app.js"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return small_installation(tmp_path / "site")


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What b2bua logs."""
    file = io.StringIO()
    with configured("b2bua", "info", file):
        yield file


def entries(directory: Path) -> list[dict[str, object]]:
    lines = [json.loads(each) for path in sorted(directory.glob("*.jsonl")) for each in path.open()]
    return [line["entry"] for line in lines if "entry" in line]


async def test_a_changed_file_is_found_within_one_check_and_its_return_too(
    root: Path, tmp_path: Path, log: io.StringIO
):
    key = Ed25519PrivateKey.generate()
    recorder = Recorder(lambda: LogFile(tmp_path / "audit", key, time.time), time.time)
    writing = asyncio.create_task(recorder.run())
    files = InstalledFiles(root)
    watching = asyncio.create_task(files.watch(recorder, interval=0.01))
    await until(lambda: files.health()["listed_files"] == 7, "the first comparison")
    assert files.fault() is None
    before = (root / APP).read_text()
    (root / APP).write_text("skim();\n")
    fault = await until(files.fault, "the fault")
    assert (fault.what, fault.stops) == ("files", None)
    assert APP in fault.says
    assert str(root) not in fault.says
    assert files.health()["changed_files"] == 1
    assert b"tonewall_changed_files 1.0" in Metrics().render(files.health())
    (root / APP).write_text(before)
    await until(lambda: files.fault() is None, "the end of the fault")
    watching.cancel()
    await recorder.end()
    await writing
    noted = entries(tmp_path / "audit")
    assert (noted[0]["what"], noted[0]["who"], noted[0]["result"]) == ("files_compared", "tonewall", "noted")
    changed = next(each for each in noted if each["what"] == "files_changed")
    assert changed["details"] == {"files": 7, "changed": 1, "first": APP}
    said = [json.loads(line) for line in log.getvalue().splitlines()]
    assert {(each["event"], each["path"], each["level"]) for each in said} == {("file_changed", APP, "error")}


async def test_an_installation_from_the_sources_is_not_compared_and_no_fault(root: Path):
    (root / MANIFEST).unlink()
    files = InstalledFiles(root)
    await files.check()
    assert files.fault() is None
    assert files.health() == {"listed_files": 0, "changed_files": 0}


@pytest.mark.parametrize("executable", ["/bin/false", "/nowhere"])
async def test_a_comparison_that_fails_is_a_fault_and_the_next_one_is_made(
    root: Path, monkeypatch: pytest.MonkeyPatch, executable: str
):
    permit_error("files_not_compared")
    permit_error("file_changed")
    files = InstalledFiles(root)
    with monkeypatch.context() as broken:
        broken.setattr("sys.executable", executable)
        await files.check()
    fault = files.fault()
    assert fault is not None
    assert "cannot be read" in fault.says
    await files.check()
    assert files.fault() is None


async def test_many_changed_files_are_counted_and_twenty_named(root: Path, log: io.StringIO):
    for number in range(50):
        (root / "b2bua" / f"new{number:02}.py").write_text("")
    files = InstalledFiles(root)
    await files.check()
    fault = files.fault()
    assert fault is not None
    assert "b2bua/new00.py (not in the manifest), and 49 more" in fault.says
    assert len(log.getvalue().splitlines()) == 20


async def test_the_loop_is_not_held_up_while_all_our_files_are_compared(tmp_path: Path):
    """With bytecode, whose comparison compiles every source: by another process."""
    root = copy_installation(tmp_path / "site")
    command = [sys.executable, "-m", "compileall", "-q", str(root)]
    process = await asyncio.create_subprocess_exec(*command)
    await process.wait()
    list_installation(root)
    began = time.process_time()
    found = await InstalledFiles(root).check()
    assert found.differences == ()
    assert found.files > 500
    assert time.process_time() - began < 0.5  # seconds; the comparison takes some
