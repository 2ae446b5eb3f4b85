"""Several carriers and PBXs in one Tonewall: who a call is from, where it goes, what its numbers
become, when it is too many."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from tests.stack import until
from tests.wire.signalling.country import country
from tests.wire.sip_peer import HOST, SipPeer

NETWORK = "127.0.9.0/24"


async def test_each_call_goes_where_its_route_says_and_its_record_names_both_trunks(tmp_path: Path) -> None:
    routes = """
        blocked: caller = 0900; refuse = 603
        south: source = south; callee = 555; to = munich; callee_as = 1
        north: source = north; to = berlin
        out: source = berlin, munich; callee = 0; to = south; callee_as = 049
    """
    async with country(tmp_path, routes) as land:
        land.invite(land.south, "55512")
        invite, call = await land.answered(land.south, land.munich)
        assert invite.uri.startswith("sip:112@")
        await land.hung_up(land.south, land.munich, call)
        land.invite(land.north, "55512")
        invite, call = await land.answered(land.north, land.berlin)
        assert invite.uri.startswith("sip:55512@")
        await land.hung_up(land.north, land.berlin, call)
        land.invite(land.munich, "030777")
        invite, call = await land.answered(land.munich, land.south)
        assert invite.uri.startswith("sip:04930777@")
        await land.hung_up(land.munich, land.south, call)
        land.invite(land.south, "999")
        await land.refused(land.south, 404)
        land.invite(land.north, "55512", caller="0900123")
        await land.refused(land.north, 603)
        records = await until(lambda: len(land.stack.records()) == 5 and land.stack.records(), "five records")
        trunks = [(record["caller_trunk"], record["agent_trunk"], record["code"]) for record in records]
        assert trunks[:3] == [("south", "munich", 200), ("north", "berlin", 200), ("south", "munich", 200)]
        assert [(record[0], record[2]) for record in trunks[3:]] == [("south", 404), ("north", 603)]


async def test_numbers_are_written_as_each_trunk_wants_them(tmp_path: Path) -> None:
    keys = {"north": {"numbers": "national", "country": "49"}, "berlin": {"numbers": "e164"}}
    async with country(tmp_path, "in: callee = +4930; to = berlin\nout: to = north", **keys) as land:
        land.invite(land.north, "03055599", caller="0044207946000")
        invite, call = await land.answered(land.north, land.berlin)
        assert invite.uri.startswith("sip:+493055599@")
        assert "<sip:+44207946000@" in invite.one("From")
        await land.hung_up(land.north, land.berlin, call)
        land.invite(land.berlin, "+4989123456", caller="+493055599")
        invite, call = await land.answered(land.berlin, land.north)
        assert invite.uri.startswith("sip:089123456@")
        assert "<sip:03055599@" in invite.one("From")
        await land.hung_up(land.berlin, land.north, call)


async def test_a_pbx_that_refuses_with_503_is_followed_by_the_next_and_one_that_is_busy_is_not(
    tmp_path: Path,
) -> None:
    async with country(tmp_path, "in: to = berlin, munich") as land:
        land.invite(land.north, "100")
        land.berlin.reply(await land.berlin.hear("INVITE"), 503)
        _, call = await land.answered(land.north, land.munich)
        await land.hung_up(land.north, land.munich, call)
        land.invite(land.north, "100")
        land.berlin.reply(await land.berlin.hear("INVITE"), 486)
        await land.refused(land.north, 486)
        assert [message.what for message in land.munich.heard].count("INVITE") == 1


async def test_a_trunk_that_is_full_refuses_with_503_and_says_when_to_come_back(tmp_path: Path) -> None:
    async with country(tmp_path, "in: to = berlin", south={"max_calls": "1"}) as land:
        land.invite(land.south, "100")
        _, call = await land.answered(land.south, land.berlin)
        land.invite(land.south, "101")
        assert int((await land.refused(land.south, 503)).one("Retry-After")) > 0
        land.invite(land.north, "102")  # another trunk has room
        _, other = await land.answered(land.north, land.berlin)
        assert (await land.trunk("south"))["calls"] == 1
        assert (await land.trunk("south"))["refused"] == 1
        await land.hung_up(land.north, land.berlin, other)
        await land.hung_up(land.south, land.berlin, call)
        land.invite(land.south, "103")
        _, call = await land.answered(land.south, land.berlin)
        await land.hung_up(land.south, land.berlin, call)


async def test_a_full_pbx_is_passed_over_and_where_all_are_full_the_caller_is_told(tmp_path: Path) -> None:
    limit = {"max_calls": "1"}
    async with country(tmp_path, "in: to = berlin, munich", berlin=limit, munich=limit) as land:
        up = []
        for pbx in (land.berlin, land.munich):
            land.invite(land.north, "100")
            up.append((pbx, (await land.answered(land.north, pbx))[1]))
        land.invite(land.north, "100")
        assert int((await land.refused(land.north, 503)).one("Retry-After")) > 0
        for pbx, call in up:
            await land.hung_up(land.north, pbx, call)


async def test_more_calls_a_second_than_the_trunk_may_have_are_refused(tmp_path: Path) -> None:
    async with country(tmp_path, "in: to = berlin", north={"max_rate": "0.01"}) as land:
        land.invite(land.north, "100")
        _, call = await land.answered(land.north, land.berlin)
        land.invite(land.north, "101")
        assert int((await land.refused(land.north, 503)).one("Retry-After")) > 50
        await land.hung_up(land.north, land.berlin, call)


async def test_a_trunk_is_known_by_its_networks_and_everybody_else_is_refused_and_counted(
    tmp_path: Path,
) -> None:
    inside, outside = SipPeer("127.0.9.7"), SipPeer("127.0.8.7")
    with contextlib.closing(inside.socket), contextlib.closing(outside.socket):
        routes = "in: source = south; to = munich"
        async with country(tmp_path, routes, south={"match": NETWORK}) as land:
            inside.engine = outside.engine = (HOST, land.stack.sip_port)
            land.invite(inside, "100")
            _, call = await land.answered(inside, land.munich)
            land.invite(outside, "100")
            await outside.hear("403")
            health = (await land.stack.api.get("/healthz")).json()
            assert (health["calls"], health["strangers"]) == (1, 1)
            await land.hung_up(inside, land.munich, call)


async def test_the_trunks_say_how_they_are(tmp_path: Path) -> None:
    async with country(tmp_path, "in: to = berlin", berlin={"probe": "0.1"}) as land:
        hop = {"address": "127.0.0.5", "port": land.berlin.port, "transport": "udp"}

        async def usable() -> bool:
            berlin = await land.trunk("berlin")
            assert berlin["kind"] == "pbx"
            (shown,) = berlin["hops"]
            return shown == {**hop, "usable": True}

        assert await usable()

        async def out() -> bool:
            return not await usable()

        await until(out, "berlin taken out, since it answers no OPTIONS")
        land.invite(land.north, "100")
        assert int((await land.refused(land.north, 503)).one("Retry-After")) > 0


@pytest.mark.parametrize("code", [503, 408])
async def test_what_the_last_trunk_says_is_what_the_caller_hears(tmp_path: Path, code: int) -> None:
    async with country(tmp_path, "in: to = berlin, munich") as land:
        land.invite(land.north, "100")
        land.berlin.reply(await land.berlin.hear("INVITE"), 500)
        land.munich.reply(await land.munich.hear("INVITE"), code)
        await land.refused(land.north, code)


async def test_a_challenge_that_we_cannot_answer_is_no_business_of_the_callers(tmp_path: Path) -> None:
    async with country(tmp_path, "out: to = north") as land:
        land.invite(land.berlin, "100")
        challenge = 'Digest realm="north", nonce="n"'
        land.north.reply(await land.north.hear("INVITE"), 407, Proxy_Authenticate=challenge)
        refused = await land.refused(land.berlin, 502)
        assert refused.one("Reason") == "SIP;cause=407"
        assert "north" not in refused.text
        record = (await until(land.stack.records, "the record"))[0]
        assert (record["caller_code"], record["caller_cause"], record["agent_code"]) == (407, 21, 502)
