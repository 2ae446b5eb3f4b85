"""What the core counts of a mask: the keys and packets that it kept from the agent, what left
meanwhile, and from when to when; of other keys the same."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.leak.voice import dual_tone, encoded
from tests.unit.media.core.relay_rig import Rig, everything, key, rtp, until

PACKET = 160  # samples


@pytest.fixture
def call() -> Iterator[Rig]:
    made = Rig()
    made.relay.set_types(7, bytes([101]), b"", mu=bytes([0]))
    yield made.connect_both()
    made.close()


def now() -> int:
    return int(time.time() * 1000)


def press(call: Rig, codes: bytes, first: int = 1) -> int:
    """Keys as events, of four packets each; the number behind them."""
    number = first
    for code in codes:
        begin = number * PACKET
        for part in range(4):
            call.caller.send(key(number, code, begin, (part + 1) * PACKET, end=part == 3))
            number += 1
    return number


def tally(call: Rig) -> dict[str, int]:
    return call.relay.tally(7)


def test_without_a_mask_there_is_nothing_to_count(call: Rig) -> None:
    press(call, bytes([1, 2]))
    call.counted("agent_sent", 8)
    assert set(tally(call).values()) == {0}


def test_a_mask_counts_its_keys_and_what_left_and_says_when_it_was(call: Rig) -> None:
    before = now()
    call.relay.set_mask(7, True)
    behind = press(call, bytes([4, 2, 4, 2]))
    for number in range(behind, behind + 20):
        call.caller.send(rtp(number, bytes([0xFF - number % 2]) * PACKET))
    until(lambda: tally(call)["left"] >= 16)
    assert before <= tally(call)["since"] <= tally(call)["until"] <= now()
    call.relay.set_mask(7, False)
    ended = tally(call)
    assert ended["keys_as_events"] == 4
    assert (ended["event_packets"], ended["withheld"]) == (16, 16)
    assert ended["octets"] == 16 * len(key(1, 1, 160))
    assert (ended["passed"], ended["alarms"]) == (0, 0)
    assert ended["left"] == len(everything(call.agent.rtp))
    assert ended["until"] <= now()
    press(call, bytes([7]), behind + 20)
    call.counted("agent_sent", ended["left"] + 4)
    assert tally(call) == ended, "nothing is counted behind its end"


def test_each_mask_is_counted_by_itself_and_one_that_stays_on_is_one(call: Rig) -> None:
    call.relay.set_mask(7, True)
    behind = press(call, bytes([1, 2, 3]))
    until(lambda: tally(call)["keys_as_events"] == 3)
    call.relay.set_mask(7, True, policy=2)  # for the next capture
    behind = press(call, bytes([4]), behind + 10)
    until(lambda: tally(call)["keys_as_events"] == 4)
    call.relay.set_mask(7, False)
    first = tally(call)
    call.relay.set_mask(7, True)
    press(call, bytes([5, 6]), behind + 10)
    until(lambda: tally(call)["event_packets"] == 8)
    call.relay.set_mask(7, False)
    second = tally(call)
    assert (first["keys_as_events"], second["keys_as_events"]) == (4, 2)
    assert first["until"] <= second["since"]


def heard(call: Rig, keys: str, first: int) -> dict[str, int]:
    """The figures of a mask under which these keys came as tones."""
    before, payloads = call.relay.counters(7)["caller_received"], tones(keys)
    call.relay.set_mask(7, True, tones=True)
    for number, payload in enumerate(payloads, first):
        call.caller.send(rtp(number, payload))
    call.counted("caller_received", before + len(payloads))
    call.relay.set_mask(7, False)
    return {name: value for name, value in tally(call).items() if name not in ("since", "until")}


def tones(keys: str) -> list[bytes]:
    payloads: list[bytes] = []
    for each in keys:
        payloads += encoded(dual_tone(each, 5 * PACKET, (-10.0, -10.0)), 0)
        payloads += [b"\xff" * PACKET] * 8
    return payloads


@pytest.mark.parametrize("other", ["1593", "2580", "*0#D"])
def test_keys_as_tones_are_counted_and_no_figure_says_which_they_were(call: Rig, other: str) -> None:
    first, second = heard(call, "4242", 1000), heard(call, other, 2000)
    assert first == second
    assert (first["keys_as_tones"], first["passed"], first["alarms"]) == (4, 0, 0)


def test_events_of_other_keys_give_the_same_figures(call: Rig) -> None:
    counted = []
    behind = 1
    for keys in (bytes([4, 2, 4, 2]), bytes([5, 1, 0, 9])):
        call.relay.set_mask(7, True)
        behind = press(call, keys, behind) + 50
        until(lambda: tally(call)["event_packets"] == 16)
        call.relay.set_mask(7, False)
        counted.append({name: value for name, value in tally(call).items() if name not in ("since", "until")})
    assert counted[0] == counted[1]
