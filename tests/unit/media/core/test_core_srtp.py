"""SRTP in the relay, on either leg by itself: the peers seal and open with pylibsrtp."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from media._core import AGENT, CALLER
from tests.unit.media.core.relay_rig import REPORT, Rig, everything, key, received, rtp
from tests.unit.media.core.sealed import LENGTHS, PROFILES, Sealed

GCM = "AEAD_AES_128_GCM"


@pytest.fixture
def call() -> Iterator[Rig]:
    made = Rig()
    yield made.connect_both()
    made.close()


@pytest.mark.parametrize("suite", PROFILES)
def test_a_sealed_leg_meets_one_in_clear(call: Rig, suite: str) -> None:
    peer = Sealed(suite).set(call.relay, CALLER)
    for packet in (rtp(1), key(2, 5, 320), rtp(3, b"")):
        sealed = peer.tx.protect(packet)
        assert packet[12:20] not in sealed or not packet[12:]
        call.caller.send(sealed)
        assert received(call.agent.rtp) == packet
        call.agent.send(packet)
        back = received(call.caller.rtp)
        assert back != packet
        assert peer.rx.unprotect(back) == packet
    call.caller.send_rtcp(peer.tx.protect_rtcp(REPORT))
    assert received(call.agent.rtcp) == REPORT
    call.agent.send_rtcp(REPORT)
    assert peer.rx.unprotect_rtcp(received(call.caller.rtcp)) == REPORT


def test_the_legs_have_suites_and_keys_of_their_own(call: Rig) -> None:
    caller = Sealed("AEAD_AES_256_GCM", 1, 2).set(call.relay, CALLER)
    agent = Sealed("AES_CM_128_HMAC_SHA1_32", 3, 4).set(call.relay, AGENT)
    call.caller.send(caller.tx.protect(rtp(1)))
    assert agent.rx.unprotect(received(call.agent.rtp)) == rtp(1)
    call.agent.send(agent.tx.protect(rtp(9)))
    assert caller.rx.unprotect(received(call.caller.rtp)) == rtp(9)


def test_two_relays_understand_each_other_with_aes_256_in_counter_mode() -> None:
    suite, length = "AES_256_CM_HMAC_SHA1_80", LENGTHS["AES_256_CM_HMAC_SHA1_80"]
    one, other = Rig(), Rig()
    try:
        one.connect(CALLER, one.caller)
        other.connect(AGENT, other.agent)
        host = "127.0.0.1"
        one.relay.set_peer(7, AGENT, host, other.caller.rtp_port, host, other.caller.rtcp_port, False)
        other.relay.set_peer(7, CALLER, host, one.agent.rtp_port, host, one.agent.rtcp_port, False)
        here, there = b"\1" * length, b"\2" * length
        one.relay.set_crypto(7, AGENT, suite, here, there)
        other.relay.set_crypto(7, CALLER, suite, there, here)
        one.caller.send(rtp(1))
        assert received(other.agent.rtp) == rtp(1)
        other.agent.send(rtp(2))
        assert received(one.caller.rtp) == rtp(2)
    finally:
        one.close()
        other.close()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda peer, packet: packet,
        lambda peer, packet: peer.tx.protect(packet)[:-1],
        lambda peer, packet: peer.tx.protect(packet)[:-1] + b"?",
        lambda peer, packet: Sealed(peer.suite, 9).tx.protect(packet),
        lambda peer, packet: b"\x80",
    ],
    ids=["in clear", "cut", "changed", "by another key", "no packet"],
)
def test_what_is_not_authentic_goes_nowhere(call: Rig, spoil: Callable[[Sealed, bytes], bytes]) -> None:
    peer = Sealed(GCM).set(call.relay, CALLER)
    call.caller.send(spoil(peer, rtp(1)))
    call.counted("caller_malformed", 1)
    call.caller.send(peer.tx.protect(rtp(2)))
    assert received(call.agent.rtp) == rtp(2)


def test_a_packet_counts_once(call: Rig) -> None:
    peer = Sealed(GCM).set(call.relay, CALLER)
    first = peer.tx.protect(rtp(1))
    for packet in (first, first, peer.tx.protect(rtp(2)), first):
        call.caller.send(packet)
    call.counted("agent_sent", 2)
    call.counted("caller_malformed", 2)


def test_what_is_doubled_in_clear_is_sealed_once(call: Rig) -> None:
    peer = Sealed(GCM).set(call.relay, AGENT)
    for packet in (rtp(1), rtp(1, b"other" * 32), rtp(2)):
        call.caller.send(packet)
    call.counted("agent_sent", 2)
    assert [peer.rx.unprotect(packet) for packet in everything(call.agent.rtp)] == [rtp(1), rtp(2)]


def rolled(call: Rig, peer: Sealed, first: int, last: int) -> int:
    """Speech with what many lost packets leave of it, until the sequence number has passed zero."""
    for number in range(first, last, 2500):
        call.caller.send(peer.tx.protect(rtp(number)))
        assert received(call.agent.rtp) == rtp(number)
    return number


def test_sequence_numbers_roll_over_on_both_sides(call: Rig) -> None:
    peer = Sealed(GCM).set(call.relay, CALLER)
    rolled(call, peer, 60_000, 210_000)
    for number in range(60_000, 210_000, 2500):
        call.agent.send(rtp(number))
        assert peer.rx.unprotect(received(call.caller.rtp)) == rtp(number)


@pytest.mark.parametrize("ssrc", [0x1234, 0x5678])
def test_a_new_key_begins_at_zero_and_the_old_one_is_heard_until_then(call: Rig, ssrc: int) -> None:
    old = Sealed(GCM).set(call.relay, CALLER)
    last = rolled(call, old, 60_000, 70_000)
    new = Sealed(GCM, own=5).set(call.relay, CALLER)
    call.caller.send(old.tx.protect(rtp(last + 1)))
    assert received(call.agent.rtp) == rtp(last + 1)
    call.caller.send(new.tx.protect(rtp(last + 2, ssrc=ssrc)))
    assert received(call.agent.rtp) == rtp(last + 2, ssrc=ssrc)
    call.caller.send(old.tx.protect(rtp(last + 3)))
    call.counted("caller_malformed", 1)


def test_a_new_key_may_also_go_on_counting(call: Rig) -> None:
    old = Sealed(GCM).set(call.relay, CALLER)
    last = rolled(call, old, 60_000, 70_000)
    new = Sealed(GCM, own=5)
    new.tx.protect(rtp(65_000))
    new.set(call.relay, CALLER)
    rolled(call, new, last + 1, last + 5000)  # pylibsrtp has seen it roll over
    call.counted("caller_malformed", 0)


def test_the_same_keys_again_change_nothing(call: Rig) -> None:
    peer = Sealed(GCM).set(call.relay, CALLER)
    last = rolled(call, peer, 60_000, 70_000)
    peer.set(call.relay, CALLER)
    rolled(call, peer, last + 1, last + 10_000)
    call.agent.send(rtp(1))
    peer.rx.unprotect(received(call.caller.rtp))
    peer.set(call.relay, CALLER)
    # Sealed with the same index it would give the key stream away.
    call.agent.send(rtp(1, b"again" * 32))
    call.agent.send(rtp(2))
    assert peer.rx.unprotect(received(call.caller.rtp)) == rtp(2)


def test_the_same_keys_after_a_while_in_clear_go_on_with_their_indices(call: Rig) -> None:
    peer = Sealed(GCM).set(call.relay, CALLER)
    for _ in range(2):
        call.agent.send_rtcp(REPORT)
        assert peer.rx.unprotect_rtcp(received(call.caller.rtcp)) == REPORT
    replayed = peer.tx.protect(rtp(1))
    call.caller.send(replayed)
    assert received(call.agent.rtp) == rtp(1)
    for _ in range(2):  # once more changes nothing
        call.relay.set_crypto(7, CALLER, None, b"", b"")
    call.agent.send(rtp(1))
    assert received(call.caller.rtp) == rtp(1)
    peer.set(call.relay, CALLER)
    call.agent.send_rtcp(REPORT)
    assert peer.rx.unprotect_rtcp(received(call.caller.rtcp)) == REPORT  # else it is a repetition
    call.caller.send(replayed)
    call.counted("caller_malformed", 1)
    call.caller.send(peer.tx.protect(rtp(2)))
    assert received(call.agent.rtp) == rtp(2)


@pytest.mark.parametrize("suite", PROFILES)
@pytest.mark.parametrize("between", [1, 3, 12])
def test_a_key_that_comes_back_after_others_seals_nothing_twice(call: Rig, suite: str, between: int) -> None:
    """A peer changes its suite and changes it back: our key for the suite is the same."""
    peer = Sealed(suite).set(call.relay, CALLER)
    sealed = []
    for number in (65_530, 65_535, 2, 9):  # it rolls over
        call.agent.send(rtp(number))
        sealed.append(received(call.caller.rtp))
        assert peer.rx.unprotect(sealed[-1]) == rtp(number)
        call.agent.send_rtcp(REPORT)
        assert peer.rx.unprotect_rtcp(received(call.caller.rtcp)) == REPORT
    for number in range(between):
        other = Sealed(GCM, own=10, ours=100 + number % 3).set(call.relay, CALLER)
        call.agent.send(rtp(10 + number))
        received(call.caller.rtp)
        call.agent.send_rtcp(REPORT)
        received(call.caller.rtcp)
    assert other.ours != peer.ours
    peer.set(call.relay, CALLER)
    for number in (9, 40, 41):  # the first was sealed with the key before
        call.agent.send(rtp(number, b"else" * 40))
    for number in (40, 41):
        assert peer.rx.unprotect(received(call.caller.rtp)) == rtp(number, b"else" * 40)
    call.agent.send_rtcp(REPORT)
    assert peer.rx.unprotect_rtcp(received(call.caller.rtcp)) == REPORT  # else it is a repetition
    call.caller.send(peer.tx.protect(rtp(1)))
    assert received(call.agent.rtp) == rtp(1)


def test_masked_nothing_of_an_event_leaves_a_sealed_leg(call: Rig) -> None:
    peer, desk = Sealed(GCM).set(call.relay, CALLER), Sealed(GCM, 3, 4).set(call.relay, AGENT)
    call.relay.set_mask(7, True)
    for packet in (rtp(1), key(2, 4, 320), rtp(3)):
        call.caller.send(peer.tx.protect(packet))
    call.counted("agent_masked", 1)
    call.counted("agent_sent", 2)
    arrived = [desk.rx.unprotect(packet) for packet in everything(call.agent.rtp)]
    assert [packet[1] & 0x7F for packet in arrived] == [0, 0]


def test_a_stranger_s_packet_locks_no_source(call: Rig) -> None:
    peer = Sealed(GCM)
    rig = Rig()
    try:
        rig.connect(AGENT, rig.agent)
        rig.connect(CALLER, rig.caller, latch=True)
        peer.set(rig.relay, CALLER)
        # First, and from the same network.
        call.caller.rtp.sendto(rtp(1), ("127.0.0.1", rig.caller.rtp_port))
        rig.counted("caller_foreign_source", 1)
        rig.caller.send(peer.tx.protect(rtp(2)))
        assert received(rig.agent.rtp) == rtp(2)
    finally:
        rig.close()


def test_a_peer_with_too_many_sources_gets_no_more_state(call: Rig) -> None:
    peer = Sealed(GCM).set(call.relay, CALLER)
    for source in range(70):
        call.caller.send(peer.tx.protect(rtp(1, ssrc=source)))
    call.counted("caller_malformed", 6)
    call.counted("agent_sent", 64)


@pytest.mark.parametrize(("suite", "length"), [("AES_CM_128_HMAC_SHA1_80", 28), ("AES_CM_64", 30), ("", 0)])
def test_what_is_no_suite_or_no_key_of_it_is_refused_and_changes_nothing(
    call: Rig, suite: str, length: int
) -> None:
    peer = Sealed(GCM).set(call.relay, CALLER)
    with pytest.raises(OSError, match="Invalid argument"):
        call.relay.set_crypto(7, CALLER, suite, bytes(length), bytes(length))
    call.caller.send(peer.tx.protect(rtp(1)))
    assert received(call.agent.rtp) == rtp(1)
    call.relay.set_crypto(7, CALLER, None, b"", b"")
    call.caller.send(rtp(2))
    assert received(call.agent.rtp) == rtp(2)
