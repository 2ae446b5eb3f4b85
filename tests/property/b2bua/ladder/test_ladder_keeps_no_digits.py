"""Whatever peers send, what a ladder keeps of it is typed values and words of our own: no digit of
theirs but the CSeq."""

from __future__ import annotations

import itertools
import re

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from b2bua.call.leg import LegId
from b2bua.call.view import CallState, CallView
from b2bua.ladder.ladders import Ladders
from b2bua.ladder.record import Message
from b2bua.ladder.view import LadderView, MessageView
from b2bua.ladder.words import CODECS, DIRECTIONS, KINDS, METHODS, OTHER, PHRASES, PROTOCOLS
from b2bua.sip.hop import Hop, Transport
from b2bua.sip.message.bodies import unwrap_body
from b2bua.sip.message.compose import Outgoing, compose_response
from b2bua.sip.message.message import MalformedError, parse_message, salvage_head
from b2bua.sip.transaction.tap import Tap
from media.events import Side

CARD = "4000056655665556"
HOP = Hop("192.0.2.7", 5062, Transport.TCP, 3, "carrier")
CALL_ID = "an-id"

digits = st.sampled_from([CARD, CARD[:6], "1", "123", "99999999999999999999", "4000 0566 5566 5556", "v", ""])
text = st.one_of(digits, st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20))
token = st.one_of(digits.map(lambda text: text.replace(" ", "") or "x"), st.sampled_from(sorted(METHODS)))
number = st.one_of(st.sampled_from([1, 2, 2**31 - 1, 2**31, int(CARD)]), st.integers(0, 10**19))


@st.composite
def descriptions(draw: st.DrawFn) -> bytes:
    lines = ["v=0", f"o={draw(text)}", f"s={draw(text)}"]
    for _ in range(draw(st.integers(0, 3))):
        lines.append(f"m={draw(text)} {draw(text)} {draw(text)} {draw(text)}")
        lines.append(f"m={draw(st.sampled_from(['audio', 'video']))} 4000 RTP/AVP 0 96 {draw(text)}")
        lines += [
            f"a=rtpmap:96 {draw(text)}/8000",
            f"i={draw(text)}",
            f"a={draw(text)}",
            "a=sendonly",
            draw(text),
        ]
    return "\r\n".join(lines).encode()


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """A message of a peer's, from plausible to garbage, digits everywhere."""
    method = draw(token)
    body = draw(st.one_of(descriptions(), text.map(str.encode), st.binary(max_size=40)))
    start = draw(
        st.one_of(
            st.just(f"{method} sip:{CARD}@192.0.2.1 SIP/2.0"),
            st.tuples(st.integers(90, 720), text).map(lambda both: f"SIP/2.0 {both[0]} {both[1]}"),
            text,
        )
    )
    head = [
        start,
        f"Via: SIP/2.0/TCP 192.0.2.7;branch=z9hG4bK{CARD}",
        f'From: "{draw(digits)}" <sip:{CARD}@192.0.2.7>;tag={CARD}',
        f"To: {draw(digits)} <sip:{CARD}@192.0.2.1>",
        f"Call-ID: {CALL_ID}",
        f"CSeq: {draw(number)}{draw(st.sampled_from([' ', chr(9), '   ']))}{method}",
        f"Content-Type: {draw(st.sampled_from(['application/sdp', 'application/dtmf-relay', CARD]))}",
        f'Authorization: Digest username="{CARD}", response="{CARD}"',
        f"X-Card: {draw(text)}",
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def noted(ladders: Ladders, tap: Tap, data: bytes) -> None:
    """As `Dispatcher` does."""
    try:
        message = parse_message(data, HOP)
    except MalformedError as error:
        head = error.head or salvage_head(data.partition(b"\r\n\r\n")[0])
        if head is not None:
            tap.record_unreadable(head, HOP)
            tap.record_stateless(compose_response(head, HOP, error.code, text=CARD), HOP)
        return
    unwrap_body(message)
    tap.record_received(message)
    if message.source is HOP and not hasattr(message, "code"):
        answer = compose_response(message.head, HOP, 400, text=CARD, body=message.body)
        tap.record_response(message, answer, HOP)  # type: ignore[arg-type]


def check(entry: MessageView) -> None:
    assert entry.method in METHODS | {OTHER}
    assert entry.code is None or 100 <= entry.code <= 699
    assert entry.phrase in {*PHRASES.values(), ""}
    assert 0 <= entry.cseq < 2**31
    assert (entry.transport, entry.peer) == ("tcp", "192.0.2.7:5062")
    for media in entry.sdp:
        assert media.kind in KINDS | {OTHER}
        assert media.protocol in {*PROTOCOLS.values(), OTHER}
        assert set(media.codecs) <= {*CODECS.values(), OTHER}
        assert media.direction in DIRECTIONS


@given(st.lists(messages(), max_size=6), st.lists(st.tuples(token, descriptions()), max_size=3))
@example([f"INFO sip:{CARD}@a SIP/2.0\r\nCall-ID: {CALL_ID}\r\n\r\n{CARD}".encode()], [])
def test_what_is_kept_are_numbers_of_ours_and_words_of_our_tables(
    received: list[bytes], sent: list[tuple[str, bytes]]
) -> None:
    clock = itertools.count(1_700_000_000)
    ladders = Ladders(3, lambda: float(next(clock)))
    tap = Tap(ladders)
    tap.open(LegId("leg"), CALL_ID)
    view = CallView(
        id="call", state=CallState.UP, direction="inbound", caller="", callee="", started_at="", masked=False
    )
    ladders.begin_call(LegId("leg"), Side.CALLER, "carrier", view)
    for data in received:
        noted(ladders, tap, data)
    for method, body in sent:
        tap.record_sent(
            Outgoing(method, CARD, CARD, CARD, CARD, CALL_ID, 7, lines=(f"X: {CARD}",), body=body), HOP
        )
    shown = ladders.ladder_of("call")
    for entry in shown.entries:
        if isinstance(entry, MessageView):
            check(entry)
    rest = msgspec.to_builtins(shown)
    for entry in rest["entries"]:
        for allowed in ("at", "after", "cseq", "code", "peer"):
            entry.pop(allowed, None)
    for word in CODECS.values():  # some have digits of their own: G722
        assert len(re.sub(r"\D", "", word)) < 8
    assert re.search(r"\d{6}", msgspec.json.encode(rest).decode().replace(shown.started_at, "")) is None
    assert shown == msgspec.json.decode(msgspec.json.encode(shown), type=LadderView)


def test_a_kept_message_has_no_field_for_texts_of_peers() -> None:
    fields = {field.name: field.type for field in msgspec.structs.fields(Message)}
    assert set(fields) == {"at", "leg", "sent", "method", "code", "cseq", "peer", "sdp", "masked", "repeats"}
