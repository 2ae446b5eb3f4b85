"""Entries of commands: written by the process that has the log, by the command where none has, and
none is lost over a crash."""

from __future__ import annotations

import asyncio
import getpass
import os
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from b2bua.audit.chain import read_line
from b2bua.audit.entry import Entry, Result
from b2bua.audit.handed_in import FOLDER, CommandLog, hand_in, read_handed_in
from b2bua.audit.log_file import LogFile
from b2bua.audit.recorder import Recorder
from b2bua.audit.verify import log_files, verify
from tests.complaints import permit_error

KEY = Ed25519PrivateKey.generate()
AT = 1_796_000_000.0


def opened(directory: Path) -> LogFile:
    return LogFile(directory, KEY, lambda: AT)


def noted(directory: Path) -> list[Entry]:
    lines = [read_line(line) for path in log_files(directory) for line in path.read_bytes().splitlines()]
    return [line.entry for line in lines if line.entry is not None]


def test_a_command_writes_its_entries_where_no_process_has_the_log(tmp_path: Path) -> None:
    directory = tmp_path / "audit"
    commands = CommandLog(directory, lambda: opened(directory))
    with commands.noted("create_token", {"name": "crm"}):
        (waiting,) = read_handed_in(directory)
        assert waiting[1].result is Result.ASKED  # on disk before anything is done
    asked, done = noted(directory)
    assert (asked.what, asked.result, done.result) == ("create_token", "asked", "done")
    assert asked.who == (os.environ.get("SUDO_USER") or getpass.getuser())
    assert asked.details["request"] == done.details["request"]
    assert read_handed_in(directory) == []
    assert verify(directory, KEY.public_key()).findings == []


def test_what_failed_is_noted_as_failed(tmp_path: Path) -> None:
    commands = CommandLog(tmp_path, lambda: opened(tmp_path), who="ann")
    with pytest.raises(KeyError), commands.noted("revoke_token"):
        raise KeyError
    assert [(each.who, each.result) for each in noted(tmp_path)] == [("ann", "asked"), ("ann", "failed")]


def test_nothing_is_done_that_could_not_be_noted(tmp_path: Path) -> None:
    in_the_way = tmp_path / "audit"
    in_the_way.write_text("a file")
    done = False
    with pytest.raises(OSError, match="audit"), CommandLog(in_the_way).noted("revoke_token"):
        done = True
    assert not done


def test_without_a_log_nothing_is_noted(tmp_path: Path) -> None:
    with CommandLog(None).noted("create_token"):
        pass
    assert list(tmp_path.iterdir()) == []


async def test_the_process_that_has_the_log_writes_what_is_handed_in(tmp_path: Path) -> None:
    recorder = Recorder(lambda: opened(tmp_path), lambda: AT)
    writing = asyncio.create_task(recorder.run())
    await recorder.write(recorder.entry("ann", "submit_card", Result.ASKED))
    commands = CommandLog(tmp_path, lambda: opened(tmp_path))
    with commands.noted("create_token"):
        pass
    assert not commands.write()  # it is not its to write
    await recorder.take_handed_in(tmp_path)
    await recorder.end()
    await writing
    assert [each.what for each in noted(tmp_path)] == ["submit_card", "create_token", "create_token"]
    assert list((tmp_path / FOLDER).iterdir()) == []


async def test_what_cannot_be_written_waits(tmp_path: Path) -> None:
    hand_in(tmp_path, Entry(at="now", who="ann", what="create_token", result=Result.DONE))
    recorder = Recorder(lambda: opened(tmp_path), lambda: AT)
    recorder.close()
    await recorder.take_handed_in(tmp_path)
    assert len(read_handed_in(tmp_path)) == 1


def test_what_is_no_entry_is_put_aside_and_said(tmp_path: Path) -> None:
    permit_error("audit_entry_refused")
    folder = tmp_path / FOLDER
    folder.mkdir()
    (folder / "0-a.json").write_bytes(b'{"who": 7}')
    (folder / "0-b.new").write_bytes(b"half of one")
    entry = Entry(at="now", who="ann", what="create_token", result=Result.DONE)
    (folder / "1-c.json").write_bytes(msgspec.json.encode(entry))
    assert [each for _, each in read_handed_in(tmp_path)] == [entry]
    assert (folder / "0-a.refused").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands in what another user reads")
def test_what_root_hands_in_belongs_to_the_user_of_the_log_who_writes_it(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65534)
    directory = tmp_path / "audit"
    commands = CommandLog(directory, lambda: opened(directory))
    with commands.noted("create_token"):
        pass
    assert log_files(directory) == []  # a file of root's would stop the process of that user
    made = [directory, directory / FOLDER, *(path for path, _ in read_handed_in(directory))]
    assert [path.stat().st_uid for path in made] == [65534] * 4
