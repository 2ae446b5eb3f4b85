"""What the peers themselves send when they are broken: their address is right, and every octet
behind it wrong.

Nothing here is dropped as a stranger's: it is parsed, and answered or counted; the call that is up
goes on.
"""

from __future__ import annotations

import contextlib
import random
import re
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from aiortc.rtp import RtpPacket

from tests.canary import CANARY
from tests.stack import Stack, running, until
from tests.wire.handmade import EVENT_TYPE, SSRC, Customer, Desk, offer, trunk, udp
from tests.wire.paying import charged, digits_sha256, events_of_any_type, without_complaint
from tests.wire.peers.aiortc_view import Flow
from tests.wire.sip_peer import HOST, Heard, SipPeer

STRANGER = "127.0.0.9"
MAX_MESSAGE = 16_384  # docs/architecture.md


@dataclass(slots=True)
class Between:
    """A Tonewall between a carrier and a PBX made by hand, with a call up."""

    stack: Stack
    carrier: SipPeer
    customer: Customer
    desk: Desk
    call_id: str

    async def speak(self) -> None:
        """Voice runs both ways."""
        before = len(self.desk.media.rtp.heard)
        await self.customer.play([self.customer.speech() for _ in range(5)])
        await until(lambda: len(self.desk.media.rtp.heard) > before, "speech at the desk")
        before = len(self.customer.media.rtp.heard)
        self.desk.media.rtp.send(RtpPacket(payload=b"\x3c" * 160, ssrc=2).serialize(), self.desk.far)
        await until(lambda: len(self.customer.media.rtp.heard) > before, "speech at the customer")

    async def barrier(self) -> None:
        """Until Tonewall has read everything that was sent to its SIP port so far."""
        request = self.carrier.request("OPTIONS")
        self.carrier.send(request)
        wanted = re.search(r"Call-ID: (\S+)", request)[1]
        while (await self.carrier.hear("200", 30)).one("Call-ID") != wanted:
            pass

    def answers(self, call_id: str) -> list[str]:
        """The codes that the carrier has heard for a Call-ID."""
        return [message.what for message in self.carrier.heard if call_id in message.all("Call-ID")]


@contextlib.asynccontextmanager
async def between(folder: Path) -> AsyncIterator[Between]:
    desk = Desk()
    await desk.open()
    with contextlib.closing(desk), trunk() as carrier:
        async with (
            running(Stack(folder, carrier.port, desk.port, pairs=20)) as stack,
            without_complaint(stack),
        ):
            carrier.engine = (HOST, stack.sip_port)
            customer = Customer(carrier)
            with contextlib.closing(customer.media):
                await customer.dial()
                [call] = await stack.calls_up()
                line = Between(stack, carrier, customer, desk, call["id"])
                await line.speak()
                yield line
                await line.speak()
                await customer.hang_up()


# --- SIP ------------------------------------------------------------------------------------------


def malformed(carrier: SipPeer) -> dict[str, bytes]:
    """A fault each, in an INVITE that would else be taken."""

    def bent(old: str, new: str) -> Callable[[], bytes]:
        def make() -> bytes:
            text = carrier.request("INVITE", body=offer(40_000)).replace("sip:bob@", "sip:desk@", 1)
            assert re.search(old, text), old
            return re.sub(old, lambda _: new, text, count=1).encode("utf-8", "surrogateescape")

        return make

    faults = {
        "no Via": bent(r"Via: .*\r\n", ""),
        "no From": bent(r"From: .*\r\n", ""),
        "no tag in From": bent(r";tag=near", ""),
        "no To": bent(r"To: .*\r\n", ""),
        "no CSeq": bent(r"CSeq: .*\r\n", ""),
        "another method in CSeq": bent(r"CSeq: 1 INVITE", "CSeq: 1 BYE"),
        "CSeq beyond 2^31": bent(r"CSeq: 1 INVITE", "CSeq: 4294967296 INVITE"),
        "no number in CSeq": bent(r"CSeq: 1 INVITE", "CSeq: one INVITE"),
        "Content-Length below zero": bent(r"Content-Length: \d+", "Content-Length: -5"),
        "Content-Length of a longer body": bent(r"Content-Length: \d+", "Content-Length: 9999"),
        "Content-Length that is no number": bent(r"Content-Length: \d+", "Content-Length: many"),
        "two different Content-Lengths": bent(r"Content-Length: \d+",
        "Content-Length: 1\r\nContent-Length: 2"),
        "Via of no protocol": bent(r"Via: SIP/2.0/UDP", "Via: HTTP/1.1/TCP"),
        "Max-Forwards that is no number": bent(r"Max-Forwards: 70", "Max-Forwards: seventy"),
        "no hops left": bent(r"Max-Forwards: 70", "Max-Forwards: 0"),
        "an unknown scheme": bent(r"INVITE sip:desk@", "INVITE gopher:desk@"),
        "SIP over TLS, which there is not": bent(r"INVITE sip:desk@", "INVITE sips:desk@"),
        "an unknown extension": bent(r"Max-Forwards: 70", "Max-Forwards: 70\r\nRequire: teleportation"),
        "a body of no SDP": bent(r"application/sdp", "application/pdf"),
        "a NUL in a header": bent(r"Max-Forwards: 70", "Max-Forwards: 70\r\nSubject: a\0b"),
        "a header name that is not UTF-8": bent(r"Max-Forwards: 70", "Max-Forwards: 70\r\nSubj\udcffct: a"),
        "a bare line feed": bent(r"Max-Forwards: 70\r\n", "Max-Forwards: 70\n"),
        "a Contact that is no address": bent(r"Contact: .*", "Contact: \"<<<\r"),
        "a thousand headers": bent(r"Max-Forwards: 70\r\n", "Max-Forwards: 70\r\n" + "X: 1\r\n" * 1000),
        "a header too long": bent(r"Max-Forwards: 70\r\n",
        "Max-Forwards: 70\r\nSubject: " + "a" * MAX_MESSAGE + "\r\n"),
        "a datagram as long as they come": bent(r"Max-Forwards: 70\r\n",
        "Max-Forwards: 70\r\nX: " + "a" * 60_000 + "\r\n"),
        "a version of the future": bent(r" SIP/2.0\r\nVia", " SIP/9.9\r\nVia"),
        "no version": bent(r" SIP/2.0\r\nVia", "\r\nVia"),
        "no Request-URI": bent(r"INVITE \S+ SIP", "INVITE SIP"),
        "a Request-URI of nothing": bent(r"INVITE \S+ SIP", "INVITE sip: SIP"),
    }  # fmt: skip
    return {name: make() for name, make in faults.items()}


