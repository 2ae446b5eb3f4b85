"""The one timer: who is woken, once, in order; and who is held no longer."""

from __future__ import annotations

import weakref
from collections.abc import Callable

from b2bua.sip.transaction.scheduler import Handle, Scheduler, Slot

HALF_AN_HOUR = 1800.0


class Asked:
    """What was asked of the loop."""

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when, self.callback, self.cancelled = when, callback, False

    def cancel(self) -> None:
        self.cancelled = True


class TurnedLoop:
    """A loop whose clock the test turns."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked: list[Asked] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None], /) -> Handle:
        self.asked.append(Asked(when, callback))
        return self.asked[-1]

    def call_soon(self, callback: Callable[[], None], /) -> Handle:
        return self.call_at(self.now, callback)

    def turn(self, now: float) -> None:
        self.now = now
        due = [each for each in self.asked if each.when <= now]
        self.asked = [each for each in self.asked if each.when > now]
        for each in due:
            if not each.cancelled:
                each.callback()


class Sleeper:
    """Wants to be woken once."""

    def __init__(self, until: float | None) -> None:
        self.until = until
        self.woken: list[float] = []
        self.scheduled: Slot | None = None

    def deadline(self) -> float | None:
        return self.until

    def expire(self, now: float) -> None:
        self.woken.append(now)
        self.until = None


def test_each_is_woken_once_at_its_deadline_also_where_that_moved():
    loop = TurnedLoop()
    scheduler = Scheduler(loop, 0.05)
    same, earlier, later = (Sleeper(10.0) for _ in range(3))
    for each in (same, earlier, later):
        scheduler.watch(each)
    earlier.until, later.until = 5.0, 15.0
    for each in (same, earlier, later):
        scheduler.watch(each)
    for now in range(20):
        loop.turn(now + 0.5)
    assert [each.woken for each in (same, earlier, later)] == [[10.5], [5.5], [15.5]]
    assert scheduler.watched == ()


def test_what_is_over_is_held_no_longer_though_its_deadline_is_far_away():
    scheduler = Scheduler(TurnedLoop(), 0.05)
    leg = Sleeper(HALF_AN_HOUR)
    scheduler.watch(leg)
    leg.until = 2 * HALF_AN_HOUR
    scheduler.watch(leg)
    scheduler.forget(leg)
    scheduler.forget(leg)
    assert scheduler.watched == ()
    held = weakref.ref(leg)
    del leg
    assert held() is None


def test_slots_of_what_is_over_do_not_pile_up_and_the_others_are_woken_all_the_same():
    loop = TurnedLoop()
    scheduler = Scheduler(loop, 0.05)
    lasting = Sleeper(HALF_AN_HOUR)
    scheduler.watch(lasting)
    for _ in range(10_000):
        leg = Sleeper(HALF_AN_HOUR - 1)
        scheduler.watch(leg)
        scheduler.forget(leg)
    assert len(scheduler._heap) < 2_000
    loop.turn(HALF_AN_HOUR + 0.1)
    assert lasting.woken == [HALF_AN_HOUR + 0.1]
