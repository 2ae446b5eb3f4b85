"""A transfer that joins two calls of ours, on the wire: two carriers and a PBX of the test's own,
every packet of theirs."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.canary import CANARY
from tests.stack import until
from tests.wire.handmade import Customer, MediaPair, offer
from tests.wire.paying import charged, digits_sha256
from tests.wire.scene import events, wanted
from tests.wire.signalling.country import Country, country
from tests.wire.sip_peer import HOST, Call, Heard, SipPeer

ROUTES = "in: source = north, south; to = berlin\nout: source = berlin; to = south"
BERLIN = {"max_calls": "2"}
SOUTH = {"max_calls": "1"}


@dataclass
class Two:
    """Call A of a customer (north) with an agent (berlin); call B in which he consults somebody at
    the carrier south."""

    land: Country
    customer: Customer
    agent: MediaPair
    consulted: MediaPair
    near: Call  # of A, as the customer's carrier has it
    a: Call  # of A, as the PBX has it
    b: Call  # of B, as the PBX has it
    far: Call  # of B, as the consulted one's carrier has it
    call_id: str  # of A
    other_id: str

    def refer(self, **headers: str) -> None:
        """On A, to the one whom B is with."""
        replaces = wanted(self.b).replace("@", "%40").replace(";", "%3B").replace("=", "%3D")
        to = f"<sip:555@{HOST}?Replaces={replaces}>"
        self.land.berlin.send(self.land.berlin.request("REFER", call=self.a, cseq=5, Refer_To=to, **headers))

    async def notified(self, code: int) -> None:
        heard = await self.land.berlin.hear("NOTIFY")
        self.land.berlin.reply(heard, 200)
        assert heard.body.startswith(f"SIP/2.0 {code} "), heard.text

    async def asked(self, peer: SipPeer, call: Call) -> Heard:
        """The re-INVITE that came on that leg."""
        again = await peer.hear("INVITE")
        assert again.one("Call-ID") == call.call_id
        return again

    async def agent_is_out(self) -> None:
        """Both of his legs have their BYE."""
        for _ in range(2):
            self.land.berlin.reply(await self.land.berlin.hear("BYE"), 200)
        byes = [message.one("Call-ID") for message in self.land.berlin.heard if message.what == "BYE"]
        assert set(byes) == {self.a.call_id, self.b.call_id}


@contextlib.asynccontextmanager
async def two_calls(folder: Path) -> AsyncIterator[Two]:
    async with (
        country(folder, ROUTES, berlin=BERLIN, south=SOUTH) as land,
        contextlib.AsyncExitStack() as undo,
    ):
        customer, agent, consulted = Customer(land.north), MediaPair(), MediaPair()
        for pair in (customer.media, agent, consulted):
            await pair.open()
            undo.callback(pair.close)
        land.north.send(land.north.request("INVITE", body=offer(customer.media.port)))
        invite = await land.berlin.hear("INVITE")
        land.berlin.reply(invite, 200, body=offer(agent.port, "agent"))
        answer = await land.north.hear("200")
        near, a = Call.placed(answer), Call.taken(invite)
        land.north.send(land.north.request("ACK", call=near))
        await land.berlin.hear("ACK")
        customer.far = (HOST, int(answer.body.partition("m=audio ")[2].split()[0]))
        [view] = await land.stack.calls_up()
        land.berlin.send(land.berlin.request("INVITE", body=offer(agent.port, "agent")))
        invite = await land.south.hear("INVITE")
        land.south.reply(invite, 200, tag="south", body=offer(consulted.port, "consulted"))
        b, far = Call.placed(await land.berlin.hear("200")), Call.taken(invite, "south")
        land.berlin.send(land.berlin.request("ACK", call=b))
        await land.south.hear("ACK")
        [other] = [call["id"] for call in await land.stack.calls_up(2) if call["id"] != view["id"]]
        yield Two(land, customer, agent, consulted, near, a, b, far, view["id"], other)


async def test_two_calls_are_joined_and_a_card_keyed_afterwards_reaches_nobody(tmp_path: Path) -> None:
    async with two_calls(tmp_path) as at:
        land, stack = at.land, at.land.stack
        at.refer(Referred_By="<sip:500@pbx.example>")
        await land.berlin.hear("202")
        await at.notified(100)
        again = await at.asked(land.south, at.far)
        before = next(message for message in land.south.heard if message.what == "INVITE")
        session, version = before.body.split("\r\n")[1].split(" ")[1:3]
        assert again.body.split("\r\n")[1].split(" ")[1:3] == [session, str(int(version) + 1)]
        land.south.reply(again, 200, body=offer(at.consulted.port, "consulted") + "a=ptime:20\r\n")
        await land.south.hear("ACK")
        again = await at.asked(land.north, at.near)
        land.north.reply(again, 200, body=offer(at.customer.media.port))
        await land.north.hear("ACK")
        await at.notified(200)
        await at.agent_is_out()
        [view] = await stack.calls()
        assert view["id"] == at.call_id

        heard = len(at.agent.rtp.heard)
        await at.customer.play([at.customer.speech() for _ in range(5)])
        await until(lambda: len(at.consulted.rtp.heard) >= 5, "speech at the consulted one's phone")
        port = int(again.body.partition("m=audio ")[2].split()[0])
        source = at.consulted.rtp.heard[-1][1]
        assert port == at.customer.far[1]
        at.consulted.rtp.send(at.customer.speech().serialize(), source)
        await until(lambda: at.customer.media.rtp.heard, "speech at the customer's phone")
        assert len(at.agent.rtp.heard) == heard

        await stack.start_capture(at.call_id)
        await at.customer.key(CANARY.keys)
        await stack.stage(at.call_id, "ready")
        assert (await stack.submit(at.call_id))["type"] == "approved"
        assert (await charged(stack, "order-1"))["digits_sha256"] == digits_sha256()
        assert (events(at.agent), events(at.consulted)) == (0, 0)

        assert [(await land.trunk(name))["calls"] for name in ("north", "south", "berlin")] == [1, 1, 0]
        await ladders_tell_it(at)
        land.south.send(land.south.request("BYE", call=at.far, cseq=9))
        await land.south.hear("200")
        land.north.reply(await land.north.hear("BYE"), 200)
        other, one = await until(lambda: len(stack.records()) == 2 and stack.records(), "two records")
        assert (one["call"], one["end"]) == (at.other_id, f"joined call {at.call_id}")
        assert (one["caller_trunk"], one["agent_trunk"], one["transfers"]) == ("south", "berlin", 0)
        assert (other["caller_trunk"], other["agent_trunk"], other["transfers"]) == ("north", "south", 1)
        assert await until(lambda: _places(land), "every place on a trunk given back")


async def _places(land: Country) -> bool:
    return [(await land.trunk(name))["calls"] for name in ("north", "south", "berlin")] == [0, 0, 0]


async def ladders_tell_it(at: Two) -> None:
    """The leg that moved has a column in both: up to the transfer in the one, from then on in the
    other."""
    ladder = (await at.land.stack.api.get(f"/v1/calls/{at.other_id}/ladder")).json()
    assert "leg joined another call" in [entry.get("what") for entry in ladder["entries"]]
    ladder = (await at.land.stack.api.get(f"/v1/calls/{at.call_id}/ladder")).json()
    assert "leg transferred" in [entry.get("what") for entry in ladder["entries"]]
    assert [leg["trunk"] for leg in ladder["legs"]] == ["north", "berlin", "south"]


async def test_one_who_refuses_the_new_session_stays_with_the_agent(tmp_path: Path) -> None:
    async with two_calls(tmp_path) as at:
        land = at.land
        at.refer()
        await at.notified(100)
        land.south.reply(await at.asked(land.south, at.far), 488)
        await at.notified(488)
        land.berlin.never("BYE")
        land.north.never("INVITE", "BYE")
        await both_go_on(at)


async def test_where_the_customers_carrier_refuses_the_consulted_one_gets_his_session_back(
    tmp_path: Path,
) -> None:
    async with two_calls(tmp_path) as at:
        land = at.land
        at.refer()
        await at.notified(100)
        again = await at.asked(land.south, at.far)
        land.south.reply(again, 200, body=offer(at.consulted.port, "consulted") + "a=ptime:20\r\n")
        land.north.reply(await at.asked(land.north, at.near), 488)
        await at.notified(488)
        back = await at.asked(land.south, at.far)
        land.south.reply(back, 200, body=offer(at.consulted.port, "consulted"))
        first = next(message for message in land.south.heard if message.what == "INVITE")
        port = first.body.partition("m=audio ")[2].split()[0]
        assert (
            back.body.partition("m=audio ")[2].split()[0]
            == port
            != again.body.partition("m=audio ")[2].split()[0]
        )
        await both_go_on(at)


@pytest.mark.parametrize("masked", ["a", "b"])
async def test_while_a_card_is_keyed_no_carrier_is_joined(tmp_path: Path, masked: str) -> None:
    async with two_calls(tmp_path) as at:
        await at.land.stack.start_capture(at.call_id if masked == "a" else at.other_id)
        at.refer()
        await at.land.berlin.hear("603")
        at.land.south.never("BYE")
        assert [message.what for message in at.land.south.heard].count("INVITE") == 1
        assert (await at.land.stack.call(at.call_id if masked == "a" else at.other_id))["masked"]
        await both_go_on(at)


async def both_go_on(at: Two) -> None:
    """And end each by itself."""
    land = at.land
    await at.customer.play([at.customer.speech() for _ in range(5)])
    await until(lambda: len(at.agent.rtp.heard) >= 5, "speech at the agent's phone")
    for carrier, call, here in ((land.north, at.near, at.a), (land.south, at.far, at.b)):
        carrier.send(carrier.request("BYE", call=call, cseq=9))
        await carrier.hear("200")
        bye = await land.berlin.hear("BYE")
        assert bye.one("Call-ID") == here.call_id
        land.berlin.reply(bye, 200)
