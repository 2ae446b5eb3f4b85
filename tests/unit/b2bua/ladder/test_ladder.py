"""What is kept of a call's messages: in order, bounded, repetitions counted, forgotten in time."""

from __future__ import annotations

import pytest

from b2bua.call.leg import LegId
from b2bua.call.order import Order
from b2bua.call.view import CaptureStage, CaptureView
from b2bua.ladder.record import KEPT, MAX_LEGS
from b2bua.ladder.summary import Media, Summaries
from b2bua.ladder.view import GapView, LadderView, MessageView, NoSuchLadder, NoteView
from b2bua.ladder.words import NoteKind
from media.events import CloseSession, Done, LegCounters, SessionClosed, SessionId, SetMask, Side
from provider_adapters.payment import Declined
from tests.unit.b2bua.ladder.ladder_book import PBX, SDP, Book, view


def words(ladder: LadderView) -> list[str]:
    """Each entry in a few letters: `0<INVITE`, `1>200`, `mask on`."""
    shown = []
    for entry in ladder.entries:
        if isinstance(entry, MessageView):
            arrow = "<" if entry.direction == "received" else ">"
            again = f" x{entry.repeats + 1}" if entry.repeats else ""
            shown.append(f"{entry.leg}{arrow}{entry.code or ''}{'' if entry.code else entry.method}{again}")
        else:
            shown.append(entry.what if isinstance(entry, NoteView) else f"{entry.left_out} left out")
    return shown


def test_messages_of_both_legs_stand_in_the_order_in_which_they_passed() -> None:
    book = Book()
    book.call("c")
    book.say("c@us", "INVITE", 180, received=True, at=PBX)
    book.say("c@carrier", "INVITE", 180)
    ladder = book.ladders.ladder_of("c")
    assert words(ladder) == ["0<INVITE", "call began", "1>INVITE", "1<180", "0>180"]
    assert [(leg.number, leg.side, leg.trunk) for leg in ladder.legs] == [
        (0, "caller", "carrier"),
        (1, "agent", "pbx"),
    ]
    assert (ladder.caller, ladder.callee, ladder.live) == ("+49301234567", "100", True)
    first, *_, last = ladder.entries
    assert isinstance(first, MessageView)
    assert (first.transport, first.peer, first.after) == ("udp", "192.0.2.1:5060", 0.0)
    assert isinstance(last, MessageView)
    assert (last.phrase, last.after) == ("Ringing", 4.0)
    assert isinstance(ladder.entries[2], MessageView)
    assert ladder.entries[2].peer == "[2001:db8::1]:5060"


def test_what_comes_again_is_counted_and_not_listed() -> None:
    book = Book()
    book.call("c")
    for _ in range(3):
        book.say("c@us", "INVITE", body=SDP, at=PBX)
    book.say("c@us", "INVITE", body=SDP, at=("2001:db8::2", 5060, "tcp"), cseq=2)  # the next hop
    book.say("c@us", "INVITE", 503, received=True, at=PBX)
    assert words(book.ladders.ladder_of("c")) == [
        "0<INVITE",
        "call began",
        "1>INVITE x4",
        "1>INVITE",
        "1<503",
    ]


def test_the_first_and_the_last_messages_are_kept_of_a_call_that_sends_many() -> None:
    book = Book()
    book.call("c")
    for number in range(500):
        book.say("c@carrier", "INFO", cseq=number, received=True)
    kept = book.ladders.ladder_of("c").entries
    gap = next(place for place, entry in enumerate(kept) if isinstance(entry, GapView))
    assert kept[gap] == GapView(left_out=502 - 2 * KEPT)
    before, after = kept[gap - 1], kept[gap + 1]
    assert isinstance(before, MessageView)
    assert isinstance(after, MessageView)
    assert (before.cseq, after.cseq) == (KEPT - 3, 500 - KEPT)
    assert len(kept) == 2 * KEPT + 2  # with the gap and `call began`
    assert book.ladders.recent_calls()[0].messages == 502


def test_notes_are_bounded_as_well() -> None:
    book = Book()
    book.call("c")
    for on in [True, False] * 300:
        book.ladders.note_media(SetMask(session=SessionId("c"), on=on), Done(serial=0))
    assert words(book.ladders.ladder_of("c")).count(f"{601 - 2 * KEPT} left out") == 1


def test_the_mask_is_on_from_its_confirmation_on() -> None:
    book = Book()
    book.call("c")
    order = Order(transaction_id="t", amount=1, currency="EUR")
    book.ladders.note_view(view("c", CaptureView(id="p", stage=CaptureStage.STARTING, order=order)))
    book.say("c@carrier", "INFO", cseq=2, received=True)
    book.ladders.note_media(SetMask(session=SessionId("c"), on=True), Done(serial=0))
    for _ in range(2):  # a count of keys changes the view, and no stage
        book.ladders.note_view(view("c", CaptureView(id="p", stage=CaptureStage.COLLECTING, order=order)))
    book.say("c@carrier", "INFO", cseq=3, received=True)
    declined = Declined(reason="insufficient_funds", message="")
    book.ladders.note_view(
        view("c", CaptureView(id="p", stage=CaptureStage.FINISHED, order=order, outcome=declined))
    )
    book.ladders.note_media(SetMask(session=SessionId("c"), on=False), Done(serial=0))
    book.say("c@carrier", "INFO", cseq=4, received=True)
    ladder = book.ladders.ladder_of("c")
    masked = [entry.masked for entry in ladder.entries if not isinstance(entry, GapView)]
    assert list(zip(words(ladder)[3:], masked[3:], strict=True)) == [
        (NoteKind.CAPTURE_STARTING, False),
        ("0<INFO", False),
        (NoteKind.MASK_ON, True),
        (NoteKind.CAPTURE_COLLECTING, True),
        ("0<INFO", True),
        (NoteKind.CAPTURE_DECLINED, True),
        (NoteKind.MASK_OFF, False),
        ("0<INFO", False),
    ]


