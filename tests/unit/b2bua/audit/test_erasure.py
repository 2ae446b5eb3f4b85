"""Erasure of what is personal in an audit log: the chain verifies as before, and no file of ours
holds the key or the name, over kill -9 at any moment."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from b2bua.audit.chain import read_line
from b2bua.audit.entry import Entry, Result
from b2bua.audit.log_file import LogFile
from b2bua.audit.masks import OFF, ON
from b2bua.audit.reading import Unsealer
from b2bua.audit.record_keys import FILE, RecordKeys
from b2bua.audit.sealing import ERASED, unseal
from b2bua.audit.signing_key import make_key
from b2bua.audit.verify import log_files, verify
from b2bua.cli import app
from tests.unit.b2bua.audit.written_log import AT, KEY

RUNNER = CliRunner()


def an_entry(who: str = "Ann Archer", call: str = "c-1", at: str = "2026-12-01T10:00:00.000Z") -> Entry:
    return Entry(
        at=at, who=who, what="submit_card", result=Result.ASKED, source="192.0.2.7", call=call,
        payment=f"p-of-{call}", configuration="c0ffee", details={"status": 200},
    )  # fmt: skip


ENTRIES = [
    an_entry(),
    an_entry(call="c-2"),
    an_entry("Ben Baker"),
    an_entry("Ben Baker", "c-3", "2026-12-02T10:00:00.000Z"),
    Entry(at="2026-12-02T11:00:00.000Z", who="tonewall", what="audit_lost", result=Result.NOTED),
]


def opened(directory: Path) -> LogFile:
    return LogFile(directory, KEY, lambda: AT, erasable=True)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    log = opened(tmp_path / "audit")
    log.append(ENTRIES)
    log.close()
    return tmp_path / "audit"


def entries(directory: Path) -> list[Entry]:
    lines = [read_line(line) for path in log_files(directory) for line in path.read_bytes().splitlines()]
    unseal = Unsealer(directory)
    found = [unseal(line.entry) for line in lines if line.entry is not None]
    unseal.close()
    return found


def octets(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in directory.rglob("*") if path.is_file())


def test_what_is_personal_is_sealed_and_the_rest_can_be_read(directory: Path) -> None:
    lines = b"".join(path.read_bytes() for path in log_files(directory))
    for personal in (b"Ann", b"Ben", b"192.0.2.7", b"c-1", b"p-of"):
        assert personal not in lines
    for plain in (
        b"submit_card",
        b"2026-12-01T10:00:00.000Z",
        b"c0ffee",
        b'"status":200',
        b'"who":"tonewall"',
    ):
        assert plain in lines
    assert entries(directory) == ENTRIES
    assert verify(directory, KEY.public_key()).findings == []


@pytest.mark.parametrize(
    ("what", "names", "calls"),
    [
        ({"who": "Ann Archer"}, {0, 1}, set()),
        ({"call": "c-1"}, {0, 2}, {0, 2}),
        ({"before": "2026-12-02"}, {0, 1, 2}, {0, 1, 2}),
    ],
    ids=str,
)
def test_erased_entries_have_no_name_and_the_chain_verifies(
    directory: Path, what: dict[str, str], names: set[int], calls: set[int]
) -> None:
    before = [path.read_bytes() for path in log_files(directory)]
    keys = RecordKeys(directory)
    assert keys.erase(**what) == len(names) + len({ENTRIES[each].call for each in calls})
    assert keys.count(**what) == 0
    keys.close()
    pseudonyms: dict[str, str] = {}
    for index, (was, now) in enumerate(zip(ENTRIES, entries(directory), strict=True)):
        expected = msgspec.structs.replace(was, who=ERASED, source="") if index in names else was
        if index in calls:  # entries of one call still belong together
            assert now.call.startswith(f"{ERASED}-")
            assert pseudonyms.setdefault(was.call, now.call) == now.call
            expected = msgspec.structs.replace(expected, call=now.call, payment="")
        assert now == expected
    assert len(set(pseudonyms.values())) == len(pseudonyms)
    assert [path.read_bytes() for path in log_files(directory)] == before
    assert verify(directory, KEY.public_key()).findings == []


def test_nothing_of_what_was_erased_is_in_any_file(directory: Path) -> None:
    with sqlite3.connect(directory / FILE) as database:
        gone = [key for (key,) in database.execute("SELECT key FROM keys WHERE who = 'Ann Archer'")]
        kept = [key for (key,) in database.execute("SELECT key FROM keys WHERE who = 'Ben Baker'")]
    database.close()
    assert all(key in octets(directory) for key in gone)
    keys = RecordKeys(directory)
    keys.erase(who="Ann Archer")
    found = octets(directory)  # with the database open, as in a running process
    keys.close()
    assert not any(key in found for key in gone)
    assert not any(key in octets(directory) for key in gone)
    assert b"Ann Archer" not in found
    assert all(key in found for key in kept)


def test_an_erased_name_that_comes_again_has_a_new_key(directory: Path) -> None:
    keys = RecordKeys(directory)
    keys.erase(who="Ann Archer")
    keys.close()
    log = opened(directory)
    log.append([an_entry()])
    log.close()
    assert [each.who for each in entries(directory)] == [
        ERASED,
        ERASED,
        *[e.who for e in ENTRIES[2:]],
        "Ann Archer",
    ]


def test_what_is_sealed_belongs_to_its_entry(directory: Path) -> None:
    line = read_line(log_files(directory)[0].read_bytes().splitlines()[1])
    assert line.entry is not None
    keys = RecordKeys(directory)
    key, call_key = keys.find(line.entry.key), keys.find(line.entry.call_key)
    keys.close()
    assert unseal(line.entry, key, call_key) == ENTRIES[0]
    for changed in (
        msgspec.structs.replace(line.entry, what="refund_payment"),
        msgspec.structs.replace(line.entry, at="2026-12-01T10:00:00.001Z"),
        msgspec.structs.replace(line.entry, sealed=line.entry.sealed[:-4] + "AAAA"),
        msgspec.structs.replace(line.entry, sealed="!"),
        msgspec.structs.replace(line.entry, sealed=line.entry.sealed_call, sealed_call=line.entry.sealed),
        msgspec.structs.replace(line.entry, sealed_call=line.entry.sealed_call[:-4] + "AAAA"),
    ):
        with pytest.raises(ValueError, match="another"):
            unseal(changed, key, call_key)
    for keys_of_others in ((bytes(32), call_key), (key, bytes(32)), (call_key, key)):
        with pytest.raises(ValueError, match="another"):
            unseal(line.entry, *keys_of_others)


MASK = [
    Entry(
        at="2026-12-01T10:02:07.200Z", who="Ann Archer", what=ON, result=Result.NOTED, call="c-1",
        details={"reason": "payment", "since": "2026-12-01T10:02:07.114Z"},
    ),
    Entry(
        at="2026-12-01T10:03:41.000Z", who="media", what=OFF, result=Result.NOTED, call="c-1",
        details={"reason": "approved", "since": "2026-12-01T10:02:07.114Z",
            "until": "2026-12-01T10:03:40.902Z", "counts": "not counted"},
    ),
]  # fmt: skip


@pytest.mark.parametrize("what", [{"who": "Ann Archer"}, {"call": "c-1"}], ids=str)
def test_a_mask_is_shown_though_who_had_it_on_or_its_call_is_erased(
    tmp_path: Path, what: dict[str, str]
) -> None:
    log = opened(tmp_path)
    log.append(MASK)
    log.close()
    text = log_files(tmp_path)[0].read_bytes()
    assert b'"who":"media"' in text  # nobody's name
    assert b"c-1" not in text
    keys = RecordKeys(tmp_path)
    keys.erase(**what)
    keys.close()
    said = RUNNER.invoke(app, ["audit", "masks", str(tmp_path), "--json"])
    (mask,) = map(json.loads, said.output.splitlines())
    times = ("2026-12-01T10:02:07.114Z", "2026-12-01T10:03:40.902Z")
    assert (mask["who"], mask["since"], mask["until"]) == (ERASED, *times)
    assert mask["call"] == "c-1" if "who" in what else mask["call"].startswith(f"{ERASED}-")


def test_files_that_expire_take_the_keys_of_their_days_along(tmp_path: Path) -> None:
    log = LogFile(tmp_path, KEY, lambda: AT, 1, erasable=True)
    log.append(ENTRIES[:1])
    log.append(ENTRIES[3:4])
    log.expire(datetime(2026, 12, 9, tzinfo=UTC).timestamp())
    log.close()
    keys = RecordKeys(tmp_path)
    assert keys.count(before="2026-12-09") == 0
    keys.close()
    assert verify(tmp_path, KEY.public_key()).findings == []


@pytest.mark.parametrize("spoilt", ["no database", "a folder"])
def test_a_log_whose_keys_cannot_be_used_takes_no_entry(tmp_path: Path, spoilt: str) -> None:
    log = opened(tmp_path)
    if spoilt == "a folder":
        (tmp_path / FILE).mkdir()
    else:
        (tmp_path / FILE).write_bytes(b"this is no database at all, but it is long enough for one" * 100)
    with pytest.raises(OSError):  # noqa: PT011 - the text is the system's
        log.append([an_entry()])
    assert log.append(ENTRIES[4:]) == 2  # nothing in it is personal
    log.close()
    assert verify(tmp_path, KEY.public_key()).findings == []


WRITER = """
import sys, time
from pathlib import Path
from b2bua.audit.entry import Entry, Result
from b2bua.audit.masks import OFF, ON
from b2bua.audit.log_file import LogFile
from b2bua.audit.signing_key import read_private
log = LogFile(Path(sys.argv[1]), read_private(Path(sys.argv[2])), time.time, 20000, erasable=True)
number = 0
while True:
    number += 1
    at = "2026-12-01T10:00:00.000Z"
    log.append([Entry(at=at, who="Ann Archer", what="submit", result=Result.ASKED, call=f"c-{number}")])
    print(number, flush=True)
