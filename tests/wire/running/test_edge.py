"""Three Tonewalls behind the edge of deploy/edge, a real Kamailio by its own file: calls are
spread, stay where they are, and go elsewhere where an instance drains or is killed."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.complaints import permit_error
from tests.stack import PATIENCE, Stack, free_port, running, until
from tests.wire.handmade import offer
from tests.wire.peers import kamailio
from tests.wire.peers.edge import CARRIER, EDGE, PBX, start_edge
from tests.wire.running.signalled import acknowledged, keeper
from tests.wire.sip_peer import HOST, Call, Heard, SipPeer

pytestmark = pytest.mark.skipif(not kamailio.available(), reason="kamailio is not here")


@dataclass
class Placed:
    """A call that one peer placed and the other answered. `at`: the port of its instance."""

    near: SipPeer
    far: SipPeer
    call: Call
    route: str
    invite: Heard

    @property
    def at(self) -> int:
        return int(re.search(r":(\d+)$", self.call.target)[1])

    async def hang_up(self, *, far: bool) -> None:
        """From that side, by the routes that were recorded for it."""
        peer, other = (self.far, self.near) if far else (self.near, self.far)
        if far:
            call, routes = Call.taken(self.invite), self.invite.all("Record-Route")
        else:
            call, routes = self.call, [self.route]
        peer.send(peer.request("BYE", call=call, cseq=2, Route=", ".join(routes)))
        other.reply(await other.hear("BYE", PATIENCE), 200)
        await peer.hear("200", PATIENCE)


@dataclass
class Edge:
    """All of it."""

    stacks: dict[int, Stack]
    carrier: SipPeer
    pbx: SipPeer

    async def _offer(self, near: SipPeer, far: SipPeer, user: str) -> Heard:
        """The INVITE as the other side has it. Where the edge finds no instance in time, the caller
        tries again."""
        for _ in range(4):
            near.send(near.request("INVITE", body=offer(4000), From=f"<sip:{user}@{near.host}>;tag={user}"))
            try:
                return await far.hear("INVITE", PATIENCE / 2)
            except TimeoutError:
                refused = [each for each in near.unread if each.what in {"408", "500", "503"}]
                assert refused, [each.start for each in near.heard[-5:]]
                near.unread.remove(refused[0])
                near.send(acknowledged(near, refused[0]))
        raise AssertionError("no instance took the call")

    async def place(self, near: SipPeer, far: SipPeer, user: str = "near") -> Placed:
        """A call, up."""
        invite = await self._offer(near, far, user)
        recorded = ", ".join(invite.all("Record-Route"))
        far.reply(invite, 200, body=offer(5000), Record_Route=recorded)
        answer = await near.hear("200", PATIENCE)
        assert answer.source[0] == invite.source[0] == EDGE
        placed = Placed(near, far, Call.placed(answer), ", ".join(answer.all("Record-Route")), invite)
        near.send(near.request("ACK", call=placed.call, Route=placed.route))
        await far.hear("ACK", PATIENCE)
        return placed


@contextlib.asynccontextmanager
async def edge(folder: Path) -> AsyncIterator[Edge]:
    """Three instances, a carrier and a PBX, and the edge between them."""
    carrier_side, pbx_side = free_port(), free_port()
    async with contextlib.AsyncExitStack() as opened:
        carrier, pbx = SipPeer(CARRIER), SipPeer(PBX)
        opened.callback(carrier.close)
        opened.callback(pbx.close)
        carrier.engine, pbx.engine = (EDGE, carrier_side), (EDGE, pbx_side)
        sides = {"carrier": {"host": EDGE}, "pbx": {"host": EDGE}, "general": {"drain_time": "600"}}
        stacks = []
        for number in range(3):
            (own := folder / str(number)).mkdir()
            port = {"port": str(free_port())}
            extra = {**sides, "general": {**sides["general"], **port}}
            stacks.append(
                await opened.enter_async_context(
                    running(Stack(own, carrier_side, pbx_side, pairs=60, extra=extra))
                )
            )
        sets = {
            1: [(HOST, stack.sip_port) for stack in stacks],
            2: [(CARRIER, carrier.port)],
            3: [(PBX, pbx.port)],
        }
        proxy = await start_edge(folder, carrier_side, pbx_side, sets)
        opened.push_async_callback(proxy.stop)
        try:
            yield Edge({stack.sip_port: stack for stack in stacks}, carrier, pbx)
        finally:  # what drains ends at the second signal
            for pid in [pid for stack in stacks for pid in stack.pids()["keeper"]]:
                os.kill(pid, signal.SIGTERM)


async def test_calls_are_spread_stay_where_they_are_and_leave_an_instance_that_drains_or_dies(
    tmp_path: Path,
) -> None:
    async with edge(tmp_path) as at:
        sides = (at.carrier, at.pbx)
        calls = [await at.place(*(sides if number % 2 else sides[::-1])) for number in range(16)]
        assert {each.at for each in calls} == set(at.stacks)
        for port, stack in at.stacks.items():
            held = [each for each in calls if each.at == port]
            assert len(await stack.calls_up(len(held))) == len(held)
        for number, each in enumerate(calls[6:]):
            await each.hang_up(far=bool(number % 2))

        stranger = SipPeer("127.0.0.9")
        with contextlib.closing(stranger.socket):
            stranger.engine = at.carrier.engine
            stranger.send(stranger.request("INVITE", body=offer(4000)))
            stranger.send(acknowledged(stranger, await stranger.hear("403", PATIENCE)))

        # One drains: its calls go on, and no new one meets it.
        draining = at.stacks[calls[0].at]
        os.kill(keeper(draining), signal.SIGTERM)

        async def elsewhere() -> bool:
            return (await draining.api.get("/readyz")).status_code == 503

        await until(elsewhere, "the instance to drain")
        others = [await at.place(*sides) for _ in range(8)]
        assert calls[0].at not in {each.at for each in others}

        # Another is killed: new calls meet the one that is left.
        killed = next(port for port in at.stacks if port != calls[0].at)
        permit_error("restarting")
        permit_error("media_lost")
        carrying = at.stacks[killed].pids()["b2bua"]
        permit_error("keeper_lost")
        os.kill(keeper(at.stacks[killed]), signal.SIGKILL)
        await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in carrying), "b2bua to end")
        alone = [await at.place(*sides) for _ in range(6)]
        [left] = {*at.stacks} - {calls[0].at, killed}
        assert {each.at for each in alone} == {left}
        for each in (*calls[:6], *others, *alone):
            if each.at != killed:
                await each.hang_up(far=True)

        async def over() -> bool:
            return not draining.pids()["keeper"]

        await until(over, "the instance to end, as its last call has")
