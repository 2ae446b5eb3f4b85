"""No telephone number is in the log of a whole Tonewall at debug level, whatever is done with
one."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from pathlib import Path

from tests.stack import until
from tests.wire.handmade import Customer
from tests.wire.info_keys import RELAY
from tests.wire.numbered import CALLEE, CALLER, MOBILE, Numbered, numbered
from tests.wire.sip_peer import HOST, Call

ID = re.compile(r"(?=.*[a-z])[0-9a-z-]{8,36}")  # of a call or payment: random
PATHS = ("capture/take-over", "mask", "capture", "capture/reset", "mask/release", "links")
DIGITS = 4  # of a number, in a row


def pieces() -> set[str]:
    """What of the numbers may stand nowhere."""
    return {
        number[start : start + DIGITS]
        for number in (CALLER, CALLEE, MOBILE)
        for start in range(1, len(number) - DIGITS + 1)
    }


def numbers_in(line: str) -> list[str]:
    """The fields of a log entry in which a number stands; a line that is none, as a whole."""
    try:
        entry = json.loads(line)
    except ValueError:
        return [f"no entry: {line}"]
    return [
        f"{entry['event']}: {name}={value!r}"
        for name, value in entry.items()
        if name not in ("timestamp", "pid", "port") and not ID.fullmatch(str(value))
        for piece in pieces()
        if piece in str(value)
    ]


async def malformed(at: Numbered) -> None:
    """Messages that nobody can read, from the carrier and from a stranger, with numbers in them."""
    good = at.invite(body="v=0")
    broken = [
        good.replace("CSeq: 1 INVITE", f"CSeq: {CALLER} {CALLEE}"),
        good.replace("Via: SIP/2.0/UDP", f"Via: {CALLER}"),
        good.replace(" SIP/2.0\r\n", f" SIP/{CALLER}\r\n", 1),
        good.replace("From: ", f'From: "{CALLER} '),
        good.replace("Content-Length: 3", f"Content-Length: {CALLER}"),
        good[:90],
        good.replace("sip:", f"{CALLER}:", 1),
        good.replace("INVITE", CALLER[1:]),
        f"SIP/2.0 200 {CALLER}\r\n\r\n",
        at.carrier.request("REFER", Refer_To=f"<sip:{CALLER}@{CALLEE}>"),
        at.carrier.request("OPTIONS", Call_ID=CALLER),
        at.carrier.request("REGISTER", Contact=f"<sip:{CALLER}@{HOST}>", To=f"<sip:{CALLER}@{HOST}>"),
        f"{CALLER}\r\n\r\n",
    ]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.9", 0))
        for text in broken:
            at.carrier.send(text)
            stranger.sendto(text.encode(), at.carrier.engine)
    await at.carrier.hear("200")  # to OPTIONS
    # By TCP, where what comes has to be framed first.
    for text in broken:
        reader, writer = await asyncio.open_connection(HOST, at.stack.sip_port)
        writer.write(text.encode())
        writer.write_eof()
        await reader.read()
        writer.close()
        await writer.wait_closed()


async def test_no_number_is_in_the_log(tmp_path: Path) -> None:
    async with numbered(tmp_path) as at:
        customer = Customer(at.carrier)
        try:
            await at.refused()
            await at.refused(503)
            await malformed(at)
            call, invite = await at.call(customer)
            agent = Call.taken(invite)
            # A code of the agent's telephone, who is known by its number alone.
            for cseq, each in enumerate("*5#", 2):
                at.pbx.send(
                    at.pbx.request(
                        "INFO", call=agent, cseq=cseq, body=f"Signal={each}\r\nDuration=160\r\n",
                        Content_Type=RELAY,
                    )
                )  # fmt: skip
                await at.pbx.hear("200")
            await until(lambda: "by telephone" in at.stack.log.read_text(), "a code to be carried out")
            # The API, by the caller's number and by Call-IDs.
            for name in (f"caller:{CALLER}", CALLER, invite.one("Call-ID")):
                for path in PATHS:
                    await at.stack.api.post(f"/v1/calls/{name}/{path}", json={})
                await at.stack.api.delete(f"/v1/calls/{name}/capture")
            await at.stack.api.post(f"/v1/payments/{CALLER}/refund", json={})
            await at.paid(call, customer)
            at.pbx.send(
                at.pbx.request("REFER", call=agent, cseq=9, Refer_To=f"<sip:{MOBILE}@{HOST};user=phone>")
            )
            replaced = await at.pbx.hear("INVITE", 30)
            at.pbx.reply(replaced, 480, Reason=f'SIP;cause=480;text="{MOBILE}"')
            await at.pbx.hear("NOTIFY")
            await at.hang_up(customer)
        finally:
            customer.media.close()
    log = at.stack.log.read_text()
    entries = [json.loads(line) for line in log.splitlines()]
    seen = {entry["event"] for entry in entries}
    assert {"call", "leg", "malformed", "stranger", "agent_request", "payment_taken_over", "charged"} <= seen
    assert any(entry.get("agent") == f"phone:…{MOBILE[-2:]}" for entry in entries)
    assert [found for line in log.splitlines() for found in numbers_in(line)] == []


def test_the_search_finds_a_number() -> None:
    assert numbers_in(json.dumps({"event": "call", "agent": f"phone:{MOBILE}"}))
    assert numbers_in(json.dumps({"event": "call", "reason": f"…{CALLER[-4:]}"}))
    assert numbers_in(f"Traceback: {CALLER}")
    assert not numbers_in(json.dumps({"event": "call", "call": "a1632960147bcdef", "agent": "phone:…21"}))
