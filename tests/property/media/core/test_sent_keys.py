"""Keys sent as telephone-event: the core sends what the reference sends, and whoever listens
decodes each key once."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media import _core
from media.formats import telephone_event
from media.formats.rtp import Rtp, Ssrc, parse, serialise
from media.reference import sip_info as info
from media.reference.event_sender import PAUSE_MS, WAITING, Outgoing
from media.reference.masking import Mask
from media.reference.reassembly import Arrival, Presses

EVENTS, AUDIO, VIDEO = 101, 0, 96
OWN = Ssrc(0x0DDB_A11)
BODIES = [
    f"Signal={key}\r\nDuration={ms}\r\n".encode()
    for key, ms in zip("059*#D", (1, 40, 160, 250, 999, 70_000), strict=True)
]
BODIES += [
    b"5",
    b"Signal=5\r\nDuration=\r\n",
    b"duration : 80\nsignal=A",
    b"Duration=0x50\nSignal=1",
    b"Signal=2\rDuration=9999999",
]
SPEECH = bytes(160)


def voice(number: int, ssrc: int = 1, payload_type: int = AUDIO, payload: bytes = SPEECH) -> bytes:
    return serialise(
        Rtp(
            payload_type=payload_type,
            marker=False,
            sequence_number=(65_530 + number) % 0x10000,
            rtp_timestamp=(0xFFFF_FC00 + 160 * number) % 2**32,
            ssrc=Ssrc(ssrc),
            payload=payload,
        )
    )


class Both:
    """The core and its reference, which have to say the same."""

    def __init__(self) -> None:
        self.core = _core.Mask(bytes([EVENTS]), bytes([VIDEO]), mu=bytes([AUDIO]))
        self.reference = Mask(frozenset({EVENTS}), frozenset({VIDEO, AUDIO}))
        self.left: list[bytes] = []

    def press(self, body: bytes, now_ms: int, clock: int = 8000) -> bool:
        key = Outgoing(info.parse_key(body), info.duration(body), EVENTS, clock)
        taken = self.core.send_key(body, EVENTS, clock, OWN, now_ms)
        assert self.reference.send_key(key, OWN, now_ms) is taken
        return taken

    def at(self, now_ms: int) -> None:
        sent = self.core.sent(now_ms)
        assert self.reference.sent(now_ms) == sent
        self.left += sent

    def hear(self, packet: bytes, now_ms: int) -> None:
        out, _ = self.core.rtp(packet, now_ms)
        assert self.reference.rtp(packet, now_ms)[0] == out
        self.left += [out] if out is not None else []

    def switch(self, *, on: bool) -> None:
        self.core.switch(on)
        self.reference.switch(on)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("press"), st.sampled_from(BODIES), st.sampled_from([8000, 16000, 48000])),
        st.tuples(st.just("voice"), st.integers(1, 6), st.integers(0, 3)),
        st.tuples(st.just("event"), st.integers(0, 15), st.just(0)),
        st.tuples(st.just("video"), st.just(9), st.just(0)),
        st.tuples(st.just("wait"), st.integers(0, 400), st.just(0)),
        st.tuples(st.just("mask"), st.booleans(), st.just(0)),
    ),
    max_size=40,
)


@given(STEPS)
def test_the_core_sends_what_the_reference_sends(steps: list[tuple[str, object, int]]) -> None:
    both, now_ms = Both(), 1_000
    for number, (kind, value, more) in enumerate(steps, 1):
        match kind, value:
            case "press", bytes(body):
                both.press(body, now_ms, more)
            case "voice", int(ssrc) if not both.reference.on:
                both.hear(voice(number - more, ssrc), now_ms)
            case "event", int(code):
                both.hear(voice(number, 1, EVENTS, bytes([code, 10, 0, 160])), now_ms)
            case "video", int(ssrc):
                both.hear(voice(number, ssrc, VIDEO), now_ms)
            case "wait", int(ms):
                now_ms += ms
            case "mask", bool(on):
                both.switch(on=on)
        both.at(now_ms)


def played(both: Both, keys: str, *, speaks: bool = True) -> list[Rtp]:
    """These keys of 100 ms each while the customer speaks, or is silent; all that left."""
    for number in range(60 * len(keys)):
        now_ms = 1_000 + 20 * number
        if speaks:
            both.hear(voice(number), now_ms)
        if number % 12 == 3 and number // 12 < len(keys):
            assert both.press(f"Signal={keys[number // 12]}\r\nDuration=100\r\n".encode(), now_ms)
        both.at(now_ms)
    packets = [parse(packet) for packet in both.left]
    return [packet for packet in packets if packet is not None]


def decoded(packets: list[Rtp]) -> str:
    """Every press, by the reference of what we read from others."""
    presses, keys = Presses(), ""
    for at, packet in enumerate(packets):
        event = telephone_event.parse(packet.payload) if packet.payload_type == EVENTS else None
        if event is None:
            continue
        number = packet.sequence_number
        arrival = Arrival(
            packet.ssrc, packet.rtp_timestamp, number, packet.marker, event, masked=False, now_ms=20 * at
        )
        sighting = presses.sight(arrival)
        assert not sighting.lost
        if sighting.is_new:
            keys += chr(telephone_event.KEYS[event.code])
    return keys


@pytest.mark.parametrize("speaks", [True, False])
def test_each_key_is_decoded_once_and_the_stream_has_no_hole(*, speaks: bool) -> None:
    both = Both()
    packets = played(both, "1159*0#D", speaks=speaks)
    assert decoded(packets) == "1159*0#D"
    assert {packet.ssrc for packet in packets} == {1 if speaks else OWN}
    numbers = [packet.sequence_number for packet in packets]
    assert all((after - before) % 0x10000 == 1 for before, after in itertools.pairwise(numbers))


def test_an_event_looks_as_rfc_4733_has_it() -> None:
    both = Both()
    both.hear(voice(0), 1_000)
    both.press(b"Signal=7\r\nDuration=70\r\n", 1_010)
    for now_ms in range(1_010, 1_200, 10):
        both.at(now_ms)
    packets = [parsed for packet in both.left[1:] if (parsed := parse(packet)) is not None]
    [began] = {packet.rtp_timestamp for packet in packets}
    assert began == (0xFFFF_FC00 + 80) % 2**32, "where the customer's audio was by then"
    assert [packet.marker for packet in packets] == [True, False, False, False, False, False]
    said = [telephone_event.parse(packet.payload) for packet in packets]
    assert [(event.code, event.end, event.duration) for event in said if event is not None] == [
        (7, False, 160), (7, False, 320), (7, False, 480), (7, True, 560), (7, True, 560), (7, True, 560),
    ]  # fmt: skip


def test_keys_that_come_at_once_leave_one_after_another_and_those_without_room_are_refused() -> None:
    both = Both()
    taken = [both.press(f"Signal={key}\r\nDuration=40\r\n".encode(), 1_000) for key in "0123456789"]
    assert taken == [True] * WAITING + [False] * (10 - WAITING)
    for now_ms in range(1_000, 3_000, 20):
        both.at(now_ms)
    packets = [parsed for packet in both.left if (parsed := parse(packet)) is not None]
    assert decoded(packets) == "01234567"
    begins = sorted({packet.rtp_timestamp for packet in packets})
    gaps = [after - before for before, after in itertools.pairwise(begins)]
    assert min(gaps) >= 8 * (40 + PAUSE_MS), "the next begins after the end of the one before"


def test_what_a_mask_finds_unsent_never_leaves_and_under_it_nothing_is_taken() -> None:
    both = Both()
    both.press(BODIES[2], 1_000)
    both.press(BODIES[1], 1_000)
    both.at(1_040)
    before = len(both.left)
    both.switch(on=True)
    both.at(1_060)
    assert not both.press(BODIES[0], 1_080)
    both.at(2_000)
    both.switch(on=False)
    both.at(3_000)
    assert len(both.left) == before
    assert both.press(BODIES[0], 3_000)
    both.at(3_000)
    assert len(both.left) == before + 1


def test_what_is_no_key_is_not_sent() -> None:
    mask = _core.Mask(bytes([EVENTS]), b"", mu=bytes([AUDIO]))
    for body in (b"Signal=16\r\n", b"what", b""):
        with pytest.raises(ValueError, match="no key can be read"):
            mask.send_key(body, EVENTS, 8000, OWN, 0)
    for payload_type, clock in ((128, 8000), (-1, 8000), (101, 0)):
        with pytest.raises(ValueError, match="payload_type"):
            mask.send_key(b"5", payload_type, clock, OWN, 0)
