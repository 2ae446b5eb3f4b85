"""A ladder on the terminal, as a picture, over the API and by the command."""

from __future__ import annotations

import io
import itertools
import json
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

import httpx
import msgspec
import pytest
from rich.console import Console
from typer.testing import CliRunner

from b2bua.access.tokens import first_clear_token
from b2bua.api.http import create_app
from b2bua.api.ladder import prefers_svg
from b2bua.cli import app
from b2bua.commands import ladder as cli_ladder
from b2bua.ladder import svg, terminal
from b2bua.ladder.layout import AGENT_LEG, CALLER_LEG, PEER_OF_AGENT, PEER_OF_CALLER, Sheet, Tone, lay_out
from b2bua.ladder.summary import Media
from b2bua.ladder.view import Entry, GapView, LadderSummary, LadderView, LegView, MessageView, NoteView
from tests.browser.fake_desk import FakeDesk
from tests.everybody import everybody
from tests.unit.b2bua.ladder.ladder_book import Book

ROOT = Path(__file__).parents[4]
# Of a call that tests/wire/running/test_ladder.py recorded.
EXAMPLE = ROOT / "tests" / "fixtures" / "ladder.json"
PICTURE = ROOT / "docs" / "img" / "ladder.svg"
TOKEN = "a-token-for-the-tests"
AUDIO = Media("audio", "RTP/AVP", ("PCMA", "telephone-event"), "sendrecv")
HELD = Media("audio", "RTP/AVP", ("PCMA",), "sendonly")
OFF = Media("video", "RTP/AVP", (), "sendrecv", True)
NASTY = '"><script>alert(1)</script>\x1b[2J\x00\u202e&amp;'


def message(leg: int, what: str | int, *, sent: bool = False, after: float = 0.0, **more: Any) -> MessageView:
    """`what`: a method, or the code of an answer to an INVITE."""
    code = what if isinstance(what, int) else None
    values: dict[str, Any] = {
        "at": f"2025-03-01T09:30:{after:06.3f}+00:00",
        "after": after,
        "leg": leg,
        "direction": "sent" if sent else "received",
        "method": "INVITE" if code else what,
        "code": code,
        "phrase": "Trying" if code else "",
        "cseq": 1,
        "transport": "udp",
        "peer": "192.0.2.1:5060",
        "sdp": (),
        "repeats": 0,
        "masked": False,
    }
    return MessageView(**values | more)


def note(what: str, *, after: float = 0.0, masked: bool = False, leg: int | None = None) -> NoteView:
    at = f"2025-03-01T09:30:{after:06.3f}+00:00"
    return NoteView(at=at, after=after, what=what, leg=leg, peer=None, masked=masked)


def ladder(*entries: Entry, legs: int = 2, **more: Any) -> LadderView:
    values: dict[str, Any] = {
        "id": "c-1",
        "live": True,
        "direction": "inbound",
        "caller": "+49301234567",
        "callee": "100",
        "started_at": "2025-03-01T09:30:00.000+00:00",
        "legs": (
            LegView(number=0, side="caller", trunk="carrier"),
            *(LegView(number=number, side="agent", trunk="pbx") for number in range(1, legs)),
        ),
        "entries": entries,
    }
    return LadderView(**values | more)


def rows(*entries: Entry, legs: int = 2) -> list[tuple[int, int, str]]:
    return [(row.start, row.end, row.label) for row in lay_out(ladder(*entries, legs=legs)).rows]


# --- rows -----------------------------------------------------------------------------------------


def test_an_arrow_goes_from_who_sent_to_who_received() -> None:
    assert rows(
        message(0, "INVITE", sdp=(AUDIO,)),
        message(0, 100, sent=True),
        message(1, "INVITE", sent=True, sdp=(AUDIO,), repeats=2),
        message(1, 200, phrase="OK"),
        message(1, 200, phrase="OK", method="BYE"),
        message(1, 799, phrase=""),
        message(0, "UPDATE", sdp=(HELD, AUDIO)),
        message(0, "INVITE", sdp=(OFF, HELD)),
        message(0, 200, phrase="OK", sdp=(OFF,)),
    ) == [
        (PEER_OF_CALLER, CALLER_LEG, "INVITE +SDP"),
        (CALLER_LEG, PEER_OF_CALLER, "100 Trying"),
        (AGENT_LEG, PEER_OF_AGENT, "INVITE +SDP x3"),
        (PEER_OF_AGENT, AGENT_LEG, "200 OK"),
        (PEER_OF_AGENT, AGENT_LEG, "200 OK (BYE)"),
        (PEER_OF_AGENT, AGENT_LEG, "799"),
        (PEER_OF_CALLER, CALLER_LEG, "UPDATE +SDP sendonly"),
        (PEER_OF_CALLER, CALLER_LEG, "INVITE +SDP sendonly"),
        (PEER_OF_CALLER, CALLER_LEG, "200 OK +SDP off"),
    ]


