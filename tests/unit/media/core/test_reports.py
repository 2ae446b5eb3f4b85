"""RTCP on real sockets: what each end reads is true of what it got and sent, read by aiortc's
parser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from aiortc.rtp import RtcpPacket, RtcpReceiverInfo, RtcpRrPacket, RtcpSenderInfo, RtcpSrPacket

from media.formats.rtp import parse
from tests.unit.media.core.relay_rig import AUDIO, EVENTS, Rig, everything, key, received, rtp

SSRC, AGENT_SSRC = 0x1234, 0x9876
RED = 121


class Customer:
    """Keeps count of what it sends, as any sender does (RFC 3550 section 6.4.1)."""

    def __init__(self, rig: Rig) -> None:
        self.rig, self.packets, self.octets = rig, 0, 0

    def send(self, *packets: bytes) -> None:
        for packet in packets:
            self.packets += 1
            self.octets += len(parse(packet).payload)
            self.rig.caller.send(packet)

    def report(self) -> RtcpSrPacket:
        """Sent; as it reaches the agent."""
        self.rig.caller.send_rtcp(bytes(self.sender_report()))
        [report] = RtcpPacket.parse(received(self.rig.agent.rtcp))
        assert isinstance(report, RtcpSrPacket)
        return report

    def sender_report(self) -> RtcpSrPacket:
        sender = RtcpSenderInfo(
            ntp_timestamp=7 << 32, rtp_timestamp=160, packet_count=self.packets, octet_count=self.octets
        )
        return RtcpSrPacket(ssrc=SSRC, sender_info=sender)


def heard_by(agent_says: Rig, highest: int, ssrc: int = SSRC) -> RtcpReceiverInfo:
    """What the customer reads where the agent's phone has `highest` as its extended highest
    sequence number."""
    block = RtcpReceiverInfo(
        ssrc=ssrc, fraction_lost=12, packets_lost=3, highest_sequence=highest, jitter=40, lsr=5, dlsr=6
    )
    agent_says.agent.send_rtcp(bytes(RtcpRrPacket(ssrc=AGENT_SSRC, reports=[block])))
    [report] = RtcpPacket.parse(received(agent_says.caller.rtcp))
    return report.reports[0]


@pytest.fixture
def call() -> Iterator[Rig]:
    rig = Rig().connect_both()
    rig.relay.set_types(7, bytes([EVENTS]), b"", mu=bytes([AUDIO]), red=bytes([RED]))
    yield rig
    rig.close()


def press(first: int, code: int, rtp_timestamp: int) -> list[bytes]:
    updates = [key(first + step, code, rtp_timestamp, 160 * (step + 1)) for step in range(4)]
    return [*updates, *[key(first + 4, code, rtp_timestamp, 800, end=True)] * 3]


def settle(call: Rig, customer: Customer) -> list[bytes]:
    """All that the agent's phone has got, once the relay has seen everything."""
    call.counted("caller_received", customer.packets)
    return everything(call.agent.rtp)


@pytest.mark.parametrize("origin", [100, 0xFFF8, 0x7FFA])
def test_a_report_counts_what_left_and_what_the_agent_reports_names_the_customer_s_own_numbers(
    call: Rig, origin: int
):
    customer = Customer(call)
    customer.send(*(rtp(origin + step, b"\xff" * 160, rtp_timestamp=160 * step) for step in range(3)))
    arrived = settle(call, customer)
    untouched = customer.report()
    assert bytes(untouched) == bytes(customer.sender_report())
    call.relay.set_mask(7, True)
    customer.send(*press(origin + 3, 5, 480), rtp(origin + 8, b"\xff" * 160, rtp_timestamp=1280 + 480))
    customer.send(*press(origin + 9, 6, 1920), rtp(origin + 14, b"\xff" * 160, rtp_timestamp=1920 + 800))
    call.counted("caller_received", customer.packets + 1)  # and the report
    call.relay.set_mask(7, False)
    customer.send(rtp(origin + 15, b"\xff" * 160, rtp_timestamp=2880))
    call.counted("caller_received", customer.packets + 1)
    arrived += everything(call.agent.rtp)
    report = customer.report()
    assert report.sender_info.packet_count == len(arrived) != customer.packets
    assert (
        report.sender_info.octet_count
        == sum(len(parse(packet).payload) for packet in arrived)
        != customer.octets
    )
    assert (report.sender_info.ntp_timestamp, report.sender_info.rtp_timestamp) == (7 << 32, 160)
    newest = parse(arrived[-1]).sequence_number
    cycles = 0x10000 if newest < origin else 0
    info = heard_by(call, cycles + newest)
    assert info.highest_sequence % 0x10000 == (origin + 15) % 0x10000
    assert (info.fraction_lost, info.packets_lost, info.jitter, info.lsr, info.dlsr) == (12, 3, 40, 5, 6)
    assert heard_by(call, 3 * 0x10000 + newest).highest_sequence % 0x10000 == (origin + 15) % 0x10000
    assert heard_by(call, 77, ssrc=SSRC + 1).highest_sequence == 77, "another stream's"


def test_shortened_packets_are_counted_as_they_left(call: Rig):
    customer = Customer(call)
    call.relay.set_mask(7, True)
    # 160 octets of before, and as many of now.
    redundant = b"\x80\x02\x80\xa0" + b"\x00" + b"\xff" * 160 + b"\xff" * 160
    customer.send(*(rtp(step, redundant, RED, rtp_timestamp=160 * step) for step in range(4)))
    call.counted("caller_received", 4)
    call.relay.set_mask(7, False)
    call.counted("agent_sent", 4)
    report = customer.report()
    assert (report.sender_info.packet_count, report.sender_info.octet_count) == (4, 4 * 160)


def test_a_name_and_a_goodbye_pass_beside_a_translated_report_unmasked_and_not_masked(call: Rig):
    customer = Customer(call)
    call.relay.set_mask(7, True)
    customer.send(key(1, 4, 160))
    rest = bytes.fromhex("81cb0001 00001234")
    call.caller.send_rtcp(bytes(customer.sender_report()) + rest)
    call.counted("agent_masked", 1)
    masked = received(call.agent.rtcp)
    call.relay.set_mask(7, False)
    call.caller.send_rtcp(bytes(customer.sender_report()) + rest)
    unmasked = received(call.agent.rtcp)
    assert unmasked == masked + rest
    [report] = RtcpPacket.parse(masked)
    assert (report.sender_info.packet_count, report.sender_info.octet_count) == (0, 0)


@pytest.mark.parametrize(
    "damaged",
    [
        "80c80006",
        "81c80006 00001234" + "00" * 20,
        "80c8ffff 00001234" + "00" * 20,
        "80c90001 00001234 c0c80001 00001234",
    ],
)
def test_what_is_no_whole_report_crosses_as_it_came(call: Rig, damaged: str):
    call.relay.set_mask(7, True)
    call.caller.send(key(1, 4, 160))
    call.counted("agent_masked", 1)
    call.relay.set_mask(7, False)
    packet = bytes.fromhex(damaged)
    call.caller.send_rtcp(packet)
    assert received(call.agent.rtcp) == packet
    call.agent.send_rtcp(packet)
    assert received(call.caller.rtcp) == packet
