"""The ladder of real calls: a paid one that is transferred, one that meets a dead hop, and one that
is full of a card."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from b2bua.call.routing.trunk import Trunk
from b2bua.ladder import svg
from b2bua.ladder.ladders import Ladders
from b2bua.ladder.layout import lay_out
from b2bua.ladder.view import LadderView, MessageView, NoteView
from b2bua.sip.hop import Bind, Transport
from tests.canary import CANARY, find_in_text
from tests.stack import Stack, running, until
from tests.wire.handmade import offer, trunk
from tests.wire.ladder_words import Every, words
from tests.wire.peers import dnsmasq
from tests.wire.peers.dnsmasq import ADDRESS, srv
from tests.wire.scene import scene
from tests.wire.signalling.stage import ack_of
from tests.wire.sip_bridge import QUICK, Bridge
from tests.wire.sip_peer import HOST, SDP, Call, SipPeer

ROOT = Path(__file__).parents[3]
USER, PASSWORD = "trunk-user-of-ours", "the-password-of-the-trunk"
NUMBER = CANARY.number
SPACED = " ".join(NUMBER[start : start + 4] for start in range(0, 16, 4))


def in_order(found: list[str], *wanted: str) -> None:
    """All of these are there, one after the other; others may be between them."""
    rest = iter(found)
    for one in wanted:
        assert one in rest, (one, found)


async def ladder(stack: Stack, call_id: str) -> LadderView:
    answer = await stack.api.get(f"/v1/calls/{call_id}/ladder")
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=LadderView)


async def command(*arguments: str, **environment: str) -> str:
    """What `tonewall` prints. Without a terminal it is 80 columns wide, unless COLUMNS says
    otherwise."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "b2bua.cli", *arguments],
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


async def captured(file: Path, call_id: str, stack: Stack) -> str:
    """Every octet of the capture file of a call."""
    await command("capture", call_id, "-o", str(file), "-c", str(stack.conf))
    return read_capture(file)


def read_capture(file: Path) -> str:
    written = file.read_bytes()
    assert b"CSeq: 1 INVITE" in written
    assert file.stat().st_mode & 0o077 == 0
    return written.decode("latin-1")


