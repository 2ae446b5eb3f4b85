"""A trunk of several hops, found by DNS: which of them a call goes to, and where it goes when one
fails."""

from __future__ import annotations

from collections import Counter

import pytest

from b2bua.call.leg import LegAnswered, LegFailed, LegInvited, Party
from b2bua.call.leg_command import HangUpLeg, InviteLeg, RejectLeg
from b2bua.call.routing.trunk import Trunk
from b2bua.sip.endpoint import SipEngine
from b2bua.sip.hop import Bind, Transport
from b2bua.sip.transaction.transaction import Timers
from tests.wire.peers import dnsmasq
from tests.wire.peers.dnsmasq import ADDRESS, srv
from tests.wire.signalling.several_hops import ANSWER, OFFER, Stage, staged
from tests.wire.sip_bridge import HOST, QUICK, until
from tests.wire.sip_peer import SipPeer

pytestmark = pytest.mark.skipif(not dnsmasq.available(), reason="dnsmasq is not here")


@pytest.fixture
async def stage():
    async with staged() as made:
        yield made


def nothing_for(peer: SipPeer) -> None:
    """Nothing more has come to this peer."""
    with pytest.raises(BlockingIOError):
        peer.socket.recv(65536)


# --- failover -------------------------------------------------------------------------------------


async def test_after_a_503_the_next_hop_gets_the_call_as_a_new_transaction_of_the_same_leg(stage):
    first, second = stage.hops
    stage.call()
    invite = await first.hear("INVITE")
    first.reply(invite, 503)
    await first.hear("ACK")
    again = await stage.answered(second)
    assert again.one("Call-ID") == invite.one("Call-ID")
    assert again.tag("From") == invite.tag("From")
    assert again.branch != invite.branch
    assert (invite.one("CSeq"), again.one("CSeq")) == ("1 INVITE", "2 INVITE")
    assert again.body == invite.body
    assert stage.out() == 0  # a 503 without Retry-After is about that call only


async def test_a_hop_that_says_nothing_is_left_before_the_caller_gives_up(stage):
    first, second = stage.hops
    stage.call()
    await first.hear("INVITE")
    await stage.answered(second)
    assert stage.bridge.engine.counters()["failovers"] == 1
    assert stage.out() == 1  # it is spared for a while
    stage.call()
    await stage.answered(second)
    assert [message.what for message in first.heard] == ["INVITE"]


async def test_a_hop_that_rings_is_waited_for_however_long(stage):
    first, second = stage.hops
    stage.call()
    invite = await first.hear("INVITE")
    first.reply(invite, 100, tag="")
    first.reply(invite, 180)
    await stage.carrier.hear("180")
    await first.repeated(invite, 1)
    for _ in range(3):
        first.reply(invite, 180)
    first.reply(invite, 200, body=ANSWER)
    await stage.carrier.hear("200")
    nothing_for(second)


@pytest.mark.parametrize("trying", [False, True])
async def test_a_hop_that_says_that_nobody_answered_it_is_left(stage, trying):
    first, second = stage.hops
    stage.call()
    invite = await first.hear("INVITE")
    if trying:
        first.reply(invite, 100, tag="")
    first.reply(invite, 408)
    await first.hear("ACK")
    await stage.answered(second)
    assert stage.bridge.engine.counters()["failovers"] == 1
    assert stage.bridge.kinds(LegFailed) == []


async def test_a_408_after_ringing_is_the_far_end_s_own_answer(stage):
    first, second = stage.hops
    stage.call()
    invite = await first.hear("INVITE")
    first.reply(invite, 180)
    await stage.carrier.hear("180")
    first.reply(invite, 408)
    await stage.refused("408")
    nothing_for(second)


@pytest.mark.parametrize("code", [404, 486, 500, 504, 603])
async def test_other_codes_are_the_far_end_s_own_answer(stage, code):
    first, second = stage.hops
    stage.call()
    first.reply(await first.hear("INVITE"), code)
    await stage.refused(str(code))
    nothing_for(second)


async def test_each_hop_is_tried_once(stage):
    stage.call()
    for peer in stage.hops:
        peer.reply(await peer.hear("INVITE"), 503)
    await stage.refused("503")
    assert [[message.what for message in peer.heard].count("INVITE") for peer in stage.hops] == [1, 1]
    failed = [event for event in stage.bridge.kinds(LegFailed) if event.code == 503]
    assert failed[0].retry_after == 0


async def test_a_late_2xx_of_a_hop_that_was_left_is_acknowledged_and_hung_up_once(stage):
    first, second = stage.hops
    stage.call()
    left = await first.hear("INVITE")
    await stage.answered(second)
    first.reply(left, 200, tag="late", body=ANSWER)
    ack, bye = await first.hear("ACK"), await first.hear("BYE")
    assert (ack.one("CSeq"), bye.one("CSeq")) == ("1 ACK", "2 BYE")
    assert ack.tag("To") == bye.tag("To") == "late"
    first.reply(left, 200, tag="late", body=ANSWER)
    first.reply(bye, 200)
    await until(lambda: stage.bridge.engine.counters()["received"] >= 5)
    assert [message.what for message in first.heard].count("BYE") == 1
    assert len(stage.bridge.kinds(LegAnswered)) == 1
    nothing_for(second)


