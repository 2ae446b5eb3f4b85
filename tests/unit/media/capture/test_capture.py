"""One capture as its driver sees it: keys in, reports to b2bua out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from media._core import SecretMemory
from media.capture.capture import Capture
from media.capture.transitions import IllegalEvent
from media.capture.vault import SIZE
from media.events import FIELD_REASONS, CaptureId, CaptureState, Field, FieldReason
from provider_adapters.payment import Failed
from tests.canary import CANARY


def a_capture() -> Capture[SecretMemory]:
    return Capture(CaptureId("c"), SecretMemory(SIZE), today=date(2026, 11, 30), now=0.0)


def keys(text: str) -> Callable[[SecretMemory, int], int]:
    def fill(memory: SecretMemory, offset: int) -> int:
        with memoryview(memory) as view:
            view[offset : offset + len(text)] = text.encode()
        return len(text)

    return fill


def test_the_last_four_are_told_when_the_number_is_complete_and_not_before() -> None:
    capture = a_capture()
    *_, change = capture.keys_waiting(keys(CANARY.number), 0.0)
    assert (change.brand, change.last_four) == ("visa", None)
    (change,) = capture.keys_waiting(keys("#"), 0.0)
    assert (change.field, change.last_four) == (Field.EXPIRY, CANARY.number[-4:])
    capture.keys_waiting(keys("*"), 2.0)
    *_, change = capture.keys_waiting(keys("*"), 4.0)
    assert (change.field, change.brand, change.last_four) == (Field.CARD_NUMBER, None, None)


def test_a_pause_after_sixteen_digits_stands_for_the_end_key() -> None:
    capture = a_capture()
    capture.keys_waiting(keys(CANARY.number), 10.0)
    assert capture.deadline() == 16.0
    (change,) = capture.expire(16.0)
    assert change.field == Field.EXPIRY
    assert change.fields[0].complete


def test_a_pause_after_a_wrong_number_has_it_keyed_again() -> None:
    capture = a_capture()
    capture.keys_waiting(keys("4" + "1" * 14 + "2"), 10.0)
    (change,) = capture.expire(16.0)
    assert (change.field, change.reason) == (
        Field.CARD_NUMBER,
        FIELD_REASONS[FieldReason.CARD_NUMBER_CHECK_DIGIT],
    )
    assert (change.fields[0].count, change.fields[0].rejected) == (0, 1)


def test_keys_that_follow_at_once_on_a_rejected_field_do_not_count() -> None:
    capture = a_capture()
    *_, change = capture.keys_waiting(keys(f"4111#{CANARY.keys}"), 0.0)
    assert (change.field, change.fields[0].count, change.fields[0].rejected) == (Field.CARD_NUMBER, 0, 1)
    assert (change.fields[0].ignored, change.fields[0].reason) == (23, FieldReason.CARD_NUMBER_LENGTH)
    capture.keys_waiting(keys(CANARY.keys), 3.0)
    assert capture.state is CaptureState.READY


def test_a_card_with_four_digits_of_security_code_is_captured_without_an_end_key() -> None:
    capture = a_capture()
    capture.keys_waiting(keys("378282246310005" + "1139" + "1234"), 0.0)
    assert capture.deadline() == 1.0
    capture.expire(1.0)
    assert capture.state is CaptureState.READY
    assert capture.changed().brand == "amex"


def test_a_core_that_fails_ends_the_capture() -> None:
    capture = a_capture()

    def fail(memory: SecretMemory, offset: int) -> int:
        keys("49")(memory, offset)
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011
        capture.keys_waiting(fail, 0.0)
    assert capture.over
    assert capture.changed().reason == "a key press was lost"


def test_an_aborted_capture_tells_nothing_of_the_card() -> None:
    capture = a_capture()
    capture.keys_waiting(keys(CANARY.keys), 0.0)
    (change,) = capture.cancel(1.0)
    assert (change.state, change.brand, change.last_four, change.reason) == (
        CaptureState.ABORTED,
        None,
        None,
        "cancelled",
    )
    assert [progress.count for progress in change.fields] == [0, 0, 0]


def test_a_finished_capture_still_tells_brand_and_last_four() -> None:
    capture = a_capture()
    capture.keys_waiting(keys(CANARY.keys), 0.0)
    capture.submit(1.0)
    (change,) = capture.settle(Failed(reason="no payer"), 2.0)
    assert (change.brand, change.last_four) == ("visa", CANARY.number[-4:])
    assert change.outcome == Failed(reason="no payer")


def test_commands_that_come_too_late_are_refused() -> None:
    capture = a_capture()
    capture.cancel(0.0)
    for command in (capture.cancel, capture.submit, lambda now: capture.reset(None, now)):
        with pytest.raises(IllegalEvent):
            command(1.0)
    assert capture.lose_key(1.0) == capture.call_gone(1.0) == capture.expire(1.0) == []
