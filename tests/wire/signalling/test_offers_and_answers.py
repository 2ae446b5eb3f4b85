"""Offers and answers that do not fit each other, or change before the answer (RFC 3264, 3311,
3262), over a whole Tonewall."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.stack import Stack, running
from tests.wire.paying import nothing_left
from tests.wire.sip_peer import Call, Heard, SipPeer

RELIABLE = {"Require": "100rel", "Supported": "100rel"}
NAMES = {"0": "PCMU", "8": "PCMA", "3": "GSM", "101": "telephone-event"}


def sdp(port: int, formats: str = "8 0 101", direction: str = "", version: int = 1, more: str = "") -> str:
    """A session description with one m-line of audio, and what else there is to be."""
    maps = "".join(f"a=rtpmap:{each} {NAMES[each]}/8000\r\n" for each in formats.split())
    way = f"a={direction}\r\n" if direction else ""
    return (
        f"v=0\r\no=peer 1 {version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP {formats}\r\n{maps}{way}{more}"
    )


def lines(body: str) -> list[tuple[str, bool, str]]:
    """Kind, whether it is in use, and formats of each m-line."""
    return [
        (kind, port != "0", formats)
        for kind, port, formats in re.findall(r"m=(\S+) (\d+) \S+ (.*?)\r\n", body)
    ]


def way(body: str) -> str:
    """The direction of a session of one m-line."""
    found = re.findall(r"a=(sendrecv|sendonly|recvonly|inactive)\r\n", body)
    assert len(found) <= 1, body
    return found[0] if found else "sendrecv"


def version(body: str) -> int:
    return int(re.search(r"o=\S+ \S+ (\d+)", body)[1])


@dataclass
class Scene:
    stack: Stack
    carrier: SipPeer
    pbx: SipPeer

    async def called(self, body: str, **headers: str) -> Heard:
        """The INVITE at the PBX."""
        self.carrier.send(self.carrier.request("INVITE", body=body, **headers))
        return await self.pbx.hear("INVITE")

    async def progressed(self, invite: Heard, body: str) -> tuple[Heard, Call]:
        """The PBX's 183 as the carrier gets it, reliably, and acknowledges it."""
        self.pbx.reply(invite, 183, body=body)
        progress = await self.carrier.hear("183")
        near = Call.placed(progress)
        rack = f"{progress.one('RSeq')} {progress.one('CSeq')}"
        self.carrier.send(self.carrier.request("PRACK", call=near, cseq=2, RAck=rack))
        await self.carrier.hear("200")
        return progress, near

    async def answered(self, invite: Heard, near: Call, body: str) -> Heard:
        """The 200 that the carrier gets, and acknowledges."""
        self.pbx.reply(invite, 200, body=body)
        ok = await self.carrier.hear("200")
        self.carrier.send(self.carrier.request("ACK", call=near))
        await self.pbx.hear("ACK")
        return ok

    async def offered(self, peer: SipPeer, body: str) -> Heard:
        """Our re-INVITE to a peer, which it answers."""
        invite = await peer.hear("INVITE")
        peer.reply(invite, 200, body=body)
        await peer.hear("ACK")
        return invite

    async def over(self, near: Call, cseq: int = 9) -> None:
        self.carrier.send(self.carrier.request("BYE", call=near, cseq=cseq))
        self.pbx.reply(await self.pbx.hear("BYE"), 200)
        await self.carrier.hear("200")
        await nothing_left(self.stack)

    def silent(self, peer: SipPeer) -> None:
        """Nothing more is asked of a peer."""
        assert [each.start for each in peer.unread if not each.what.isdigit()] == []


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    carrier, pbx = SipPeer(), SipPeer()
    stack = Stack(tmp_path, carrier.port, pbx.port)
    with contextlib.closing(carrier.socket), contextlib.closing(pbx.socket):
        async with running(stack):
            carrier.engine = pbx.engine = ("127.0.0.1", stack.sip_port)
            yield Scene(stack, carrier, pbx)