async def test_a_paid_call_that_is_transferred_stands_on_one_page(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await at.stack.start_capture(at.call_id)
        await at.customer.key(CANARY.keys[:6])
        at.refer(Referred_By="<sip:500@pbx.example>")
        await at.pbx.hear("202")
        await at.notified(100)
        invite = await at.pbx.hear("INVITE")
        at.pbx.reply(invite, 180, tag="new")
        await at.notified(180)
        at.pbx.reply(invite, 200, tag="new", body=offer(at.new.port, "new") + "a=ptime:20\r\n")
        at.carrier.reply(await at.carrier.hear("INVITE"), 200, body=offer(at.customer.media.port))
        await at.carrier.hear("ACK")
        await at.notified(200, "terminated")
        at.pbx.reply(await at.pbx.hear("BYE"), 200)
        await at.customer.key(CANARY.keys[6:])
        await at.stack.stage(at.call_id, "ready")
        live = await ladder(at.stack, at.call_id)
        assert live.live
        assert lay_out(live).rows[-1].masked
        assert (await at.stack.submit(at.call_id))["type"] == "approved"

        async def opened() -> bool:
            return "mask off" in words(await ladder(at.stack, at.call_id))

        await until(opened, "the mask to open")
        await at.end(Call.taken(invite, "new"))

        async def over() -> LadderView | None:
            found = await ladder(at.stack, at.call_id)
            return None if found.live or "2<200 BYE" not in words(found) else found

        view = await until(over, "the end of the ladder")
        found = words(view)
        assert [(leg.side, leg.trunk) for leg in view.legs] == [
            ("caller", "carrier"), ("agent", "pbx"), ("agent", "pbx"),
        ]  # fmt: skip
        in_order(
            found, "0<INVITE SDP", "0>100 INVITE", "call began", "media opened", "1>INVITE SDP",
            "1<200 INVITE SDP",
            "0>200 INVITE SDP", "0<ACK", "payment asked for", "mask on", "customer may key",
            "1<REFER", "1>202 REFER", "1>NOTIFY", "2>INVITE SDP", "2<180 INVITE", "2<200 INVITE SDP",
            "0>INVITE SDP", "0<200 INVITE SDP", "0>ACK", "leg transferred", "1<200 BYE", "form complete",
            "form submitted", "payment approved", "mask off", "0<BYE", "2>BYE", "call ended",
        )  # fmt: skip
        assert {"1>ACK", "1<200 NOTIFY", "2>ACK", "1>BYE", "0>200 BYE", "2<200 BYE"} <= set(found)
        masked = [entry.masked for entry in view.entries if isinstance(entry, MessageView | NoteView)]
        assert all(masked[found.index("mask on") : found.index("mask off")])
        assert not any(masked[: found.index("mask on")] + masked[found.index("mask off") :])
        first = view.entries[0]
        assert isinstance(first, MessageView)
        assert (first.transport, first.peer) == ("udp", f"{HOST}:{at.carrier.port}")
        assert [media.codecs for media in first.sdp] == [("PCMU", "telephone-event")]

        # The command prints the same, and finds the API by the same sip.conf.
        conf = ("-c", str(at.stack.conf))
        printed = await command("ladder", at.call_id, *conf, COLUMNS="160")
        lines = printed.splitlines()
        assert len(lines) == len(view.entries) + 5
        assert "▒ masked, no key reaches the agent" in lines[1]
        assert sum("[3] INVITE +SDP" in line and "─▶" in line for line in lines) == 1
        assert lines[5].endswith("audio sendrecv PCMU/telephone-event")
        by_call_id = await command("ladder", at.near.call_id, *conf, COLUMNS="160")
        assert by_call_id == printed
        assert at.call_id in await command("ladder", *conf)
        followed = await command("ladder", at.call_id, *conf, "--follow", COLUMNS="160")
        assert followed == printed
        picture = tmp_path / "ladder.svg"
        assert await command("ladder", at.call_id, *conf, "--svg", str(picture)) == ""
        assert picture.read_text() == svg.draw(lay_out(view))
        assert (await at.stack.api.get(f"/v1/calls/{at.call_id}/ladder.svg")).text == picture.read_text()
        for text in (printed, picture.read_text(), msgspec.json.encode(view).decode()):
            assert find_in_text(text) == []
        if os.environ.get("TONEWALL_PICTURES") == "1":
            example = msgspec.json.format(msgspec.json.encode(view), indent=1)
            (ROOT / "tests" / "fixtures" / "ladder.json").write_bytes(example + b"\n")


async def test_a_card_and_credentials_in_every_place_of_sip_are_in_no_ladder(tmp_path: Path) -> None:
    dirty = offer(40_000, NUMBER).replace("s=-", f"s={NUMBER}\r\ni={SPACED}").replace("PCMU", NUMBER)
    dirty = dirty.replace("RTP/AVP 0 101", "RTP/AVP 0 8 101")  # one codec that media can look into
    dirty += f"a=x-card:{NUMBER}\r\na=tool:{SPACED}\r\nm={NUMBER} 0 {NUMBER} {NUMBER}\r\n"
    challenge = f'Digest realm="{NUMBER}", nonce="{NUMBER}", qop="auth", algorithm=MD5'
    accounts = {"pbx": {"username": USER, "password": PASSWORD}}
    with trunk() as carrier, trunk() as pbx:
        async with running(Stack(tmp_path, carrier.port, pbx.port, pairs=20, extra=accounts)) as stack:
            carrier.engine = pbx.engine = (HOST, stack.sip_port)
            headers = {
                "From": f'"{SPACED}" <sip:ann@{HOST}>;tag={NUMBER}',
                "To": f'"{NUMBER}" <sip:bob@{HOST}>',
                "Call_ID": f"{NUMBER}@peer",
                "Subject": NUMBER,
                "X_Card": SPACED,
                "Authorization": f'Digest username="{NUMBER}", response="{NUMBER}"',
            }
            carrier.send(carrier.request("INVITE", body=dirty, **headers))
            first = await pbx.hear("INVITE", 30)
            refused = pbx.reply(first, 407, Proxy_Authenticate=challenge).replace("Whatever", NUMBER)
            assert NUMBER in refused
            invite = await pbx.hear("INVITE")
            said = invite.one("Proxy-Authorization")
            assert USER in said
            ringing = pbx.reply(invite, 180, X_Card=NUMBER, Reason=f'SIP;cause=180;text="{NUMBER}"')
            pbx.send(ringing.replace("Whatever", SPACED), invite.source)
            pbx.reply(invite, 200, body=dirty.replace("40000", "40010"))
            near = Call.placed(await carrier.hear("200"))
            far = Call.taken(invite)
            carrier.send(carrier.request("ACK", call=near, X_Card=NUMBER))
            await pbx.hear("ACK")
            [call] = await stack.calls_up()
            await stack.start_capture(call["id"])
            for cseq, body in enumerate([f"Signal={NUMBER}", *NUMBER], 2):
                kind = "application/dtmf-relay"
                carrier.send(carrier.request("INFO", call=near, cseq=cseq, body=body, Content_Type=kind))
                await carrier.hear("200")
            cseq = 2 + len(NUMBER) + 1
            carrier.send(
                carrier.request("MESSAGE", call=near, cseq=cseq, body=NUMBER, Content_Type="text/plain")
            )
            await carrier.hear("480")
            # A method after the card's number.
            carrier.send(carrier.request(NUMBER, call=near, cseq=cseq + 1))
            await carrier.hear("405")
            # Too large a CSeq.
            carrier.send(carrier.request("INVITE", call=near, body=dirty, CSeq=f"{NUMBER} INVITE"))
            await carrier.hear("400")
            carrier.send(
                carrier.request("INVITE", call=near, cseq=cseq + 2, body=dirty.replace("v=0", f"v=0{NUMBER}"))
            )
            await carrier.hear("488")
            carrier.send(
                carrier.request("BYE", call=near, cseq=cseq + 3, Reason=f'Q.850;cause=16;text="{NUMBER}"')
            )
            pbx.reply(await pbx.hear("BYE"), 200)
            assert far.call_id

            async def over() -> LadderView | None:
                found = await ladder(stack, call["id"])
                return None if found.live or "1<200 BYE" not in words(found) else found

            view = await until(over, "the end of the ladder")
            shown: list[str] = [
                (await stack.api.get(f"/v1/calls/{call['id']}/ladder")).text,
                (await stack.api.get(f"/v1/calls/{call['id']}/ladder.svg")).text,
                (await stack.api.get("/v1/ladders")).text,
                await command("ladder", call["id"], "-c", str(stack.conf), COLUMNS="400"),
                await command(
                    "ladder", f"{NUMBER}@peer", "-c", str(stack.conf), FORCE_COLOR="1", COLUMNS="80"
                ),
                await command("ladder", "-c", str(stack.conf)),
                await captured(tmp_path / "call.pcapng", call["id"], stack),
            ]
    found = words(view)
    in_order(found, "0<INVITE SDP", "1>INVITE SDP", "1<407 INVITE", "1>ACK", "1>INVITE SDP", "1<180 INVITE",
    "mask on",
             "0<INFO", "0>200 INFO", "0<MESSAGE", "0>480 MESSAGE", "0<other", "0>405 other", "0<INVITE",
             "0>400 INVITE",
             "0>488 INVITE", "0<BYE", "0>200 BYE", "call ended")  # fmt: skip
    nonce = said.partition('cnonce="')[2].partition('"')[0]
    response = said.partition('response="')[2].partition('"')[0]
    for text in shown:
        assert text
        assert find_in_text(text) == []
        for secret in (
            USER,
            PASSWORD,
            nonce,
            response,
            "Digest",
            "Signal",
            "Whatever",
            NUMBER[:6],
            NUMBER[-6:],
        ):
            assert secret
            assert secret not in text
    # What would have been found, had any of it been kept.
    assert find_in_text(invite.text + "".join(message.text for message in carrier.heard)) != []
    described = [entry.sdp for entry in view.entries if isinstance(entry, MessageView) and entry.sdp]
    assert described[0][0].codecs == ("other", "PCMA", "telephone-event")


@contextlib.asynccontextmanager
async def bridged(*hops: SipPeer) -> AsyncIterator[tuple[Bridge, Ladders, SipPeer]]:
    """A carrier, and a PBX of several servers, the first of them best."""
    carrier = SipPeer()
    names = await dnsmasq.Dnsmasq.start(ADDRESS, *(srv(hop, number) for number, hop in enumerate(hops)))
    ladders = Every(10, asyncio.get_running_loop().time)
    trunks = Trunk("carrier", HOST, carrier.port), Trunk("pbx", "pbx.test", 0, transport="udp")
    binds = [Bind(Transport.UDP, HOST, 0)]
    bridge = Bridge.between(*trunks, binds, QUICK, resolver=names.resolver, ladders=ladders)
    async with contextlib.AsyncExitStack() as stack:
        for peer in (carrier, *hops):
            stack.callback(peer.close)
        stack.push_async_callback(names.stop)
        await bridge.engine.start()
        stack.push_async_callback(bridge.engine.stop, 0.05)
        carrier.engine = bridge.engine.address
        yield bridge, ladders, carrier


async def test_a_call_that_is_given_up_ends_with_cancel_487_and_ack_on_both_legs() -> None:
    pbx = SipPeer()
    async with bridged(pbx) as (bridge, ladders, carrier):
        text = carrier.request("INVITE", body=SDP.format("near"))
        carrier.send(text)
        invite = await pbx.hear("INVITE")
        pbx.reply(invite, 180)
        ringing = await carrier.hear("180")
        cancel = (
            text.replace("INVITE sip", "CANCEL sip")
            .replace("1 INVITE", "1 CANCEL")
            .partition("Content-Type")[0]
        )
        carrier.send(f"{cancel}Content-Length: 0\r\n\r\n")
        final = await carrier.hear("487")
        carrier.send(ack_of(carrier, final))
        pbx.reply(await pbx.hear("CANCEL"), 200)
        pbx.reply(invite, 487)
        await pbx.hear("ACK")
        await until(lambda: bridge.engine.open_legs == 0, "both legs to end")

        def both() -> list[list[str]] | None:
            found = [words(ladders.ladder_of(each.one("Call-ID"))) for each in (ringing, invite)]
            return found if "0<ACK" in found[0] else None  # it comes after the leg's end

        near, far = await until(both, "the carrier's ACK")
    in_order(
        near,
        "0<INVITE SDP",
        "0>100 INVITE",
        "0>180 INVITE",
        "0<CANCEL",
        "0>200 CANCEL",
        "0>487 INVITE",
        "0<ACK",
    )
    in_order(far, "0>INVITE SDP", "0<180 INVITE", "0>CANCEL", "0<200 CANCEL", "0<487 INVITE", "0>ACK")


async def test_a_dead_hop_its_repetitions_and_the_next_hop_appear() -> None:
    dead, well = SipPeer(), SipPeer()
    async with bridged(dead, well) as (bridge, ladders, carrier):
        text = carrier.request("INVITE", body=SDP.format("near"))
        carrier.send(text)
        trying = await carrier.hear("100")
        carrier.send(text)
        await carrier.repeated(trying, 2)
        invite = await well.hear("INVITE")
        well.reply(invite, 200, body=SDP.format("far"))
        answer = await carrier.hear("200")
        await carrier.repeated(answer, 3)  # the ACK is late
        near = Call.placed(answer)
        carrier.send(carrier.request("ACK", call=near))
        carrier.send(carrier.request("BYE", call=near, cseq=2))
        well.reply(await well.hear("BYE"), 200)
        await until(lambda: bridge.engine.open_legs == 0, "both legs to end")
        out = ladders.ladder_of(invite.one("Call-ID"))
        came_in = ladders.ladder_of(near.call_id)
    messages = [entry for entry in out.entries if isinstance(entry, MessageView)]
    first, second = (entry for entry in messages if entry.method == "INVITE" and not entry.code)
    assert (first.peer, second.peer) == (f"{HOST}:{dead.port}", f"{HOST}:{well.port}")
    assert (first.cseq, second.cseq) == (1, 2)
    assert (first.repeats, second.repeats) == (3, 0)
    both = zip(words(came_in), came_in.entries, strict=True)
    again = {word: entry.repeats for word, entry in both if isinstance(entry, MessageView)}
    assert again["0<INVITE SDP"] == again["0>100 INVITE"] == 1
    assert again["0>200 INVITE SDP"] >= 2
    assert again["0<ACK"] == 0
    assert {"0<BYE", "0>200 BYE"} <= set(again)