def test_legs_of_one_side_are_told_apart() -> None:
    shown = rows(message(0, "ACK"), message(1, "REFER"), message(2, "INVITE", sent=True), legs=3)
    assert [label for _, _, label in shown] == ["ACK", "[2] REFER", "[3] INVITE"]


def test_what_happened_stands_at_its_lane_and_gaps_are_shown() -> None:
    assert rows(note("mask on", masked=True), GapView(left_out=7), note("no answer", leg=1)) == [
        (CALLER_LEG, CALLER_LEG, "mask on"),
        (CALLER_LEG, CALLER_LEG, "… 7 left out"),
        (AGENT_LEG, AGENT_LEG, "no answer"),
    ]


def test_masked_spans_are_named_and_a_gap_does_not_end_one() -> None:
    sheet = lay_out(
        ladder(
            note("mask on", after=1.0, masked=True),
            GapView(left_out=3),
            message(0, "INFO", after=2.5, masked=True),
            note("mask off", after=4.0),
            note("mask on", after=9.0, masked=True),
        )
    )
    assert sheet.masked == ("+1.000 s to +4.000 s", "+9.000 s on")
    assert [row.masked for row in sheet.rows] == [True, True, True, False, True]


def test_details_say_peer_cseq_and_media() -> None:
    [row] = lay_out(ladder(message(0, "INVITE", sdp=(AUDIO, OFF)))).rows
    assert row.detail == "udp 192.0.2.1:5060 CSeq 1; audio sendrecv PCMA/telephone-event; video off"
    assert (row.clock, row.after, row.tone) == ("09:30:00.000", "+0.000", Tone.REQUEST)


# --- the terminal ---------------------------------------------------------------------------------


def shown(sheet: Sheet, width: int, *, ascii_only: bool = False, colours: bool = False) -> str:
    out = io.StringIO()
    console = Console(
        file=out, width=width, force_terminal=colours, color_system="truecolor" if colours else None
    )
    for text in terminal.format_ladder(sheet, width, ascii_only=ascii_only):
        console.print(text)
    return out.getvalue()


CALL = ladder(
    message(0, "INVITE", sdp=(AUDIO,)),
    message(1, "INVITE", sent=True, after=0.25),
    message(1, 407, after=0.3, phrase="Proxy Authentication Required"),
    note("mask on", after=1.0, masked=True),
    message(0, "INFO", after=2.5, masked=True),
    note("mask off", after=4.0),
)


def test_a_ladder_of_eighty_columns() -> None:
    assert shown(lay_out(CALL), 80).splitlines() == [
        "Call c-1: +49301234567 to 100, inbound, 2025-03-01 UTC, under way",
        "▒ masked, no key reaches the agent: +1.000 s to +4.000 s",
        "",
        "                                                Tonewall",
        "                        carrier      caller leg         agent leg           pbx",
        "09:30:00.000     +0.000 │─ INVITE +SDP ──────▶│         │                     │",
        "09:30:00.250     +0.250 │                     │         │─ INVITE ───────────▶│",
        "09:30:00.300     +0.300 │                     │         │◀─ 407 Proxy Authe… ─│",
        "09:30:01.000     +1.000 │                     │▒◆ mask on                     │",
        "09:30:02.500     +2.500 │─ INFO ─────────────▶│▒▒▒▒▒▒▒▒▒│                     │",
        "09:30:04.000     +4.000 │                     │ ◆ mask off                    │",
    ]


@pytest.mark.parametrize("width", [47, 60, 79, 80, 100, 120, 133, 200, 400])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    sheet = lay_out(CALL)
    for line in [line.plain for line in terminal.format_ladder(sheet, width)][3:]:
        assert len(line) <= width
        assert ("192.0.2.1" in line) <= (width >= 100)
    assert ("192.0.2.1:5060 CSeq 1" in shown(sheet, width)) == (width >= 120)


