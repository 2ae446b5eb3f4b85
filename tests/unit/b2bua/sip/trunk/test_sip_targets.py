"""The order in which a peer's addresses are tried, and what of DNS's answers is kept."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.call.routing.trunk import Trunk
from b2bua.sip.hop import Hop, Transport
from b2bua.sip.trunk.targets import MAX_HOPS, Located, Target, limit_targets, order_hops
from b2bua.sip.trunk.trunk_table import TrunkTable

TARGETS = st.lists(
    st.builds(
        Target,
        name=st.just("sip.example"),
        port=st.integers(1, 65535),
        transport=st.sampled_from(Transport),
        addresses=st.lists(st.ip_addresses(v=4).map(str), max_size=4).map(tuple),
        rank=st.integers(0, 2),
        priority=st.integers(0, 3),
        weight=st.integers(0, 65535),
    ),
    max_size=12,
)


def target(host: str, priority: int = 0, weight: int = 0, rank: int = 0) -> Target:
    return Target(host, 5060, Transport.UDP, (host,), rank, priority, weight)


@given(TARGETS, st.randoms(use_true_random=False))
def test_every_address_is_tried_once_and_ranks_and_priorities_ascend(targets, source):
    hops = order_hops(targets, "carrier", source.random)
    ways = [(host, each.port, each.transport) for each in targets for host in each.addresses]
    assert sorted(hop[:3] for hop in hops) == sorted(set(ways))
    best = {}
    for each in targets:
        for hop in each.hops("carrier"):
            best[hop] = min(best.get(hop, (9, 9)), (each.rank, each.priority))
    assert [best[hop] for hop in hops] == sorted(best[hop] for hop in hops)


@given(TARGETS)
def test_the_best_targets_are_kept_and_never_more_hops_than_the_bound(targets):
    kept = limit_targets(targets)
    assert sum(len(each.addresses) for each in kept) <= MAX_HOPS
    assert all(each.addresses for each in kept)
    wanted = sum(len(each.addresses) for each in targets)
    assert sum(len(each.addresses) for each in kept) == min(wanted, MAX_HOPS)


def test_weights_share_the_first_place():
    source = random.Random(7)
    targets = [target("192.0.2.1", weight=70), target("192.0.2.2", weight=20), target("192.0.2.3", weight=10)]
    first = Counter(order_hops(targets, "", source.random)[0].host for _ in range(10_000))
    assert first["192.0.2.1"] == pytest.approx(7000, abs=200)
    assert first["192.0.2.2"] == pytest.approx(2000, abs=200)
    assert first["192.0.2.3"] == pytest.approx(1000, abs=200)


def test_weight_zero_is_hardly_ever_first_beside_a_weight_and_shares_evenly_beside_zeros():
    source = random.Random(8)
    beside = [target("192.0.2.1", weight=10), target("192.0.2.2")]
    assert sum(order_hops(beside, "", source.random)[0].host == "192.0.2.2" for _ in range(10_000)) < 50
    alone = [target("192.0.2.1"), target("192.0.2.2")]
    assert sum(
        order_hops(alone, "", source.random)[0].host == "192.0.2.2" for _ in range(10_000)
    ) == pytest.approx(5000, abs=300)


@pytest.mark.parametrize("draw", [0.0, 0.5, 0.999999999999999999])
def test_the_ends_of_the_random_range_find_a_target(draw):
    targets = [target("192.0.2.1", weight=65535), target("192.0.2.2", weight=1)]
    assert len(order_hops(targets, "", lambda: draw)) == 2


# --- who a source is ------------------------------------------------------------------------------


def located(*targets: Target) -> Located:
    return Located(targets, 60.0)


def test_a_source_is_the_trunk_that_any_of_its_targets_or_its_network_has():
    table = TrunkTable([
        Trunk("carrier", "carrier.example", 0, networks=("198.51.100.0/24",)),
        Trunk("branch", "branch.example", 0, networks=("198.51.100.128/25", "2001:db8::/32")),
    ])  # fmt: skip
    carrier, branch = table.peers["carrier"], table.peers["branch"]
    table.set_located(carrier, located(target("192.0.2.1"), target("192.0.2.2", priority=9)))
    assert table.find_peer(Hop("192.0.2.2", 40000)) is carrier
    assert table.find_peer(Hop("198.51.100.7", 40000)) is carrier
    assert table.find_peer(Hop("198.51.100.200", 40000)) is branch  # the narrower network
    assert table.find_peer(Hop("2001:db8::5", 5060)) is branch
    assert table.find_peer(Hop("192.0.2.3", 5060)) is None
    assert not table.peers_at("192.0.2.3")
    assert not table.peers_at("")


def test_trunks_at_one_address_are_distinguished_by_port():
    table = TrunkTable([Trunk("carrier", "192.0.2.1", 5060), Trunk("pbx", "192.0.2.1", 5070)])
    table.set_located(table.peers["carrier"], located(target("192.0.2.1")))
    table.set_located(table.peers["pbx"], located(Target("192.0.2.1", 5070, Transport.UDP, ("192.0.2.1",))))
    assert table.find_peer(Hop("192.0.2.1", 5070)) is table.peers["pbx"]
    assert table.find_peer(Hop("192.0.2.1", 5060)) is table.peers["carrier"]
    assert table.find_peer(Hop("192.0.2.1", 5080)) is None


def test_only_what_comes_over_tls_is_of_a_trunk_with_tls():
    over_tls, over_udp = Hop("10.0.0.5", 5061, Transport.TLS), Hop("10.0.0.5", 5061, Transport.UDP)
    table = TrunkTable([
        Trunk("secure", "", 0, transport="tls", networks=("10.0.0.0/24",)),
        Trunk("plain", "", 0, transport="udp", networks=("10.0.0.0/8",)),
    ])  # fmt: skip
    assert table.find_peer(over_tls) is table.peers["secure"]
    assert table.find_peer(over_udp) is table.peers["plain"]


def test_also_where_port_or_user_are_those_of_a_trunk_with_tls_at_the_same_address():
    table = TrunkTable([
        Trunk("secure", "192.0.2.1", 5061, transport="tls", register=True, user="4911"),
        Trunk("plain", "192.0.2.1", 5060, transport="udp"),
    ])  # fmt: skip
    for name, port, transport in (("secure", 5061, Transport.TLS), ("plain", 5060, Transport.UDP)):
        table.set_located(table.peers[name], located(Target("192.0.2.1", port, transport, ("192.0.2.1",))))
    for user in ("", "4911"):
        assert table.find_peer(Hop("192.0.2.1", 5061, Transport.UDP), user) is table.peers["plain"]
        assert table.find_peer(Hop("192.0.2.1", 5061, Transport.TLS), user) is table.peers["secure"]


def test_an_address_that_dns_took_away_is_still_read_but_opens_nothing():
    table = TrunkTable([Trunk("carrier", "carrier.example", 0)])
    peer = table.peers["carrier"]
    table.set_located(peer, located(target("192.0.2.1")))
    table.set_located(peer, located(target("192.0.2.2")))
    assert table.peers_at("192.0.2.1")  # a BYE may come from there
    assert table.find_peer(Hop("192.0.2.1", 5060)) is None
    for number in range(300):
        table.set_located(peer, located(target(f"198.51.100.{number % 250}")))
    assert len(peer.former_addresses) <= 64


def test_a_uri_of_the_trunk_s_own_names_and_addresses_is_found_and_no_other_is():
    table = TrunkTable([Trunk("carrier", "carrier.example", 0)])
    peer = table.peers["carrier"]
    table.set_located(peer, located(Target("a.carrier.example", 5066, Transport.UDP, ("192.0.2.1",))))
    assert peer.find_hop("sip:x@A.Carrier.example") == Hop("192.0.2.1", 5066, trunk="carrier")
    assert peer.find_hop("sip:x@carrier.example:5070")[:2] == ("192.0.2.1", 5070)
    assert peer.find_hop("sip:x@192.0.2.1") == Hop("192.0.2.1", 5060, trunk="carrier")
    assert peer.find_hop("sip:x@192.0.2.1;transport=tcp").transport is Transport.TCP
    for other in (
        "sip:x@192.0.2.9",
        "sip:x@other.example",
        "tel:+1",
        "sip:x@192.0.2.1:99999",
        "nonsense",
        "",
    ):
        assert peer.find_hop(other) is None
    fallback = Hop("192.0.2.1", 5066)
    assert peer.next_hop("sip:x@other.example", fallback) is fallback
    assert peer.next_hop("sip:x@203.0.113.5:5099", fallback)[:2] == ("203.0.113.5", 5099)


def test_trunks_at_one_address_are_distinguished_by_the_user_that_we_registered_as():
    table = TrunkTable(
        [
            Trunk(name, "192.0.2.1", 5060, register=True, user=user)
            for name, user in (("one", "4911"), ("two", "4922"))
        ]
    )
    for peer in table.peers.values():
        table.set_located(peer, located(target("192.0.2.1")))
    assert table.find_peer(Hop("192.0.2.1", 5060), "4922") is table.peers["two"]
    assert table.find_peer(Hop("192.0.2.1", 5060), "4911") is table.peers["one"]
