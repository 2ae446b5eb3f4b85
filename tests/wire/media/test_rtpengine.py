"""Debian's rtpengine as the engine: calls that it relays, cards that are paid, and what is refused
where it is not certain."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest

from tests.canary import CANARY
from tests.leak.carriers import Habit
from tests.leak.codec import PCMU
from tests.stack import free_port, until
from tests.wire.conftest import Peers
from tests.wire.handmade import MediaPair, offer
from tests.wire.line import line
from tests.wire.media.renegotiation import renegotiated
from tests.wire.media.tones import TAILS, read, send
from tests.wire.paying import charged, digits_sha256, nothing_left, without_complaint
from tests.wire.payments.witness import approved, settled, witnessed
from tests.wire.peers.rtpengine import GENERAL, Rtpengine, engine
from tests.wire.scene import Scene, events, scene
from tests.wire.sip_peer import Call


@contextlib.asynccontextmanager
async def relayed(peers: Peers) -> AsyncIterator[Scene]:
    """A call that is up over one daemon."""
    digits = free_port()
    daemon = await peers.rtpengine(digits)
    async with scene(peers.directory, media=engine(digits, daemon), general=GENERAL, mask="mute") as at:
        yield at


async def both_hear(at: Scene) -> None:
    """Each side hears the other."""
    await speaks(at, at.customer.media, at.old, lambda: at.customer.far)
    await speaks(at, at.old, at.customer.media, lambda: at.old.rtp.heard[-1][1])


async def speaks(at: Scene, one: MediaPair, other: MediaPair, to: Callable[[], tuple[str, int]]) -> None:
    before = len(other.rtp.heard)

    async def heard() -> bool:
        one.rtp.send(at.customer.speech().serialize(), to())
        await asyncio.sleep(0.02)
        return len(other.rtp.heard) > before

    await until(heard, "speech through rtpengine")


async def test_a_card_is_paid_over_rtpengine_and_the_agent_gets_no_event(peers: Peers) -> None:
    async with relayed(peers) as at, without_complaint(at.stack):
        await both_hear(at)
        await at.customer.key("1")
        await until(lambda: events(at.old), "the control: an event where nothing is masked")
        await at.stack.start_capture(at.call_id)
        before, since = events(at.old), len(at.old.rtp.heard)
        await at.customer.key(CANARY.keys)
        await at.stack.stage(at.call_id, "ready")
        assert events(at.old) == before
        assert len(at.old.rtp.heard) > since, "the agent's telephone goes on hearing something"
        await speaks(at, at.old, at.customer.media, lambda: at.old.rtp.heard[-1][1])
        assert (await at.stack.submit(at.call_id))["type"] == "approved"
        assert (await charged(at.stack, "order-1"))["digits_sha256"] == digits_sha256()
        await unmasked(at)
        await both_hear(at)
        await at.customer.key("1")
        await until(lambda: events(at.old) > before, "an event once the mask is open again")
        await at.end(at.agent)


async def over(peers: Peers) -> tuple[Rtpengine, dict[str, dict[str, str]]]:
    """A daemon, and the sections of sip.conf that use it."""
    digits = free_port()
    daemon = await peers.rtpengine(digits)
    return daemon, {"media": engine(digits, daemon), "carrier": {"mask": "mute"}, "general": GENERAL}


async def test_the_card_is_in_no_log_and_no_memory_of_ours(peers: Peers) -> None:
    daemon, extra = await over(peers)
    async with witnessed(peers, extra=extra) as (witness, call_id):
        charging = set(witness.line.stack.pids()["payer"])
        await approved(witness, call_id)
        await witness.line.hang_up()
        await settled(witness, charging, charges=1)
        assert await witness.memory() == []
        assert witness.texts() == [], "the daemon's log is among them"
        assert "DTMF event" not in daemon.log.read_text(), "which key it was, where it logs more"


async def test_real_telephones_pay_over_rtpengine(peers: Peers) -> None:
    daemon, extra = await over(peers)
    async with line(peers, extra=extra) as wire:
        call_id = await wire.dial()
        await wire.keyed(call_id, CANARY.keys)
        assert (await wire.agent.stats())["dtmf"] == 0
        assert (await wire.stack.submit(call_id))["type"] == "approved"
        assert (await charged(wire.stack, "order-1"))["digits_sha256"] == digits_sha256()
        await wire.voice()
        await wire.hang_up()
        await wire.no_sessions()
        assert await daemon.calls() == 0


@pytest.mark.parametrize("who", ["customer", "agent"])
async def test_a_re_invite_that_moves_ports_while_a_card_is_keyed_changes_nothing(
    peers: Peers, who: str
) -> None:
    async with relayed(peers) as at:
        await both_hear(at)
        await at.stack.start_capture(at.call_id)
        await at.customer.key(CANARY.keys[:5])
        moved = MediaPair()
        await moved.open()
        try:
            if who == "customer":
                sdp, answer = offer(moved.port), offer(at.old.port, "old")
                await renegotiated(at.carrier, at.near, 2, sdp, at.pbx, answer)
                at.customer.media, left = moved, at.customer.media
            else:
                sdp, answer = offer(moved.port, "old"), offer(at.customer.media.port)
                await renegotiated(at.pbx, at.agent, 2, sdp, at.carrier, answer)
                at.old, left = moved, at.old
            left.close()
            await speaks(at, at.customer.media, at.old, lambda: at.customer.far)
            await at.customer.key(CANARY.keys[5:])
            await at.stack.stage(at.call_id, "ready")
            assert events(at.old) == 0
            assert (await at.stack.submit(at.call_id))["type"] == "approved"
            assert (await charged(at.stack, "order-1"))["digits_sha256"] == digits_sha256()
            await at.end(at.agent)
        finally:
            moved.close()


@pytest.mark.parametrize(
    "habit", [TAILS, Habit("tone alone", before=120, event=0)], ids=lambda habit: habit.name
)
async def test_tones_and_their_tails_are_read_by_nobody_while_masked(peers: Peers, habit: Habit) -> None:
    async with relayed(peers) as at:
        await send(at, Habit("tone alone", before=120, event=0), 1, PCMU)
        assert "".join(dict.fromkeys(read(at, 0, PCMU))) == "41", "the control"
        await at.stack.start_capture(at.call_id)
        since = len(at.old.rtp.heard)
        await send(at, habit, 2, PCMU)
        assert read(at, since, PCMU) == []
        await at.end(at.agent)


async def test_calls_end_with_their_server_and_new_ones_go_to_another(peers: Peers) -> None:
    digits = free_port()
    first, second = await peers.rtpengine(digits), await peers.rtpengine(digits, 1)
    media = engine(digits, first, second)
    media["rtpengine"] = f"{first.address}/9, {second.address}"
    async with scene(peers.directory, media=media, general=GENERAL, mask="mute", complaints=False) as at:
        await both_hear(at)
        assert (await first.calls(), await second.calls()) == (1, 0)
        await at.stack.start_capture(at.call_id)
        await at.customer.key(CANARY.keys[:5])
        await first.kill()
        for peer in (at.carrier, at.pbx):
            peer.reply(await peer.hear("BYE"), 200)
        await nothing_left(at.stack)
        assert await at.stack.charges() == []
        at.carrier.send(at.carrier.request("INVITE", body=offer(at.customer.media.port)))
        invite = await at.pbx.hear("INVITE", 30)
        at.pbx.reply(invite, 200, body=offer(at.old.port, "old"))
        answer = await at.carrier.hear("200")
        at.carrier.send(at.carrier.request("ACK", call=Call.placed(answer)))
        at.customer.far = ("127.0.0.1", int(answer.body.partition("m=audio ")[2].split()[0]))
        await speaks(at, at.customer.media, at.old, lambda: at.customer.far)
        assert await second.calls() == 1


async def unmasked(at: Scene) -> None:
    async def is_open() -> bool:
        return not (await at.stack.call(at.call_id))["masked"]

    await until(is_open, "the mask to open after the guard time")
