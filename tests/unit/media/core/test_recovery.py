"""What a killed relay leaves to its successor, and what the successor does with it."""

from __future__ import annotations

import errno
import os
import random
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from copy import copy
from pathlib import Path
from pickle import dumps

import pytest

from media._core import AGENT, CALLER, LEAKED, RECOVERY_SLOT, Recording, RecoveryPage, Relay
from media.decoder.messages import AnswerKind, compose_answer
from media.formats.coding import Coding
from tests.unit.media.core.mortal_relay import SLOT, STREAM, Survivors, waiting
from tests.unit.media.core.relay_rig import AUDIO, bound, everything, key, received, rtp, until
from tests.unit.media.core.sealed import LENGTHS, Sealed

GCM = "AEAD_AES_128_GCM"
PROMPT = Recording(b"\x7f" * 160 * 400, Coding.MU)
OFF_MS = 5000  # after a mask went off
MASK = 8  # where the word of the mask is in a slot
WORD = struct.Struct("<Q")


@pytest.fixture
def survivors() -> Iterator[Survivors]:
    made = Survivors()
    yield made
    made.close()


# --- pages ----------------------------------------------------------------------------------------


def test_a_page_has_so_many_slots_as_its_size_says(survivors: Survivors) -> None:
    assert RecoveryPage(survivors.page).slots == 4


def test_a_page_of_another_size_is_none(survivors: Survivors) -> None:
    for size in (0, 1, RECOVERY_SLOT - 1, RECOVERY_SLOT + 1):
        os.ftruncate(survivors.page, size)
        with pytest.raises(ValueError, match="slots of 8192 octets"):
            RecoveryPage(survivors.page)
    with pytest.raises(OSError, match="Bad file descriptor"):
        RecoveryPage(99_999)


def test_the_descriptor_of_a_page_stays_the_callers(survivors: Survivors) -> None:
    page = RecoveryPage(survivors.page)
    with pytest.raises(TypeError):
        dumps(page)
    with pytest.raises(TypeError):
        copy(page)
    del page
    assert os.fstat(survivors.page).st_size == 4 * RECOVERY_SLOT


def test_a_page_outlives_the_object_where_a_stream_is_in_it(survivors: Survivors) -> None:
    relay = Relay()
    relay.start()
    relay.open_stream(1, *(bound().detach() for _ in range(4)), page=RecoveryPage(survivors.page), slot=SLOT)
    relay.set_mask(1, True)
    assert any(survivors.slot())
    relay.close_stream(1)
    assert not any(survivors.slot())
    relay.stop()


def test_a_stream_needs_a_slot_that_is_there(survivors: Survivors) -> None:
    relay = Relay()
    relay.start()
    page, sockets = RecoveryPage(survivors.page), [bound() for _ in range(4)]
    descriptors = [own.fileno() for own in sockets]
    for slot in (-1, 4):
        with pytest.raises(ValueError, match="no such slot"):
            relay.open_stream(1, *descriptors, page=page, slot=slot)
        with pytest.raises(ValueError, match="no such slot"):
            relay.adopt_stream(1, *descriptors, page, slot)
    with pytest.raises(TypeError):
        relay.open_stream(1, *descriptors, page=survivors, slot=0)  # type: ignore[arg-type]
    with pytest.raises(OSError, match="Bad file descriptor"):
        relay.adopt_stream(1, *descriptors[:3], 99_999, page, 0)
    relay.open_stream(1, *(own.detach() for own in sockets), page=page, slot=0)  # a refusal leaves them ours
    with pytest.raises(ValueError, match="open already"):
        relay.adopt_stream(1, 0, 0, 0, 0, page, 1)
    relay.resume_stream(1)  # is no fault
    with pytest.raises(KeyError):
        relay.resume_stream(2)
    relay.stop()
    assert not any(os.pread(survivors.page, RECOVERY_SLOT, 0))


