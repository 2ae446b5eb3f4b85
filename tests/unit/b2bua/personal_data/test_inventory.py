"""Everything that is kept has its place in the inventory of personal data."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from b2bua.access import keys, users
from b2bua.access.store import FILE, open_store
from b2bua.audit.entry import Entry as AuditEntry
from b2bua.call.link import Recipient
from b2bua.call.order import Order
from b2bua.call.prepared import FindBy
from b2bua.call.view import PaymentView
from b2bua.ladder.record import Ladder
from b2bua.personal_data.inventory import IMPERSONAL, PERSONAL
from b2bua.records.payments import PaymentTable
from b2bua.records.table import CALLS
from provider_adapters.payer.entry import Entry as JournalEntry
from tests.architecture.personal import PAGE, draw
from tonewall.log import FIELDS

STORES = {
    "calls": set(CALLS.columns.keys()),
    "payment": set(PaymentView.__struct_fields__),
    "order": set(Order.__struct_fields__),
    "find_by": set(FindBy.__struct_fields__),
    "recipient": set(Recipient.__struct_fields__),
    "journal": set(JournalEntry.__struct_fields__),
    "audit": set(AuditEntry.__struct_fields__),
    "ladder": set(Ladder.__slots__),
    "log": set(FIELDS),
}


def columns(directory: Path, store: str) -> set[str]:
    """Every column of the file of payments, or of that of people, keys and sessions."""
    path = directory / "payments.sqlite"
    if store == "access":
        path = directory / FILE
        for tables in (keys._TABLES, users._TABLES):
            open_store(directory, tables).close()
    else:
        PaymentTable(path).close()
    with contextlib.closing(sqlite3.connect(path)) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            f"{table}.{column[1]}"
            for (table,) in tables
            for column in database.execute(f"PRAGMA table_info({table})")
        }


@pytest.mark.parametrize("store", sorted({*STORES, "payments", "access"}))
def test_every_field_that_is_kept_has_one_place(store: str, tmp_path: Path) -> None:
    kept = STORES[store] if store in STORES else columns(tmp_path, store)
    personal = [field for row in PERSONAL for name, field in row.holds if name == store]
    placed = Counter([*personal, *IMPERSONAL[store]])
    assert set(placed) == kept
    assert [field for field, count in placed.items() if count > 1] == []


def test_each_row_is_about_something_that_is_kept() -> None:
    assert all(row.holds for row in PERSONAL)
    assert {name for row in PERSONAL for name, _ in row.holds} <= {*STORES, "payments", "access"}


def test_the_page_has_the_table() -> None:
    assert PAGE.read_text() == draw()
