"""How a call sounded, through a whole Tonewall: packets that are lost on the way to it, and what a
phone says that it got."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiortc.rtp import RtcpReceiverInfo, RtcpRrPacket
from prometheus_client.parser import text_string_to_metric_families

from b2bua.call.quality import estimate_mos
from b2bua.call.sdp.codecs import Codec
from tests.stack import until
from tests.wire.handmade import SSRC
from tests.wire.scene import scene

SENT, LOST = 200, 20
G711 = Codec("PCMU", 8000)


async def test_what_was_lost_and_how_it_sounded_stand_in_the_record_and_the_metrics(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        for number in range(SENT):
            packet = at.customer.speech()
            if number % (SENT // LOST) != 5:
                at.customer.media.rtp.send(packet.serialize(), at.customer.far)
            await asyncio.sleep(0.005)
        await until(lambda: len(at.old.rtp.heard) == SENT - LOST, "what was not lost at the agent's phone")
        far = at.old.rtp.heard[-1][1]
        block = RtcpReceiverInfo(
            ssrc=SSRC, fraction_lost=25, packets_lost=LOST, highest_sequence=1, jitter=80, lsr=0, dlsr=0
        )
        at.old.rtcp.send(bytes(RtcpRrPacket(ssrc=9, reports=[block])), (far[0], far[1] + 1))
        await until(lambda: at.customer.media.rtcp.heard, "the report at the customer's phone")
        await at.end(at.agent)
        [row] = await until(at.stack.records, "the call's record")

        async def scraped() -> dict[tuple[str, ...], float]:
            text = (await at.stack.api.get("/metrics")).text
            families = text_string_to_metric_families(text)
            return {
                (one.name, *sorted(one.labels.values())): one.value
                for family in families
                for one in family.samples
            }

        metrics = await scraped()

    assert (row["caller_expected"], row["caller_missing"]) == (SENT, LOST)
    assert row["caller_arrival_jitter_ms"] > 5, "sent at four times the pace of its own clock"
    assert row["caller_mos"] == estimate_mos(G711, LOST, SENT, row["caller_arrival_jitter_ms"]) < 3.5
    assert (row["caller_lost"], row["caller_heard_mos"]) == (0, None), "the customer's phone said nothing"
    assert (row["agent_expected"], row["agent_mos"], row["agent_arrival_jitter_ms"]) == (0, None, None)
    assert (row["agent_lost"], row["agent_jitter_ms"]) == (LOST, 10.0)
    assert row["agent_heard_mos"] == estimate_mos(G711, LOST, row["agent_sent"], 10.0)
    assert metrics["tonewall_packets_total", "caller", "missing"] == LOST
    assert metrics["tonewall_loss_ratio_sum", "caller"] == LOST / SENT
    assert metrics["tonewall_mos_count", "caller"] == 1
    assert metrics["tonewall_heard_mos_count", "agent"] == 1
    assert metrics["tonewall_calls_ended_total", "inbound", "yes"] == 1
    for trunk, invite in (("carrier", "received"), ("pbx", "sent")):  # each is its own kind
        assert metrics["tonewall_sip_responses_total", "200", trunk, invite] == 1
        assert metrics["tonewall_answer_seconds_count", trunk, invite] == 1
        assert metrics["tonewall_trunk_legs", trunk, trunk] == 0
    assert metrics[("tonewall_takes_calls",)] == 1