def test_a_slot_has_no_key_and_no_address_space_of_a_child(survivors: Survivors) -> None:
    relay, peer = survivors.first(), Sealed(GCM, own=0xA7, ours=0xB9)
    relay.call("set_crypto", STREAM, CALLER, GCM, peer.own, peer.ours)
    survivors.agent.send(rtp(1))
    peer.rx.unprotect(received(survivors.caller.rtp))
    slot = survivors.slot()
    assert peer.own[:4] not in slot
    assert peer.ours[:4] not in slot
    own, _ = survivors.adopt()
    maps = Path("/proc/self/smaps").read_text().split("memfd:page")[1].split("VmFlags:")[1].splitlines()[0]
    assert {"dc", "dd"} <= set(maps.split())  # not copied on fork, not dumped
    own.stop()


# --- masks ----------------------------------------------------------------------------------------


def test_a_stream_that_was_not_masked_goes_on(survivors: Survivors) -> None:
    first = survivors.first()
    survivors.caller.send(rtp(1))
    assert received(survivors.agent.rtp) == rtp(1)
    first.kill()
    survivors.caller.send(rtp(2))  # nobody reads it
    relay, masked = survivors.adopt()
    assert not masked
    survivors.caller.send(rtp(3))
    relay.resume_stream(STREAM)
    survivors.caller.send(rtp(4))
    assert received(survivors.agent.rtp) == rtp(4)
    survivors.agent.send(rtp(5))
    assert received(survivors.caller.rtp) == rtp(5)


def test_a_mask_comes_back_before_any_packet_can_pass(survivors: Survivors) -> None:
    first = survivors.first()
    first.call("set_mask", STREAM, True)
    first.kill()
    relay, masked = survivors.adopt()
    assert masked
    relay.resume_stream(STREAM)  # although nobody has put a mask on
    for number in range(1, 60):
        survivors.caller.send(key(number, 7, 0, 160 * number) if number < 20 else rtp(number))
    until(lambda: relay.counters(STREAM)["caller_received"] == 59)
    assert not everything(survivors.agent.rtp)
    relay.set_mask(STREAM, True)  # gives it a hold
    for number in range(60, 90):
        survivors.caller.send(rtp(number, bytes([0xFF]) * 160))
    assert len(received(survivors.agent.rtp)) == 172
    relay.set_mask(STREAM, False)
    relay.tally(STREAM)
    assert relay.tally(STREAM)["passed"] == 0


def test_a_mask_that_went_off_a_moment_before_comes_back(survivors: Survivors) -> None:
    first = survivors.first()
    first.call("set_mask", STREAM, True)
    survivors.caller.send(key(1, 5, 160))
    first.call("set_mask", STREAM, False)
    (off,) = WORD.unpack_from(survivors.slot(), MASK)

    def withheld_later() -> bool:
        """The event goes on: as long as it does, the word says so."""
        survivors.caller.send(key(2, 5, 160, 400))
        return WORD.unpack_from(survivors.slot(), MASK)[0] > off

    until(withheld_later)
    assert not everything(survivors.agent.rtp)
    first.kill()
    relay, masked = survivors.adopt()
    assert masked
    relay.set_mask(STREAM, True)
    relay.resume_stream(STREAM)
    survivors.caller.send(key(3, 5, 160, 800, end=True))
    until(lambda: relay.counters(STREAM)["agent_masked"] >= 1)
    assert not everything(survivors.agent.rtp)


def test_a_mask_that_went_off_long_before_does_not(survivors: Survivors) -> None:
    first = survivors.first()
    first.call("set_mask", STREAM, True)
    first.call("set_mask", STREAM, False)
    first.kill()
    (word,) = WORD.unpack_from(survivors.slot(), MASK)
    for ago, masked in ((OFF_MS - 4000, True), (-60_000, True), (OFF_MS, False)):
        survivors.write(WORD.pack(word - ago), MASK)
        relay, comes_back = survivors.adopt()
        assert comes_back is masked, ago
        relay.close_stream(STREAM)
        relay.stop()
        assert not any(survivors.slot())
        survivors.first().kill()


