"""Calls in slots, over a played engine and played media: when they are written, and what of them
goes on in another process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import pytest

from b2bua.call.leg import LegConfirmed, LegHungUp, LegId
from b2bua.call.leg_command import HangUpLeg, RejectLeg
from b2bua.call.order import Order
from b2bua.call.view import CallState, CaptureStage
from b2bua.switchboard.call_slots import CallSlots
from b2bua.switchboard.checkpoints import Checkpoints
from media.events import (
    AnyAnswer,
    AnyCommand,
    CaptureState,
    ClaimSession,
    Refused,
    SessionClaimed,
    SetMask,
)
from tests.stack import until
from tests.unit.b2bua.switchboard.exchange import Exchange
from tonewall.snapshot import SnapshotError

ORDER = Order(transaction_id="order-1", amount=1250, currency="EUR", description="Shoes")


class PlayedLegs:
    """An engine whose legs are their names. `lost`: legs that the next process does not find."""

    def __init__(self) -> None:
        self.over: set[LegId] = set()
        self.there: set[LegId] = set()
        self.lost: set[LegId] = set()
        self.broken = self.acknowledged = False
        self.leg_changed: Callable[[LegId], None] = lambda _: None

    async def start(self, *, opened: Callable[[], None], leg_changed: Callable[[LegId], None]) -> None:
        self.leg_changed = leg_changed
        opened()

    def write_legs(self, legs: Iterable[LegId]) -> bytes:
        if self.broken:
            raise SnapshotError("these cannot be written")
        return " ".join(legs).encode()

    def restore_legs(self, data: bytes, *, acknowledged: bool = False) -> tuple[LegId, ...]:
        if self.broken:
            raise SnapshotError("these cannot be read")
        self.acknowledged = acknowledged
        self.there |= {LegId(each) for each in data.decode().split()} - self.lost
        return tuple(self.there)

    def has_leg(self, leg: LegId) -> bool:
        return leg in self.there and leg not in self.over


@pytest.fixture
def file() -> Iterator[int]:
    descriptor = os.memfd_create("slots")
    yield descriptor
    os.close(descriptor)


class Process:
    """One b2bua: a switchboard whose calls are kept in the file. `masked`, `capturing`: what media
    says of a session that is claimed; None: that it has none."""

    def __init__(self, file: int, masked: bool | None = False, *, capturing: bool = False) -> None:
        self.exchange = Exchange()
        self.legs = PlayedLegs()
        self.checkpoints = Checkpoints(CallSlots(file), cast("Any", self.legs), self.exchange.board)
        answer = self.exchange.wire.answer

        def claimed(command: AnyCommand) -> AnyAnswer:
            if not isinstance(command, ClaimSession):
                return answer(command)
            if masked is None:
                return Refused(serial=0, reason="no such session")
            return SessionClaimed(serial=0, masked=masked, capturing=capturing)

        self.exchange.wire.answer = claimed  # type: ignore[method-assign]

    def up(self) -> str:
        """A call that is up; its id."""
        self.checkpoints.restore_calls()
        self.legs.there |= {LegId("near-0"), LegId("far-0"), LegId("far-1")}
        return self.exchange.up()

    async def begin(self) -> int:
        """Take up what is in the file; how many calls."""
        count = self.checkpoints.restore_calls()
        await self.checkpoints.start_engine()
        return count

    def view(self, call: str) -> Any:
        return next((each for each in self.exchange.board.calls() if each.id == call), None)


def kept(file: int) -> list[str]:
    return [call.id for call in CallSlots(file).read()]


async def test_a_call_is_kept_from_its_answer_to_its_end(file: int) -> None:
    process = Process(file)
    call = process.up()
    assert kept(file) == [call]
    process.exchange.board.on_leg_event(LegId("near-0"), LegHungUp("far end hung up"))
    assert kept(file) == []


async def test_a_call_that_ends_as_its_process_dies_is_recorded_by_the_next(file: int) -> None:
    process = Process(file)
    call = process.up()
    process.exchange.wire.obeys = False  # media's last answer comes too late
    process.exchange.board.on_leg_event(LegId("near-0"), LegHungUp("far end hung up"))
    assert kept(file) == [call]
    successor = Process(file, masked=None)
    await successor.begin()
    assert [record.call for record in successor.exchange.records] == [call]
    assert kept(file) == []


async def test_what_changes_the_session_is_written_before_media_gets_it(file: int) -> None:
    process = Process(file)
    call = process.up()
    seen: list[CaptureStage | None] = []
    send = process.exchange.wire.send

    def sent(command: AnyCommand) -> None:
        if isinstance(command, SetMask):
            successor = Process(file, masked=True)
            successor.checkpoints.restore_calls()
            capture = successor.view(call).capture
            seen.append(capture.stage if capture is not None else None)
        send(command)

    process.exchange.wire.send = sent  # type: ignore[method-assign]
    await process.exchange.board.start_capture(call, ORDER, "mia")
    assert seen == [CaptureStage.STARTING]


async def test_the_next_process_has_the_call_and_hangs_it_up(file: int) -> None:
    call = Process(file).up()
    successor = Process(file)
    assert await successor.begin() == 1
    assert successor.view(call).state is CallState.UP
    claims = [each for each in successor.exchange.wire.commands if isinstance(each, ClaimSession)]
    assert [each.session for each in claims] == [call]
    successor.exchange.board.on_leg_event(LegId("near-0"), LegHungUp("far end hung up"))
    assert any(isinstance(each, HangUpLeg) for _, each in successor.exchange.wire.sent)
    assert successor.view(call) is None
    assert kept(file) == []


@pytest.mark.parametrize("masked", [True, False])
async def test_a_payment_whose_keys_are_wiped_ends_and_stays_masked(file: int, masked: bool) -> None:
    process = Process(file)
    call = process.up()
    await process.exchange.board.start_capture(call, ORDER, "mia")
    process.exchange.tell(call, CaptureState.COLLECTING)
    successor = Process(file, masked=masked)
    await successor.begin()
    view = successor.view(call)
    assert view.capture.stage is CaptureStage.ABORTED
    assert view.capture.reason.startswith("Tonewall was restarted while the customer keyed")
    asked = [each for each in successor.exchange.wire.commands if isinstance(each, SetMask)]
    assert [each.on for each in asked] == ([False] if masked else [True, False])


async def test_a_mask_that_media_alone_knows_of_is_shown_and_goes_off_as_masks_do(file: int) -> None:
    call = Process(file).up()
    successor = Process(file, masked=True)
    successor.exchange.wire.on_answer, given = None, successor.exchange.wire.on_answer
    await successor.begin()
    assert given is not None
    given(ClaimSession(session=call), SessionClaimed(serial=0, masked=True))  # type: ignore[arg-type]
    assert successor.view(call).masked
    asked = [each for each in successor.exchange.wire.commands if isinstance(each, SetMask)]
    assert [each.on for each in asked] == [False]


async def test_a_call_whose_session_is_gone_ends(file: int) -> None:
    call = Process(file).up()
    successor = Process(file, masked=None)
    await successor.begin()
    assert successor.view(call) is None
    assert {leg for leg, each in successor.exchange.wire.sent if isinstance(each, HangUpLeg)} != set()
    assert kept(file) == []


async def test_a_call_whose_legs_are_not_there_ends_and_costs_no_other(file: int) -> None:
    call = Process(file).up()
    successor = Process(file)
    successor.legs.broken = True
    await successor.begin()
    assert successor.view(call) is None


async def test_a_slot_of_something_else_is_dropped(file: int) -> None:
    call = Process(file).up()
    slots = CallSlots(file)
    list(slots.read())
    slots.write("other", b"no call")
    successor = Process(file)
    assert await successor.begin() == 1
    assert successor.view(call) is not None
    assert kept(file) == [call]


async def test_calls_that_end_each_process_are_dropped(file: int) -> None:
    Process(file).up()
    for _ in range(4):
        assert Process(file).checkpoints.restore_calls() == 1
    assert Process(file).checkpoints.restore_calls() == 0
    assert kept(file) == []


async def test_a_leg_that_cannot_be_written_is_no_call_of_the_past_either(file: int) -> None:
    process = Process(file)
    process.legs.broken = True
    process.up()
    assert kept(file) == []


async def test_an_ack_is_marked_and_nothing_else_is_written(file: int) -> None:
    process = Process(file)
    call = process.up()
    [written] = CallSlots(file).read()
    process.exchange.board.on_leg_event(LegId("near-0"), LegConfirmed(b""))
    [marked] = CallSlots(file).read()
    assert (marked.data, written.acknowledged, marked.acknowledged) == (written.data, False, True)
    successor = Process(file)
    await successor.begin()
    assert successor.legs.acknowledged
    assert successor.view(call) is not None
    [anew] = await until(lambda: [each for each in CallSlots(file).read() if each.data != written.data], "it")
    assert not anew.acknowledged


async def test_an_ack_with_an_answer_is_more_than_a_mark(file: int) -> None:
    process = Process(file)
    process.up()
    process.exchange.board.on_leg_event(LegId("near-0"), LegConfirmed(b"v=0"))
    [kept] = CallSlots(file).read()
    assert not kept.acknowledged


async def test_a_call_that_is_set_up_is_kept_and_one_that_is_answered_at_once_is_written_once(
    file: int,
) -> None:
    process = Process(file)
    process.checkpoints.restore_calls()
    process.legs.there |= {LegId("near-0"), LegId("far-0")}
    process.exchange.invite("near-0")
    assert kept(file) == []
    await until(lambda: kept(file), "the call to be written")
    successor = Process(file)
    successor.legs.over = {LegId("far-0")}
    await successor.begin()
    answered = [each for leg, each in successor.exchange.wire.sent if leg == "near-0"]
    assert answered == [HangUpLeg("lost with its process")]
    assert kept(file) == []


async def test_a_call_that_waits_for_media_is_refused_by_the_next_process(file: int) -> None:
    process = Process(file)
    process.checkpoints.restore_calls()
    process.legs.there |= {LegId("near-0")}
    process.exchange.wire.obeys = False
    process.exchange.invite("near-0")
    [entry] = process.exchange.board.context.registry.all()
    process.checkpoints._write(entry)
    successor = Process(file)
    await successor.begin()
    [refusal] = [each for leg, each in successor.exchange.wire.sent if leg == "near-0"]
    assert isinstance(refusal, RejectLeg)
    assert refusal.code == 503
    assert [record.end for record in successor.exchange.records] == ["restarted"]
    assert kept(file) == []


async def test_a_call_that_ends_each_process_is_dropped_and_the_others_go_on(file: int) -> None:
    process = Process(file)
    good, bad = process.up(), process.exchange.up("near-1")
    process.legs.there |= {LegId("near-1"), LegId("far-1")}
    process.checkpoints._write(process.exchange.board.context.registry.get(bad))  # type: ignore[arg-type]
    assert set(kept(file)) == {good, bad}
    died: list[str] = []

    class Gone(BaseException):
        """The process is killed here."""

    for _ in range(2):
        process = Process(file)
        await process.begin()
        process.checkpoints._slots.take_turn("")
        entry = process.exchange.board.context.registry.get(bad)
        assert entry is not None

        def ends(now: float) -> list[Any]:
            died.append(str(now))
            raise Gone

        with pytest.raises(Gone):
            process.exchange.board._executor.step(entry, ends)
    successor = Process(file)
    assert await successor.begin() == 1
    assert (len(died), successor.view(bad)) == (2, None)
    assert successor.view(good) is not None
    assert kept(file) == [good]


async def test_calls_that_are_handed_over_are_written_as_they_are_and_never_after(file: int) -> None:
    process = Process(file)
    call = process.up()
    process.exchange.invite("near-1")
    process.legs.there |= {LegId("near-1"), LegId("far-1")}
    assert kept(file) == [call]
    assert process.checkpoints.hand_over() == 2
    written = {each.id: each.data for each in CallSlots(file).read()}
    assert len(written) == 2
    process.exchange.board.on_leg_event(LegId("near-0"), LegHungUp("far end hung up"))
    assert {each.id: each.data for each in CallSlots(file).read()} == written
    assert await Process(file).begin() == 2
