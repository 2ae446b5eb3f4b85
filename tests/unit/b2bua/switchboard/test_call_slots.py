"""The file of slots: what was written is read, whatever happened between."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.switchboard.call_slots import _FIRST, _HALF, _HEAD, FORM, MOST, CallSlots, TooLarge


@pytest.fixture
def file() -> Iterator[int]:
    descriptor = os.memfd_create("slots")
    yield descriptor
    os.close(descriptor)


def read(file: int) -> dict[str, bytes]:
    return {each.id: each.data for each in CallSlots(file).read()}


def test_the_newest_of_each_call_is_read(file: int) -> None:
    slots = CallSlots(file)
    for call, data in [("a", b"1"), ("b", b"2"), ("a", b"3"), ("c", b""), ("b", b"4"), ("a", b"5")]:
        slots.write(call, data)
    slots.drop("c")
    slots.drop("never there")
    assert read(file) == {"a": b"5", "b": b"4"}
    assert len(slots) == 2


def test_a_successor_writes_on_and_reuses_what_is_free(file: int) -> None:
    slots = CallSlots(file)
    for number in range(10):
        slots.write(f"c{number}", b"x" * 100)
    for number in range(5):
        slots.drop(f"c{number}")
    size = os.fstat(file).st_size
    successor = CallSlots(file)
    assert len(list(successor.read())) == 5
    for number in range(10, 15):
        successor.write(f"c{number}", b"y")
    successor.write("c9", b"anew")
    assert os.fstat(file).st_size <= size + _HALF
    assert set(read(file)) == {f"c{number}" for number in range(5, 15)}
    assert read(file)["c9"] == b"anew"


def test_nothing_of_a_call_that_is_over_is_left(file: int) -> None:
    slots = CallSlots(file)
    for data in (b"secret" * 90, b"secret", b"secret" * 3):
        slots.write("call", data)
    slots.drop("call")
    assert b"secret" not in os.pread(file, os.fstat(file).st_size, 0)
    slots.write("other", b"secret" * 50)
    successor = CallSlots(file)
    assert [each.data for each in successor.read()] == [b"secret" * 50]
    successor.drop("other")
    assert b"secret" not in os.pread(file, os.fstat(file).st_size, 0)


def test_a_mark_is_of_what_was_written_last(file: int) -> None:
    slots = CallSlots(file)
    slots.mark("never there")
    for number in range(3):
        slots.write("call", b"%d" % number)
        assert [each.acknowledged for each in CallSlots(file).read()] == [False]
        slots.mark("call")
        assert list(CallSlots(file).read()) == [("call", b"%d" % number, True)]
    successor = CallSlots(file)
    list(successor.read())
    successor.write("call", b"anew")
    assert list(CallSlots(file).read()) == [("call", b"anew", False)]


def test_what_is_too_large_is_refused_and_what_there_was_stays(file: int) -> None:
    slots = CallSlots(file)
    slots.write("a", b"1" * (MOST - 1))
    with pytest.raises(TooLarge, match="a slot has"):
        slots.write("a", b"2" * MOST)
    assert read(file) == {"a": b"1" * (MOST - 1)}


@given(
    before=st.binary(max_size=200),
    after=st.binary(max_size=200),
    whole=st.integers(0, 400),
    again=st.booleans(),
)
def test_a_process_that_dies_while_it_writes_leaves_the_call_as_it_was(
    before: bytes, after: bytes, whole: int, again: bool
) -> None:
    file = os.memfd_create("slots")
    try:
        slots = CallSlots(file)
        slots.write("call", before)
        if again:
            slots.write("call", before)
        complete = _HEAD.size + len(b"call") + len(after)
        half = 0 if again else 1
        was = os.pread(file, complete, _FIRST + half * _HALF)
        slots.write("call", after)
        if whole < complete:  # the rest of the write never happened
            rest = (was + bytes(complete))[whole:complete]
            os.pwrite(file, rest, _FIRST + half * _HALF + whole)
        found = read(file)
        assert found in ({"call": before}, {"call": after})
        if whole >= complete:
            assert found == {"call": after}
    finally:
        os.close(file)


@given(st.binary(max_size=3 * _HALF), st.integers(0, 2 * _HALF))
def test_no_octets_are_a_call_that_nobody_wrote(octets: bytes, at: int) -> None:
    file = os.memfd_create("slots")
    try:
        CallSlots(file).write("call", b"state")
        os.pwrite(file, octets, _FIRST + at)
        assert set(read(file).items()) <= {("call", b"state")}
    finally:
        os.close(file)


def test_it_counts_who_takes_calls_up_until_one_lives_long_enough(file: int) -> None:
    assert [CallSlots(file).begin() for _ in range(3)] == [1, 2, 3]
    CallSlots(file).settle()
    assert CallSlots(file).begin() == 1


def test_a_call_in_whose_turn_two_processes_ended_is_blamed(file: int) -> None:
    slots = CallSlots(file)
    slots.begin()
    for call in ("good", "bad"):
        slots.write(call, b"1")

    def next_process() -> tuple[CallSlots, str]:
        successor = CallSlots(file)
        successor.begin()
        list(successor.read())
        return successor, successor.blame()

    slots.take_turn("good")
    successor, blamed = next_process()
    assert blamed == ""
    successor.take_turn("good")
    successor.take_turn("bad")
    successor, blamed = next_process()
    assert blamed == ""  # one may be chance
    successor.take_turn("bad")
    successor, blamed = next_process()
    assert blamed == "bad"
    successor.settle()
    successor.take_turn("bad")
    successor, blamed = next_process()
    assert blamed == ""  # a process has lived long enough between
    successor.take_turn("bad")
    successor.take_turn("")
    assert next_process()[1] == ""  # it ended in nobody's


def test_a_file_of_another_form_is_begun_anew(file: int) -> None:
    CallSlots(file).begin()
    CallSlots(file).write("a", b"1")
    os.pwrite(file, (FORM + 1).to_bytes(4, "little"), 8)
    slots = CallSlots(file)
    assert slots.begin() == 1
    assert read(file) == {}
