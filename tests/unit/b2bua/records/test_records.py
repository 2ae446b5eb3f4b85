"""Call detail records: the ledger, the spool, both databases, export and retention."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import secrets
import sqlite3
import subprocess
import sys
import time
import unicodedata
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import sqlalchemy
from pydantic import SecretStr
from typer.testing import CliRunner

from b2bua.call.cdr import CallRecord, CaptureRecord, Ledger, LegRecord
from b2bua.call.leg import LegAnswered, LegFailed, LegHungUp, LegInvited, LegProgressed, Party
from b2bua.call.leg_command import AnswerLeg, HangUpLeg, InviteLeg, RejectLeg, RingLeg
from b2bua.call.order import Order
from b2bua.call.sdp.codecs import Codec
from b2bua.call.view import CaptureStage, PaymentView
from b2bua.cli import app
from b2bua.config.cdr_settings import CdrSettings
from b2bua.doctor.database import check_database
from b2bua.doctor.finding import Level
from b2bua.records.export import Format, count, lines, rows
from b2bua.records.payments import PaymentTable
from b2bua.records.store import RecordStore, StoreError, connect, insert, prepare, prune
from b2bua.records.table import CALLS, VERSION
from media.events import LegCounters, Side
from tests.stack import until

NOON = 1_800_000_000.0
SOMEBODY = Party("+442079460000", "=HYPERLINK()")


def record(name: str, started: float = NOON, **more: Any) -> CallRecord:
    values: dict[str, Any] = {
        "call": name, "direction": "inbound", "caller": "+442079460000", "callee": "100",
        "started_at": started,
        "answered_at": started + 4, "ended_at": started + 64.5, "end": "far end hung up", "code": 200,
    }  # fmt: skip
    return CallRecord(**values | more)


PAID = record(
    "paid",
    captures=(
        CaptureRecord(transaction_id="t-1", amount=1999, currency="GBP", stage="cancelled"),
        CaptureRecord(
            transaction_id="t-2", amount=1999, currency="GBP", stage="finished", outcome="approved",
            last_four="1111"
        ),
    ),
    caller_leg=LegRecord(
        trunk="carrier", invited_at=NOON, answered_at=NOON + 4, ended_at=NOON + 64.5, code=200,
        codec="PCMA/8000",
        counters=LegCounters(received=3000, sent=2990, masked=0, reports=9, lost=4, jitter=80),
        jitter_ms=10.0,
    ),
)  # fmt: skip


# --- the databases --------------------------------------------------------------------------------


def test_a_row_has_both_legs_and_all_captures(engine: sqlalchemy.Engine):
    insert(engine, [PAID])
    [row] = rows(engine)
    assert row["started_at"] == "2027-01-15T08:00:00.000Z"
    assert row["talk_seconds"] == 60.5
    assert (row["caller_trunk"], row["caller_code"], row["caller_codec"]) == ("carrier", 200, "PCMA/8000")
    assert (row["caller_received"], row["caller_lost"], row["caller_jitter_ms"]) == (3000, 4, 10.0)
    assert (row["agent_trunk"], row["agent_received"]) == ("", None)
    assert row["capture_outcome"] == "approved"
    assert [capture["stage"] for capture in row["captures"]] == ["cancelled", "finished"]


def test_a_call_that_is_written_again_stays_one_row(engine: sqlalchemy.Engine):
    insert(engine, [PAID, record("other")])
    insert(engine, [record("paid", end="again"), record("third")])
    assert {row["call"]: row["end"] for row in rows(engine)}["paid"] == PAID.end
    assert count(engine) == 3


def test_old_rows_go_and_no_others(engine: sqlalchemy.Engine):
    insert(engine, [record(f"day-{day}", NOON + 86_400 * day) for day in range(5)])
    assert prune(engine, NOON + 86_400 * 2) == 2
    assert [row["call"] for row in rows(engine)] == ["day-2", "day-3", "day-4"]


def test_a_span_of_time_includes_its_start_and_not_its_end(engine: sqlalchemy.Engine):
    insert(engine, [record(f"day-{day}", NOON + 86_400 * day) for day in range(4)])
    since, before = (datetime.fromtimestamp(NOON + 86_400 * day, UTC) for day in (1, 3))
    assert [row["call"] for row in rows(engine, since, before)] == ["day-1", "day-2"]
    assert count(engine, since, before) == 2


@pytest.mark.parametrize("version", [1, 2, 3])
def test_older_tables_are_brought_up_to_date_and_keep_their_rows(engine: sqlalchemy.Engine, version: int):
    prepare(engine)
    insert(engine, [record("c-old")])
    quality = ["expected", "missing", "arrival_jitter_ms", "mos", "heard_mos"]
    later = [*(quality if version < 3 else []), *(["cause"] if version < 2 else [])]
    with engine.begin() as connection:
        for side in ("caller", "agent"):
            for what in later:
                connection.execute(sqlalchemy.text(f"ALTER TABLE calls DROP COLUMN {side}_{what}"))
            renamed = f"ALTER TABLE calls RENAME COLUMN {side}_foreign_source TO {side}_strangers"
            connection.execute(sqlalchemy.text(renamed))
        connection.execute(VERSION.delete())
        connection.execute(VERSION.insert().values(version=version))
    prepare(engine)
    prepare(engine)
    insert(
        engine, [record("c-new", caller_leg=LegRecord(mos=4.2, counters=LegCounters(expected=50, missing=2)))]
    )
    new = next(row for row in rows(engine) if row["call"] == "c-new")
    assert (new["caller_mos"], new["caller_expected"], new["caller_missing"], new["agent_mos"]) == (
        4.2,
        50,
        2,
        None,
    )
    with engine.begin() as connection:
        assert connection.execute(sqlalchemy.select(CALLS.c.call).order_by(CALLS.c.call)).scalars().all() == [
            "c-new",
            "c-old",
        ]


def test_tables_of_another_version_are_refused(engine: sqlalchemy.Engine):
    with engine.begin() as connection:
        connection.execute(VERSION.update().values(version=99))
    with pytest.raises(StoreError, match="version 99"):
        prepare(engine)


@pytest.mark.parametrize(
    "wrong", ["cdr", "mysql://h/d", "sqlite+nothing:///x", "postgresql+psycopg://u:s3cret@h:x/d"]
)
def test_a_url_that_is_none_is_explained_without_repeating_it(wrong: str):
    with pytest.raises(StoreError) as caught:
        connect(wrong)
    assert "expected sqlite:///FILE" in str(caught.value)
    assert "s3cret" not in str(caught.value)


# --- the spool ------------------------------------------------------------------------------------


async def test_records_reach_the_database_and_leave_the_spool(url: str, tmp_path: Path):
    spool = tmp_path / "spool"
    store = RecordStore(connect(url), spool, 0)
    store.start()
    reader = connect(url)
    for number in range(1200):
        store.put(record(f"call-{number}"))
    await until(lambda: _counted(reader) == 1200, "every record")
    await until(lambda: spool.stat().st_size == 0, "an empty spool")
    store.put(record("one-more"))
    store.close()
    assert count(reader) == 1201
    reader.dispose()


def _counted(engine: sqlalchemy.Engine) -> int:
    try:
        return count(engine)
    except sqlalchemy.exc.SQLAlchemyError:
        return -1  # the tables are being made


@pytest.fixture(params=["SQL_ASCII", "LATIN1"])
def narrow_url(request: pytest.FixtureRequest, postgresql: str) -> str:
    """An empty PostgreSQL database in an encoding that is not UTF-8."""
    name = f"cdr_{secrets.token_hex(4)}"
    admin = sqlalchemy.create_engine(postgresql, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(
            sqlalchemy.text(
                f"CREATE DATABASE {name} ENCODING '{request.param}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE "
                "template0"
            )
        )
    admin.dispose()
    return postgresql.replace("/postgres?", f"/{name}?")


async def test_a_database_in_another_encoding_takes_every_record(narrow_url: str, tmp_path: Path):
    store = RecordStore(connect(narrow_url), tmp_path / "spool", 0)
    store.start()
    for name, caller in (
        ("plain", "100"),
        ("greek", "\u0391\u03b8\u03ae\u03bd\u03b1"),
        ("nul", "a\0b"),
        ("latin", "J\u00f6rg"),
    ):
        store.put(record(name, caller=caller))
    reader = connect(narrow_url)
    await until(lambda: _counted(reader) == 4, "every record")
    store.put(record("later"))
    await until(lambda: _counted(reader) == 5, "the next record")
    assert store.fault() is None
    store.close()
    assert {row["call"]: row["caller"] for row in rows(reader)}["latin"] == "J\u00f6rg"
    assert not (tmp_path / "spool.refused").exists()
    reader.dispose()


def test_the_doctor_tries_the_database_and_leaves_it_as_it_was(url: str):
    given: Any = SimpleNamespace(signalling=SimpleNamespace(cdr=CdrSettings(url=SecretStr(url))))
    assert check_database(given).level is Level.GOOD
    engine = connect(url)
    assert sqlalchemy.inspect(engine).get_table_names() == []
    prepare(engine)
    insert(engine, [PAID])
    assert check_database(given).level is Level.GOOD
    assert count(engine) == 1
    with engine.begin() as connection:
        connection.execute(VERSION.update().values(version=99))
    found = check_database(given)
    assert found.level is Level.FAULT
    assert "version 99" in found.text
    engine.dispose()


async def test_no_exception_ends_the_thread_and_the_fault_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("b2bua.records.store._RETRY", (0.02, 0.05))
    failing = {"left": 3}

    def broken(*arguments: Any, **options: Any) -> None:
        if failing["left"]:
            failing["left"] -= 1
            raise TypeError("cannot use a string pattern on a bytes-like object")
        insert(*arguments, **options)

    monkeypatch.setattr("b2bua.records.store.insert", broken)
    store = RecordStore(connect(f"sqlite:///{tmp_path / 'cdr.sqlite'}"), tmp_path / "spool", 0)
    store.start()
    assert store.fault() is None
    store.put(record("one"))
    fault = await until(store.fault, "the fault")
    assert "TypeError" in fault.says
    assert not fault.losing
    await until(lambda: store.fault() is None, "the database to be well again")
    store.close()
    reader = connect(f"sqlite:///{tmp_path / 'cdr.sqlite'}")
    assert count(reader) == 1
    reader.dispose()


async def test_a_record_that_no_database_takes_is_set_aside_and_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def picky(engine: sqlalchemy.Engine, records: list[CallRecord], *values: Any) -> None:
        if any(each.call == "bad" for each in records):
            raise sqlalchemy.exc.DataError("", {}, ValueError())
        insert(engine, records, *values)

    monkeypatch.setattr("b2bua.records.store.insert", picky)
    store = RecordStore(connect(f"sqlite:///{tmp_path / 'cdr.sqlite'}"), tmp_path / "spool", 0)
    for name in ("one", "bad", "two"):
        store.put(record(name))
    store.start()
    store.close()
    reader = connect(f"sqlite:///{tmp_path / 'cdr.sqlite'}")
    assert sorted(row["call"] for row in rows(reader)) == ["one", "two"]
    reader.dispose()
    aside = tmp_path / "spool.refused"
    assert json.loads(aside.read_text())["call"] == "bad"
    assert aside.stat().st_mode & 0o777 == 0o600


async def test_on_a_full_disk_records_are_held_and_reach_the_database_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    store = RecordStore(connect(f"sqlite:///{tmp_path / 'cdr.sqlite'}"), tmp_path / "spool", 0)
    whole = os.write

    def cut_short(file: int, data: bytes) -> int:
        return whole(file, data[:10]) if data.startswith(b'{"call"') else whole(file, data)

    with monkeypatch.context() as full:
        full.setattr(os, "write", cut_short)
        store.put(record("one"))
        store.put(record("two"))
        assert (tmp_path / "spool").stat().st_size == 0, "part of a line stayed"
        fault = store.fault()
        assert fault is not None
        assert fault.losing
        assert "No space left" in fault.says
        store.start()
        reader = connect(f"sqlite:///{tmp_path / 'cdr.sqlite'}")
        await until(lambda: _counted(reader) == 2, "both records, past the spool")
    store.put(record("three"))
    await until(lambda: _counted(reader) == 3, "the third")
    assert store.fault() is None
    store.close()
    reader.dispose()


async def test_a_spool_that_somebody_deleted_is_made_again(tmp_path: Path):
    store = RecordStore(connect(f"sqlite:///{tmp_path / 'cdr.sqlite'}"), tmp_path / "spool", 0)
    store.put(record("one"))
    (tmp_path / "spool").unlink()
    store.put(record("two"))
    assert (tmp_path / "spool").stat().st_size > 0
    store.close()


async def test_what_a_crash_left_on_the_spool_is_written_at_the_next_start_once(tmp_path: Path):
    url, spool = f"sqlite:///{tmp_path / 'cdr.sqlite'}", tmp_path / "spool"
    left = [record("old"), record("half written")]
    spool.write_bytes(
        msgspec.json.encode(left[0]) + b"\n" + b'{"call": 1}\n' + msgspec.json.encode(left[1])[:40] + b"\n"
    )
    store = RecordStore(connect(url), spool, 0)
    store.start()
    store.put(record("new"))
    store.close()
    engine = connect(url)
    assert sorted(row["call"] for row in rows(engine)) == ["new", "old"]
    engine.dispose()


def of_an_older_version(record: CallRecord) -> bytes:
    """The record as versions wrote it whose counter of packets from elsewhere had another name."""
    return msgspec.json.encode(record).replace(b'"foreign_source":', b'"strangers":')


def test_a_spool_of_an_older_version_keeps_its_counts(tmp_path: Path):
    url, spool = f"sqlite:///{tmp_path / 'cdr.sqlite'}", tmp_path / "spool"
    legs = {
        side: LegRecord(counters=LegCounters(received=9, foreign_source=at))
        for at, side in enumerate(("caller_leg", "agent_leg"), start=7)
    }
    old = of_an_older_version(record("old", caller='"strangers":', **legs))
    spool.write_bytes(b'{"strangers": 1}\n["strangers": 1]\n' + old + b"\n")
    store = RecordStore(connect(url), spool, 0)
    store.start()
    store.close()
    engine = connect(url)
    [row] = rows(engine)
    engine.dispose()
    assert (row["caller_foreign_source"], row["agent_foreign_source"]) == (7, 8)
    assert (row["caller"], row["caller_received"]) == ('"strangers":', 9)


def test_a_record_that_an_older_version_kept_beside_its_payment_keeps_its_counts(tmp_path: Path):
    file = tmp_path / "payments.sqlite"
    table = PaymentTable(file)
    order = Order(transaction_id="t-1", amount=1999, currency="GBP")
    payment = PaymentView(
        id="p-1", call="c-1", stage=CaptureStage.CANCELLED, order=order, started_at="2026-01-01T00:00:00Z"
    )
    table.put(payment)
    kept = record("c-1", agent_leg=LegRecord(counters=LegCounters(foreign_source=7)))
    with sqlite3.connect(file) as database:
        database.execute("UPDATE payments SET call_record = ?", (of_an_older_version(kept),))
    assert table.waiting_record("p-1") == kept
    assert table.left_records() == [(payment, kept)]
    table.close()


async def test_while_the_database_is_down_records_wait_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("b2bua.records.store._RETRY", (0.02, 0.05))
    directory, spool = tmp_path / "not yet there", tmp_path / "spool"
    store = RecordStore(connect(f"sqlite:///{directory / 'cdr.sqlite'}"), spool, 0)
    store.start()
    for number in range(3):
        store.put(record(f"call-{number}"))
    assert len(spool.read_bytes().splitlines()) == 3
    directory.mkdir()
    await until(lambda: spool.stat().st_size == 0, "the records to be written")
    store.close()
    engine = connect(f"sqlite:///{directory / 'cdr.sqlite'}")
    assert count(engine) == 3
    engine.dispose()


async def test_retention_is_kept_by_the_store_itself(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'cdr.sqlite'}"
    engine = connect(url)
    prepare(engine)
    now = datetime.now(UTC).timestamp()
    insert(engine, [record("old", now - 9 * 86_400), record("young", now - 7 * 86_400)])
    store = RecordStore(connect(url), tmp_path / "spool", 8)
    store.start()
    await until(lambda: count(engine) == 1, "the old record to go")
    store.close()
    assert [row["call"] for row in rows(engine)] == ["young"]
    engine.dispose()


# --- export ---------------------------------------------------------------------------------------


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    engine = connect(f"sqlite:///{tmp_path / 'cdr.sqlite'}")
    prepare(engine)
    insert(
        engine,
        [PAID, record("later", NOON + 86_400, caller="=cmd", callee="-not a number", answered_at=None)],
    )
    engine.dispose()
    path = tmp_path / "sip.conf"
    path.write_text(f"[cdr]\nurl = sqlite:///{tmp_path / 'cdr.sqlite'}\nspool = {tmp_path / 'spool'}\n")
    return path


def test_csv_has_a_header_and_no_formulas(conf: Path):
    result = CliRunner().invoke(app, ["cdr", "export", "-c", str(conf), "--format", "csv"])
    first, second = csv.DictReader(io.StringIO(result.stdout))
    assert (first["call"], first["caller"], first["code"]) == ("paid", "+442079460000", "200")
    assert json.loads(first["captures"])[1]["outcome"] == "approved"
    assert (second["caller"], second["callee"], second["answered_at"]) == ("'=cmd", "'-not a number", "")


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\t=1", "\r=1", "\n=1", "  =1", "'=1", '"=1', ' " =1',
    "\uff1d1+1",
     "\uff0b1", "\uff0d1", "\uff201", "\u00a0=1", "\u200b=1", "\ufeff=1", "x;=1", "x\t=1", "x|@1", "x, =1",
     "\u009b=1"],
)  # fmt: skip
def test_no_text_begins_a_formula_in_any_spreadsheet(text: str, engine: sqlalchemy.Engine):
    insert(engine, [record("x", caller=text)])
    _, line = lines(rows(engine), Format.CSV)
    (cells,) = csv.reader([line])
    cell = cells[2]
    assert cell.isprintable()
    for separator in ";,\t|":
        for part in unicodedata.normalize("NFKC", cell).split(separator):
            before = re.match(r"""[\s'"`]*""", part)
            # An apostrophe stands before what would have begun a formula.
            assert before is not None
            assert part[before.end() : before.end() + 1] not in ("=", "+", "-", "@") or before[0].endswith(
                "'"
            ), cell


def test_telephone_numbers_and_plain_names_stay_as_they_are_in_csv(engine: sqlalchemy.Engine):
    insert(engine, [record("x", caller="+442079460000", callee="J\u00f6rg; M\u00fcller-Braun")])
    _, line = lines(rows(engine), Format.CSV)
    (cells,) = csv.reader([line])
    assert cells[2:4] == ["+442079460000", "J\u00f6rg; M\u00fcller-Braun"]


def test_no_control_character_reaches_a_terminal(engine: sqlalchemy.Engine):
    insert(engine, [record("x", caller="a\u009b31mb\x1b[2Jc\u202ed")])
    for form in Format:
        text = "".join(lines(rows(engine), form))
        assert "a 31mb [2Jc d" in text
        assert not set("\u009b\x1b\u202e") & set(text)


@pytest.mark.parametrize("before", [None, 0o644])
def test_nobody_else_reads_the_records(tmp_path: Path, before: int | None):
    mask = os.umask(0)
    try:
        path, spool = tmp_path / "cdr.sqlite", tmp_path / "spool"
        if before:
            for each in (path, spool):
                each.touch(mode=before)
        store = RecordStore(connect(f"sqlite:///{path}"), spool, 0)
        store.start()
        store.put(record("x"))
        reader = connect(f"sqlite:///{path}")
        with reader.connect() as held:
            held.exec_driver_sql("BEGIN")
            for _ in range(500):
                if _counted(reader) == 1:
                    break
                time.sleep(0.01)
            files = list(tmp_path.iterdir())
            assert {"cdr.sqlite", "cdr.sqlite-wal", "cdr.sqlite-shm", "spool"} <= {
                each.name for each in files
            }
            assert {each.name: oct(each.stat().st_mode & 0o777) for each in files} == dict.fromkeys(
                [each.name for each in files], "0o600" if before is None else "0o640"
            )
        store.close()
        reader.dispose()
    finally:
        os.umask(mask)


def test_json_lines_go_to_a_file_for_the_days_asked_for(conf: Path, tmp_path: Path):
    target = tmp_path / "out.jsonl"
    result = CliRunner().invoke(
        app, ["cdr", "export", "-c", str(conf), "--since", "2027-01-16", "-o", str(target)]
    )
    assert result.exit_code == 0, result.output
    assert [json.loads(line)["call"] for line in target.read_text().splitlines()] == ["later"]
    assert "1 calls written" in result.stderr


def test_an_export_says_that_records_wait_and_that_a_database_cannot_be_used(conf: Path, tmp_path: Path):
    (tmp_path / "spool").write_text("{}\n")
    assert "not in the database yet" in CliRunner().invoke(app, ["cdr", "export", "-c", str(conf)]).stderr
    conf.write_text("[cdr]\nurl = postgresql+psycopg://u:s3cret@127.0.0.1:1/none\n")
    result = CliRunner().invoke(app, ["cdr", "export", "-c", str(conf)])
    assert result.exit_code == 2
    assert "[cdr] url" in result.stderr
    assert "s3cret" not in result.output + result.stderr


def test_prune_deletes_by_age(conf: Path):
    assert (
        "0 calls deleted"
        in CliRunner().invoke(app, ["cdr", "prune", "-c", str(conf), "--days", "0", "--yes"]).stdout
    )


def test_prune_deletes_payments_too(conf: Path, tmp_path: Path):
    table = PaymentTable(CdrSettings(spool=tmp_path / "spool").payments_file)
    for number, stage in enumerate((CaptureStage.CANCELLED, CaptureStage.CHARGING)):
        started = "2026-01-01T00:00:00+00:00"
        order = Order(transaction_id="t", amount=1, currency="EUR", description="")
        settled = None if stage is CaptureStage.CHARGING else started
        table.put(
            PaymentView(
                id=f"p-{number}", call="c", stage=stage, order=order, started_by="ann", started_at=started,
                settled_at=settled,
            )
        )  # fmt: skip
    result = CliRunner().invoke(app, ["cdr", "prune", "-c", str(conf), "--days", "0", "--yes"])
    assert "1 payments deleted" in result.stdout, result.output
    assert [view.id for view in table.newest(None, 9)] == ["p-1"]  # what is not final stays


def test_every_column_is_in_the_docs():
    text = (Path(__file__).parents[4] / "docs" / "cdr.md").read_text()
    for column in CALLS.columns.keys():  # noqa: SIM118  # not a dict
        assert f"`{column.replace('caller_', '…_').replace('agent_', '…_')}`" in text, column


def test_a_csv_of_nothing_is_its_header(engine: sqlalchemy.Engine):
    assert len(list(lines(rows(engine), Format.CSV))) == 1
    assert list(lines(rows(engine), Format.JSONL)) == []


# --- the ledger -----------------------------------------------------------------------------------


def answered() -> Ledger:
    ledger = Ledger()
    ledger.event(Side.CALLER, LegInvited("carrier", SOMEBODY, Party("100"), b""), 1)
    ledger.command(Side.AGENT, InviteLeg("pbx", SOMEBODY, Party("100"), b""), 2)
    ledger.event(Side.AGENT, LegProgressed(180, "Ringing"), 3)
    ledger.command(Side.CALLER, RingLeg(180, "Ringing"), 3)
    ledger.event(Side.AGENT, LegProgressed(183, "Session Progress"), 4)
    ledger.event(Side.AGENT, LegAnswered(b""), 5)
    ledger.command(Side.CALLER, AnswerLeg(b""), 5)
    return ledger


def test_the_ledger_has_the_times_and_codes_of_both_sides():
    ledger = answered()
    ledger.event(Side.AGENT, LegHungUp("far end hung up"), 9)
    ledger.command(Side.CALLER, HangUpLeg(), 9)
    ledger.event(Side.CALLER, LegHungUp("hung up"), 10)
    counters = LegCounters(reports=1, lost=2, jitter=160)
    caller, agent = (ledger.record(side, Codec("PCMU", 8000), counters) for side in (Side.CALLER, Side.AGENT))
    assert (caller.trunk, agent.trunk) == ("carrier", "pbx")
    assert [caller.invited_at, caller.ringing_at, caller.answered_at, caller.ended_at, caller.code] == [
        1,
        3,
        5,
        10,
        200,
    ]
    assert [agent.invited_at, agent.ringing_at, agent.answered_at, agent.ended_at, agent.code] == [
        2,
        3,
        5,
        9,
        200,
    ]
    assert (agent.codec, agent.jitter_ms) == ("PCMU/8000", 20.0)
    assert ledger.transfers == 0


def test_a_refusal_has_its_code_on_both_sides_and_no_quality():
    ledger = Ledger()
    ledger.command(Side.AGENT, InviteLeg("pbx", SOMEBODY, Party("100"), b""), 2)
    ledger.event(Side.AGENT, LegFailed(486, "Busy Here"), 3)
    ledger.command(Side.CALLER, RejectLeg(486, "Busy Here"), 3)
    records = [ledger.record(side, None, LegCounters()) for side in Side]
    assert [(one.code, one.ended_at, one.jitter_ms, one.answered_at) for one in records] == [
        (486, 3, None, None)
    ] * 2


def test_a_second_invite_is_another_try_and_a_leg_in_anothers_place_a_transfer():
    ledger = Ledger()
    ledger.command(Side.AGENT, InviteLeg("first", SOMEBODY, Party("100"), b""), 2)
    ledger.event(Side.AGENT, LegFailed(503, "Service Unavailable"), 3)
    ledger.command(Side.AGENT, InviteLeg("second", SOMEBODY, Party("100"), b""), 3)
    ledger.event(Side.AGENT, LegAnswered(b""), 5)
    one = ledger.record(Side.AGENT, None, None)
    assert (one.trunk, one.code, one.ended_at, one.invited_at) == ("second", 200, None, 2)
    ledger.command(Side.AGENT, HangUpLeg("transferred"), 8)
    ledger.leg_replaced(Side.AGENT, "second")
    assert (ledger.transfers, ledger.record(Side.AGENT, None, None).ended_at) == (1, None)


BESIDE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
print(connection.execute("SELECT count(*) FROM calls").fetchone()[0])
connection.close()
"""


def counted_beside(path: Path) -> int:
    """The records, as another process counts them, which then closes the database."""
    beside = subprocess.run(
        [sys.executable, "-c", BESIDE, str(path)], capture_output=True, text=True, check=True
    )
    return int(beside.stdout)


def test_another_connection_of_this_process_leaves_the_locks_of_the_first_as_they_were(tmp_path: Path):
    """Without them the other process believes that it is the last one, and removes the log that we
    go on writing to."""
    path = tmp_path / "cdr.sqlite"
    writer = connect(f"sqlite:///{path}")
    prepare(writer)
    assert len(list(rows(writer))) == 0  # and so its connection stays open
    reader = connect(f"sqlite:///{path}")
    with reader.connect():
        pass
    reader.dispose()
    assert counted_beside(path) == 0
    insert(writer, [record("kept")])
    assert counted_beside(path) == 1
    writer.dispose()
