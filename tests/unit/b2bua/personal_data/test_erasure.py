"""A person is found and erased in both databases and in the file of payments; nobody else
is."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy

from b2bua.call.cdr import CallRecord
from b2bua.call.order import Order
from b2bua.call.prepared import FindBy, PreparedState, PreparedView
from b2bua.call.pseudonyms import Pseudonyms
from b2bua.call.routing.numbers import Form, NumberPlan
from b2bua.call.view import CallView, CaptureStage, PaymentView
from b2bua.ladder.ladders import Ladders
from b2bua.personal_data.calls import erase_calls, erase_set_aside, find_calls, overwrite_erased
from b2bua.personal_data.desk import PersonalData, Unreadable
from b2bua.personal_data.wanted import ERASED, Wanted
from b2bua.records.export import rows
from b2bua.records.payments import PaymentTable
from b2bua.records.store import connect, insert, prepare

NUMBER = "+441632960147"
NATIONAL = NumberPlan(Form.NATIONAL, "44")
KEYS = (bytes(32), b"x" * 32)
OLD = Pseudonyms(KEYS[1:], (NATIONAL,))
PSEUDONYMS = Pseudonyms(KEYS, (NATIONAL,))
WANTED = Wanted([NUMBER], PSEUDONYMS)
FORMS = [NUMBER, "441632960147", "00441632960147", "01632960147", "01632-960 147", "+44 (1632) 960147"]
OTHERS = ["+441632960148", "1632960147", "+4930230558391", "anonymous", "", "960147"]


def call(name: str, caller: str = NUMBER, callee: str = "100") -> CallRecord:
    return CallRecord(
        call=name, direction="inbound", caller=caller, callee=callee, started_at=1.8e9, answered_at=None,
        ended_at=1.8e9 + 9, end="hung up",
    )  # fmt: skip


def payment(name: str, stage: CaptureStage = CaptureStage.FINISHED, **order: Any) -> PaymentView:
    asked = Order(transaction_id=f"t-{name}", amount=1, currency="GBP", **order)
    return PaymentView(id=name, stage=stage, order=asked, started_at="2027-01-15T08:00:00+00:00")


def prepared(name: str, stage: CaptureStage, caller: str = NUMBER) -> PaymentView:
    is_over = stage is CaptureStage.CANCELLED
    view = PreparedView(
        find_by=FindBy(caller=caller, agent="ann"), expires_at="2027-01-15T09:00:00+00:00",
        state=PreparedState.CANCELLED if is_over else PreparedState.WAITING,
    )  # fmt: skip
    return msgspec.structs.replace(payment(name, stage), prepared=view)


@pytest.mark.parametrize("form", FORMS)
def test_a_person_is_known_in_any_form(form: str) -> None:
    assert WANTED.is_it(form)
    assert WANTED.blank({"caller": form}) == {"caller": ERASED}
    assert WANTED.blank({"data": {"receipt": {"to": form}}}) == {"data": {"receipt": {"to": ERASED}}}
    assert ERASED in WANTED.blank({"description": f"call {form}, please"})["description"]


@pytest.mark.parametrize("pseudonyms", [PSEUDONYMS, OLD])
def test_a_person_is_known_by_the_pseudonym_of_every_key(pseudonyms: Pseudonyms) -> None:
    assert WANTED.is_it(pseudonyms.of("01632960147"))


@pytest.mark.parametrize("other", OTHERS)
def test_nobody_else_is(other: str) -> None:
    assert not WANTED.is_it(other)
    assert WANTED.blank({"caller": other}) == {"caller": other}


def test_ids_and_times_stay() -> None:
    document = {
        "transaction_id": NUMBER,
        "started_by": f"phone:{NUMBER}",
        "at": NUMBER,
        "amount": 441632960147,
    }
    assert WANTED.blank(document) == document


def test_calls_are_found_and_erased_in_either_database(engine: sqlalchemy.Engine) -> None:
    mine = [call(f"m-{place}", form) for place, form in enumerate(FORMS)]
    mine += [call("m-p", PSEUDONYMS.of(NUMBER)), call("m-o", OLD.of(NUMBER)), call("m-c", "100", NUMBER)]
    others = [call(f"o-{place}", form) for place, form in enumerate(OTHERS)]
    insert(engine, mine + others)
    names = {each.call for each in mine}
    assert {each["call"] for each in find_calls(engine, WANTED)} == names
    before = {each["call"]: each for each in rows(engine)}
    assert erase_calls(engine, WANTED) == len(mine)
    assert find_calls(engine, WANTED) == []
    for after in rows(engine):
        side = "callee" if after["call"] == "m-c" else "caller"
        blank = {side: ERASED} if after["call"] in names else {}
        assert after == before[after["call"]] | blank
    assert overwrite_erased(engine)


def test_the_octets_are_gone_from_sqlites_files(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'cdr.sqlite'}")
    prepare(engine)
    with engine.connect() as connection:  # as an older version has left deleted rows
        connection.execute(sqlalchemy.text("PRAGMA secure_delete=OFF"))
    insert(engine, [call(f"m-{place}", f"+4416329601{place:02}") for place in range(80)])
    insert(engine, [call("mine")])
    assert octets(tmp_path)
    erase_calls(engine, WANTED)
    assert octets(tmp_path)  # SQLite's log has them still
    assert overwrite_erased(engine)
    assert not octets(tmp_path)
    engine.dispose()


def octets(folder: Path) -> bool:
    """Whether the number stands in a file."""
    return any(b"1632960147" in path.read_bytes() for path in folder.iterdir())


def test_records_that_no_database_took_are_blanked_in_place(tmp_path: Path) -> None:
    path = tmp_path / "spool.refused"
    lines = [
        msgspec.json.encode(call("mine")),
        msgspec.json.encode(call("other", "100")),
        b"cut +441632960147",
        b"{",
    ]
    path.write_bytes(b"\n".join(lines) + b"\n")
    path.chmod(0o600)
    before = path.read_bytes()
    assert erase_set_aside(path, WANTED, dry_run=True) == 2
    assert path.read_bytes() == before
    assert erase_set_aside(path, WANTED, dry_run=False) == 2
    after = path.read_bytes().splitlines()
    assert json.loads(after[0])["caller"] == ERASED
    assert after[1:] == [lines[1], lines[3]]
    assert erase_set_aside(path, WANTED, dry_run=False) == 0
    assert erase_set_aside(tmp_path / "none", WANTED, dry_run=False) == 0


# --- the whole ------------------------------------------------------------------------------------


class Board:
    """The calls under way and the table, as the switchboard has them."""

    def __init__(self, table: PaymentTable) -> None:
        self.table = table
        self.under_way: list[CallView] = []

    def calls(self) -> list[CallView]:
        return self.under_way

    async def on_payments(self, work: Callable[[PaymentTable], Any]) -> Any:
        return work(self.table)


class Waiting:
    def __init__(self, folder: Path) -> None:
        self.refused, self.waits = folder / "spool.refused", False

    def are_waiting(self) -> bool:
        return self.waits


@pytest.fixture
def table(tmp_path: Path) -> PaymentTable:
    return PaymentTable(tmp_path / "payments.sqlite")


@pytest.fixture
def data(tmp_path: Path, table: PaymentTable) -> PersonalData:
    engine = connect(f"sqlite:///{tmp_path / 'cdr.sqlite'}")
    prepare(engine)
    insert(engine, [call("c-1"), call("c-2", "100")])
    return PersonalData(engine, Waiting(tmp_path), Board(table), Ladders(), PSEUDONYMS)


async def test_payments_lose_the_number_and_keep_the_money(
    tmp_path: Path, table: PaymentTable, data: PersonalData
) -> None:
    table.put(payment("p-1", description=f"for {NUMBER}", metadata={"phone": "01632 960147"}))
    table.put(prepared("p-2", CaptureStage.CANCELLED))
    table.put(prepared("p-3", CaptureStage.PREPARED))
    table.put(msgspec.structs.replace(payment("p-4"), call="c-1"))
    table.put(payment("p-5", description="for 1632960148"))
    found = await data.export([NUMBER])
    assert [each["call"] for each in found.calls] == ["c-1"]
    assert {each["id"] for each in found.payments} == {"p-1", "p-2", "p-3", "p-4"}
    tried = await data.erase([NUMBER], dry_run=True)
    assert tried.erased == {"payments": 2, "calls": 1}
    again = await data.export([NUMBER])
    assert msgspec.structs.replace(again, made_at=found.made_at) == found
    done = await data.erase([NUMBER], dry_run=False)
    assert done.erased == tried.erased
    assert [(left.what, left.count) for left in done.left] == [("payments", 1)]
    view = table.find("p-1")
    assert view is not None
    assert (view.order.description, view.order.metadata, view.order.amount) == (
        "for erased",
        {"phone": "erased"},
        1,
    )
    assert [each.id for each in table.open()] == ["p-3"]
    assert table.find("p-5") == payment("p-5", description="for 1632960148")
    table.put(prepared("p-3", CaptureStage.CANCELLED))
    assert (await data.erase([NUMBER], dry_run=False)).is_complete
    assert not octets(tmp_path)


async def test_two_erasures_at_once_are_one_after_the_other(tmp_path: Path, data: PersonalData) -> None:
    first, second = await asyncio.gather(*(data.erase([NUMBER], dry_run=False) for _ in range(2)))
    assert (first.erased, second.erased) == ({"calls": 1}, {})
    assert not octets(tmp_path)


async def test_what_a_reader_holds_in_the_log_is_named(tmp_path: Path, data: PersonalData) -> None:
    with sqlite3.connect(tmp_path / "cdr.sqlite", isolation_level=None) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM calls").fetchone()
        done = await data.erase([NUMBER], dry_run=False)
        assert [left.what for left in done.left] == ["[cdr] url"]
        reader.execute("COMMIT")
    reader.close()
    assert (await data.erase([NUMBER], dry_run=False)).is_complete
    assert not octets(tmp_path)


async def test_a_database_that_cannot_be_used_is_named_and_not_quoted(
    tmp_path: Path, table: PaymentTable
) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'none' / NUMBER}")
    data = PersonalData(engine, Waiting(tmp_path), Board(table), Ladders(), PSEUDONYMS)
    with pytest.raises(Unreadable) as refused:
        await data.erase([NUMBER], dry_run=False)
    assert "[cdr] url" in str(refused.value)
    assert NUMBER not in str(refused.value)


async def test_records_on_their_way_are_named(tmp_path: Path, table: PaymentTable) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'cdr.sqlite'}")
    prepare(engine)
    records = Waiting(tmp_path)
    records.waits = True
    data = PersonalData(engine, records, Board(table), Ladders(), PSEUDONYMS)
    assert [left.what for left in (await data.erase([NUMBER], dry_run=False)).left] == ["[cdr] spool"]