def test_nothing_leaves_where_a_key_had_been_about_to(survivors: Survivors) -> None:
    survivors.first().kill()
    before, _ = survivors.adopt()
    ours, decoders = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    before.set_decoder(decoders.detach())
    before.set_mask(STREAM, True)
    ours.send(compose_answer(STREAM, 0, AnswerKind.LEAKED))
    until(lambda: before.take_events() == [(STREAM, LEAKED)])
    relay, masked = survivors.adopt()
    assert masked
    relay.set_types(STREAM, b"", bytes([AUDIO]))  # it would pass under a mask
    relay.set_mask(STREAM, True)
    relay.resume_stream(STREAM)
    survivors.caller.send(rtp(9))
    until(lambda: relay.counters(STREAM)["agent_masked"] == 1)
    assert not everything(survivors.agent.rtp)
    ours.close()


@pytest.mark.parametrize("spoil", [bytes(8), b"\1" * 8, b"tonewall"])
def test_a_slot_that_cannot_be_read_counts_as_masked_and_its_keys_as_used(
    survivors: Survivors, spoil: bytes
) -> None:
    first, peer = survivors.first(), Sealed(GCM)
    first.call("set_crypto", STREAM, AGENT, GCM, peer.own, peer.ours)
    first.kill()
    survivors.write(spoil)
    relay, masked = survivors.adopt()
    assert masked
    for _ in range(2):
        with pytest.raises(OSError, match="Key was rejected") as refused:
            peer.set(relay, AGENT)
        assert refused.value.errno == errno.EKEYREJECTED
    relay.close_stream(STREAM)


# --- SRTP -----------------------------------------------------------------------------------------


def test_a_key_of_before_is_refused_and_a_new_one_begins(survivors: Survivors) -> None:
    first = survivors.first()
    old, new, newest = (Sealed(GCM, own=at, ours=at + 1) for at in (1, 3, 5))
    for peer in (old, new):
        first.call("set_crypto", STREAM, AGENT, GCM, peer.own, peer.ours)
    first.kill()
    relay, _ = survivors.adopt()
    with pytest.raises(OSError, match="Key was rejected"):
        old.set(relay, AGENT)
    newest.set(relay, AGENT)
    with pytest.raises(OSError, match="Invalid argument"):
        relay.set_crypto(STREAM, AGENT, GCM, b"short", b"short")
    relay.resume_stream(STREAM)
    survivors.caller.send(rtp(1))
    assert newest.rx.unprotect(received(survivors.agent.rtp)) == rtp(1)


def test_of_many_keys_none_is_taken_for_new(survivors: Survivors) -> None:
    first = survivors.first()
    for at in range(1, 40, 2):
        first.call("set_crypto", STREAM, AGENT, GCM, bytes([at]) * 28, bytes([at + 1]) * 28)
    first.kill()
    relay, _ = survivors.adopt()
    for at in range(1, 38, 2):
        with pytest.raises(OSError, match="Key was rejected"):
            relay.set_crypto(STREAM, AGENT, GCM, bytes([at]) * 28, bytes([at + 1]) * 28)
    relay.set_crypto(STREAM, AGENT, GCM, bytes([39]) * 28, bytes([40]) * 28)


def test_a_leg_that_was_in_clear_meanwhile_goes_on_with_its_key(survivors: Survivors) -> None:
    first, peer = survivors.first(), Sealed(GCM)
    first.call("set_crypto", STREAM, AGENT, GCM, peer.own, peer.ours)
    survivors.caller.send(rtp(1))
    peer.rx.unprotect(received(survivors.agent.rtp))
    first.call("set_crypto", STREAM, AGENT, None, b"", b"")
    first.kill()
    relay, _ = survivors.adopt()
    peer.set(relay, AGENT)
    relay.resume_stream(STREAM)
    survivors.caller.send(rtp(1, b"other" * 32))  # the same index
    survivors.caller.send(rtp(2))
    assert peer.rx.unprotect(received(survivors.agent.rtp)) == rtp(2)


def test_a_packet_that_was_opened_is_not_opened_again(survivors: Survivors) -> None:
    first, peer = survivors.first(), Sealed(GCM)
    first.call("set_crypto", STREAM, CALLER, GCM, peer.own, peer.ours)
    sealed = [peer.tx.protect(rtp(number)) for number in (1, 2, 3)]
    survivors.caller.send(sealed[1])
    assert received(survivors.agent.rtp) == rtp(2)
    first.kill()
    relay, _ = survivors.adopt()
    peer.set(relay, CALLER)
    relay.resume_stream(STREAM)
    for packet in sealed:
        survivors.caller.send(packet)
    assert received(survivors.agent.rtp) == rtp(3)
    assert relay.counters(STREAM)["caller_malformed"] == 2


