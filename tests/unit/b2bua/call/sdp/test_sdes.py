"""Keys of SRTP in session descriptions: what is usable, what is described to each leg, and
what media gets."""

from __future__ import annotations

import base64

import pytest

from b2bua.call.sdp import sdes
from b2bua.call.sdp.offer_answer import OfferAnswer
from b2bua.call.trunk_policy import TrunkPolicy
from media.events import SessionId, Side
from media.stream_description import LocalStream, RemoteStream, StreamKeys

CM80, GCM = "AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM"
KEY = base64.b64encode(bytes(range(30))).decode()
GCM_KEY = base64.b64encode(bytes(range(28))).decode()
HEAD = "v=0\r\no=x 1 1 IN IP4 192.0.2.77\r\ns=-\r\nc=IN IP4 192.0.2.77\r\nt=0 0\r\n"
CLEAR = HEAD + "m=audio 4000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
SEALED = CLEAR.replace("RTP/AVP", "RTP/SAVP")
OURS = (LocalStream("198.51.100.1", 20000),)


def offer_answer(encrypted: str = "") -> OfferAnswer:
    call = OfferAnswer.begin_exchange(SessionId("s"), 7, bytes(32))
    call.set_policies(*(TrunkPolicy(encrypted=side.value in encrypted) for side in Side))
    call.set_streams(OURS, OURS)
    return call


def learned(call: OfferAnswer, side: Side, body: str) -> None:
    assert call.set_remote(side, body.encode())


def lines(body: bytes) -> list[str]:
    return [line for line in body.decode().split("\r\n") if line.startswith(("m=", "a=crypto"))]


def keys(call: OfferAnswer, side: Side) -> StreamKeys | None:
    command = call.remote_command(side)
    [stream] = command.streams
    assert isinstance(stream, RemoteStream)
    return stream.keys


@pytest.mark.parametrize(
    "value",
    [
        f"1 {CM80} inline:{KEY}",
        f"999999999 {CM80} inline:{KEY}|2^31",
        f"1 {CM80} INLINE:{KEY}|1048576 WSH=64",
        f"1  {CM80}\tinline:{KEY}",
    ],
)
def test_what_is_usable(value: str) -> None:
    read = sdes.parse_crypto(value)
    assert read is not None
    assert read.key == bytes(range(30))
    assert KEY not in repr(read)
    assert "\\x01" not in repr(read)


@pytest.mark.parametrize(
    "value",
    [
        "",
        f"1 {CM80}",
        f"x {CM80} inline:{KEY}",
        f"1 {CM80} uri:{KEY}",
        f"1 {CM80} inline:{KEY}|2^20|1:4",
        f"1 {CM80} inline:{KEY}|1:4",
        f"1 {CM80} inline:{KEY}|2^10",
        f"1 {CM80} inline:{KEY}|99",
        f"1 {CM80} inline:{KEY};inline:{KEY}",
        f"1 {CM80} inline:{GCM_KEY}",
        f"1 {CM80} inline:{KEY[:-1]}",
        f"1 {CM80} inline:!{KEY}",
        f"1 {CM80} inline:{KEY} UNENCRYPTED_SRTP",
        f"1 {CM80} inline:{KEY} KDR=1",
        f"1 ARIA_128_CTR_HMAC_SHA1_80 inline:{KEY}",
        f"1 NULL_HMAC_SHA1_80 inline:{KEY}",
    ],
)
def test_what_is_not(value: str) -> None:
    assert sdes.parse_crypto(value) is None


def test_the_best_suite_is_taken_whatever_its_place() -> None:
    values = [f"1 {CM80} inline:{KEY}", "2 X inline:1", f"3 {GCM} inline:{GCM_KEY}"]
    chosen = sdes.choose_crypto(values)
    assert chosen is not None
    assert (chosen.tag, chosen.suite) == ("3", GCM)
    assert sdes.choose_crypto(values[1:2]) is None


def test_an_offer_with_keys_reaches_a_trunk_in_clear_without_them_and_the_answer_comes_back_with_ours() -> (
    None
):
    call = offer_answer()
    learned(
        call, Side.CALLER, f"{SEALED}a=crypto:4 {CM80} inline:{KEY}\r\na=crypto:7 {GCM} inline:{GCM_KEY}\r\n"
    )
    assert lines(call.local_for(Side.AGENT)) == ["m=audio 20000 RTP/AVP 0 101"]
    learned(call, Side.AGENT, CLEAR)
    assert keys(call, Side.AGENT) is None
    mine = keys(call, Side.CALLER)
    assert mine is not None
    assert (mine.suite, mine.peer) == (GCM, bytes(range(28)))
    answer = lines(call.local_for(Side.CALLER))
    assert answer == ["m=audio 20000 RTP/SAVP 0 101", sdes.crypto_line("7", GCM, mine.ours)]
    assert call.events_agreed()
    assert repr(mine) == f"StreamKeys({GCM})"
    assert str(bytes(32)) not in repr(call)


