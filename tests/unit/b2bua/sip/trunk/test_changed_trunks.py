"""Trunks that come, go and change while the engine has legs of them."""

from __future__ import annotations

import pytest

from b2bua.call.routing.trunk import Trunk
from b2bua.sip.hop import Hop, Transport
from b2bua.sip.trunk.peers import TrunkTable
from b2bua.sip.trunk.targets import Located, Target

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


def test_one_that_is_gone_stays_known_while_it_is_in_use_and_begins_nothing(table: TrunkTable) -> None:
    table.change([ONE], in_use={"two"})
    assert table.peers["two"].is_retired
    for source in (at("192.0.2.2"), at("198.51.100.7")):
        assert table.is_known_source(source)  # its calls go on
        assert table.find_peer(source) is None  # and none begins
    table.change([ONE], in_use={"two"})
    assert "two" in table.peers
    table.change([ONE], in_use=set())
    assert list(table.peers) == ["one"]
    for source in (at("192.0.2.2"), at("198.51.100.7")):
        assert not table.is_known_source(source)


def test_one_that_comes_back_is_the_same_peer(table: TrunkTable) -> None:
    peer = table.peers["two"]
    table.change([ONE], in_use={"two"})
    table.change([ONE, TWO], in_use=set())
    assert table.peers["two"] is peer
    assert table.find_peer(at("192.0.2.2")) is peer


def test_one_that_changes_keeps_what_is_known_of_it(table: TrunkTable) -> None:
    peer = table.peers["one"]
    peer.pin.realm = "learnt"
    table.change([Trunk("one", "192.0.2.1", 5060, username="u", password="before", trusted=True), TWO], set())
    assert (peer.trunk.trusted, peer.pin.realm) == (True, "learnt")
    table.change([Trunk("one", "192.0.2.9", 5060, username="u", password="after"), TWO], set())
    assert table.peers["one"] is peer
    assert peer.pin.realm is None  # of other credentials nothing is known
    assert table.find_peer(at("192.0.2.1")) is peer  # until DNS has answered
    table.set_located(peer, located("192.0.2.9"))
    assert table.find_peer(at("192.0.2.9")) is peer
    assert table.find_peer(at("192.0.2.1")) is None
    assert table.is_known_source(at("192.0.2.1"))  # for the calls from before