async def test_an_invite_with_any_one_fault_is_refused_or_dropped_and_calls_nobody(tmp_path: Path) -> None:
    async with between(tmp_path) as line:
        sent = malformed(line.carrier)
        for message in sent.values():
            line.carrier.socket.sendto(message, line.carrier.engine)
            await line.barrier()
        codes = {name: line.answers(_call_id(message)) for name, message in sent.items()}
        # One Call-ID each, and the one of the call that is up.
        assert len(line.desk.invites) == 1, {name: found for name, found in codes.items() if "100" in found}
        taken = {name: found for name, found in codes.items() if any(code < "400" for code in found)}
        assert taken == {}
        refused = {
            "no hops left": "483",
            "SIP over TLS, which there is not": "416",
            "an unknown extension": "420",
        }
        refused |= {"a body of no SDP": "415", "a header too long": "513"}
        assert {name: codes[name] for name in refused} == {name: [code] for name, code in refused.items()}
        assert codes["another method in CSeq"] == codes["Content-Length of a longer body"] == ["400"]
        assert len(await line.stack.calls()) == 1


async def test_an_invite_cut_anywhere_is_refused_or_dropped(tmp_path: Path) -> None:
    async with between(tmp_path) as line:
        whole = (
            line.carrier.request("INVITE", body=offer(40_000)).replace("sip:bob@", "sip:desk@", 1).encode()
        )
        for end in range(0, len(whole) - 1, 7):
            line.carrier.socket.sendto(whole[:end], line.carrier.engine)
        await line.barrier()
        codes = line.answers(_call_id(whole))
        assert set(codes) == {"400"}
        assert len(line.desk.invites) == 1


async def test_random_and_bent_messages_from_strangers_are_refused_and_from_the_trunk_leave_nothing(
    tmp_path: Path,
) -> None:
    dice = random.Random(20261124)
    async with between(tmp_path) as line:
        # To `bob`, who is busy where it gets so far.
        templates = [
            line.carrier.request(method, body=offer(40_000) if method == "INVITE" else "").encode()
            for method in ("INVITE", "OPTIONS", "BYE", "CANCEL", "INFO", "REGISTER")
        ]
        with udp(STRANGER) as elsewhere, udp() as next_door:
            for _ in range(15):
                for sender in (line.carrier.socket, elsewhere, next_door):
                    for _ in range(4):
                        sender.sendto(_bent(dice.choice(templates), dice), line.carrier.engine)
                    sender.sendto(dice.randbytes(dice.randrange(1, 2000)), line.carrier.engine)
                await line.barrier()
            whole = (
                line.carrier.request("INVITE", body=offer(40_000))
                .replace("sip:bob@", "sip:desk@", 1)
                .encode()
            )
            for stranger in (elsewhere, next_door):
                stranger.sendto(whole, line.carrier.engine)
            await line.barrier()
            for stranger in (elsewhere, next_door):
                said = _codes(stranger)
                assert "403" in said
                assert min(said) >= "400"
        assert _call_id(whole) not in line.desk.invites

        async def alone() -> bool:
            return len(await line.stack.calls()) == 1

        await until(alone, "bent calls to be over")


def _bent(message: bytes, dice: random.Random) -> bytes:
    changed = bytearray(message)
    for _ in range(dice.randrange(1, 8)):
        at = dice.randrange(len(changed))
        match dice.randrange(3):
            case 0:
                changed[at] = dice.randrange(256)
            case 1:
                del changed[at : at + dice.randrange(1, 20)]
            case 2:
                changed[at:at] = dice.randbytes(dice.randrange(1, 20))
    return bytes(changed)