async def test_a_late_180_of_a_hop_that_was_left_is_cancelled(stage):
    first, second = stage.hops
    stage.call()
    left = await first.hear("INVITE")
    await stage.answered(second)
    first.reply(left, 180, tag="late")
    cancel = await first.hear("CANCEL")
    assert cancel.branch == left.branch
    first.reply(cancel, 200)
    first.reply(left, 487, tag="late")
    await first.hear("ACK")


async def test_who_hangs_up_is_not_called_anew(stage):
    first, second = stage.hops
    stage.call()
    invite = await first.hear("INVITE")
    first.reply(invite, 180)
    await stage.carrier.hear("180")
    leg = next(leg for leg, event in stage.bridge.seen if isinstance(event, LegInvited))
    stage.bridge.engine.execute_command(stage.bridge.other[leg], HangUpLeg())
    first.reply(await first.hear("CANCEL"), 200)
    first.reply(invite, 503)
    await first.hear("ACK")
    nothing_for(second)


# --- weights --------------------------------------------------------------------------------------


async def test_calls_are_spread_by_weight():
    async with staged(timers=Timers()) as stage:
        first, second = stage.hops
        await stage.names.serve(ADDRESS, srv(first, 1, 75), srv(second, 1, 25))
        peer = stage.bridge.engine._trunks.peers["pbx"]
        # DNS is asked again by itself.
        await until(lambda: [each.weight for each in peer.located.targets] == [75, 25])
        for _ in range(80):
            stage.call()
        seen: Counter[int] = Counter()
        await until(lambda: stage.bridge.engine.counters().get("legs_out", 0) == 80)
        while sum(seen.values()) < 80:
            for peer in stage.hops:
                try:
                    peer.reply(await peer.hear("INVITE", 0.2), 486)
                except TimeoutError:
                    continue
                seen[peer.port] += 1
        # Of 80 draws at 3/4, fewer than 44 or more than 74 come once in some 10,000 runs.
        assert 44 <= seen[first.port] <= 74


# --- health ---------------------------------------------------------------------------------------


async def serve_options(peer: SipPeer, code: int, times: int, **headers: str) -> None:
    for _ in range(times):
        peer.reply(await peer.hear("OPTIONS"), code, **headers)


async def test_options_take_a_silent_hop_out_and_put_it_back_when_it_answers():
    async with staged(probe=0.1) as stage:
        first, second = stage.hops
        await until_answering(stage, second, lambda: stage.out() == 1)
        stage.call()
        second.reply(await second.hear("INVITE"), 200, body=ANSWER)
        await stage.carrier.hear("200")
        first.unread.clear()
        await until_answering(stage, first, lambda: stage.out() == 0, also=second)
        stage.call()
        await first.hear("INVITE")
        assert [message.what for message in first.heard].count("INVITE") == 1


async def until_answering(stage: Stage, peer: SipPeer, condition, also: SipPeer | None = None) -> None:
    """Answer OPTIONS at these until the condition holds."""
    for _ in range(200):
        for each in (peer, *([also] if also else [])):
            try:
                # 405 shows life as 200 does.
                each.reply(await each.hear("OPTIONS", 0.1), 405)
            except TimeoutError:
                continue
        if condition():
            return
    raise AssertionError("the condition never came")


async def test_options_answered_with_503_are_failures():
    async with staged(probe=0.05) as stage:
        first, second = stage.hops
        await serve_options(first, 503, 2)
        await serve_options(second, 408, 2)
        await until(lambda: stage.out() == 2)


async def test_retry_after_is_honoured_and_where_all_hops_rest_the_caller_hears_when_to_come_back(stage):
    first, second = stage.hops
    stage.call()
    first.reply(await first.hear("INVITE"), 503, Retry_After="120 (maintenance);duration=60")
    second.reply(await second.hear("INVITE"), 503, Retry_After="60")
    await stage.refused("503")
    assert stage.out() == 2
    stage.call()
    refused = await stage.refused("503")
    # Without health checks a hop may be tried again after 30 s, but these said when: the first
    # after 60 s.
    assert 20 <= int(refused.one("Retry-After")) <= 60
    assert [[message.what for message in peer.heard].count("INVITE") for peer in stage.hops] == [1, 1]


# --- DNS ------------------------------------------------------------------------------------------


async def test_new_records_are_used_without_a_restart_and_old_ones_kept_while_dns_is_down(stage):
    first, second = stage.hops
    await stage.names.serve(ADDRESS, srv(second, 1))
    table = stage.bridge.engine._trunks.peers["pbx"]
    await until(lambda: [target.port for target in table.located.targets] == [second.port])
    await stage.names.stop()
    stage.call()
    await stage.answered(second)
    nothing_for(first)
    assert table.located.targets != ()


