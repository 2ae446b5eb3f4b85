"""What is wrong with this Tonewall: which fault stops what, and for how long none is reported."""

from __future__ import annotations

import msgspec
import pytest

from b2bua.call.service_view import Fault, Stops
from b2bua.call.view import NotWell
from b2bua.records.store import RecordsFault
from b2bua.switchboard.faults import Faults
from media.events import Counted, CountSessions, PayerFault
from tests.call_script import ORDER
from tests.unit.b2bua.switchboard.exchange import COUNTED, Exchange


class Parts:
    """What `Faults` looks at, to be changed by a test."""

    def __init__(self) -> None:
        self.connected, self.now = True, 100.0
        self.records: RecordsFault | None = None
        self.faults = Faults(lambda: self.connected, lambda: self.records, lambda: self.now)

    def count(self, payers: int, fault: PayerFault | None = None, servers: int | None = None) -> None:
        self.faults.counted(
            Counted(
                serial=0,
                sessions=0,
                captures=0,
                payers=payers,
                payer_fault=fault,
                servers=servers,
                descriptors=9,
            )
        )

    def only(self) -> Fault:
        (fault,) = self.faults.all()
        return fault


def test_a_payer_that_is_replaced_is_no_fault_and_one_that_stays_away_is() -> None:
    parts = Parts()
    parts.count(1)
    parts.count(0)
    assert parts.faults.all() == ()
    parts.now += 6
    assert parts.only().stops is Stops.PAYMENTS
    parts.count(2)
    assert parts.faults.all() == ()


def test_without_any_payer_at_the_start_no_card_can_be_charged() -> None:
    parts = Parts()
    assert parts.faults.all() == ()  # not known yet
    parts.count(0)
    assert parts.only().stops is Stops.PAYMENTS
    parts.faults.new_media()
    assert parts.faults.all() == ()


@pytest.mark.parametrize("why", [None, *PayerFault])
def test_every_reason_has_its_sentence(why: PayerFault | None) -> None:
    parts = Parts()
    parts.count(0, why)
    says = parts.only().says
    assert says.startswith("No card can be charged: ")
    assert says[-1] in ".?"
    assert "/" not in says.replace("read-only", "")


def test_media_and_rtpengine_stop_calls_and_come_first() -> None:
    parts = Parts()
    parts.count(0, servers=0)
    assert [(fault.what, fault.stops) for fault in parts.faults.all()] == [
        ("rtpengine", Stops.CALLS),
        ("payers", Stops.PAYMENTS),
    ]
    parts.connected = False
    assert parts.faults.all()[0].what == "media"
    assert parts.faults.stopping(Stops.PAYMENTS) is not None
    assert parts.faults.stopping(Stops.RECORDS) is None


def test_records_that_wait_are_a_warning_and_records_that_may_be_lost_are_not() -> None:
    parts = Parts()
    parts.count(1)
    parts.records = RecordsFault("they wait", losing=False)
    assert parts.only().stops is None
    parts.records = RecordsFault("they are lost", losing=True)
    assert parts.only().stops is Stops.RECORDS


async def test_what_stops_every_capture_is_in_the_view_of_each_call_in_the_words_of_the_refusal() -> None:
    exchange = Exchange()
    before = exchange.up()
    for servers in (0, None, 0):
        counted = msgspec.structs.replace(COUNTED, servers=servers)
        exchange.board.on_media_answer(CountSessions(), counted)
        [view] = [each for each in exchange.board.calls() if each.id == before]
        assert view.capturable is (servers is None)
    assert view.not_capturable is not None
    assert view.not_capturable.code == "service"
    with pytest.raises(NotWell, match="rtpengine") as refused:
        await exchange.board.start_capture(before, ORDER, "ann")
    assert str(refused.value) == view.not_capturable.detail
