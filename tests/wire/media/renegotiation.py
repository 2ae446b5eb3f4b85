"""Re-INVITEs of either side, and speech after them."""

from __future__ import annotations

from collections.abc import Callable

from tests.stack import until
from tests.wire.scene import Scene
from tests.wire.sip_peer import Call, SipPeer


def direction(name: str) -> Callable[[str], str]:
    return lambda body: f"{body}a={name}\r\n"


def to(connection: str) -> Callable[[str], str]:
    return lambda body: body.replace("c=IN IP4 127.0.0.1", f"c={connection}")


def beside(line: str) -> Callable[[str], str]:
    """A line behind the m-line."""
    return lambda body: body.replace(" 101\r\na=rtpmap", f" 101\r\n{line}\r\na=rtpmap", 1)


# RFC 3264 section 8.4 and RFC 2543 section B.5. For the port that some PBXs take away see below.
FORMS = {
    "sendonly": direction("sendonly"),
    "inactive": direction("inactive"),
    "recvonly": direction("recvonly"),
    "nowhere": to("IN IP4 0.0.0.0"),
    "nowhere in IPv6": to("IN IP6 ::"),
    "nowhere for the m-line": beside("c=IN IP4 0.0.0.0"),
    "inactive for the session": lambda body: body.replace("t=0 0\r\n", "t=0 0\r\na=inactive\r\n"),
    "sendonly for the session": lambda body: body.replace("t=0 0\r\n", "t=0 0\r\na=sendonly\r\n"),
}


async def renegotiated(asker: SipPeer, call: Call, cseq: int, body: str, other: SipPeer, answer: str) -> str:
    """A re-INVITE from one end to the other and back. What the other end was offered."""
    asker.send(asker.request("INVITE", call=call, cseq=cseq, body=body))
    asked = await other.hear("INVITE")
    other.reply(asked, 200, body=answer)
    await other.hear("ACK")
    await asker.hear("200")
    asker.send(asker.request("ACK", call=call, cseq=cseq))
    return asked.body


async def spoken(at: Scene) -> None:
    """After it all the customer is heard again."""
    heard = len(at.old.rtp.heard)
    await at.customer.play([at.customer.speech() for _ in range(5)])
    await until(lambda: len(at.old.rtp.heard) > heard, "speech at the agent's phone")