"""
ERASER = """
import sys
from pathlib import Path
from b2bua.audit.record_keys import RecordKeys
keys = RecordKeys(Path(sys.argv[1]))
print(flush=True)
for name in range(1000):
    keys.erase(who=f"Name {name}")
"""


def test_an_entry_is_readable_whenever_its_writer_is_killed(tmp_path: Path) -> None:
    """Its key is on disk before it is."""
    directory, key = tmp_path / "audit", tmp_path / "key.pem"
    make_key(key)
    chance = random.Random(11)
    for _ in range(6):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(directory), str(key)], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(chance.random() * 0.1)  # whenever it is
            writer.send_signal(signal.SIGKILL)
    read = entries(directory)
    assert len(read) >= 6
    assert {each.who for each in read if each.what == "submit"} == {"Ann Archer"}


def test_an_erasure_that_is_killed_has_erased_a_name_or_nothing_of_it(tmp_path: Path) -> None:
    directory, chance = tmp_path, random.Random(12)
    partly = 0
    for _ in range(8):
        log = opened(directory)
        log.append([an_entry(f"Name {name}", f"c-{call}") for name in range(60) for call in range(5)])
        log.close()
        with sqlite3.connect(directory / FILE) as database:
            known = database.execute("SELECT who, key FROM keys WHERE who != ''").fetchall()
        database.close()
        with subprocess.Popen(
            [sys.executable, "-c", ERASER, str(directory)], stdout=subprocess.PIPE
        ) as eraser:
            assert eraser.stdout is not None
            eraser.stdout.readline()
            time.sleep(chance.random() * 0.1)  # whenever it is
            eraser.send_signal(signal.SIGKILL)
        keys = RecordKeys(directory)
        left = [keys.count(who=f"Name {name}") for name in range(60)]
        keys.close()
        assert set(left) <= {0, 5}
        partly += 0 < sum(left) < 300
        found = octets(directory)
        for who, key in known:
            assert (key in found) is (left[int(who[5:])] == 5)
        assert verify(directory, KEY.public_key()).findings == []
    assert partly


def test_a_key_that_is_deleted_leaves_no_copy_where_rows_have_moved(tmp_path: Path) -> None:
    """A tree that is balanced moves rows from page to page: `secure_delete` overwrites where they
    are deleted, not where they were before."""
    keys = RecordKeys(tmp_path)
    entries = [an_entry(f"Name {name}", f"c-{call}") for name in range(60) for call in range(5)]
    for last in (50, 60):  # of the second round, rows lie among those of the first
        keys.seal(entries)
        with contextlib.closing(sqlite3.connect(tmp_path / FILE)) as database:
            known = database.execute("SELECT who, key FROM keys WHERE who != ''").fetchall()
        for name in range(last):
            keys.erase(who=f"Name {name}")
            found = octets(tmp_path)
            assert [who for who, key in known if who == f"Name {name}" and key in found] == []
    keys.close()


def test_what_a_killed_erasure_has_left_is_overwritten_before_anybody_reads(tmp_path: Path) -> None:
    keys = RecordKeys(tmp_path)
    keys.seal([an_entry(f"Name {name}", f"c-{call}") for name in range(60) for call in range(5)])
    keys.close()
    with contextlib.closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as database:
        known = [key for (key,) in database.execute("SELECT key FROM keys WHERE who = 'Name 7'")]
        database.executescript(
            "PRAGMA secure_delete = OFF; PRAGMA user_version = 1; DELETE FROM keys WHERE who = 'Name 7';"
        )
    assert [key in octets(tmp_path) for key in known] == [True] * 5
    keys = RecordKeys(tmp_path)
    assert keys.count(who="Name 7") == 0
    keys.close()
    assert [key in octets(tmp_path) for key in known] == [False] * 5


def test_entries_are_written_while_others_are_erased(directory: Path) -> None:
    log, keys, ends = opened(directory), RecordKeys(directory), threading.Event()

    def erase() -> None:
        while not ends.is_set():
            keys.erase(who="Ann Archer")

    erasing = threading.Thread(target=erase)
    erasing.start()
    for number in range(50):
        log.append([an_entry(call=f"c-{number}"), an_entry("Cid Carter", f"c-{number}")])
    ends.set()
    erasing.join()
    keys.close()
    log.close()
    read = entries(directory)
    assert sum(each.who == "Cid Carter" for each in read) == 50
    assert {each.who for each in read} <= {"Ann Archer", "Ben Baker", "Cid Carter", "tonewall", ERASED}
    assert verify(directory, KEY.public_key()).findings == []


# --- the command ----------------------------------------------------------------------------------


def test_the_command_erases_what_it_is_asked_for_and_the_log_says_so(directory: Path, tmp_path: Path) -> None:
    shown = RUNNER.invoke(app, ["audit", "show", "--json", str(directory), "--who=Ann Archer"])
    assert len(shown.output.splitlines()) == 2
    said = RUNNER.invoke(app, ["audit", "erase", str(directory), "--who", "Ann Archer"], input="n\n")
    assert "2 record keys" in said.output
    assert "nothing is erased" in said.output
    assert entries(directory) == ENTRIES
    said = RUNNER.invoke(app, ["audit", "erase", str(directory), "--who", "Ann Archer", "--yes"])
    assert said.exit_code == 0, said.output
    assert "Copies of record-keys.sqlite" in said.output
    log = opened(directory)
    log.close()
    shown = RUNNER.invoke(app, ["audit", "show", "--json", str(directory)])
    assert [json.loads(line)["who"] for line in shown.output.splitlines()][:2] == [ERASED, ERASED]
    handed = [path.read_text() for path in (directory / "handed-in").iterdir()]
    assert [json.loads(text)["result"] for text in sorted(handed, key=lambda text: "done" in text)] == [
        "asked",
        "done",
    ]
    assert not any("Ann Archer" in text for text in handed)
    assert any('"keys":2' in text for text in handed)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], "expected one of"),
        (["--who=a", "--call=b"], "expected one of"),
        (["--before=yesterday"], "expected --before as a day"),
        (["--before=20261231"], "expected --before as a day"),
    ],
)
def test_what_cannot_be_erased_is_said(directory: Path, options: list[str], expected: str) -> None:
    said = RUNNER.invoke(app, ["audit", "erase", str(directory), "--yes", *options])
    assert said.exit_code == 2
    assert expected in said.output
    assert entries(directory) == ENTRIES


def test_a_log_in_clear_cannot_be_erased(tmp_path: Path) -> None:
    log = LogFile(tmp_path, KEY, lambda: AT)
    log.append(ENTRIES)
    log.close()
    assert entries(tmp_path) == ENTRIES
    said = RUNNER.invoke(app, ["audit", "erase", str(tmp_path), "--who=Ann Archer", "--yes"])
    assert said.exit_code == 2
    assert "without [audit] erasable" in said.output
