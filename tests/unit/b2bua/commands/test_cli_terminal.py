"""The command on a terminal of 80 columns: whole ids, whole help texts, and what asks before it
deletes."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from b2bua.commands import ladder as cli_ladder
from b2bua.ladder.view import LadderSummary
from tests.benchmark.rows import Row, table
from tonewall.version import VERSION

ROOT = Path(__file__).parents[4]


def terminal(
    *arguments: str, cwd: Path | None = None, answer: bytes = b"", **environment: str
) -> tuple[int, str]:
    """The command on a real terminal of 80 columns: status and what was shown."""
    bare = {
        name: value for name, value in os.environ.items() if not name.startswith(("TONEWALL_", "COLUMNS"))
    }
    child, master = pty.fork()
    if child == 0:
        os.environ.clear()
        os.environ.update({**bare, "TERM": "xterm", "COLUMNS": "80", **environment})
        if cwd:
            os.chdir(cwd)
        os.execv(sys.executable, [sys.executable, "-m", "b2bua.cli", *arguments])
    shown = b""
    with contextlib.suppress(OSError):
        if answer:
            os.write(master, answer)
        while select.select([master], [], [], 60)[0]:
            part = os.read(master, 65536)
            if not part:
                break
            shown += part
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGTERM)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.close(master)
    return status, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode()).replace("\r\n", "\n")


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_version_as_an_option(option: str) -> None:
    assert terminal(option) == (0, f"tonewall {VERSION}\n")


@pytest.mark.parametrize(
    ("command", "bracket"),
    [
        (["health"], "[general] directory"),
        (["cdr", "export"], "[cdr] comes from"),
        (["cdr", "prune"], "[cdr] retention"),
        (["ladder"], "[CALL-ID]"),
        (["run"], "sip.conf"),
    ],
)
def test_help_texts_have_their_brackets_and_fit(command: list[str], bracket: str) -> None:
    for option in ("-h", "--help"):
        status, shown = terminal(*command, option)
        assert status == 0
        assert bracket in " ".join(shown.split())
        assert max(map(len, shown.splitlines())) <= 80


def test_an_export_without_a_configuration_is_refused_and_makes_no_file(tmp_path: Path) -> None:
    for command in (["export"], ["prune", "--days", "30"]):
        status, shown = terminal("cdr", *command, cwd=tmp_path, PYTHONPATH=str(ROOT))
        assert status == 2
        assert "-c FILE" in shown
    assert list(tmp_path.iterdir()) == []


def test_pruning_nearly_all_asks_first(tmp_path: Path) -> None:
    url = {"TONEWALL_CDR_URL": f"sqlite:///{tmp_path / 'cdr.sqlite'}"}
    status, shown = terminal("cdr", "prune", "--days", "0", answer=b"n\n", **url)
    assert status == 1
    assert "deletes all records" in shown
    assert "calls deleted" not in shown
    status, shown = terminal("cdr", "prune", "--days", "0", answer=b"y\n", **url)
    assert (status, "0 calls deleted" in shown) == (0, True)
    command = [sys.executable, "-m", "b2bua.cli", "cdr", "prune", "--days", "0"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **url}, cwd=ROOT
    )
    assert done.returncode == 2
    assert "--yes" in done.stderr


def summary(call: str) -> LadderSummary:
    return LadderSummary(
        id=call, direction="inbound", started_at="2026-11-29T10:11:12Z", live=True, caller="+442079460000",
        callee="+4989123456789", messages=123,
    )  # fmt: skip


def test_ids_are_whole_at_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    cli_ladder._print_list([summary("5f0c3a9e1b77d204")])
    shown = capsys.readouterr().out
    assert "5f0c3a9e1b77d204" in shown
    assert "+442079460000" in shown
    assert "…" not in shown
    assert max(len(line.rstrip()) for line in shown.splitlines()) <= 80


def test_an_id_may_be_given_by_its_first_characters(capsys: pytest.CaptureFixture[str]) -> None:
    calls = [summary("5f0c3a9e1b77d204"), summary("5f1111111b77d204"), summary("a")]
    assert cli_ladder.full_id("5f0", calls) == "5f0c3a9e1b77d204"
    assert cli_ladder.full_id("a", calls) == "a"
    assert cli_ladder.full_id("xyz@host", calls) == "xyz@host"
    with pytest.raises(BaseException):  # noqa: B017, PT011  # typer.Exit
        cli_ladder.full_id("5f", calls)
    assert "5f0c3a9e1b77d204, 5f1111111b77d204" in capsys.readouterr().err


def test_numbers_of_a_benchmark_are_whole_at_80_columns() -> None:
    console = Console(width=80, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    name = "CPU a packet at 400 calls, both ways, of all processes together, masked"
    console.print(
        table([Row(name, 123456.78, "microseconds a packet", "rtpengine", 234567.89, 0.526)], "relaying")
    )
    shown = console.export_text()
    for number in ("123457", "234568", "0.526", "rtpengine"):
        assert number in shown
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_make_help_shows_whole_lines() -> None:
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    assert "make fuzz TARGET=message SECONDS=600" in shown
    assert "tests/fuzz/targets.py" in shown
    for line in shown.splitlines():
        assert re.match(r"[a-z-]+ +\S", line), line
