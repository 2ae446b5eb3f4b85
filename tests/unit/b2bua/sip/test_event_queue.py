"""The event queue: one order for events and deferred work, and no re-entry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from b2bua.call.leg import LegHungUp, LegId
from b2bua.sip.event_queue import EventQueue

ENDED = LegHungUp("ended")


class Bench:
    """A queue whose loop turns when it is asked to."""

    def __init__(self) -> None:
        self.scheduled: list[Callable[[], None]] = []
        self.done: list[str] = []
        self.count: Counter[str] = Counter()
        self.queue = EventQueue(
            self.scheduled.append, self.count, self.on_event, lambda: self.note("settled")
        )

    def note(self, what: str) -> None:
        self.done.append(what)

    def on_event(self, leg: LegId, event: object) -> None:
        self.note(leg)

    def turn(self) -> None:
        while self.scheduled:
            self.scheduled.pop(0)()


def test_events_and_deferred_work_come_in_the_order_in_which_they_were_queued():
    bench = Bench()
    bench.queue.emit(LegId("a"), ENDED)
    bench.queue.defer(lambda: bench.note("work"))
    bench.queue.emit(LegId("b"), ENDED)
    assert bench.done == []
    assert len(bench.scheduled) == 1
    bench.turn()
    assert bench.done == ["a", "work", "b", "settled"]


def test_what_work_queues_follows_once_it_has_returned():
    bench = Bench()

    def work() -> None:
        bench.queue.defer(lambda: bench.queue.emit(LegId("later"), ENDED))
        bench.queue.emit(LegId("a"), ENDED)
        bench.note("returned")

    bench.queue.run(work)
    assert bench.done == ["returned", "a", "later", "settled"]
    assert bench.scheduled == []


def test_an_item_that_raises_is_counted_and_the_next_one_runs():
    bench = Bench()
    bench.queue.defer(lambda: 1 // 0)
    bench.queue.emit(LegId("a"), ENDED)
    bench.turn()
    bench.queue.run(lambda: 1 // 0)
    assert bench.done == ["a", "settled", "settled"]
    assert bench.count["errors"] == 2


def test_an_item_that_drains_the_queue_changes_nothing():
    bench = Bench()

    def drains() -> None:
        bench.queue.drain()
        bench.note("drained")

    bench.queue.defer(drains)
    bench.queue.emit(LegId("a"), ENDED)
    bench.turn()
    assert bench.done == ["drained", "a", "settled"]
