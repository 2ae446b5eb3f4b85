"""Counts of the last hours: calls in memory, payments on the disk, and who sees which."""

from __future__ import annotations

import asyncio
import csv
import io
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from b2bua.api.statistics_csv import TABLES, write_table
from b2bua.call.cdr import CallRecord, LegRecord
from b2bua.call.order import Order
from b2bua.call.trunk_view import TrunkView
from b2bua.call.view import CaptureStage, PaymentView
from b2bua.records.payment_counts import PaymentCounts
from b2bua.records.payments import PaymentTable
from b2bua.switchboard.call_counts import DAY, CallCounts
from b2bua.switchboard.statistics import FRESH, WIDTHS, Statistics, state_of
from b2bua.switchboard.statistics_views import STATES, StatisticsView
from media.events import LegCounters
from provider_adapters.payment import Approved, Declined, Outcome, outcome_type

NOON = 1_800_000_000.0  # a whole minute, and a whole quarter of an hour
TRUNKS = [
    TrunkView(name="carrier", kind="carrier", calls=1, refused=2),
    TrunkView(name="pbx", kind="pbx", calls=1, refused=0),
]


def leg(trunk: str, **more: Any) -> LegRecord:
    return LegRecord(trunk=trunk, **more)


def record(ended: float, *, answered: bool = True, caller: LegRecord, agent: LegRecord) -> CallRecord:
    return CallRecord(
        call="c-1", direction="inbound", caller="+442079460000", callee="100", started_at=ended - 60,
        answered_at=ended - 30 if answered else None, ended_at=ended, end="far end hung up",
        caller_leg=caller, agent_leg=agent,
    )  # fmt: skip


def good(trunk: str, mos: float = 4.4, missing: int = 0) -> LegRecord:
    counters = LegCounters(expected=1000, missing=missing)
    return leg(trunk, answered_at=NOON, code=200, mos=mos, counters=counters)


# --- calls ----------------------------------------------------------------------------------------