async def test_requests_come_from_any_hop_and_from_nowhere_else(stage):
    _, second = stage.hops
    second.send(second.request("INVITE", body=OFFER))
    await stage.carrier.hear("INVITE")
    stranger = SipPeer()
    stranger.engine = stage.bridge.engine.address
    stranger.send(stranger.request("INVITE", body=OFFER))
    await stranger.hear("403")
    stranger.close()


# --- 3xx ------------------------------------------------------------------------------------------


async def test_a_redirection_is_relayed_with_users_only_and_our_own_address(stage):
    first, second = stage.hops
    stage.call()
    first.reply(
        await first.hear("INVITE"),
        302,
        Contact="<sip:low@10.9.8.7:5099>;q=0.1, <sip:high@inside.example>;q=0.9",
    )
    refused = await stage.refused("302")
    ours = f"{HOST}:{stage.bridge.port}"
    assert refused.all("Contact") == [f"<sip:high@{ours}>", f"<sip:low@{ours}>"]
    assert "10.9.8.7" not in refused.text
    assert "inside.example" not in refused.text
    nothing_for(second)


async def test_a_redirection_is_followed_by_q_and_through_the_trunk_s_own_hops_only():
    async with staged(follow=True) as stage:
        first, second = stage.hops
        stranger = SipPeer()
        stage.call()
        one, two = f"<sip:one@{HOST}:{second.port}>", f"<sip:two@192.0.2.55:{stranger.port}>"
        contact = f"{one};q=0.5, {two};q=0.9, {one}"
        first.reply(await first.hear("INVITE"), 302, Contact=contact)
        # The best is at a strange address: called through the trunk's first hop. `one` without q is
        # as good as 1.
        named = await second.hear("INVITE")
        assert named.uri == f"sip:one@{HOST}:{second.port}"
        second.reply(named, 404)
        foreign = await first.hear("INVITE")
        assert foreign.uri == "sip:two@pbx.test"
        assert foreign.one("CSeq") == "3 INVITE"
        first.reply(foreign, 200, body=ANSWER)
        await stage.carrier.hear("200")
        stranger.close()


async def test_redirections_without_end_are_tried_five_times_and_not_twice_the_same():
    async with staged(follow=True) as stage:
        first, _ = stage.hops
        stage.call()
        uris = []
        for number in range(6):
            invite = await first.hear("INVITE")
            uris.append(invite.uri)
            first.reply(
                invite, 302, Contact=f"<sip:bob{number}@pbx.test>, <sip:bob@pbx.test>, <sip:bob0@pbx.test>"
            )
            await first.hear("ACK")
        await stage.refused("302")
        assert len(set(uris)) == 6


# --- loops ----------------------------------------------------------------------------------------


async def test_an_invite_of_ours_that_comes_back_is_refused_with_482(stage):
    first, _ = stage.hops
    stage.call()
    invite = await first.hear("INVITE")
    via = f"Via: SIP/2.0/UDP {HOST}:{first.port};branch=z9hG4bKproxy;rport\r\n"
    head, _, rest = invite.text.partition("\r\n")
    first.send(f"{head}\r\n{via}{rest}")
    await first.hear("482")
    assert stage.bridge.engine.counters()["loops"] == 1
    assert len(stage.bridge.kinds(LegInvited)) == 1


async def test_two_that_send_each_call_to_each_other_end_it_by_483_with_as_many_legs_as_hops():
    hops = 12
    engines: list[SipEngine] = []
    seen: list[tuple[int, object]] = []
    legs: dict[tuple[int, str], str] = {}
    highest = 0

    def bounce(number: int):
        def on_event(leg, event) -> None:
            nonlocal highest
            seen.append((number, event))
            highest = max(highest, sum(engine.open_legs for engine in engines))
            engine = engines[number]
            if isinstance(event, LegInvited):
                far = engine.new_leg()
                legs[number, far] = leg
                engine.execute_command(
                    far, InviteLeg("other", event.caller, event.callee, event.offer, event.max_forwards - 1)
                )
            elif isinstance(event, LegFailed) and (number, leg) in legs:
                engine.execute_command(legs[number, leg], RejectLeg(event.code, event.phrase))

        return on_event

    ports = [SipPeer(), SipPeer()]
    numbers = [peer.port for peer in ports]
    for peer in ports:
        peer.close()
    for number in range(2):
        trunk = Trunk("other", HOST, numbers[1 - number])
        bind = Bind(Transport.UDP, HOST, numbers[number])
        engines.append(SipEngine(binds=[bind], trunks=[trunk], on_event=bounce(number), timers=QUICK))
        await engines[number].start()
    try:
        first = engines[0].new_leg()
        engines[0].execute_command(
            first, InviteLeg("other", Party("ann"), Party("bob"), OFFER.encode(), hops)
        )
        await until(
            lambda: any(
                isinstance(event, LegFailed) and (number, first) not in legs for number, event in seen
            )
        )
        await until(lambda: sum(engine.open_legs for engine in engines) == 0)
        assert {event.code for _, event in seen if isinstance(event, LegFailed)} == {483}
        assert sum(isinstance(event, LegInvited) for _, event in seen) == hops
        assert highest <= 2 * hops + 1
    finally:
        for engine in engines:
            await engine.stop(0.05)
