"""SIGTERM with `[general] drain_time`: no new calls, those that are up end by themselves or in
time."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from provider_adapters.local.books import BEHAVIOURS
from tests.canary import CANARY
from tests.stack import PATIENCE
from tests.wire.handmade import offer
from tests.wire.running.signalled import acknowledged, begin_to_drain, ended, keeper, logged
from tests.wire.scene import scene

_LATE = next(number for number, behaviour in BEHAVIOURS.items() if behaviour.name == "late_charged")


async def test_a_payment_is_finished_and_charged_while_new_calls_go_elsewhere(tmp_path: Path) -> None:
    slow, drain = {"provider": {"timeout": "60"}}, {"drain_time": "600"}
    async with scene(tmp_path, general=drain, complaints=False, more=slow, late=2.0) as at:
        stack, carrier, keys = at.stack, at.carrier, f"{_LATE}#{CANARY.expiry}{CANARY.code}"
        await stack.start_capture(at.call_id)
        await at.customer.key(keys[:4])
        await begin_to_drain(at)
        assert (await stack.api.get("/livez")).status_code == 200
        health = await stack.api.get("/healthz")
        assert (health.status_code, health.json()["status"]) == (200, "degraded")
        assert [fault["what"] for fault in health.json()["faults"]] == ["draining"]
        assert "\ntonewall_takes_calls 0" in (await stack.api.get("/metrics")).text

        for peer in (carrier, at.pbx):
            peer.send(peer.request("INVITE", body=offer(4000), From=f"<sip:new@{peer.host}>;tag=new"))
            refused = await peer.hear("503", PATIENCE)
            assert refused.one("Retry-After") == "60"
            peer.send(acknowledged(peer, refused))
            peer.send(peer.request("OPTIONS"))
            assert (await peer.hear("503", PATIENCE)).one("CSeq").endswith("OPTIONS")

        await at.customer.key(keys[4:])
        await stack.stage(at.call_id, "ready")
        assert (await stack.api.post(f"/v1/calls/{at.call_id}/capture/submit")).status_code == 200
        await stack.stage(at.call_id, "charging", "finished")
        await at.customer_says("BYE")  # the charge may be under way
        bye = await at.pbx.hear("BYE", PATIENCE)
        at.pbx.reply(bye, 200)
        assert await ended(stack) == 0
        [charge] = await stack.charges()
        assert charge["transaction_id"] == "order-1"
        [record] = stack.records()
        assert record["captures"][0]["outcome"] == "approved"
        assert len(logged(stack, "drained")) == 1
        assert logged(stack, "drain_over") == []


async def test_a_second_signal_ends_calls_at_once_towards_both_peers(tmp_path: Path) -> None:
    async with scene(tmp_path, general={"drain_time": "600"}, complaints=False) as at:
        await at.stack.start_capture(at.call_id)
        await begin_to_drain(at)
        os.kill(keeper(at.stack), signal.SIGINT)
        for peer in (at.carrier, at.pbx):
            peer.reply(await peer.hear("BYE", PATIENCE), 200)
        assert await ended(at.stack) == 0
        assert len(logged(at.stack, "draining")) == 2  # the supervisor, and b2bua
        assert logged(at.stack, "drained") == []
        assert [record["end"] for record in at.stack.records()] == ["shut down"]


async def test_calls_are_ended_when_their_time_is_over(tmp_path: Path) -> None:
    async with scene(tmp_path, general={"drain_time": "1"}, complaints=False) as at:
        os.kill(keeper(at.stack), signal.SIGTERM)
        for peer in (at.carrier, at.pbx):
            peer.reply(await peer.hear("BYE", PATIENCE), 200)
        assert await ended(at.stack) == 0
        [over] = logged(at.stack, "drain_over")
        assert over["calls"] == 1
        assert [record["end"] for record in at.stack.records()] == ["shut down"]