def test_without_colours_and_in_ascii_it_says_the_same() -> None:
    plain, coloured = shown(lay_out(CALL), 80), shown(lay_out(CALL), 80, colours=True)
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain
    assert "\x1b" in coloured
    narrow = shown(lay_out(CALL), 80, ascii_only=True)
    assert narrow.isascii()
    assert "- INFO ------------->|#########|" in narrow


# --- the picture ----------------------------------------------------------------------------------


def test_the_picture_is_well_formed_and_described_for_those_who_do_not_see_it() -> None:
    root = ElementTree.fromstring(svg.draw(lay_out(CALL)))
    name = "{http://www.w3.org/2000/svg}"
    assert root.get("role") == "img"
    assert [root.find(f"{name}{each}").get("id") for each in ("title", "desc")] == root.get(
        "aria-labelledby"
    ).split()  # type: ignore[union-attr]
    assert root.findtext(f"{name}title") == "Call c-1: message flow"
    assert root.findtext(f"{name}desc") == (
        "+49301234567 to 100, inbound, 2025-03-01 UTC, under way. 4 messages between carrier, Tonewall and "
        "pbx. "
        "Masked from +1.000 s to +4.000 s."
    )
    groups = root.findall(f"{name}g")
    assert [group.findtext(f"{name}title") for group in groups][3:5] == [
        "+1.000 s: mask on, masked",
        "+2.500 s: INFO, masked",
    ]
    bands = [rect for rect in root.findall(f"{name}rect") if rect.get("class") == "band"]
    # Two rows of 28, from the fourth.
    assert [(band.get("y"), band.get("height")) for band in bands] == [("196", "56")]


def test_the_picture_asks_for_nothing_from_elsewhere_and_follows_light_and_dark() -> None:
    drawn = svg.draw(lay_out(CALL))
    assert re.findall(r"https?://[^\"]*", drawn) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"@import|url\(|href|<script|<image|<foreignObject", drawn)
    assert "prefers-color-scheme:dark" in drawn


def nasty() -> LadderView:
    """A view whose every text is hostile: as a version of ours that is broken might send it."""
    entry = message(
        0, NASTY, transport=NASTY, peer=NASTY, phrase=NASTY, sdp=(Media(NASTY, NASTY, (NASTY,), NASTY),)
    )
    view = ladder(entry, note(NASTY), msgspec.structs.replace(entry, at=NASTY, code=200))
    names = dict.fromkeys(("id", "caller", "callee", "direction", "started_at"), NASTY)
    return msgspec.structs.replace(view, legs=(LegView(number=0, side="caller", trunk=NASTY),), **names)


def test_hostile_texts_become_neither_markup_nor_control_sequences() -> None:
    sheet = lay_out(nasty())
    drawn = svg.draw(sheet)
    assert "<script" not in drawn
    assert drawn.replace("\n", "").isprintable()
    ElementTree.fromstring(drawn)
    for width in (47, 200):
        assert shown(sheet, width).replace("\n", "").isprintable()


# --- the API --------------------------------------------------------------------------------------


@pytest.fixture
async def api() -> AsyncIterator[httpx.AsyncClient]:
    book = Book()
    book.call("c-1")
    book.call("c-2")
    book.end("c-2")
    application = create_app(FakeDesk(), authenticators=everybody(f"ann:{TOKEN}"), ladders=book.ladders)
    transport = httpx.ASGITransport(application)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://tonewall.test", headers=headers
    ) as client:
        yield client


async def test_a_ladder_is_json_or_a_picture_as_is_asked(api: httpx.AsyncClient) -> None:
    answer = await api.get("/v1/calls/c-1/ladder")
    assert answer.headers["content-type"] == "application/json"
    assert (answer.headers["vary"], answer.headers["cache-control"]) == ("Accept", "no-store")
    view = msgspec.json.decode(answer.content, type=LadderView)
    assert [entry["type"] for entry in answer.json()["entries"]] == ["message", "event", "message"]
    asked = await api.get("/v1/calls/c-1/ladder", headers={"Accept": "image/svg+xml"})
    named = await api.get("/v1/calls/c-1/ladder.svg")
    assert asked.headers["content-type"] == named.headers["content-type"] == "image/svg+xml"
    assert asked.text == named.text == svg.draw(lay_out(view))
    assert (await api.get("/v1/calls/c-1@carrier/ladder")).json() == answer.json()


async def test_the_calls_that_are_remembered_are_listed(api: httpx.AsyncClient) -> None:
    found = msgspec.json.decode((await api.get("/v1/ladders")).content, type=list[LadderSummary])
    assert [(one.id, one.live, one.messages) for one in found] == [("c-1", True, 2), ("c-2", False, 2)]


