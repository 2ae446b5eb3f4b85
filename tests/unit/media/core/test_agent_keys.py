"""The relay and the keys of the agent's telephone, on real sockets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from media._core import CODE
from media.reference.agent_keys import MAX_DIGITS
from tests.unit.media.core.relay_rig import AUDIO, EVENTS, Rig, everything, key, received, rtp, until


@pytest.fixture
def call() -> Iterator[Rig]:
    rig = Rig().connect_both()
    rig.relay.set_agent_keys(7, True)
    yield rig
    rig.close()


def press(call: Rig, number: int, code: int, packets: int = 3) -> None:
    for step in range(packets):
        call.agent.send(
            key(10 * number + step, code, 1600 * number, 160 * (step + 1), end=step == packets - 1)
        )


def keyed(call: Rig, codes: list[int], start: int = 1) -> None:
    for number, code in enumerate(codes, start):
        press(call, number, code)
    call.agent.send(rtp(10 * (start + len(codes))))
    assert received(call.caller.rtp) == rtp(10 * (start + len(codes)))  # and nothing before it


def test_a_code_is_announced_once_and_taken_once(call: Rig) -> None:
    keyed(call, [10, 1, 2, 11])
    events: list[tuple[int, int]] = []
    until(lambda: events.extend(call.relay.take_events()) or events)
    assert set(events) == {(7, CODE)}
    assert call.relay.take_code(7) == "12"
    assert call.relay.take_code(7) == ""
    assert call.relay.counters(7)["caller_masked"] == 12


def test_other_keys_leave_as_they_came_and_none_while_masked(call: Rig) -> None:
    press(call, 1, 5)
    call.counted("caller_sent", 3)
    assert everything(call.caller.rtp) == [key(10 + n, 5, 1600, 160 * (n + 1), end=n == 2) for n in range(3)]
    call.relay.set_mask(7, True)
    keyed(call, [5, 5], 2)
    call.relay.set_mask(7, False)
    press(call, 9, 5)
    call.counted("caller_sent", 7)


def test_a_mask_in_mid_code_changes_nothing_about_the_code(call: Rig) -> None:
    keyed(call, [10, 1])
    call.relay.set_mask(7, True)
    keyed(call, [2], 5)
    call.relay.set_mask(7, False)
    keyed(call, [11], 8)
    assert call.relay.take_code(7) == "12"


def test_a_re_invite_in_mid_code_keeps_it_and_switched_off_it_is_wiped(call: Rig) -> None:
    keyed(call, [10, 1])
    call.relay.set_types(7, bytes([EVENTS]), bytes([AUDIO]))
    call.relay.set_agent_keys(7, True)
    keyed(call, [11], 5)
    assert call.relay.take_code(7) == "1"
    keyed(call, [10, 1], 8)
    call.relay.set_agent_keys(7, False)
    call.relay.set_agent_keys(7, True)
    press(call, 12, 11)
    call.counted("caller_sent", 6)  # three voice packets and a `#` of no code
    assert call.relay.take_code(7) == ""


def test_switched_off_every_key_leaves_as_it_came(call: Rig) -> None:
    call.relay.set_agent_keys(7, False)
    press(call, 1, 10)
    press(call, 2, 11)
    call.counted("caller_sent", 6)
    assert not call.relay.agent_key(7, b"Signal=*\r\nDuration=100\r\n")


def test_too_many_digits_are_no_code(call: Rig) -> None:
    keyed(call, [10, *[4] * (MAX_DIGITS + 1), 11])
    assert call.relay.take_code(7) == ""


def test_keys_by_info_make_a_code_and_a_body_without_a_key_is_refused(call: Rig) -> None:
    assert not call.relay.agent_key(7, b"Signal=7\r\nDuration=100\r\n")
    assert [call.relay.agent_key(7, b"Signal=%c\r\nDuration=100\r\n" % each) for each in b"*12#"] == [
        True
    ] * 4
    assert call.relay.take_code(7) == "12"
    for body in (b"", b"Signal=!\r\n", b"Signal=16\r\n"):
        with pytest.raises(ValueError, match="no key"):
            call.relay.agent_key(7, body)


def test_a_code_that_was_not_taken_is_gone_with_its_stream(call: Rig) -> None:
    keyed(call, [10, 1, 11])
    call.relay.close_stream(7)
    with pytest.raises(KeyError):
        call.relay.take_code(7)