# --- answers that do not fit ----------------------------------------------------------------------

VIDEO = "m=video 4002 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"


@pytest.mark.parametrize(
    ("answer", "passed_on"),
    [
        (sdp(5000, "8 101"), [("audio", True, "8 101"), ("video", False, "96")]),
        (sdp(5000, "8 101", more=VIDEO + VIDEO), [("audio", True, "8 101"), ("video", True, "96")]),
        (
            sdp(5000, "3 8 101", more="m=image 5002 udptl t38\r\n"),
            [("audio", True, "8 101"), ("video", False, "96")],
        ),
        (sdp(5000, "3"), None),
    ],
    ids=["too few", "too many", "another kind", "no codec"],
)
async def test_an_answer_is_mended_or_refused(scene: Scene, answer: str, passed_on: list[object] | None):
    invite = await scene.called(sdp(4000, more=VIDEO))
    scene.pbx.reply(invite, 200, body=answer)
    if passed_on is None:
        await scene.carrier.hear("502")
        await scene.pbx.hear("ACK")
        scene.pbx.reply(await scene.pbx.hear("BYE"), 200)
        await nothing_left(scene.stack)
        return
    ok = await scene.carrier.hear("200")
    assert lines(ok.body) == passed_on
    near = Call.placed(ok)
    scene.carrier.send(scene.carrier.request("ACK", call=near))
    await scene.pbx.hear("ACK")
    await scene.over(near)


@pytest.mark.parametrize("asks", ["carrier", "pbx"])
async def test_an_answer_to_a_reinvite_is_mended_or_refused_too(scene: Scene, asks: str):
    invite = await scene.called(sdp(4000))
    scene.pbx.reply(invite, 200, body=sdp(5000, "8 101"))
    near, far = Call.placed(await scene.carrier.hear("200")), Call.taken(invite)
    scene.carrier.send(scene.carrier.request("ACK", call=near))
    await scene.pbx.hear("ACK")
    asker, call, other = (
        (scene.carrier, near, scene.pbx) if asks == "carrier" else (scene.pbx, far, scene.carrier)
    )
    asker.send(asker.request("INVITE", call=call, cseq=5, body=sdp(6000, "8 101", "sendonly", 2)))
    other.reply(await other.hear("INVITE"), 200, body=sdp(7000, "8 0 101", "", 2, VIDEO))
    held = await asker.hear("200")
    assert (lines(held.body), way(held.body)) == ([("audio", True, "8 101")], "recvonly")
    asker.send(asker.request("ACK", call=call, cseq=5))
    asker.send(asker.request("INVITE", call=call, cseq=6, body=sdp(6000, "8 101", "", 3)))
    other.reply(await other.hear("INVITE"), 200, body=sdp(7000, "3", "", 3))
    await asker.hear("488")
    asker.send(re.sub(r"CSeq: \d+ \w+", "CSeq: 6 ACK", asker.request("ACK", call=call, cseq=6)))
    restored = await other.hear("INVITE")
    other.reply(restored, 200, body=sdp(7000, "8 101", "recvonly", 4))
    scene.carrier.send(scene.carrier.request("BYE", call=near, cseq=9))
    scene.pbx.reply(await scene.pbx.hear("BYE"), 200)
    await nothing_left(scene.stack)