def test_two_relays_go_on_with_aes_256_in_counter_mode(survivors: Survivors) -> None:
    """No peer of the tests knows the suite, so the peer is a relay, too."""
    suite, length = "AES_256_CM_HMAC_SHA1_80", LENGTHS["AES_256_CM_HMAC_SHA1_80"]
    here, there = b"\1" * length, b"\2" * length
    peers = Survivors()
    peer, _ = peers.adopt()
    peer.close_stream(STREAM)
    peer.open_stream(STREAM, *(own.dup().detach() for own in peers.sockets))
    peer.set_types(STREAM, b"", bytes([0]))
    peers_rtp, peers_rtcp = (own.getsockname()[1] for own in peers.sockets[:2])
    ours_rtp, ours_rtcp = (own.getsockname()[1] for own in survivors.sockets[2:])
    host = "127.0.0.1"
    peer.set_peer(STREAM, CALLER, host, ours_rtp, host, ours_rtcp, False)
    peer.set_peer(STREAM, AGENT, *peers.agent.rtp.getsockname(), *peers.agent.rtcp.getsockname(), False)
    peer.set_crypto(STREAM, CALLER, suite, here, there)

    relay = survivors.first()
    for number in range(65_400, 65_400 + 400, 100):
        relay.call("set_crypto", STREAM, AGENT, suite, there, here)
        relay.call("set_peer", STREAM, AGENT, host, peers_rtp, host, peers_rtcp, False)
        relay.call("resume_stream", STREAM)
        for each in range(number, number + 3):
            survivors.caller.send(rtp(each))
            assert received(peers.agent.rtp) == rtp(each)
            peers.agent.send(rtp(each, b"other" * 32))
            assert received(survivors.caller.rtp) == rtp(each, b"other" * 32)
        relay.kill()
        relay, masked = survivors.next()
        assert masked is False
    peers.close()


# --- anything -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_a_slot_of_random_octets_harms_nobody(survivors: Survivors, seed: int) -> None:
    """Where it cannot be read it comes back masked; where the mark is right, no octet behind it
    leads anywhere."""
    chance = random.Random(seed)
    survivors.abandon(survivors.open())
    mark, word = survivors.slot()[:MASK], survivors.slot()[MASK : MASK + 8]
    for number in range(12):
        is_marked = number % 2 == 1
        octets = bytearray(chance.randbytes(RECOVERY_SLOT))
        if chance.random() < 0.5:  # few of them: counts stay small
            octets = bytearray(each if chance.random() < 0.05 else 0 for each in octets)
        if is_marked:
            octets[: MASK + 8] = mark + word
        survivors.write(bytes(octets))
        relay, masked = survivors.adopt()
        assert masked is not is_marked
        for leg in (CALLER, AGENT):
            with suppress(OSError):  # where it says that unknown keys were in use
                Sealed(GCM).set(relay, leg)
        relay.resume_stream(STREAM)
        for packet in (rtp(1), key(2, 1, 320), rtp(3)):
            survivors.caller.send(packet)
            survivors.agent.send(packet)
        for leg in (CALLER, AGENT):
            relay.play(STREAM, leg, 1, AUDIO, [PROMPT])
        until(lambda: waiting(survivors.caller.rtp))
        relay.tally(STREAM), relay.arrived(STREAM), relay.departed_type(STREAM, AGENT)
        relay.set_mask(STREAM, True)
        relay.set_mask(STREAM, False)
        relay.close_stream(STREAM)
        relay.stop()
        everything(survivors.agent.rtp), everything(survivors.caller.rtp)


def test_packets_that_waited_make_no_burst(survivors: Survivors) -> None:
    survivors.first().kill()
    for number in range(1, 50):
        survivors.caller.send(rtp(number))
    relay, _ = survivors.adopt()
    assert not waiting(survivors.agent.rtp)
    relay.resume_stream(STREAM)
    survivors.caller.send(rtp(50))
    assert received(survivors.agent.rtp) == rtp(50)
    assert relay.counters(STREAM)["caller_received"] == 1
