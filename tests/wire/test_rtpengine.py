"""Debian's rtpengine as the engine: calls that it relays, cards that are paid, and what is refused where it is not certain."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from tests.canary import CANARY
from tests.stack import free_port, until
from tests.wire.conftest import Peers
from tests.wire.handmade import MediaPair
from tests.wire.paying import charged, digits_sha256
from tests.wire.peers.rtpengine import Rtpengine
from tests.wire.test_transfer import Scene, events, scene

CARD = CANARY.keys


def engine(digits: int, *daemons: Rtpengine) -> dict[str, str]:
    """`[media]` for these servers."""
    return {
        "engine": "rtpengine",
        "rtpengine": ", ".join(daemon.address for daemon in daemons),
        "rtpengine_digits": f"127.0.0.1:{digits}",
    }


@contextlib.asynccontextmanager
async def relayed(peers: Peers) -> AsyncIterator[Scene]:
    """A call that is up over one daemon."""
    digits = free_port()
    daemon = await peers.rtpengine(digits)
    async with scene(peers.directory, engine(digits, daemon), mask="mute") as at:
        yield at


async def both_hear(at: Scene) -> None:
    """Each side hears the other. The agent's side is at its server a moment after its answer is at the carrier."""
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
    async with relayed(peers) as at:
        await both_hear(at)
        await at.customer.key("1")
        await until(lambda: events(at.old), "the control: an event where nothing is masked")
        await at.stack.start_capture(at.call_id)
        await at.customer.play([at.customer.speech() for _ in range(10)])
        since = len(at.old.rtp.heard)
        before = events(at.old)
        await at.customer.key(CARD)
        await at.stack.stage(at.call_id, "ready")
        assert events(at.old) == before
        assert len(at.old.rtp.heard) > since, "the agent's phone goes on hearing something"
        assert (await at.stack.submit(at.call_id))["type"] == "approved"
        assert (await charged(at.stack, "order-1"))["digits_sha256"] == digits_sha256()
        await at.end(at.agent)
