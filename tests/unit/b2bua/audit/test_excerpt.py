"""An excerpt of an audit log: it verifies by itself, and each change to it is found."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from b2bua.audit.entry import Entry, Result, write_time
from b2bua.audit.excerpt import FILE, Excerpt, cut_excerpt, verify_excerpt
from b2bua.audit.log_file import LogFile
from b2bua.audit.verify import log_files

KEY = Ed25519PrivateKey.generate()
BEGIN = 1_796_000_000.0
HOUR = 3600.0


class Clock:
    """Seconds since the epoch, as the test says."""

    now = BEGIN

    def __call__(self) -> float:
        return self.now


def write_log(directory: Path, hours: int, *, closed: bool = True, file_bytes: int = 4096) -> LogFile:
    """A log of several files with ten entries an hour."""
    clock = Clock()
    log = LogFile(directory, KEY, clock, file_bytes)
    for number in range(hours * 10):
        clock.now = BEGIN + number * HOUR / 10
        what = "mask_on" if number % 10 == 3 else "submit_card"
        log.append([Entry(at=write_time(clock.now), who="ann", what=what, result=Result.DONE)])
    if closed:
        log.close()
    return log


def cut(directory: Path, to: Path, since: float, until: float) -> Excerpt:
    to.mkdir()
    times = (write_time(BEGIN + hour * HOUR) for hour in (since, until))
    return cut_excerpt(directory, KEY.public_key(), *times, to, frozenset({"mask_on"}))


def entries(directory: Path) -> list[str]:
    lines = (json.loads(line) for line in (directory / FILE).read_bytes().splitlines())
    return [line["entry"]["at"] for line in lines if "entry" in line]


@pytest.mark.parametrize(("since", "until"), [(0, 8), (2, 5), (-3, 1), (7, 20), (-9, 90)])
def test_an_excerpt_has_every_entry_of_its_period_and_verifies(
    tmp_path: Path, since: int, until: int
) -> None:
    write_log(tmp_path / "audit", 8)
    assert len(log_files(tmp_path / "audit")) > 1
    found = cut(tmp_path / "audit", tmp_path / "cut", since, until)
    wanted = [
        write_time(BEGIN + number * HOUR / 10) for number in range(max(since, 0) * 10, min(until, 8) * 10)
    ]
    assert found.log.is_sound
    assert [at for at in entries(tmp_path / "cut") if at in wanted] == wanted
    assert found.counts["mask_on done"] == len(wanted) // 10 == len(found.kept)
    report = verify_excerpt(tmp_path / "cut", KEY.public_key())
    assert report.is_sound, report.findings
    assert (report.first, report.lines) == (found.first, found.last - found.first + 1)


@pytest.mark.parametrize(("since", "until"), [(-20, -10), (30, 40)])
def test_a_period_outside_of_the_log_has_no_entry(tmp_path: Path, since: int, until: int) -> None:
    write_log(tmp_path / "audit", 2)
    found = cut(tmp_path / "audit", tmp_path / "cut", since, until)
    assert not found.counts
    assert verify_excerpt(tmp_path / "cut", KEY.public_key()).is_sound


def test_a_log_that_is_written_meanwhile_is_cut_at_its_head(tmp_path: Path) -> None:
    log = write_log(tmp_path / "audit", 1, closed=False, file_bytes=1 << 20)
    (path,) = log_files(tmp_path / "audit")
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"number":')  # as a write that is under way looks
    found = cut(tmp_path / "audit", tmp_path / "cut", 0, 50)
    assert found.log.is_sound, found.log.findings
    assert not found.is_closed
    assert found.last == log.place.number
    assert verify_excerpt(tmp_path / "cut", KEY.public_key()).is_sound
    path.write_bytes(whole)
    log.close()


def test_each_change_to_an_excerpt_is_found(tmp_path: Path) -> None:
    write_log(tmp_path / "audit", 4)
    cut(tmp_path / "audit", tmp_path / "cut", 1, 3)
    lines = (tmp_path / "cut" / FILE).read_bytes().splitlines(keepends=True)
    changed = [lines[:at] + lines[at + 1 :] for at in range(1, len(lines))]  # its end included
    changed += [
        [*lines[:at], lines[at].replace(b"ann", b"eve"), *lines[at + 1 :]] for at in range(len(lines))
    ]
    changed += [[*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]] for at in range(len(lines) - 1)]
    missed = 0
    for number, each in enumerate(case for case in changed if case != lines):
        directory = tmp_path / f"changed-{number}"
        shutil.copytree(tmp_path / "cut", directory)
        (directory / FILE).write_bytes(b"".join(each))
        missed += verify_excerpt(directory, KEY.public_key()).is_sound
    assert not missed


def test_what_is_wrong_with_the_log_is_said_with_its_excerpt(tmp_path: Path) -> None:
    write_log(tmp_path / "audit", 4)
    path = log_files(tmp_path / "audit")[0]
    path.write_bytes(path.read_bytes().replace(b'"who":"ann"', b'"who":"eve"', 1))
    found = cut(tmp_path / "audit", tmp_path / "cut", 3, 4)
    assert [each.file for each in found.log.findings] == [path.name]
    (tmp_path / "audit" / "head.json").unlink()
    assert any("missing" in each.what for each in cut(tmp_path / "audit", tmp_path / "b", 3, 4).log.findings)