@pytest.mark.parametrize("asks", ["carrier", "pbx"])
async def test_an_offer_with_fewer_m_lines_than_before_takes_none_from_the_other_end(scene: Scene, asks: str):
    invite = await scene.called(sdp(4000, more=VIDEO))
    scene.pbx.reply(invite, 200, body=sdp(5000, "8 101", more=VIDEO))
    near, far = Call.placed(await scene.carrier.hear("200")), Call.taken(invite)
    scene.carrier.send(scene.carrier.request("ACK", call=near))
    await scene.pbx.hear("ACK")
    asker, call, other = (
        (scene.carrier, near, scene.pbx) if asks == "carrier" else (scene.pbx, far, scene.carrier)
    )
    back = far if asks == "carrier" else near
    asker.send(asker.request("INVITE", call=call, cseq=5, body=sdp(6000, "8 101", "sendonly", 2)))
    asked = await other.hear("INVITE")
    assert lines(asked.body) == [("audio", True, "8 101"), ("video", False, "96")]
    refused = VIDEO.replace("m=video 4002", "m=video 0")
    other.reply(asked, 200, body=sdp(7000, "8 101", "recvonly", 2, refused))
    assert lines((await asker.hear("200")).body) == [("audio", True, "8 101")]
    asker.send(asker.request("ACK", call=call, cseq=5))
    await other.hear("ACK")
    other.send(other.request("INVITE", call=back, cseq=6, body=sdp(7000, "8 101", "", 3, refused)))
    asked = await asker.hear("INVITE")
    assert lines(asked.body) == [("audio", True, "8 101")]
    asker.reply(asked, 200, body=sdp(6000, "8 101", "", 3))
    assert lines((await other.hear("200")).body) == [("audio", True, "8 101"), ("video", False, "96")]
    other.send(other.request("ACK", call=back, cseq=6))
    await asker.hear("ACK")
    await scene.over(near)


# --- UPDATE before the answer ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offered", "allowed"),
    [("sendonly", "recvonly"), ("inactive", "inactive"), ("recvonly", "sendonly"), ("sendrecv", "sendrecv")],
)
async def test_an_update_of_the_far_end_is_answered_in_the_direction_that_it_allows_and_crosses_behind_the_ack(  # noqa: E501
    scene: Scene, offered: str, allowed: str
):
    scene.carrier.send(scene.carrier.request("INVITE", body=sdp(4000), **RELIABLE))
    invite = await scene.pbx.hear("INVITE")
    scene.pbx.reply(invite, 183, body=sdp(5000, "8 101"), Require="100rel", RSeq="1")
    scene.pbx.reply(await scene.pbx.hear("PRACK"), 200)
    progress = await scene.carrier.hear("183")
    near = Call.placed(progress)
    rack = f"{progress.one('RSeq')} {progress.one('CSeq')}"
    scene.carrier.send(scene.carrier.request("PRACK", call=near, cseq=2, RAck=rack))
    await scene.carrier.hear("200")
    far = Call.taken(invite)
    scene.pbx.send(scene.pbx.request("UPDATE", call=far, cseq=1, body=sdp(5000, "8 101", offered, 2)))
    ok = await scene.pbx.hear("200")
    assert way(ok.body) == allowed
    final = await scene.answered(invite, near, sdp(5000, "8 101"))  # the old answer once more
    # What the carrier knows.
    assert (way(final.body), version(final.body)) == (
        "sendrecv",
        version(progress.body),
    )
    if offered != "sendrecv":
        follow = await scene.offered(scene.carrier, sdp(4000, "8 101", allowed, 2))
        assert way(follow.body) == offered
        assert version(follow.body) == version(final.body) + 1
    await scene.over(near)
    scene.silent(scene.pbx)
    scene.silent(scene.carrier)


@pytest.mark.parametrize(
    ("formats", "direction", "passed_on"),
    [("8 101", "", "8 101"), ("8 0 101", "inactive", "8 101"), ("8", "sendonly", "8")],
)
async def test_an_update_of_the_near_end_is_answered_and_offered_to_the_far_end_behind_the_ack(
    scene: Scene, formats: str, direction: str, passed_on: str
):
    invite = await scene.called(sdp(4000), **RELIABLE)
    _, near = await scene.progressed(invite, sdp(5000, "8 101"))
    update = sdp(4000, formats, direction, 2)
    scene.carrier.send(scene.carrier.request("UPDATE", call=near, cseq=3, body=update))
    ok = await scene.carrier.hear("200")
    allowed = {"": "sendrecv", "inactive": "inactive", "sendonly": "recvonly"}[direction]
    assert (lines(ok.body), way(ok.body)) == ([("audio", True, passed_on)], allowed)
    final = await scene.answered(invite, near, sdp(5000, "8 101"))
    assert final.body == ok.body
    follow = await scene.offered(scene.pbx, sdp(5000, passed_on, allowed, 2))
    assert (lines(follow.body)[0][2], way(follow.body)) == (formats, direction or "sendrecv")
    await scene.over(near)
    scene.silent(scene.carrier)


