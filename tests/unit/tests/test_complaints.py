"""A test that leaves an error behind fails, and so does one that names an error which never
comes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
_HEAD = """
import asyncio, threading
from tests.complaints import COMPLAINTS, expect_error, permit_error
"""
_LOG = """
def log(tmp_path, *lines):
    COMPLAINTS.watch(tmp_path / "a.log")
    (tmp_path / "a.log").write_text("".join(line + "\\n" for line in lines))
ERROR = '{"event":"media_lost","level":"error","calls":1}'
"""
FAILING = {
    "an error line": _LOG + "def test(tmp_path): log(tmp_path, ERROR)",
    "an error of another field": _LOG
    + "def test(tmp_path): expect_error('media_lost', calls=2); log(tmp_path, ERROR)",
    "a traceback": _LOG + "def test(tmp_path): log(tmp_path, 'Traceback (most recent call last):')",
    "asyncio warns": _LOG
    + """def test(tmp_path): log(tmp_path, '{"event":"library","level":"warning","what":"asyncio"}')""",
    "a named error that never comes": "def test(): expect_error('media_lost')",
    "a task that nobody awaits": """
async def fail(): raise ValueError
async def test():
    asyncio.create_task(fail())
    await asyncio.sleep(0.01)
""",
    "a callback of the loop": """
async def test():
    asyncio.get_running_loop().call_soon(lambda: 1 / 0)
    await asyncio.sleep(0.01)
""",
    "a coroutine that nobody awaits": "async def work(): pass\nasync def test(): work()",
    "a thread": """
def test():
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
""",
    "a finaliser": """
class Thing:
    def __del__(self): raise ValueError
def test(): Thing()
""",
}
PASSING = {
    "nothing": "def test(): pass",
    "a named error": _LOG + "def test(tmp_path): expect_error('media_lost', calls=1); log(tmp_path, ERROR)",
    "a permitted error": _LOG + "def test(tmp_path): permit_error('media_lost'); log(tmp_path, ERROR)",
    "a permitted error that never comes": "def test(): permit_error('media_lost')",
    "a warning": _LOG + """def test(tmp_path): log(tmp_path, '{"event":"b2bua_lost","level":"warning"}')""",
}


def _passes(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    file = folder / "test_it.py"
    file.write_text(_HEAD + text)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.conftest",
        "-c",
        str(ROOT / "pyproject.toml"),
        str(file),
    ]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", FAILING)
def test_what_goes_wrong_beside_a_test_fails_it(tmp_path: Path, name: str) -> None:
    done = _passes(tmp_path, FAILING[name])
    assert done.returncode == 1, done.stdout


@pytest.mark.parametrize("name", PASSING)
def test_what_is_named_or_harmless_does_not(tmp_path: Path, name: str) -> None:
    done = _passes(tmp_path, PASSING[name])
    assert done.returncode == 0, done.stdout