def test_a_trunk_with_srtp_is_offered_every_suite_and_one_key_each() -> None:
    call = offer_answer("agent")
    learned(call, Side.CALLER, CLEAR.replace("AVP", "AVPF"))
    offer = lines(call.local_for(Side.AGENT))
    assert offer[0] == "m=audio 20000 RTP/SAVPF 0 101"
    read = [sdes.parse_crypto(line.removeprefix("a=crypto:")) for line in offer[1:]]
    assert [crypto.suite for crypto in read if crypto] == list(sdes.SUITES)
    assert len({crypto.key[:28] for crypto in read if crypto}) == len(sdes.SUITES)
    learned(call, Side.AGENT, f"{SEALED.replace('SAVP', 'SAVPF')}a=crypto:4 {CM80} inline:{KEY}\r\n")
    taken = keys(call, Side.AGENT)
    assert taken is not None
    assert [crypto.key for crypto in read if crypto and crypto.suite == CM80] == [taken.ours]
    assert lines(call.local_for(Side.CALLER)) == ["m=audio 20000 RTP/AVPF 0 101"]
    again = lines(call.local_for(Side.AGENT))
    assert again[1:] == [sdes.crypto_line("4", CM80, taken.ours)]


def test_each_leg_has_keys_of_its_own_and_no_line_of_one_reaches_the_other() -> None:
    call = offer_answer("caller agent")
    learned(call, Side.CALLER, f"{SEALED}a=crypto:1 {CM80} inline:{KEY}\r\n")
    assert KEY not in call.local_for(Side.AGENT).decode()
    learned(call, Side.AGENT, f"{SEALED}a=crypto:1 {GCM} inline:{GCM_KEY}\r\n")
    assert GCM_KEY not in call.local_for(Side.CALLER).decode()
    one, other = keys(call, Side.CALLER), keys(call, Side.AGENT)
    assert one is not None
    assert other is not None
    assert one.ours[:28] != other.ours[:28]


def test_a_trunk_with_srtp_takes_nothing_in_clear() -> None:
    call = offer_answer("caller")
    learned(call, Side.CALLER, CLEAR)
    assert not call.legs[Side.CALLER].remote.media[0].relayed


def test_keys_beside_a_description_in_clear_are_left_out() -> None:
    call = offer_answer()
    learned(call, Side.CALLER, f"{CLEAR}a=crypto:1 {CM80} inline:{KEY}\r\n")
    assert lines(call.local_for(Side.AGENT)) == ["m=audio 20000 RTP/AVP 0 101"]
    assert keys(call, Side.CALLER) is None


def test_a_keying_that_we_take_no_part_in_stays_between_the_ends_and_no_card_is_keyed_there() -> None:
    call = offer_answer()
    mikey = f"{SEALED}a=key-mgmt:mikey AQAFgM0\r\n"
    learned(call, Side.CALLER, mikey)
    assert "a=key-mgmt:mikey AQAFgM0" in call.local_for(Side.AGENT).decode()
    learned(call, Side.AGENT, mikey)
    assert not call.events_agreed()
    assert keys(call, Side.CALLER) is None


def test_another_leg_in_a_legs_place_has_other_keys() -> None:
    call = offer_answer("agent")
    learned(call, Side.CALLER, CLEAR)
    first = lines(call.local_for(Side.AGENT))
    learned(call, Side.AGENT, f"{SEALED}a=crypto:4 {CM80} inline:{KEY}\r\n")
    before = keys(call, Side.AGENT)
    offered = lines(call.offer_to_replacement(Side.AGENT))
    assert len(offered) == len(first)
    assert not set(offered[1:]) & set(first[1:])
    assert keys(call, Side.AGENT) == before  # until it is seated
    described = call.parse_replacement(Side.AGENT, f"{SEALED}a=crypto:4 {CM80} inline:{KEY}\r\n".encode())
    assert described is not None
    call.replace_leg(Side.AGENT, described, None, ours=False)
    after = keys(call, Side.AGENT)
    assert after is not None
    assert sdes.crypto_line("4", CM80, after.ours) in offered


def test_a_muted_side_may_change_its_key_and_say_nothing_else() -> None:
    call = offer_answer()
    learned(call, Side.CALLER, f"{SEALED}a=crypto:1 {CM80} inline:{KEY}\r\n")
    call.local_for(Side.AGENT)
    learned(call, Side.AGENT, CLEAR)
    call.local_for(Side.CALLER)
    call.redacted = frozenset({Side.CALLER})
    other = base64.b64encode(bytes(range(1, 31))).decode()
    learned(
        call,
        Side.CALLER,
        f"{SEALED}a=crypto:1 {CM80} inline:{other}\r\na=crypto:4 4 inline:4111\r\na=x:4111\r\n",
    )
    assert lines(call.local_for(Side.AGENT)) == ["m=audio 20000 RTP/AVP 0 101"]
    assert b"4111" not in call.local_for(Side.AGENT)
    changed = keys(call, Side.CALLER)
    assert changed is not None
    assert changed.peer == bytes(range(1, 31))