async def test_media_that_was_inactive_until_it_was_ready_is_heard_at_both_ends(scene: Scene):
    """As an IMS does it (RFC 3312): inactive until the path is reserved."""
    invite = await scene.called(sdp(4000, "8 101", "inactive"), **RELIABLE)
    assert way(invite.body) == "inactive"
    _, near = await scene.progressed(invite, sdp(5000, "8 101", "inactive"))
    scene.carrier.send(
        scene.carrier.request("UPDATE", call=near, cseq=3, body=sdp(4000, "8 101", "sendrecv", 2))
    )
    assert way((await scene.carrier.hear("200")).body) == "inactive"
    await scene.answered(invite, near, sdp(5000, "8 101", "inactive"))
    assert way((await scene.offered(scene.pbx, sdp(5000, "8 101", "sendrecv", 2))).body) == "sendrecv"
    assert way((await scene.offered(scene.carrier, sdp(4000, "8 101", "sendrecv", 3))).body) == "sendrecv"
    await scene.over(near)
    scene.silent(scene.pbx)


async def test_an_update_that_leaves_no_codec_is_refused_and_changes_nothing(scene: Scene):
    invite = await scene.called(sdp(4000), **RELIABLE)
    progress, near = await scene.progressed(invite, sdp(5000, "8 101"))
    for body in (sdp(4000, "3", "", 2), sdp(4000, "101", "", 2), "v=1\r\n"):
        scene.carrier.send(
            scene.carrier.request("UPDATE", call=near, cseq=len(scene.carrier.heard), body=body)
        )
        await scene.carrier.hear("488")
    final = await scene.answered(invite, near, sdp(5000, "8 101"))
    assert final.body == progress.body
    await scene.over(near, cseq=99)
    scene.silent(scene.pbx)


# --- a 200 that says something else ---------------------------------------------------------------


async def test_a_200_repeats_what_was_acknowledged_and_its_news_follow_as_an_offer(scene: Scene):
    invite = await scene.called(sdp(4000), **RELIABLE)
    progress, near = await scene.progressed(invite, sdp(5000, "8 101"))
    # A second one that says something else already.
    scene.pbx.reply(invite, 180, body=sdp(5000, "0 101"))
    again = await scene.carrier.hear("180")
    assert again.body in ("", progress.body)
    rack = f"{again.one('RSeq')} {again.one('CSeq')}"
    scene.carrier.send(scene.carrier.request("PRACK", call=near, cseq=3, RAck=rack))
    await scene.carrier.hear("200")
    final = await scene.answered(invite, near, sdp(5000, "0 101"))
    assert final.body == progress.body
    follow = await scene.offered(scene.carrier, sdp(4000, "0 101", "", 2))
    assert lines(follow.body) == [("audio", True, "0 101")]
    await scene.over(near)
    scene.silent(scene.pbx)


async def test_a_200_that_says_the_same_is_followed_by_nothing(scene: Scene):
    invite = await scene.called(sdp(4000), **RELIABLE)
    progress, near = await scene.progressed(invite, sdp(5000, "8 101"))
    final = await scene.answered(invite, near, sdp(5000, "8 101"))
    assert final.body == progress.body
    await scene.over(near)
    scene.silent(scene.pbx)
    scene.silent(scene.carrier)
