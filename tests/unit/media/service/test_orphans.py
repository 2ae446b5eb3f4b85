"""Sessions that lost their b2bua: when one counts as silent."""

from __future__ import annotations

from typing import Any

from media.events import SessionId
from media.service.orphans import LOOKS, Orphans

S = SessionId("one")


class Counted:
    """A session of which packets are counted in one."""

    id = S

    def __init__(self, packets: int = 0) -> None:
        self.packets = packets

    def count_packets(self) -> int:
        return self.packets


def left(session: Counted) -> tuple[Orphans, Any]:
    orphans = Orphans()
    orphans.add([session])  # type: ignore[list-item]
    return orphans, {S: session}.get


def test_a_look_right_after_the_loss_ends_no_session_that_speaks() -> None:
    session = Counted(500)
    orphans, find = left(session)
    assert orphans.silent(find) == []  # no packet came since, for it is the same moment
    session.packets += 50
    for _ in range(3 * LOOKS):
        assert orphans.silent(find) == []
        session.packets += 1


def test_a_gap_that_is_shorter_than_the_quiet_time_ends_no_session() -> None:
    session = Counted(500)
    orphans, find = left(session)
    for _ in range(5):
        for _ in range(LOOKS):
            assert orphans.silent(find) == []
        session.packets += 1
        assert orphans.silent(find) == []


def test_a_session_that_is_silent_for_the_quiet_time_ends_once() -> None:
    for packets in (0, 500):
        orphans, find = left(Counted(packets))
        assert [orphans.silent(find) for _ in range(LOOKS + 2)] == [[]] * LOOKS + [[S], []]
