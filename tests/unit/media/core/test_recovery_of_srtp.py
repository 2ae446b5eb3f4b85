"""SRTP over relays that are killed at any moment while packets come: the peers open all that
reaches them, no index is sealed twice, and no key passes a mask."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from itertools import count

import pytest

from media._core import AGENT, CALLER
from tests.unit.media.core.mortal_relay import STREAM, MortalRelay, Survivors
from tests.unit.media.core.relay_rig import EVENTS, REPORT, everything, key, received, rtp, until
from tests.unit.media.core.sealed import PROFILES, Sealed

KILLS = 5
FIRST = 65_200  # of the sequence numbers: they roll over
SENDER = 0x1234
# Where a slot has one more than the highest index of RTCP to the agent, of the first SSRC: behind
# two words and three other tables, whose SSRCs begin at 80.
NEXT_REPORT = 16 + 3 * (80 + 64 * 16) + 80 + 4


@pytest.fixture
def survivors() -> Iterator[Survivors]:
    made = Survivors()
    yield made
    made.close()


class Talk:
    """Both phones send without a pause, by SRTP, and open what comes."""

    def __init__(self, survivors: Survivors, suite: str) -> None:
        self.survivors = survivors
        self.peers = {CALLER: Sealed(suite, 1, 2), AGENT: Sealed(suite, 3, 4)}
        self.phones = {CALLER: survivors.caller, AGENT: survivors.agent}
        self.sealed: dict[int, list[bytes]] = {CALLER: [], AGENT: []}
        self.sealed_rtcp: dict[int, list[bytes]] = {CALLER: [], AGENT: []}
        self.opened: dict[int, list[bytes]] = {CALLER: [], AGENT: []}
        self.faults: list[tuple[Exception, bytes]] = []
        self._ends = threading.Event()
        self._threads = [
            threading.Thread(target=self._send),
            *(threading.Thread(target=self._open, args=(leg,)) for leg in self.phones),
        ]

    def begin(self) -> None:
        for each in self._threads:
            each.start()

    def secure(self, relay: MortalRelay) -> None:
        """Set the keys of both legs."""
        for leg, peer in self.peers.items():
            assert relay.call("set_crypto", STREAM, leg, peer.suite, peer.own, peer.ours) is None

    def goes_on(self) -> None:
        """Return once more has come to both."""
        before = {leg: len(each) for leg, each in self.opened.items()}
        until(lambda: all(len(self.opened[leg]) > before[leg] + 20 for leg in before), 30)

    def end(self) -> None:
        self._ends.set()
        for each in self._threads:
            if each.ident:
                each.join()

    def _send(self) -> None:
        for number in count(FIRST):
            if self._ends.wait(0.001):
                return
            for leg, phone in self.phones.items():
                seal = self.peers[leg].tx
                packet = rtp(number, ssrc=SENDER + leg)
                if leg == CALLER and number % 4 == 0:  # an event that goes on for all of the test
                    packet = key(number, 5, 77, min(number - FIRST + 1, 60_000))
                phone.send(seal.protect(packet))
                if number % 10 == 0:
                    phone.send_rtcp(seal.protect_rtcp(REPORT[:4] + (SENDER + leg).to_bytes(4, "big")))

    def _open(self, leg: int) -> None:
        peer, phone = self.peers[leg], self.phones[leg]
        while not self._ends.is_set():
            for own, sealed, opened in (
                (phone.rtp, self.sealed, peer.rx.unprotect),
                (phone.rtcp, self.sealed_rtcp, peer.rx.unprotect_rtcp),
            ):
                own.settimeout(0.005)
                try:
                    packet = own.recv(4096)
                except TimeoutError:
                    continue
                sealed[leg].append(packet)
                try:
                    self.opened[leg].append(opened(packet))
                except Exception as error:
                    self.faults.append((error, packet))


def rtp_index(packet: bytes) -> bytes:
    """SSRC and sequence number: with less than 65,536 packets they are the index."""
    return packet[2:4] + packet[8:12]


def rtcp_index(suite: str, packet: bytes) -> bytes:
    """SSRC and the index, which stands behind the tag, or before it (RFC 7714, RFC 3711)."""
    return packet[4:8] + (packet[-4:] if "GCM" in suite else packet[-14:-10])


@pytest.mark.parametrize("suite", PROFILES)
@pytest.mark.parametrize("masked", [False, True], ids=["open", "masked"])
def test_no_index_is_sealed_twice_whenever_the_relay_dies(
    survivors: Survivors, suite: str, masked: bool
) -> None:
    chance = random.Random(f"{suite} {masked}")
    relay, talk = survivors.first(), Talk(survivors, suite)
    try:
        talk.secure(relay)
        relay.call("set_mask", STREAM, masked)
        talk.begin()
        for _ in range(KILLS):
            talk.goes_on()
            more = chance.randrange(40)
            reached = len(talk.opened[AGENT]) + more
            until(lambda reached=reached: len(talk.opened[AGENT]) >= reached, 30)  # type: ignore[misc]
            relay.kill()
            relay, comes_back = survivors.next()
            assert comes_back is masked
            talk.secure(relay)
            relay.call("set_mask", STREAM, masked)
            relay.call("resume_stream", STREAM)
        talk.goes_on()
        relay.kill()
    finally:
        talk.end()
    assert not talk.faults
    for leg in (CALLER, AGENT):
        indices = [rtp_index(each) for each in talk.sealed[leg]]
        assert len(indices) == len(set(indices))
        indices = [rtcp_index(suite, each) for each in talk.sealed_rtcp[leg]]
        assert len(indices) == len(set(indices)) >= KILLS
        numbers = [int.from_bytes(each[2:4]) for each in talk.opened[leg]]
        assert min(numbers) < 1000  # they have rolled over
    events = [each for each in talk.opened[AGENT] if each[1] & 0x7F == EVENTS]
    assert bool(events) is not masked


@pytest.mark.parametrize("suite", ["AEAD_AES_128_GCM", "AES_CM_128_HMAC_SHA1_80"])
def test_indices_of_many_reports_are_passed_over(survivors: Survivors, suite: str) -> None:
    """A thousand for each report, so that the first ones do not leave; of too many, none does."""
    relay, peer = survivors.open(), Sealed(suite)
    peer.set(relay, AGENT)
    survivors.caller.send_rtcp(REPORT)
    peer.rx.unprotect_rtcp(received(survivors.agent.rtcp))
    assert survivors.slot()[NEXT_REPORT:][:4] == (2).to_bytes(4, "little")
    for highest, leave in ((2500, [2500, 2501, 2502]), (2**18 + 1, [])):
        survivors.abandon(relay)
        survivors.write(highest.to_bytes(4, "little"), NEXT_REPORT)
        relay, _ = survivors.adopt()
        peer.set(relay, AGENT)
        relay.resume_stream(STREAM)
        before = relay.counters(STREAM)["caller_received"]
        for _ in range(5):
            survivors.caller.send_rtcp(REPORT)
        until(lambda relay=relay, before=before: relay.counters(STREAM)["caller_received"] == before + 5)  # type: ignore[misc]
        sealed = everything(survivors.agent.rtcp)
        indices = [int.from_bytes(rtcp_index(suite, each)[4:]) & 0x7FFFFFFF for each in sealed]
        assert indices == leave
        for each in sealed:
            peer.rx.unprotect_rtcp(each)
