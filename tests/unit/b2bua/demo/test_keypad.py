"""The keypad of the demo's telephone: each key once, in order, no two of them within one event."""

from __future__ import annotations

from b2bua.demo.keypad import Keypad

EVENT, GAP = 13, 5  # packets


def test_each_key_waits_until_the_one_before_has_left_and_the_gap_after_it():
    keypad = Keypad()
    keypad.press_keys("12", GAP)
    pressed = [(sent, key) for sent in range(EVENT + GAP + 1) if (key := keypad.key_due(sent)) is not None]
    assert pressed == [(0, "1"), (EVENT + GAP, "2")]
    assert keypad.pressed == 2
    assert (keypad.keys_done(2 * (EVENT + GAP) - 1), keypad.busy) == (0, True)
    assert (keypad.keys_done(2 * (EVENT + GAP)), keypad.busy) == (2, False)


def test_a_count_that_begins_anew_holds_the_next_key_back_for_an_event():
    keypad = Keypad()
    keypad.press_keys("12", GAP)
    assert keypad.key_due(1000) == "1"
    assert [sent for sent in range(2 * EVENT) if keypad.key_due(sent)] == [EVENT]


def test_a_call_that_ends_takes_its_keys_along():
    keypad = Keypad()
    keypad.press_keys("1", GAP)
    keypad.clear_keys()
    assert not keypad.busy
    assert keypad.key_due(1000) is None
