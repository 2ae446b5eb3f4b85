"""The `tonewall` command as its user has it: a process, its output and its status."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from b2bua.doctor.examination import examine
from b2bua.doctor.finding import Level
from tonewall.version import VERSION

EXAMPLE = Path(__file__).parents[4] / "sip.conf.example"
SECRET = "sk-live-7c4fe1-aaaaaaaaaaaa"
CONF = f"""
[general]
directory = {{folder}}/run
[carrier north]
host = 192.0.2.1
numbers = national
country = 49
password = {SECRET}
[carrier south]
host = 192.0.2.2
port = 5080
[pbx]
host = 192.0.2.3
numbers = e164
[api]
tokens = desk:{SECRET}
[provider]
url = https://payments.example
api_key = {SECRET}
"""
ROUTES = """
[route blocked]
caller = +49900
refuse = 603
[route berlin]
callee = +4930
callee_as = 1
to = pbx
"""


def tonewall(*arguments: str) -> subprocess.CompletedProcess[str]:
    bare = {name: value for name, value in os.environ.items() if not name.startswith("TONEWALL_")}
    command = [sys.executable, "-m", "b2bua.cli", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**bare, "NO_COLOR": "1", "COLUMNS": "160"}
    )


def conf(folder: Path, text: str = ROUTES, engine: str = "own") -> str:
    path = folder / "sip.conf"
    path.write_text(CONF.format(folder=folder).replace("[general]", f"[general]\nengine = {engine}") + text)
    return str(path)


def test_the_version_and_the_commands():
    assert tonewall("version").stdout == f"tonewall {VERSION}\n"
    text = tonewall("--help").stdout
    for command in ("run", "demo", "doctor", "health", "route", "cdr", "provider", "version"):
        assert f" {command} " in text


@pytest.mark.parametrize("command", [["run"], ["route", "1"]])
def test_a_wrong_configuration_is_reported_fault_by_fault_and_without_a_value(
    command: list[str], tmp_path: Path
):
    path = conf(tmp_path, f"[route x]\nto = nowhere\n[carrier x]\nhost = h\nnumbers = {SECRET}\n")
    done = tonewall(*command, "-c", path)
    assert done.returncode == 2
    assert "[carrier x] numbers" in done.stderr
    assert SECRET not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_a_file_that_is_not_there(tmp_path: Path):
    done = tonewall("run", "-c", str(tmp_path / "none.conf"))
    assert done.returncode == 2
    assert "give a file with -c FILE" in done.stderr


# --- route ----------------------------------------------------------------------------------------


def test_where_a_number_would_go(tmp_path: Path):
    done = tonewall("route", "030123456", "--from", "north", "--caller", "015112345678", "-c", conf(tmp_path))
    assert done.returncode == 0, done.stderr
    first, by, header, row = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert first == "from north, +4915112345678 calls +4930123456"
    assert by == "by [route berlin]"
    assert header == "trunk host caller callee"
    assert row == "1 pbx 192.0.2.3 +4915112345678 1123456"


def test_a_call_that_would_be_refused(tmp_path: Path):
    path = conf(tmp_path)
    done = tonewall("route", "089123456", "--from", "north", "-c", path)
    assert (done.returncode, done.stdout.splitlines()[1:]) == (1, ["no route fits", "refused with 404"])
    done = tonewall("route", "030123456", "--from", "north", "--caller", "0900123456", "-c", path)
    assert (done.returncode, done.stdout.splitlines()[1:]) == (1, ["by [route blocked]", "refused with 603"])


def test_a_trunk_that_there_is_not(tmp_path: Path):
    done = tonewall("route", "1", "--from", "east", "-c", conf(tmp_path))
    assert (done.returncode, done.stderr) == (
        2, "tonewall: --from: there is no trunk east; expected one of north, south, pbx\n",
    )  # fmt: skip


def test_without_routes_the_order_of_the_file(tmp_path: Path):
    done = tonewall("route", "1", "--from", "pbx", "-c", conf(tmp_path, ""))
    assert [line.split()[1:3] for line in done.stdout.splitlines()[3:]] == [
        ["north", "192.0.2.1"], ["south", "192.0.2.2:5080"],
    ]  # fmt: skip


# --- doctor's look at PJSIP -----------------------------------------------------------------------


async def test_the_doctor_tells_what_the_pjsip_that_is_here_holds(tmp_path: Path):
    pytest.importorskip("pjsua2", reason="pjsua2 is not here")
    path = Path(conf(tmp_path, ""))
    assert not [finding for finding in await examine(path) if "PJSIP" in finding.what]
    chosen = Path(conf(tmp_path, "", engine="pjsua2"))
    calls, transports = [finding for finding in await examine(chosen) if "PJSIP" in finding.what]
    assert re.search(r"^[0-9.]+[^ ]*: [0-9]+ calls at once; more get 503", calls.text)
    assert "2 calls" not in calls.text or calls.level is Level.WARNING
    assert "UDP" in transports.text
    assert "SSL" in transports.text


def test_pjsua2_is_loaded_only_where_it_is_chosen():
    loaded = "import sys, b2bua.app, b2bua.doctor.examination; sys.exit('pjsua2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", loaded], check=False).returncode == 0


# --- doctor's look at the routes ------------------------------------------------------------------


async def routes(folder: Path, text: str) -> list[tuple[Level, str]]:
    found = await examine(Path(conf(folder, text)))
    return [(finding.level, finding.text) for finding in found if finding.what == "routes"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "there are several of [carrier] and no [route]"),
        (ROUTES, "no [route] leads to north"),
        (
            "[route all]\nto = pbx, north, south\n[route more]\nto = pbx\n",
            "[route all] takes every call, so [route more]",
        ),
        ("[route all]\nrefuse = 403\n[route more]\nto = pbx, north, south\n", "[route all] takes every call"),
    ],
)
async def test_the_doctor_sees_routes_that_lead_nowhere(
    text: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("b2bua.doctor.reach._TIMEOUT", 0.01)
    levels = await routes(tmp_path, text)
    assert any(level is Level.WARNING and line.startswith(says) for level, line in levels), levels


async def test_the_doctor_tries_the_address_that_a_trunk_has_for_its_rtp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("b2bua.doctor.reach._TIMEOUT", 0.01)
    text = CONF.replace("[carrier north]", "[carrier north]\nmedia_address = 198.51.100.77")
    text = text.replace("[carrier south]", "[carrier south]\nmedia_address = ::1")
    monkeypatch.setattr(sys.modules[__name__], "CONF", text)
    found = {finding.what: finding for finding in await examine(Path(conf(tmp_path, ROUTES)))}
    assert found["north's media address"].level is Level.FAULT
    assert found["north's media address"].text.startswith("[carrier north] media_address: ")
    assert found["south's media address"].level is Level.GOOD


async def test_the_doctor_tries_whether_media_threads_may_be_real_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("b2bua.doctor.reach._TIMEOUT", 0.01)
    settings = conf(tmp_path, ROUTES + "[media]\nrealtime = yes\nthreads = 64\n")
    found = {finding.what: finding for finding in await examine(Path(settings))}
    assert "more than the" in found["media threads"].text
    before = os.sched_getscheduler(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        assert "LimitRTPRIO" in found["real-time threads"].text
    else:
        os.sched_setscheduler(0, before, os.sched_param(0))
        assert found["real-time threads"].level is Level.GOOD


async def test_the_doctor_is_content_with_routes_that_reach_every_trunk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("b2bua.doctor.reach._TIMEOUT", 0.01)
    text = "[route in]\nsource = north, south\nto = pbx\n[route out]\nsource = pbx\nto = south, north\n"
    assert await routes(tmp_path, text) == [(Level.GOOD, "2, each can be reached")]