async def test_a_call_that_is_not_remembered_is_a_problem_that_says_so(api: httpx.AsyncClient) -> None:
    for path in ("/v1/calls/none/ladder", "/v1/calls/none/ladder.svg"):
        answer = await api.get(path, headers={"Accept": "image/svg+xml"})
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
        assert "newer ones have taken its place" in answer.json()["detail"]
        assert "none" not in answer.text


async def test_without_a_token_nothing_is_shown(api: httpx.AsyncClient) -> None:
    for path in ("/v1/ladders", "/v1/calls/c-1/ladder", "/v1/calls/c-1/ladder.svg"):
        assert (await api.get(path, headers={"Authorization": "Bearer wrong"})).status_code == 401


@pytest.mark.parametrize(
    ("accept", "picture"),
    [
        ("*/*", False),
        ("", False),
        ("image/svg+xml", True),
        ("image/*", True),
        ("application/json, image/svg+xml", False),
        ("application/json;q=0.5, image/svg+xml;q=0.8", True),
        ("text/html, image/avif, image/*;q=0.9, */*;q=0.8", True),
        ("image/svg+xml;q=0, */*", False),
        ("image/svg+xml;q=much", False),
    ],
)
def test_the_accept_header_decides(accept: str, picture: bool) -> None:
    assert prefers_svg(accept) is picture


# --- the command ----------------------------------------------------------------------------------


def conf(directory: Path, tokens: str = f"ann:{TOKEN}") -> str:
    path = directory / "sip.conf"
    path.write_text(f"[general]\ndirectory = {directory}\n[api]\nport = 1\ntokens = {tokens}\n")
    return str(path)


def test_an_api_that_does_not_answer_is_said_with_what_to_do(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["ladder", "c-1", "-c", conf(tmp_path)])
    assert result.exit_code == 2
    assert "http://127.0.0.1:1 does not answer" in result.output
    assert "Connection refused" in result.output
    assert "`tonewall run`" in result.output


def test_where_only_hashes_of_tokens_are_known_the_environment_is_asked_for_one(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["ladder", "-c", conf(tmp_path, f"ann:sha256:{'0' * 64}")], env={"TONEWALL_TOKEN": ""}
    )
    assert result.exit_code == 2
    assert "TONEWALL_TOKEN" in result.output


def test_a_call_is_followed_to_its_end_and_each_row_printed_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = message(0, "INVITE")
    again = msgspec.structs.replace(first, repeats=1)
    both = (again, note("call began", after=0.1), note("media opened", after=0.1))
    views = [ladder(again), ladder(*both), ladder(*both, message(0, "BYE", after=9.0), live=False)]

    class Api:
        def fetch(self, _path: str, _kind: type[LadderView]) -> LadderView:
            return views.pop(0)

    monkeypatch.setattr(cli_ladder, "_INTERVAL", 0.0)
    cli_ladder._print_ladder(cast("cli_ladder.ApiClient", Api()), "", ladder(first), follow=True)
    printed = capsys.readouterr().out
    assert [printed.count(words) for words in ("INVITE", "call began", "media opened", "BYE")] == [1, 1, 1, 1]
    assert views == []


def test_the_token_of_the_command_is_the_first_that_is_no_hash() -> None:
    assert first_clear_token(f"a:sha256:{'0' * 64}, b:{TOKEN}, c:another-token-of-some-length") == TOKEN
    assert first_clear_token(f"a:sha256:{'0' * 64}") == ""


# --- the picture in the docs ----------------------------------------------------------------------


def test_the_picture_in_the_docs_is_what_is_drawn_now() -> None:
    drawn = svg.draw(lay_out(msgspec.json.decode(EXAMPLE.read_bytes(), type=LadderView)))
    if os.environ.get("TONEWALL_PICTURES") == "1":
        PICTURE.write_text(drawn, encoding="utf-8")
    assert PICTURE.read_text(encoding="utf-8") == drawn, "make pictures"


def test_every_row_of_the_example_is_a_word_of_ours() -> None:
    """The example was recorded from a real call: it is as good a canary as any."""
    text = json.dumps(json.loads(EXAMPLE.read_text())["entries"])
    assert not re.search(r"\d{12,}", re.sub(r'"at": "[^"]*"', "", text))
    assert list(itertools.islice(re.finditer("sip:", text), 1)) == []