def test_what_comes_after_the_end_is_noted_while_the_call_is_remembered() -> None:
    book = Book()
    book.call("c")
    counters = LegCounters()
    closed = SessionClosed(serial=0, caller=counters, agent=counters)
    book.ladders.note_media(CloseSession(session=SessionId("c")), closed)
    book.end("c")
    book.say("c@us", "BYE", 200, received=True, at=PBX)
    ladder = book.ladders.ladder_of("c")
    assert words(ladder)[-3:] == ["media closed", "call ended", "1<200"]
    assert not ladder.live


def test_the_call_that_ended_first_is_forgotten_first_with_everything_that_led_to_it() -> None:
    book = Book(remembered=2)
    for name in "abcd":
        book.call(name)
    for name in "abcd":
        book.end(name)
    assert [call.id for call in book.ladders.recent_calls()] == ["d", "c"]
    assert book.ladders.leg_count == 4
    for forgotten in ("a", "a@carrier", "never"):
        with pytest.raises(NoSuchLadder):
            book.ladders.ladder_of(forgotten)
    book.say("a@us", "BYE", received=True)  # is of no ladder any more


def test_a_call_is_found_by_the_call_id_of_either_leg() -> None:
    book = Book()
    book.call("c")
    assert (
        book.ladders.ladder_of("c@us") == book.ladders.ladder_of("c@carrier") == book.ladders.ladder_of("c")
    )


def test_a_leg_that_no_call_took_is_forgotten_with_its_end() -> None:
    book = Book()
    book.ladders.open_leg(LegId("leg"), "x@carrier")
    book.say("x@carrier", "INVITE", received=True)
    with pytest.raises(NoSuchLadder):
        book.ladders.ladder_of("x@carrier")
    book.ladders.close_leg(LegId("leg"))
    assert book.ladders.leg_count == 0


def test_a_leg_that_never_began_is_forgotten_with_its_call() -> None:
    book = Book(remembered=1)
    book.call("c")
    for number in range(2 * MAX_LEGS):
        book.ladders.add_leg("c", LegId(f"more-{number}"), Side.AGENT, "pbx")
    assert len(book.ladders.ladder_of("c").legs) == MAX_LEGS
    book.end("c")
    book.call("d")
    book.end("d")
    assert book.ladders.leg_count == 2


def test_nothing_is_kept_where_nothing_is_to_be_remembered() -> None:
    book = Book(remembered=0)
    book.call("c")
    assert book.ladders.recent_calls() == []
    assert book.ladders.leg_count == 0


def test_no_answer_and_no_way_are_noted_with_the_hop() -> None:
    book = Book()
    book.call("c")
    book.ladders.note_unanswered("c@us", PBX, sent=True)
    book.ladders.note_unanswered("c@us", PBX, sent=False)
    notes = [entry for entry in book.ladders.ladder_of("c").entries if isinstance(entry, NoteView)][1:]
    assert [(note.what, note.leg, note.peer) for note in notes] == [
        ("no answer", 1, "tcp [2001:db8::1]:5060"),
        ("cannot be sent", 1, "tcp [2001:db8::1]:5060"),
    ]


def test_a_leg_that_was_never_opened_says_why() -> None:
    book = Book()
    book.call("c")
    for name, why in (("full", NoteKind.FULL), ("away", NoteKind.NO_WAY)):
        book.ladders.add_leg("c", LegId(name), Side.AGENT, name)
        book.ladders.note_not_opened(LegId(name), why)
    notes = [entry for entry in book.ladders.ladder_of("c").entries if isinstance(entry, NoteView)][1:]
    assert [(note.what, note.leg) for note in notes] == [("trunk is full", 2), ("cannot be sent", 3)]


# --- session descriptions -------------------------------------------------------------------------

AUDIO = Media("audio", "RTP/AVP", ("PCMA", "opus", "telephone-event"), "sendonly")


@pytest.mark.parametrize(
    ("body", "summary"),
    [
        (SDP, (AUDIO,)),
        (SDP.replace(b"40000", b"40002"), (AUDIO,)),
        (SDP.replace(b"40000", b"0"), (Media("audio", "RTP/AVP", AUDIO.codecs, "sendonly", True),)),
        (SDP.replace(b"a=sendonly\r\n", b""), (Media("audio", "RTP/AVP", AUDIO.codecs, "sendrecv"),)),
        (
            SDP.replace(b"a=sendonly\r\n", b"").replace(b"t=0 0\r\n", b"t=0 0\r\na=inactive\r\n"),
            (Media("audio", "RTP/AVP", AUDIO.codecs, "inactive"),),
        ),
        (
            SDP + b"m=image 0 udptl t38\r\nm=4000056655665556 9 4000056655665556 4000056655665556\r\n",
            (
                AUDIO,
                Media("image", "udptl", ("t38",), "sendrecv", True),
                Media("other", "other", ("other",), "sendrecv"),
            ),
        ),
        (b"--x\r\nContent-Type: application/sdp\r\n\r\n" + SDP + b"--x--\r\n", (AUDIO,)),
        (b"v=0\r\nm=\r\n", (Media("other", "other", (), "sendrecv"),)),
        (b"0400005665566555", ()),
        (b"", ()),
    ],
)
def test_a_description_is_summed_up_in_our_words(body: bytes, summary: tuple[Media, ...]) -> None:
    summaries = Summaries()
    assert summaries.summarise(body) == summary
    assert summaries.summarise(body) == summary  # and so it is when it is known
