"""The keys of an agent's telephone: the reference and the core on the same packets, and what of a
code the customer gets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from media import _core
from media.formats.rtp import Rtp, Ssrc, parse, serialise
from media.formats.telephone_event import KEYS, TelephoneEvent
from media.formats.telephone_event import serialise as serialise_event
from media.reference.agent_keys import ECHO_MS, MAX_DIGITS, PAUSE_MS, AgentKeys
from media.reference.red import Block, unwrap

EVENTS, RED, AUDIO = 101, 104, 0
SSRC = Ssrc(0xA6E47)
BEGIN = 1000


@dataclass(frozen=True)
class Packet:
    """An event as it arrives. `late_ms`: after the one before."""

    code: int
    seq: int
    rtp_timestamp: int
    duration: int
    end: bool
    late_ms: int
    masked: bool
    ssrc: int
    shape: str


packets = st.builds(
    Packet,
    code=st.sampled_from([10, 11, 1, 2, 3, 9, 12, 16]),
    seq=st.integers(0, 40),
    rtp_timestamp=st.integers(0, 20).map(lambda at: at * 400),
    duration=st.sampled_from([0, 160, 320, 800]),
    end=st.booleans(),
    late_ms=st.sampled_from([0, 20, 60, 120, 300, ECHO_MS, PAUSE_MS, PAUSE_MS + 1]),
    masked=st.booleans(),
    ssrc=st.sampled_from([SSRC, SSRC + 1]),
    shape=st.sampled_from(["event", "event", "event", "red", "two", "audio", "short"]),
)
infos = st.tuples(st.sampled_from([10, 11, 1, 2, 12]), st.sampled_from([0, 100, 1100, 5001]), st.booleans())


def octets(packet: Packet) -> bytes:
    event = serialise_event(TelephoneEvent(code=packet.code, end=packet.end, duration=packet.duration))
    payloads = {
        "event": (EVENTS, event),
        "two": (EVENTS, event + serialise_event(TelephoneEvent(code=3, end=True, duration=160))),
        "red": (RED, bytes((0x80 | EVENTS, 0x0A, 0x00, 0x04, AUDIO)) + event + b"voice" * 32),
        "audio": (AUDIO, b"voice" * 32),
        "short": (EVENTS, event[:3]),
    }
    payload_type, payload = payloads[packet.shape]
    return serialise(
        Rtp(
            payload_type=payload_type,
            marker=False,
            sequence_number=packet.seq,
            rtp_timestamp=packet.rtp_timestamp,
            ssrc=Ssrc(packet.ssrc),
            payload=payload,
        )
    )


def leaves(reference: AgentKeys, packet: bytes, now_ms: int, *, masked: bool) -> bool:
    whole = parse(packet)
    assert whole is not None
    own = (Block(whole.payload_type, whole.rtp_timestamp, whole.payload),)
    return reference.packet(whole, unwrap(whole) if whole.payload_type == RED else own, now_ms, masked=masked)


@settings(max_examples=400, deadline=None)
@given(st.lists(packets | infos, max_size=60))
def test_the_core_takes_keys_as_the_reference_does(
    arriving: Sequence[Packet | tuple[int, int, bool]],
) -> None:
    core, reference = _core.AgentKeys(bytes([EVENTS]), bytes([RED])), AgentKeys(frozenset({EVENTS}))
    now_ms = BEGIN
    for at, each in enumerate(arriving):
        if isinstance(each, tuple):
            code, late_ms, masked = each
            now_ms += late_ms
            left = core.info(code, masked, now_ms), reference.info(code, now_ms, masked=masked)
        else:
            now_ms += each.late_ms
            sent = octets(each)
            left = core.rtp(sent, each.masked, now_ms), leaves(reference, sent, now_ms, masked=each.masked)
        assert left[0] == left[1], at
        if at % 7 == 0:
            assert core.take() == reference.take()
    assert core.take() == reference.take()


def pressed(code: int, number: int, times: int = 8) -> list[bytes]:
    """One key as a telephone sends it: updates every 20 ms, the end three times."""
    return [
        octets(
            Packet(
                code=code,
                seq=20 * number + step,
                rtp_timestamp=3200 * number,
                duration=160 * min(step + 1, times - 2),
                end=step >= times - 3,
                late_ms=20,
                masked=False,
                ssrc=SSRC,
                shape="event",
            )
        )
        for step in range(times)
    ]


def keyed(keys: str) -> tuple[str, list[str]]:
    """What the customer gets, and which codes are complete, where these keys are pressed one after
    the other; `_` is a pause that ends a code."""
    core = _core.AgentKeys(bytes([EVENTS]), b"")
    heard, codes, now_ms = "", [], BEGIN
    for number, key in enumerate(keys):
        if key == "_":
            now_ms += PAUSE_MS + 1
            continue
        left = []
        for packet in pressed(KEYS.index(key.encode()), number):
            now_ms += 20
            left.append(core.rtp(packet, False, now_ms))
        assert len(set(left)) == 1, "a press leaves whole, or not at all"
        heard += key if left[0] else ""
        if code := core.take():
            codes.append(code.decode())
    return heard, codes


@settings(max_examples=300, deadline=None)
@given(st.text("*#0123456789A_", max_size=40))
def test_the_customer_gets_nothing_of_a_code_and_all_else(keys: str) -> None:
    heard, codes = keyed(keys)
    # As one reads it: from a `*` to the next `#` or pause all is dropped.
    assert heard == re.sub(r"\*[^#_]*(#|_|$)", "", keys).replace("_", "")
    spans = [span.rpartition("*")[2] for span in re.findall(r"\*([^#_]*)#", keys)]
    assert codes == [span for span in spans if re.fullmatch(rf"[0-9]{{1,{MAX_DIGITS}}}", span)]


def test_a_card_that_an_agent_keys_is_no_code() -> None:
    assert keyed("*4111111111111111#5") == ("5", [])
    assert keyed("4111111111111111#") == ("4111111111111111#", [])