def test_a_call_counts_in_the_minute_in_which_it_ended_and_for_each_of_its_trunks() -> None:
    counts = CallCounts(["carrier", "pbx"], NOON)
    counts.observe(record(NOON + 59, caller=good("carrier", 4.0, 100), agent=good("pbx")))
    counts.observe(record(NOON + 61, caller=good("carrier", 3.0), agent=leg("pbx", code=503)))
    counts.observe(record(NOON + 62, answered=False, caller=leg("carrier"), agent=leg("pbx", code=486)))
    one, two = counts.steps(int(NOON // 60), 2, 1)
    assert (one.ended, one.answered, one.talk) == (1, 1, 30.0)
    assert (two.ended, two.answered) == (2, 1)
    assert (two.trunks["pbx"].legs, two.trunks["pbx"].faults, two.trunks["pbx"].mos) == (2, 1, None)
    (both,) = counts.steps(int(NOON // 60), 1, 2)
    carrier = both.trunks["carrier"]
    assert (carrier.legs, carrier.answered, carrier.loss, carrier.mos, carrier.worst) == (
        3,
        2,
        0.05,
        3.5,
        3.0,
    )


def test_memory_is_bounded_by_a_day_and_by_the_trunks_of_the_settings() -> None:
    counts = CallCounts(["carrier"], NOON)
    for minute in range(2 * DAY):
        stranger = leg(f"trunk-{minute}", code=200)
        counts.observe(record(NOON + 60 * minute, caller=leg("carrier"), agent=stranger))
    assert len(counts) == DAY
    newest = int(NOON // 60) + 2 * DAY - 1
    assert [set(each.trunks) for each in counts.steps(newest, 1, 1)] == [{"carrier"}]
    counts.observe(record(NOON, caller=leg("carrier"), agent=leg("pbx")))  # long over
    assert len(counts) == DAY


def test_the_most_calls_at_once_and_the_leaks_are_those_of_each_minute() -> None:
    counts = CallCounts([], NOON)
    for second, calls, leaks in ((0, 3, 0), (2, 7, 2), (4, 5, None), (60, 1, 3), (62, 1, 1)):
        counts.sample(calls, leaks, NOON + second)
    found = counts.steps(int(NOON // 60), 2, 1)
    # One is another media process's: it counts from nothing.
    assert [(each.most, each.leaks) for each in found] == [(7, 2), (1, 2)]


# --- payments -------------------------------------------------------------------------------------


def payment(name: str, at: float, agent: str, outcome: Outcome | None, **more: Any) -> PaymentView:
    return PaymentView(
        id=name,
        order=Order(transaction_id=name, amount=4990, currency="EUR"),
        started_by=agent,
        agent=agent,
        started_at=datetime.fromtimestamp(at, UTC).isoformat(),
        outcome=outcome,
        **{"stage": CaptureStage.FINISHED} | more,
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "payments.sqlite"
    table = PaymentTable(path)
    for view in (
        payment("a", NOON - 7200, "ann", Approved(reference="ch_1")),
        payment("b", NOON - 90, "ann", Approved(reference="ch_2")),
        payment("c", NOON - 30, "ann", Declined(reason="card_expired")),
        payment("d", NOON - 20, "ben", Declined(reason="card_expired")),
        payment("e", NOON - 10, "", None, stage=CaptureStage.CANCELLED),
        payment("f", NOON, "ben", None, stage=CaptureStage.CHARGING),
    ):
        table.put(view)
    table.close()
    return path


def statistics(file: Path, **more: Any) -> Statistics:
    return Statistics(
        CallCounts(["carrier", "pbx"], NOON), PaymentCounts(file), **{"clock": lambda: NOON} | more
    )


async def read(counted: Statistics, hours: int = 1, **more: Any) -> StatisticsView:
    return await counted.read(hours, TRUNKS, {"calls": 2, "leaks": 0}, **more)


async def test_payments_count_by_step_agent_and_reason(file: Path) -> None:
    counted = statistics(file, circuits=lambda: {"second": "open", "first": "closed"})
    view = await read(counted)
    assert (len(view.times), view.step, view.times[-1]) == (60, 60, int(NOON))
    assert view.payments.approved[-3:] == (1, 0, 0)
    assert view.payments.declined[-3:] == (0, 2, 0)
    assert view.payments.cancelled[-3:] == (0, 1, 0)
    assert view.payments.open[-3:] == (0, 0, 1)
    assert [(each.reason, each.count) for each in view.reasons] == [("card_expired", 2)]
    assert {each.name: each.payments for each in view.agents} == {"ann": 2, "ben": 2, "": 1}
    assert [(each.name, each.circuit) for each in view.providers] == [("first", "closed"), ("second", "open")]
    assert [(each.name, each.refused, each.mos) for each in view.trunks] == [
        ("carrier", 2, None),
        ("pbx", 0, None),
    ]
    assert sum((await read(counted, 6)).payments.approved) == 2
    await counted.close()


async def test_who_sees_some_agents_gets_their_payments_and_nobodys(file: Path) -> None:
    counted = statistics(file)
    view = await read(counted, sees=lambda name: name in ("", "ben"))
    assert {each.name for each in view.agents} == {"ben", ""}
    assert sum(view.payments.approved) == 0
    assert sum(view.payments.declined) == 1
    assert [each.count for each in view.reasons] == [1]
    await counted.close()


async def test_many_who_ask_at_once_count_once(file: Path) -> None:
    now, counts = NOON, 0

    class Watched(PaymentCounts):
        def count(self, since: float, until: float, width: int) -> Any:
            nonlocal counts
            counts += 1
            return super().count(since, until, width)

    counted = Statistics(CallCounts(), Watched(file), clock=lambda: now)
    views = await asyncio.gather(*(read(counted) for _ in range(20)))
    assert counts == 1
    assert len({msgspec.json.encode(each) for each in views}) == 1
    now += FRESH
    await read(counted)
    assert counts == 2
    await counted.close()


async def test_a_payment_that_cannot_be_read_counts_without_its_agent(file: Path) -> None:
    with sqlite3.connect(file) as database:
        database.execute("UPDATE payments SET view = ? WHERE id = 'd'", (b"\xff{",))
    view = await read(counted := statistics(file))
    assert {each.name: each.payments for each in view.agents} == {"ann": 2, "ben": 1, "": 2}
    await counted.close()


async def test_a_count_waits_for_nobody_who_writes(file: Path) -> None:
    writer = sqlite3.connect(file, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM payments WHERE id = 'b'")
    view = await read(counted := statistics(file))
    assert sum(view.payments.approved) == 1
    writer.execute("ROLLBACK")
    writer.close()
    await counted.close()


def test_the_counts_write_nothing(file: Path) -> None:
    counts = PaymentCounts(file)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        counts._database.execute("DELETE FROM payments")
    counts.close()


def test_every_outcome_and_every_final_stage_has_a_column() -> None:
    final = {CaptureStage.CANCELLED, CaptureStage.ABORTED}
    outcomes = {outcome_type(each) for each in (Approved(reference="r"), Declined(reason="r"))}
    assert final | outcomes <= set(STATES)
    assert {state_of(each.value) for each in CaptureStage} == {"cancelled", "aborted", "open"}


@pytest.mark.parametrize("hours", WIDTHS)
async def test_a_window_has_whole_steps_and_at_most_a_hundred(hours: int) -> None:
    view = await read(Statistics(CallCounts(), clock=lambda: NOON + 17), hours)
    assert len(view.times) * view.step == hours * 3600
    assert len(view.times) <= 100
    assert all(each % view.step == 0 for each in view.times)


# --- CSV ------------------------------------------------------------------------------------------


async def test_every_table_is_csv_with_its_names_and_one_width(file: Path) -> None:
    counted = statistics(file)
    counted.counts.observe(record(NOON, caller=good("carrier"), agent=good("pbx")))
    view = await read(counted)
    for table in TABLES:
        text = write_table(view, table)
        assert text.endswith("\r\n")
        assert "\n" not in text.replace("\r\n", "")
        rows = list(csv.reader(io.StringIO(text, newline="")))
        assert len({len(row) for row in rows}) == 1, table
    calls = list(csv.DictReader(io.StringIO(write_table(view, "calls"))))
    assert calls[-1] == {
        "begins_at": "2027-01-15T08:00:00Z",
        "ended": "1",
        "answered": "1",
        "most": "0",
        "leaks": "0",
    }
    quality = list(csv.DictReader(io.StringIO(write_table(view, "quality"))))
    assert [row["mos"] for row in quality if row["trunk"] == "carrier"][-1] == "4.4"
    await counted.close()


async def test_a_name_that_is_a_formula_is_inert(tmp_path: Path) -> None:
    table = PaymentTable(tmp_path / "payments.sqlite")
    table.put(payment("a", NOON, '=HYPERLINK("//evil",1)', Declined(reason="+cmd")))
    table.close()
    view = await read(counted := statistics(tmp_path / "payments.sqlite"))
    for name in ("agents", "reasons"):
        row = list(csv.reader(io.StringIO(write_table(view, name))))[1]
        assert any(cell.startswith("'") for cell in row), row
        assert not any(cell.startswith(("=", "+")) for cell in row)
    await counted.close()
