"""Trunks that come, go and change while the engine has legs of them."""

from __future__ import annotations

import pytest

from b2bua.call.routing.trunk import Trunk
from b2bua.sip.hop import Hop, Transport
from b2bua.sip.trunk.targets import Located, Target
from b2bua.sip.trunk.trunk_table import TrunkTable

ONE = Trunk("one", "192.0.2.1", 5060, username="u", password="before")
TWO = Trunk("two", "192.0.2.2", 5060, networks=("198.51.100.0/24",))


def at(host: str) -> Hop:
    return Hop(host, 5060, Transport.UDP)


def located(host: str) -> Located:
    return Located((Target(host, 5060, Transport.UDP, (host,)),), 60.0)


@pytest.fixture
def table() -> TrunkTable:
    table = TrunkTable([ONE, TWO])
    for peer in table.peers.values():
        table.set_located(peer, located(peer.trunk.host))
    return table


def change(table: TrunkTable, trunks: list[Trunk], in_use: set[str]) -> None:
    table.change(trunks)
    table.forget_retired(in_use)


def test_one_that_is_gone_stays_known_while_it_is_in_use_and_begins_nothing(table: TrunkTable) -> None:
    change(table, [ONE], {"two"})
    assert table.peers["two"].is_retired
    for source in (at("192.0.2.2"), at("198.51.100.7")):
        assert table.is_known_source(source)  # its calls go on
        assert table.find_peer(source) is None  # and none begins
    change(table, [ONE], {"two"})
    assert "two" in table.peers
    change(table, [ONE], set())
    assert list(table.peers) == ["one"]
    for source in (at("192.0.2.2"), at("198.51.100.7")):
        assert not table.is_known_source(source)


def test_one_that_was_gone_before_the_start_is_known_by_the_addresses_of_its_legs() -> None:
    table = TrunkTable([ONE], retired=[TWO])
    peer = table.peers["two"]
    assert not table.is_known_source(at("192.0.2.2"))
    table.add_former_address(peer, "192.0.2.2")
    for source in (at("192.0.2.2"), at("198.51.100.7")):
        assert table.is_known_source(source)
        assert table.find_peer(source) is None
    change(table, [ONE, TWO], set())
    assert not peer.is_retired


def test_one_that_comes_back_is_the_same_peer(table: TrunkTable) -> None:
    peer = table.peers["two"]
    change(table, [ONE], {"two"})
    change(table, [ONE, TWO], set())
    assert table.peers["two"] is peer
    assert table.find_peer(at("192.0.2.2")) is peer


def test_one_that_changes_keeps_what_is_known_of_it(table: TrunkTable) -> None:
    peer = table.peers["one"]
    peer.pin.realm = "learnt"
    change(
        table, [Trunk("one", "192.0.2.1", 5060, username="u", password="before", trusted=True), TWO], set()
    )
    assert (peer.trunk.trusted, peer.pin.realm) == (True, "learnt")
    change(table, [Trunk("one", "192.0.2.9", 5060, username="u", password="after"), TWO], set())
    assert table.peers["one"] is peer
    assert peer.pin.realm is None  # of other credentials nothing is known
    assert table.find_peer(at("192.0.2.1")) is peer  # until DNS has answered
    table.set_located(peer, located("192.0.2.9"))
    assert table.find_peer(at("192.0.2.9")) is peer
    assert table.find_peer(at("192.0.2.1")) is None
    assert table.is_known_source(at("192.0.2.1"))  # for the calls from before
