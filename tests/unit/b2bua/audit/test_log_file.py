"""An audit log on disk: killed at any moment, on a full disk, and written by one process alone."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from b2bua.audit import log_file
from b2bua.audit.chain import MAX_LINE, Place, read_line
from b2bua.audit.entry import Entry, Result
from b2bua.audit.log_file import LogFile, LogTaken
from b2bua.audit.signing_key import make_key, read_private, read_public
from b2bua.audit.verify import log_files, verify

KEY = Ed25519PrivateKey.generate()
AT = 1_796_000_000.0
# Says the number of each line that is on disk.
WRITER = """
import sys, time
from pathlib import Path
from b2bua.audit.entry import Entry, Result
from b2bua.audit.log_file import LogFile
from b2bua.audit.signing_key import read_private
log = LogFile(Path(sys.argv[1]), read_private(Path(sys.argv[2])), time.time, 5000)
while True:
    entries = [Entry(at="now", who="ann", what="submit", result=Result.ASKED)] * 3
    print(log.append(entries) + 2, flush=True)
"""


def an_entry(**more: str) -> Entry:
    return Entry(at="now", who="ann", what="submit", result=Result.ASKED, **more)


def numbers(directory: Path) -> list[int]:
    return [
        read_line(line).number for path in log_files(directory) for line in path.read_bytes().splitlines()
    ]


def test_a_writer_that_is_killed_at_any_moment_leaves_a_log_that_verifies(tmp_path: Path) -> None:
    directory, key = tmp_path / "audit", tmp_path / "key.pem"
    public = read_public(make_key(key))
    chance = random.Random(7)
    for _ in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(directory), str(key)], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()  # it writes
            time.sleep(chance.random() * 0.1)  # whenever it is
            writer.send_signal(signal.SIGKILL)
            said = [int(number) for number in writer.stdout.read().split(b"\n")[:-1]]
        found = [each for each in verify(directory, public).findings if "not complete" not in each.what]
        assert found == []
        assert max(said, default=0) <= max(numbers(directory))
    LogFile(directory, read_private(key), time.time).close()
    report = verify(directory, public)
    assert report.findings == []
    assert len(log_files(directory)) > 1
    assert report.unsigned == 0


def test_a_line_that_was_not_finished_is_cut_and_noted(tmp_path: Path) -> None:
    log = LogFile(tmp_path, KEY, lambda: AT)
    log.append([an_entry()])
    log.close()
    (path,) = log_files(tmp_path)
    with path.open("ab") as file:
        file.write(b'{"number":')
    assert [each.what for each in verify(tmp_path, KEY.public_key()).findings] == ["the line is not complete"]
    LogFile(tmp_path, KEY, lambda: AT).close()
    assert verify(tmp_path, KEY.public_key()).findings == []
    assert b'"what":"audit_line_cut","result":"noted","details":{"bytes":10}' in path.read_bytes()


def test_two_processes_do_not_write_one_log(tmp_path: Path) -> None:
    log = LogFile(tmp_path, KEY, lambda: AT)
    with pytest.raises(LogTaken, match="another process"):
        LogFile(tmp_path, KEY, lambda: AT)
    log.close()
    LogFile(tmp_path, KEY, lambda: AT).close()


@pytest.mark.parametrize("written", [0, 1, 40])
def test_what_a_full_disk_does_not_take_is_taken_back_and_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    log = LogFile(tmp_path, KEY, lambda: AT)
    log.append([an_entry()])
    before = numbers(tmp_path)
    real, full = os.write, False

    def write(descriptor: int, octets: memoryview) -> int:
        nonlocal full
        if not full and not bytes(octets[:20]).startswith(b'{"number":3,"previou'):
            return real(descriptor, octets)
        if written and not full:
            full = True
            return real(descriptor, octets[:written])
        raise OSError(28, "no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(log_file.os, "write", write)
        with pytest.raises(OSError, match="no space"):
            log.append([an_entry()])
    assert numbers(tmp_path) == before
    assert log.append([an_entry()]) == before[-1] + 1
    log.close()
    assert verify(tmp_path, KEY.public_key()).findings == []


@pytest.mark.parametrize("fails", ["_next_file", "the second head"])
def test_entries_that_are_there_are_not_refused_where_what_follows_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    log = LogFile(tmp_path, KEY, lambda: AT, file_bytes=1)
    heads, real = 0, LogFile._write_head

    def full(*_: object) -> None:
        raise OSError(28, "no space left on device")

    def write_head(self: LogFile, *places: Place) -> None:
        nonlocal heads
        heads += 1
        if heads == 2:
            full()
        real(self, *places)

    with monkeypatch.context() as patched:
        if fails == "_next_file":
            patched.setattr(LogFile, fails, full)
        else:
            patched.setattr(LogFile, "_write_head", write_head)
        first = log.append([an_entry(call="c-1")])
    entries = [line for path in log_files(tmp_path) for line in path.read_bytes().splitlines()]
    assert [read_line(each).number for each in entries if b"c-1" in each] == [first]
    assert verify(tmp_path, KEY.public_key()).findings == []
    assert log.append([an_entry()]) > first
    log.close()
    assert verify(tmp_path, KEY.public_key()).findings == []


@pytest.mark.parametrize("call", ["write", "fdatasync", "ftruncate"])
def test_a_log_that_cannot_be_opened_now_is_opened_once_it_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    log = LogFile(tmp_path, KEY, lambda: AT)
    log.append([an_entry()])
    log.close()
    with log_files(tmp_path)[0].open("ab") as file:
        file.write(b"torn")

    def fail(*_: object) -> None:
        raise OSError(28, "no space left on device")

    before = len(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as patched:
        patched.setattr(log_file.os, call, fail)
        for _ in range(3):
            with pytest.raises(OSError, match="no space"):
                LogFile(tmp_path, KEY, lambda: AT)
    assert len(os.listdir("/proc/self/fd")) == before
    log = LogFile(tmp_path, KEY, lambda: AT)
    log.append([an_entry()])
    log.close()
    assert verify(tmp_path, KEY.public_key()).findings == []


def test_an_entry_that_is_too_long_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    log = LogFile(tmp_path, KEY, lambda: AT)
    with pytest.raises(ValueError, match="limit"):
        log.append([an_entry(), an_entry(call="c" * MAX_LINE)])
    assert log.append([an_entry()]) == 2
    log.close()
    assert verify(tmp_path, KEY.public_key()).findings == []


def test_a_key_is_made_once_for_its_owner_alone_and_nothing_else_is_taken_for_one(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    public = make_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_private(path).public_key() == read_public(public)
    with pytest.raises(FileExistsError):
        make_key(path)
    for read, wrong in ((read_private, public), (read_public, path)):
        with pytest.raises(ValueError, match="expected an Ed25519 key") as error:
            read(wrong)
        assert error.value.__cause__ is None
