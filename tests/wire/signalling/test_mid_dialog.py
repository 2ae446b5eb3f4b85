"""INFO and MESSAGE on the wire: relayed with type, package and answer; and while masked no key of
the customer's anywhere."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.canary import CANARY, find_in_text
from tests.stack import Stack, running, until
from tests.wire.handmade import Customer, offer, trunk
from tests.wire.paying import without_complaint
from tests.wire.signalling.stage import Stage, staged
from tests.wire.sip_peer import HOST, Call, SipPeer

KEY = "Signal=5\r\nDuration=160\r\n"
RELAY = "application/dtmf-relay"


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged() as both:
        yield both


async def test_an_info_crosses_with_type_package_and_answer(stage: Stage) -> None:
    near, far = await stage.up()
    stage.carrier.send(
        stage.carrier.request(
            "INFO",
            call=near,
            cseq=2,
            body=KEY,
            Content_Type=RELAY,
            Info_Package="infoDtmf",
            Content_Disposition="x",
        )
    )
    heard = await stage.pbx.hear("INFO")
    assert (heard.body, heard.one("Content-Type"), heard.one("Info-Package")) == (KEY, RELAY, "infoDtmf")
    stage.pbx.reply(heard, 469, Recv_Info="infoDtmf2;level=1, <none of that>, conference")
    refused = await stage.carrier.hear("469")
    assert (refused.one("CSeq"), refused.one("Recv-Info")) == ("2 INFO", "infoDtmf2, conference")
    stage.pbx.send(stage.pbx.request("MESSAGE", call=far, cseq=1, body="hello", Content_Type="text/plain"))
    text = await stage.carrier.hear("MESSAGE")
    assert (text.body, text.one("Content-Type")) == ("hello", "text/plain")
    stage.carrier.reply(text, 202)
    await stage.pbx.hear("202")


async def test_one_that_is_repeated_crosses_once(stage: Stage) -> None:
    near, _ = await stage.up()
    text = stage.carrier.request("INFO", call=near, cseq=2, body=KEY, Content_Type=RELAY)
    stage.carrier.send(text)
    heard = await stage.pbx.hear("INFO")
    counters = stage.bridge.engine.counters
    stage.carrier.send(text)
    await until(lambda: counters().get("repeated_requests") == 1, "the repetition to be known")
    stage.pbx.reply(heard, 200)
    first = await stage.carrier.hear("200")
    stage.carrier.never("500")
    stage.carrier.send(text)
    await stage.carrier.repeated(first, 2)
    assert len({message.branch for message in stage.pbx.heard if message.what == "INFO"}) == 1


async def test_a_far_end_that_does_not_know_the_dialog_ends_the_call_and_one_that_knows_no_info_does_not(
    stage: Stage,
) -> None:
    near, _ = await stage.up()
    for cseq, code in ((2, 405), (3, 481)):
        stage.carrier.send(stage.carrier.request("INFO", call=near, cseq=cseq, body=KEY, Content_Type=RELAY))
        stage.pbx.reply(await stage.pbx.hear("INFO"), code)
        await stage.carrier.hear(str(code))
        if code == 405:
            stage.carrier.never("BYE")
    stage.carrier.reply(await stage.carrier.hear("BYE"), 200)
    stage.pbx.reply(await stage.pbx.hear("BYE"), 200)
    await stage.empty()


async def test_a_hang_up_answers_what_waits(stage: Stage) -> None:
    near, far = await stage.up()
    stage.carrier.send(stage.carrier.request("INFO", call=near, cseq=2, body=KEY, Content_Type=RELAY))
    await stage.pbx.hear("INFO")
    stage.carrier.send(stage.carrier.request("BYE", call=near, cseq=3))
    assert (await stage.carrier.hear("487")).one("CSeq") == "2 INFO"
    stage.pbx.reply(await stage.pbx.hear("BYE"), 200)
    await stage.empty()
    assert far.call_id


async def test_a_coded_body_is_refused_with_what_would_be_taken(stage: Stage) -> None:
    near, _ = await stage.up()
    text = stage.carrier.request(
        "INFO", call=near, cseq=2, body=KEY, Content_Type=RELAY, Content_Encoding="gzip"
    )
    stage.carrier.send(text)
    assert (await stage.carrier.hear("415")).one("Accept-Encoding") == "identity"
    stage.pbx.never("INFO")


@pytest.mark.parametrize(("method", "code"), [("MESSAGE", "403"), ("INFO", "481")])
async def test_outside_of_a_call_there_is_nobody_to_ask(stage: Stage, method: str, code: str) -> None:
    stage.carrier.send(stage.carrier.request(method, body=KEY, Content_Type=RELAY))
    answer = await stage.carrier.hear(code)
    assert not answer.all("Allow")  # MESSAGE is taken within a call
    stage.pbx.never(method)


# --- while masked ---------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def desk_call(folder: Path) -> AsyncIterator[tuple[Stack, SipPeer, SipPeer, Call, Call]]:
    """A whole Tonewall with a call up, both ends played line by line."""
    with trunk() as carrier, trunk() as pbx:
        async with (
            running(Stack(folder, carrier.port, pbx.port, pairs=20)) as stack,
            without_complaint(stack),
        ):
            carrier.engine = pbx.engine = (HOST, stack.sip_port)
            customer = Customer(carrier)
            with contextlib.closing(customer.media):
                await customer.media.open()
                carrier.send(carrier.request("INVITE", body=offer(customer.media.port)))
                invite = await pbx.hear("INVITE", 30)
                pbx.reply(invite, 200, body=offer(40_000, "desk"))
                near = Call.placed(await carrier.hear("200"))
                carrier.send(carrier.request("ACK", call=near))
                await pbx.hear("ACK")
                yield stack, carrier, pbx, near, Call.taken(invite)


def card_in_infos() -> list[tuple[str, str, str]]:
    """The canary card, as each carrier would send it: content type, body, package."""
    keys = [(RELAY, f"Signal={key}\r\nDuration=160\r\n", "") for key in CANARY.number]
    whole = [
        ("application/dtmf", CANARY.number, ""),
        ("application/vnd.nortelnetworks.digits", f"d={CANARY.number}", ""),
        ("audio/telephone-event", CANARY.number, ""),
        ("application/x-keys", CANARY.number, "infoDtmf"),
        ("application/x-keys", CANARY.number, f"dtmf;d={CANARY.number}"),
        ("application/media_control+xml", f"<picture_fast_update/><!--{CANARY.number}-->", ""),
        (
            "multipart/mixed;boundary=b",
            f"--b\r\nContent-Type: application/dtmf\r\n\r\n{CANARY.number}\r\n--b--",
            "",
        ),
        (f"text/plain;d={CANARY.number}", CANARY.number, ""),
    ]
    return keys + whole


async def test_while_masked_a_card_sent_as_info_is_answered_and_nowhere(tmp_path: Path) -> None:
    async with desk_call(tmp_path) as (stack, carrier, pbx, near, far):
        [call] = await stack.calls_up()
        await stack.start_capture(call["id"])
        said = []
        for cseq, (content_type, body, package) in enumerate(card_in_infos(), 2):
            headers = {"X_Keys": CANARY.number} | ({"Info_Package": package} if package else {})
            carrier.send(
                carrier.request("INFO", call=near, cseq=cseq, body=body, Content_Type=content_type, **headers)
            )
            if "media_control" in content_type:
                pbx.reply(await pbx.hear("INFO"), 200)  # written anew, so that it may cross
            assert (await carrier.hear("200")).one("CSeq") == f"{cseq} INFO"
            said.append((await stack.api.get(f"/v1/calls/{call['id']}")).text)
        infos = len(card_in_infos())
        carrier.send(
            carrier.request(
                "MESSAGE", call=near, cseq=infos + 2, body=CANARY.number, Content_Type="text/plain"
            )
        )
        await carrier.hear("480")
        pbx.send(pbx.request("INFO", call=far, cseq=1, body=KEY, Content_Type=RELAY))
        asked = await carrier.hear("INFO")  # the agent's keys are nobody's card
        assert asked.body == KEY
        carrier.reply(asked, 200)
        await pbx.hear("200")
        carrier.send(carrier.request("BYE", call=near, cseq=infos + 3))
        pbx.reply(await pbx.hear("BYE"), 200)
        await until(stack.records, "the call's record")
        assert stack.records()[0]["withheld"] == infos - 1
        assert sum(message.what == "INFO" for message in pbx.heard) == 1
        heard = "".join(message.text for message in pbx.heard)
        assert "X-Keys" not in heard
        assert find_in_text(heard) == []
        assert [finding for text in said for finding in find_in_text(text)] == []
        assert all(f"Signal={key}" not in stack.log.read_text() for key in set(CANARY.number))
    assert find_in_text([tmp_path]) == []


def card_in_sdp(port: int, name: str) -> str:
    """The canary card in every line of a description that a peer is free to write."""
    number, tail = CANARY.number, CANARY.number[-12:]
    return (
        f"v=0\r\no={number} {number} {number} IN IP4 127.0.0.1\r\ns={number}\r\ni={number}\r\n"
        f"u=http://{number}/\r\n"
        f"e={number}@a.example\r\np=+{number}\r\nc=IN IP4 127.0.0.1\r\nb=AS:{tail}\r\nt={number} "
        f"{number}\r\nk=clear:{number}\r\n"
        f"a=tool:{number}\r\na=x-{name}:{number}\r\nm=audio {port} RTP/AVP 0 101\r\ni={number}\r\n"
        f"b=TIAS:{tail}\r\n"
        "a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n"
        f"a=fmtp:0 {number}\r\na=ptime:{number}\r\n"
        f"a=label:{number}\r\na=sendonly\r\nm=video 0 RTP/{number} {number}\r\na=x:{number}\r\n"
    )


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
async def test_while_masked_a_card_in_a_session_description_crosses_in_no_line(
    tmp_path: Path, method: str
) -> None:
    async with desk_call(tmp_path) as (stack, carrier, pbx, near, far):
        [call] = await stack.calls_up()
        await stack.start_capture(call["id"])
        held = card_in_sdp(carrier.port, "held")
        carrier.send(carrier.request(method, call=near, cseq=2, body=held, Subject=CANARY.number))
        asked = await pbx.hear("INVITE")
        assert "a=sendonly" in asked.body  # the hold itself crosses
        assert "a=rtpmap:101 telephone-event/8000" in asked.body
        pbx.reply(asked, 200, body=offer(40_000, "desk"))
        await pbx.hear("ACK")
        await carrier.hear("200")
        if method == "INVITE":
            carrier.send(carrier.request("ACK", call=near, cseq=2))
        pbx.send(pbx.request("INVITE", call=far, cseq=1, body=offer(40_002, "desk").replace("s=-", "s=desk")))
        back = await carrier.hear("INVITE")
        carrier.reply(back, 200, body=card_in_sdp(carrier.port, "answer"))
        answer = await pbx.hear("200")
        pbx.send(pbx.request("ACK", call=far, cseq=1))
        await carrier.hear("ACK")
        assert answer.body
        heard = "".join(message.text for message in pbx.heard)
        assert find_in_text(heard) == []
        assert CANARY.number[-12:] not in heard
        carrier.send(carrier.request("BYE", call=near, cseq=3))
        pbx.reply(await pbx.hear("BYE"), 200)
        await until(stack.records, "the call's record")
    assert find_in_text([tmp_path]) == []


async def test_not_masked_the_lines_of_a_description_cross_so_that_the_search_means_something(
    tmp_path: Path,
) -> None:
    async with desk_call(tmp_path) as (stack, carrier, pbx, near, _):
        text = offer(carrier.port).replace("t=0 0", f"t=0 0\r\na=x-note:{CANARY.number}")
        carrier.send(carrier.request("INVITE", call=near, cseq=2, body=text))
        asked = await pbx.hear("INVITE")
        assert find_in_text(asked.text) != []
        pbx.reply(asked, 200, body=offer(40_000, "desk"))
        await carrier.hear("200")
        carrier.send(carrier.request("ACK", call=near, cseq=2))
        carrier.send(carrier.request("BYE", call=near, cseq=3))
        pbx.reply(await pbx.hear("BYE"), 200)
        await until(stack.records, "the call's record")


async def test_not_masked_the_card_does_cross_so_that_the_search_above_means_something(
    tmp_path: Path,
) -> None:
    async with desk_call(tmp_path) as (stack, carrier, pbx, near, _):
        carrier.send(
            carrier.request("INFO", call=near, cseq=2, body=CANARY.number, Content_Type="application/dtmf")
        )
        heard = await pbx.hear("INFO")
        pbx.reply(heard, 200)
        await carrier.hear("200")
        assert find_in_text(heard.text) != []
        carrier.send(carrier.request("BYE", call=near, cseq=3))
        pbx.reply(await pbx.hear("BYE"), 200)
        await until(stack.records, "the call's record")
    assert find_in_text([tmp_path]) == []
