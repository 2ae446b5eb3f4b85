"""What goes on of a stream whose relay was killed: numbers, figures, locked addresses, prompts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from media._core import AGENT, CALLER, Recording, Relay
from media.formats.coding import Coding
from media.formats.rtp import parse
from tests.unit.media.core.mortal_relay import STREAM, Survivors
from tests.unit.media.core.relay_rig import (
    AUDIO,
    EVENTS,
    OTHER_NETWORK,
    STRANGER,
    Phone,
    everything,
    key,
    received,
    rtp,
    until,
)

PROMPT = Recording(b"\x7f" * 160 * 400, Coding.MU)
CALLERS, AGENTS = 0x1234, 0x5678


@pytest.fixture
def survivors() -> Iterator[Survivors]:
    made = Survivors()
    yield made
    made.close()


def number_of(packet: bytes) -> int:
    return int.from_bytes(packet[2:4])


def sender_report(packets: int) -> bytes:
    head = bytes([0x80, 200, 0, 6]) + CALLERS.to_bytes(4, "big") + bytes(12)
    return head + packets.to_bytes(4, "big") + (packets * 160).to_bytes(4, "big")


def test_numbers_go_on_without_a_gap_behind_events_that_were_withheld(survivors: Survivors) -> None:
    first = survivors.first()
    first.call("set_mask", STREAM, True)
    for number in range(65_530, 65_536):
        survivors.caller.send(key(number, 5, 160, 160 * (number - 65_529)))
    until(lambda: "caller_received': 6" in repr(first.call("counters", STREAM)))
    first.call("set_mask", STREAM, False)
    survivors.caller.send(rtp(65_536))
    before = received(survivors.agent.rtp)
    first.kill()
    relay, _ = survivors.adopt()
    relay.set_mask(STREAM, False)
    relay.resume_stream(STREAM)
    survivors.caller.send(rtp(65_535))  # late: its number is another's
    survivors.caller.send(rtp(65_537))
    after = received(survivors.agent.rtp)
    assert (number_of(before), number_of(after)) == (65_530, 65_531)
    survivors.caller.send_rtcp(sender_report(100))
    report = received(survivors.agent.rtcp)
    assert int.from_bytes(report[20:24]) == 100 - 6 - 1


def test_many_senders_go_on_each_with_its_own_numbers(survivors: Survivors) -> None:
    relay = survivors.open()
    relay.set_mask(STREAM, True)
    for ssrc in range(1, 8):  # more than have room
        for number in range(100, 100 + ssrc):
            survivors.caller.send(rtp(number, b"\5\0\0\1", EVENTS, ssrc=ssrc))
    until(lambda: relay.counters(STREAM)["caller_received"] == 28)
    survivors.abandon(relay)
    relay, masked = survivors.adopt()
    assert masked
    relay.set_mask(STREAM, False)
    relay.resume_stream(STREAM)
    for ssrc in (7, 6, 5, 4):
        survivors.caller.send(rtp(200, ssrc=ssrc))
        assert number_of(received(survivors.agent.rtp)) == 200 - ssrc


def test_figures_of_a_stream_go_on(survivors: Survivors) -> None:
    first = survivors.first()
    for number in range(1, 11):
        survivors.caller.send(rtp(number))
        survivors.agent.send(rtp(number, ssrc=AGENTS))
        received(survivors.agent.rtp), received(survivors.caller.rtp)
    until(lambda: "agent_sent': 10" in repr(first.call("counters", STREAM)))
    first.kill()
    relay, _ = survivors.adopt()
    relay.resume_stream(STREAM)
    assert relay.departed_type(STREAM, AGENT) == AUDIO
    for number in range(13, 16):  # 11 and 12 came while nobody read them
        survivors.caller.send(rtp(number))
        received(survivors.agent.rtp)
    until(lambda: relay.counters(STREAM)["agent_sent"] == 13)
    counters = relay.counters(STREAM)
    assert (counters["caller_received"], counters["agent_received"], counters["caller_sent"]) == (13, 10, 10)
    assert (counters["caller_expected"], counters["caller_missing"]) == (15, 2)
    (_, stranger, types), _ = relay.arrived(STREAM)
    assert (stranger, types) == (None, {AUDIO: 13})
    assert relay.close_stream(STREAM) == counters


def test_the_tally_of_a_mask_goes_on_and_that_of_one_that_had_ended_does_not(survivors: Survivors) -> None:
    relay = survivors.open()
    relay.set_mask(STREAM, True)
    for number in range(1, 4):
        survivors.caller.send(key(number, 5, 160, 160 * number))
    until(lambda: relay.tally(STREAM)["event_packets"] == 3)
    since = relay.tally(STREAM)["since"]
    survivors.abandon(relay)
    relay, _ = survivors.adopt()
    relay.set_mask(STREAM, True)
    relay.resume_stream(STREAM)
    survivors.caller.send(key(4, 5, 160, 640))
    until(lambda: relay.tally(STREAM)["event_packets"] == 4)
    tally = relay.tally(STREAM)
    assert (tally["since"], tally["withheld"], tally["passed"], tally["left"]) == (since, 4, 0, 0)
    relay.set_mask(STREAM, False)
    survivors.abandon(relay)
    relay, masked = survivors.adopt()
    assert masked
    assert relay.tally(STREAM)["event_packets"] == 0


def locked_by(survivors: Survivors) -> Phone:
    """A caller behind a NAT: its packets come from another port than its SDP has."""
    return Phone(survivors.caller.rtp_port, survivors.caller.rtcp_port, STRANGER)


def test_an_address_that_was_locked_stays_locked(survivors: Survivors) -> None:
    first, phone = survivors.open(latch=True), locked_by(survivors)
    phone.send(rtp(1))
    assert received(survivors.agent.rtp) == rtp(1)
    phone.send_rtcp(bytes.fromhex("80c9000112345678"))
    received(survivors.agent.rtcp)
    survivors.abandon(first)
    for _ in range(2):  # and for the process after that one
        relay, _ = survivors.adopt(latch=True)
        relay.resume_stream(STREAM)
        intruder = locked_by(survivors)
        intruder.send(rtp(2))
        intruder.send_rtcp(bytes.fromhex("80c9000112345678"))
        survivors.caller.send(rtp(2))  # the time for a better one is over
        until(lambda relay=relay: relay.counters(STREAM)["caller_foreign_source"] % 3 == 0)  # type: ignore[misc]
        survivors.agent.send(rtp(3))
        assert received(phone.rtp) == rtp(3)
        survivors.agent.send_rtcp(bytes.fromhex("80c9000112345678"))
        received(phone.rtcp)
        intruder.close()
        survivors.abandon(relay)
    phone.close()


def test_an_address_is_not_locked_where_the_peer_has_moved(survivors: Survivors) -> None:
    relay, phone = survivors.open(latch=True), locked_by(survivors)
    phone.send(rtp(1))
    received(survivors.agent.rtp)
    survivors.abandon(relay)
    relay, _ = survivors.adopt()  # of the agent's leg nothing was locked, and now none of them latches
    relay.set_peer(STREAM, CALLER, OTHER_NETWORK, 4000, OTHER_NETWORK, 4001, True)
    relay.resume_stream(STREAM)
    phone.send(rtp(2))
    until(lambda: relay.counters(STREAM)["caller_foreign_source"] == 1)
    survivors.abandon(relay)
    relay, _ = survivors.adopt(latch=True)
    relay.resume_stream(STREAM)
    survivors.caller.send(rtp(3))  # the lock of long ago is forgotten
    assert received(survivors.agent.rtp) == rtp(3)
    phone.close()


def test_what_was_never_locked_is_not(survivors: Survivors) -> None:
    survivors.abandon(survivors.open(latch=True))
    relay, _ = survivors.adopt(latch=True)
    relay.resume_stream(STREAM)
    phone = locked_by(survivors)
    phone.send(rtp(1))
    assert received(survivors.agent.rtp) == rtp(1)
    phone.close()


def play(relay: Relay, number: int = 1) -> None:
    relay.play(STREAM, CALLER, number, AUDIO, [PROMPT])


def test_a_leg_that_was_played_into_goes_on_in_its_stream(survivors: Survivors) -> None:
    relay = survivors.open()
    for number in range(1, 4):
        survivors.agent.send(rtp(number, ssrc=AGENTS))
    last = [received(survivors.caller.rtp) for _ in range(3)][-1]
    play(relay)
    played = [parse(received(survivors.caller.rtp)) for _ in range(3)]
    assert [each.sequence_number for each in played] == [4, 5, 6]
    survivors.abandon(relay)
    left = everything(survivors.caller.rtp)
    newest = parse(left[-1]) if left else played[-1]
    relay, _ = survivors.adopt()
    assert relay.played(STREAM, CALLER) is None
    relay.resume_stream(STREAM)
    # A packet of the agent's that lies where the prompt was does not leave; later ones do.
    survivors.agent.send(rtp(4, ssrc=AGENTS, rtp_timestamp=640))
    survivors.agent.send(rtp(5, ssrc=AGENTS, rtp_timestamp=newest.rtp_timestamp + 160))
    after = parse(received(survivors.caller.rtp))
    assert after.ssrc == newest.ssrc == parse(last).ssrc
    assert after.sequence_number == newest.sequence_number + 1
    play(relay, 2)
    again = parse(received(survivors.caller.rtp))
    assert (again.ssrc, again.sequence_number) == (after.ssrc, after.sequence_number + 1)
    assert (again.rtp_timestamp - after.rtp_timestamp) % 2**32 >= 160


def test_a_leg_that_had_received_nothing_else_keeps_its_own_source(survivors: Survivors) -> None:
    relay = survivors.open()
    play(relay)
    before = parse(received(survivors.caller.rtp))
    survivors.abandon(relay)
    left = everything(survivors.caller.rtp)
    newest = parse(left[-1]) if left else before
    relay, _ = survivors.adopt()
    relay.resume_stream(STREAM)
    play(relay, 2)
    after = parse(received(survivors.caller.rtp))
    assert (after.ssrc, after.sequence_number) == (before.ssrc, newest.sequence_number + 1)
