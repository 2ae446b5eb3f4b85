"""Nothing of one side's network is in any message to the other, over a whole call: each peer writes
names, addresses, tags and ports of its own wherever SIP and SDP have room for one, and every
message that the other side hears is searched for them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.wire.signalling.country import KEYS, Country, cancelled, country
from tests.wire.sip_peer import HOST, Call, Heard, SipPeer

ROUTES = "in: source = south; to = munich\nout: source = munich; to = south"


@dataclass
class Side:
    """A peer whose every word names a place of its own. `mark` is part of all of them."""

    peer: SipPeer
    mark: str
    port: int  # of its media
    version: int = 0

    @property
    def host(self) -> str:
        return f"{self.mark}.internal.example"

    @property
    def marks(self) -> tuple[str, ...]:
        """What the other side must never see."""
        return self.mark, self.peer.host, str(self.peer.port), str(self.port), str(self.port + 1)

    def sdp(self) -> str:
        self.version += 1
        here, mark = self.peer.host, self.mark
        return (
            f"v=0\r\no={mark} 77001 {self.version} IN IP4 {self.host}\r\ns={mark}\r\ni={mark}\r\n"
            f"u=http://{self.host}/\r\n"
            f"e=ops@{self.host}\r\nc=IN IP4 {here}\r\nt=0 0\r\na=tool:{mark}\r\n"
            f"m=audio {self.port} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 "
            "telephone-event/8000\r\n"
            f"a=rtcp:{self.port + 1} IN IP4 {here}\r\na=candidate:1 1 UDP 2130706431 {here} {self.port} typ "
            "host\r\n"
            f"a=ssrc:1 cname:{mark}@{self.host}\r\na=label:1\r\n"
        )

    def headers(self, contact: bool = True, record: bool = False) -> dict[str, str]:
        """`record`: where a Record-Route belongs."""
        names = {
            "Record-Route": f"<sip:{self.host};lr>, <sip:{self.peer.host}:{self.peer.port};lr>" if record else "",  # noqa: E501
            "User-Agent": self.mark, "Server": self.mark, "Organization": f"{self.mark} at {self.host}",
            "P-Asserted-Identity": f'"{self.host}" <sip:500@{self.host}:{self.peer.port}>',
            "History-Info": f"<sip:500@{self.host}?Reason=SIP%3Bcause%3D302%3Btext%3D%22{self.host}%22>;index=1",  # noqa: E501
            "Diversion": f'"{self.host}" <sip:500@{self.host}>;reason=unknown;host={self.host}',
            "Call-Info": f"<sip:500@{self.host}>;purpose=info", "Alert-Info": f"<sip:{self.host}>",
            "Reason": f'SIP;cause=486;text="by {self.host}"', "Warning": f'399 {self.host} "{self.host}"',
            "P-Charging-Vector": f"icid-value={self.mark};icid-generated-at={self.peer.host}",
            "Via-Too": self.host, "In-Reply-To": f"1@{self.host}", "Reply-To": f"<sip:{self.host}>",
            "X-Host": self.host,
            "Geolocation": f"<sip:{self.host}>", "Error-Info": f"<sip:{self.host}>",
            "Path": f"<sip:{self.host}>",
        }  # fmt: skip
        if contact:
            names["Contact"] = (
                f"<sip:{self.mark}@{self.peer.host}:{self.peer.port};ob={self.mark}>;+sip.instance={self.mark}"
            )
        return names

    def via(self) -> str:
        return (
            f"SIP/2.0/UDP {self.peer.host}:{self.peer.port};rport;branch=z9hG4bK{self.mark}{self.version}, "
            f"SIP/2.0/UDP {self.host}:5060;branch=z9hG4bK{self.mark};received={self.peer.host}"
        )

    def request(self, method: str, body: str = "", **more: Any) -> None:
        self.version += 1
        headers = {"Via": self.via()} | self.headers(record=method == "INVITE")
        self.peer.send(self.peer.request(method, body=body, **headers | more))

    def dial(self, callee: str) -> Heard:
        self.version += 1
        text = self.peer.request(
            "INVITE", body=self.sdp(), Via=self.via(), From=f'"Ann" <sip:500@{self.host}>;tag={self.mark}',
            To=f"<sip:{callee}@{self.host}>", Call_ID=f"{self.mark}{self.version}@{self.host}",
            **self.headers(record=True),
        )  # fmt: skip
        text = text.replace(f"INVITE sip:bob@{HOST}", f"INVITE sip:{callee}@{HOST}", 1)
        self.peer.send(text)
        return Heard(text, (HOST, 0))

    def reply(self, to: Heard, code: int, body: str = "", **more: str) -> None:
        """With a phrase that names its host, too."""
        peer, sent = self.peer, []
        original, peer.send = peer.send, lambda text, _=None: sent.append(text)  # type: ignore[method-assign]
        try:
            headers = self.headers(record=to.what == "INVITE") | more
            peer.reply(to, code, tag=f"{self.mark}tag", body=body, **headers)
        finally:
            peer.send = original  # type: ignore[method-assign]
        peer.send(sent[0].replace(" Whatever\r\n", f" At {self.host}\r\n", 1), to.source)


def searched(side: Side, other: Side) -> None:
    """Every message that `side` heard so far."""
    for message in side.peer.heard:
        for mark in other.marks:
            # The digits of a port may stand in a branch or tag by chance.
            alone = (
                re.compile(rf"(?<![0-9a-f]){mark}(?![0-9a-f])")
                if mark.isdigit()
                else re.compile(re.escape(mark))
            )
            rows = [row for row in message.text.split("\r\n") if alone.search(row)]
            assert not rows, (message.what, rows[0])


@pytest.fixture
async def land(tmp_path: Path):
    """Trunks that are trusted: they get the most."""
    keys = {key: value for key, value in KEYS.items() if key != "x_headers"} | {"x_headers": "X-Nothing"}
    async with country(tmp_path, ROUTES, south=keys, munich=keys | {"refer": "yes"}) as made:
        yield made


async def up(one: Side, other: Side) -> tuple[Call, Call]:
    """A call that rings first, as both have it."""
    one.dial("500")
    invite = await other.peer.hear("INVITE")
    for code in (180, 183):
        other.reply(invite, code, other.sdp() if code == 183 else "")
        await one.peer.hear(str(code))
    other.reply(invite, 200, other.sdp())
    ok = await one.peer.hear("200")
    call = Call.placed(ok)
    one.request("ACK", call=call)
    await other.peer.hear("ACK")
    return call, Call.taken(invite, f"{other.mark}tag")


@pytest.mark.parametrize("from_the_carrier", [True, False])
async def test_a_whole_call_shows_neither_side_the_other_s_network(
    land: Country, *, from_the_carrier: bool
) -> None:
    carrier, pbx = Side(land.south, "zzsouth", 41_002), Side(land.munich, "qqmunich", 43_004)
    one, other = (carrier, pbx) if from_the_carrier else (pbx, carrier)
    call, theirs = await up(one, other)
    # Changed by either side, agreed to and refused.
    for side, far, dialog, cseq in ((one, other, call, 2), (other, one, theirs, 1)):
        side.request("INVITE", side.sdp(), call=dialog, cseq=cseq)
        far.reply(await far.peer.hear("INVITE"), 200, far.sdp())
        await side.peer.hear("200")
        side.request("ACK", call=dialog, cseq=cseq)
        await far.peer.hear("ACK")
        side.request("INVITE", side.sdp(), call=dialog, cseq=cseq + 1)
        far.reply(await far.peer.hear("INVITE"), 488)
        refused = await side.peer.hear("488")
        side.request("ACK", call=dialog, cseq=cseq + 1, Via=refused.all("Via")[0])
        side.request("INFO", "x", call=dialog, cseq=cseq + 2, Content_Type="text/plain")
        far.reply(await far.peer.hear("INFO"), 200)
        await side.peer.hear("200")
        side.request("UPDATE", call=dialog, cseq=cseq + 3)
        await side.peer.hear("200")
    # Transferred by the PBX to another phone of its own, which is the next agent.
    agent = theirs if from_the_carrier else call
    pbx.request(
        "REFER",
        call=agent,
        cseq=9,
        Refer_To=f"<sip:600@{pbx.host}>",
        Referred_By=f"<sip:500@{pbx.host}>;x={pbx.mark}",
    )
    await pbx.peer.hear("202")
    pbx.reply(await pbx.peer.hear("NOTIFY"), 200)
    invite = await pbx.peer.hear("INVITE")
    pbx.reply(invite, 200, pbx.sdp() + "a=ptime:20\r\n")
    carrier.reply(await carrier.peer.hear("INVITE"), 200, carrier.sdp())
    pbx.reply(await pbx.peer.hear("NOTIFY"), 200)
    pbx.reply(await pbx.peer.hear("BYE"), 200)
    customer = call if from_the_carrier else theirs
    carrier.request("BYE", call=customer, cseq=9)
    pbx.reply(await pbx.peer.hear("BYE"), 200)
    await carrier.peer.hear("200")
    assert {"INVITE", "ACK", "INFO"} <= {message.what for message in carrier.peer.heard}
    assert {"INVITE", "ACK", "INFO", "BYE"} <= {message.what for message in pbx.peer.heard}
    searched(carrier, pbx)
    searched(pbx, carrier)


@pytest.mark.parametrize("code", [302, 404, 486, 503, 603])
async def test_a_refusal_shows_nothing_of_who_refused(land: Country, code: int) -> None:
    carrier, pbx = Side(land.south, "zzsouth", 41_002), Side(land.munich, "qqmunich", 43_004)
    carrier.dial("500")
    # Users cross, their hosts do not.
    moved = f"<sip:600@{pbx.host}>, <sip:601@{pbx.peer.host}:{pbx.peer.port}>"
    pbx.reply(await pbx.peer.hear("INVITE"), code, Retry_After=f"30 ({pbx.host})", Contact=moved)
    refused = await carrier.peer.hear(str(code))
    carrier.peer.send(carrier.peer.request("ACK", Via=refused.all("Via")[0], **_dialog(refused)))
    searched(carrier, pbx)
    searched(pbx, carrier)


async def test_a_call_that_is_given_up_shows_nothing_of_who_gave_up(land: Country) -> None:
    carrier, pbx = Side(land.south, "zzsouth", 41_002), Side(land.munich, "qqmunich", 43_004)
    sent = carrier.dial("500")
    invite = await pbx.peer.hear("INVITE")
    pbx.reply(invite, 180)
    await carrier.peer.hear("180")
    cancelled(carrier.peer, sent, carrier.headers(contact=False))
    pbx.reply(await pbx.peer.hear("CANCEL"), 200)
    pbx.reply(invite, 487)
    given_up = await carrier.peer.hear("487")
    carrier.peer.send(carrier.peer.request("ACK", Via=given_up.all("Via")[0], **_dialog(given_up)))
    searched(carrier, pbx)
    searched(pbx, carrier)


def _dialog(answer: Heard) -> dict[str, str]:
    return {name: answer.one(name) for name in ("From", "To", "Call-ID")} | {"CSeq": "1 ACK"}