def _call_id(message: bytes) -> str:
    return re.search(rb"Call-ID: (\S+)", message)[1].decode("utf-8", "surrogateescape")


def _codes(sock: socket.socket) -> list[str]:
    """What has come to a socket by now."""
    found = []
    with contextlib.suppress(BlockingIOError):
        while True:
            found.append(Heard(sock.recv(65536).decode("utf-8", "surrogateescape"), ("", 0)).what)
    return found


# --- RTP and RTCP ---------------------------------------------------------------------------------


def bent_rtp(dice: random.Random) -> bytes:
    """No packet here is a whole key event: those would be keys."""
    speech = RtpPacket(
        sequence_number=dice.randrange(65536), ssrc=SSRC, payload=dice.randbytes(160)
    ).serialize()
    event = RtpPacket(payload_type=EVENT_TYPE, sequence_number=dice.randrange(65536), ssrc=SSRC).serialize()
    match dice.randrange(12):
        case 0:
            return speech[: dice.randrange(12)]
        case 1:
            return bytes([0x9F]) + speech[1:14]  # more CSRCs and an extension than there are octets
        case 2:
            # An extension longer than the packet.
            return bytes([0x90]) + speech[1:12] + b"\xbe\xde\xff\xff"
        case 3:
            return bytes([0xA0]) + speech[1:-1] + b"\xff"  # more padding than packet
        case 4:
            return bytes([0xA0]) + speech[1:12] + b"\x00"  # padding of nothing
        case 5:
            return event + dice.randbytes(dice.randrange(4))  # an event cut short
        case 6:
            return event + bytes([dice.randrange(16, 256), 10, 0, 160])  # no key
        case 7:
            # A key under the audio type.
            return speech[:12] + bytes([dice.randrange(16), 0x80, 1, 0x40])
        case 8:
            return bytes([0x80, dice.choice([0, 13, 96, 127, 0x80 | 111])]) + dice.randbytes(1400)
        case 9:
            return bytes([dice.randrange(0x80)]) + dice.randbytes(200)  # another version
        case 10:
            return b""
        case _:
            return bytes([0x80, 0x40 | dice.randrange(32)]) + dice.randbytes(60_000)


def bent_rtcp(dice: random.Random) -> bytes:
    kind = dice.randrange(192, 224)
    match dice.randrange(5):
        case 0:
            return bytes([0x80, 200])
        case 1:
            return bytes([0x9F, 200, 0xFF, 0xFF]) + dice.randbytes(24)  # longer than it is
        case 2:
            return bytes([0x81, kind, 0, 1]) + dice.randbytes(4)
        case 3:
            # APP (RFC 3550 section 6.7).
            return bytes([0x80, 204, 0, 2]) + dice.randbytes(4) + b"KEYS"
        case _:
            return dice.randbytes(dice.randrange(1500))


async def test_a_card_is_paid_through_broken_rtp_from_customer_and_desk_and_no_key_gets_out(
    tmp_path: Path,
) -> None:
    dice = random.Random(733)
    async with between(tmp_path) as line:
        customer, desk, stack = line.customer, line.desk, line.stack
        await stack.start_capture(line.call_id, transaction="broken-1")
        masked_from = len(desk.media.rtp.heard)
        rtcp_from = len(desk.media.rtcp.heard)
        back, process = desk.far, stack.pids()["media"]
        with udp(STRANGER) as stranger:

            async def throw() -> None:
                for _ in range(6):
                    customer.media.rtp.send(bent_rtp(dice), customer.far)
                    customer.media.rtcp.send(bent_rtcp(dice), (HOST, customer.far[1] + 1))
                    desk.media.rtp.send(bent_rtp(dice), back)
                    desk.media.rtcp.send(bent_rtcp(dice), (HOST, back[1] + 1))
                    for port in (customer.far[1], back[1]):
                        # Well-formed, but whose?
                        stranger.sendto(customer.press("9")[0].serialize(), (HOST, port))
                await line.speak()

            for key in CANARY.keys:
                await throw()
                await customer.key(key)
            capture = await stack.stage(line.call_id, "ready")
            assert [progress["rejected"] for progress in capture["fields"]] == [0, 0, 0]
            await throw()
        assert (await stack.submit(line.call_id))["type"] == "approved"
        assert (await charged(stack, "broken-1"))["digits_sha256"] == digits_sha256()
        heard = [data for data, _ in desk.media.rtp.heard[masked_from:]]
        flow = Flow(back, (HOST, desk.media.port), rtp=[RtpPacket.parse(data) for data in heard])
        assert len(heard) > 100
        assert set(flow.payload_types()) == {0}
        assert events_of_any_type(flow) == 0
        assert all(b"KEYS" not in data for data, _ in desk.media.rtcp.heard[rtcp_from:])
        assert stack.pids()["media"] == process
    [record] = stack.records()
    assert (
        min(
            record[f"{leg}_{what}"] for leg in ("caller", "agent") for what in ("malformed", "foreign_source")
        )
        > 20
    )
