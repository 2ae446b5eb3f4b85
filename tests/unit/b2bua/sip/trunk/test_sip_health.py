"""When a hop takes calls: what OPTIONS and calls tell of it, in any order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from b2bua.call.routing.trunk import Trunk
from b2bua.sip.hop import Transport
from b2bua.sip.trunk.health import (
    FAILURES,
    MAX_REST,
    SUCCESSES,
    TRANSITIONS,
    Health,
    HealthEvent,
    HealthState,
)
from b2bua.sip.trunk.peers import DEFAULT_REST
from b2bua.sip.trunk.targets import Located, Target
from b2bua.sip.trunk.trunk_table import TrunkTable


def test_failures_in_a_row_take_a_hop_out_and_answers_in_a_row_put_it_back():
    health = Health()
    for _ in range(FAILURES - 1):
        health.record_failure()
        assert health.usable
    health.record_failure()
    assert health.state is HealthState.OUT
    for _ in range(SUCCESSES - 1):
        health.record_success()
        assert not health.usable
    health.record_success()
    assert health.state is HealthState.UP


def test_an_answer_between_failures_keeps_a_hop_in_and_a_failure_between_answers_keeps_it_out():
    health = Health()
    for _ in range(5):
        health.record_failure()
        health.record_success()
    assert health.state is HealthState.UP
    for _ in range(FAILURES):
        health.record_failure()
    for _ in range(5):
        health.record_success()
        health.record_failure()
    assert health.state is HealthState.OUT


def test_a_rest_lasts_as_long_as_was_asked_whatever_is_heard_meanwhile():
    health = Health()
    health.start_rest(now=100.0, seconds=30)
    for _ in range(5):
        health.record_success()
    health.expire(129.9)
    assert not health.usable
    health.expire(130.0)
    assert health.state is HealthState.UP


def test_nobody_can_send_a_hop_to_rest_for_ever():
    health = Health()
    health.start_rest(now=0.0, seconds=1e9)
    health.expire(MAX_REST)
    assert health.usable


@given(st.lists(st.sampled_from(["record_success", "record_failure", "rest", "expire"]), max_size=60))
def test_after_any_history_enough_answers_put_a_hop_back(history):
    health, now = Health(), 0.0
    for what in history:
        now += 1.0
        match what:
            case "rest":
                health.start_rest(now, 5.0)
            case "expire":
                health.expire(now)
            case _:
                getattr(health, what)()
        assert health.state in TRANSITIONS
    health.expire(now + 5.0)
    for _ in range(SUCCESSES):
        health.record_success()
    assert health.state is HealthState.UP


def test_every_state_but_resting_hears_every_event_but_the_end_of_a_rest():
    for state, row in TRANSITIONS.items():
        if state is not HealthState.RESTING:
            assert set(row) == set(HealthEvent) - {HealthEvent.RESTED}


# --- in a trunk -----------------------------------------------------------------------------------


def trunk(probe: float, *addresses: str):
    table = TrunkTable([Trunk("carrier", "carrier.example", 0, probe=probe)])
    targets = tuple(Target(ip, 5060, Transport.UDP, (ip,)) for ip in addresses)
    table.set_located(table.peers["carrier"], Located(targets, 60.0))
    return table, table.peers["carrier"]


def test_a_hop_that_failed_is_spared_for_a_while_where_nothing_probes_it():
    table, peer = trunk(0.0, "192.0.2.1", "192.0.2.2")
    first, second = peer.hops(0.0, lambda: 0.0)
    peer.record_failure(first, 0.0)
    assert peer.hops(1.0) == [second]
    assert table.counters(1.0) == {"hops": 2, "hops_out": 1}
    assert set(peer.hops(DEFAULT_REST)) == {first, second}


def test_the_only_hop_is_not_given_up_for_one_call_that_failed():
    _, peer = trunk(0.0, "192.0.2.1")
    (only,) = peer.hops(0.0)
    for _ in range(5):
        peer.record_failure(only, 0.0)
    assert peer.hops(0.0) == [only]


def test_a_trunk_whose_hops_all_rest_says_when_the_first_is_back():
    _, peer = trunk(0.0, "192.0.2.1", "192.0.2.2")
    first, second = peer.hops(0.0)
    peer.start_rest(first, 0.0, 20.0)
    peer.start_rest(second, 0.0, 600.0)
    assert peer.hops(1.0) == []
    assert peer.retry_after(1.0) == 19
    assert peer.retry_after(19.9) == 5  # never at once


def test_a_hop_keeps_its_health_when_dns_answers_again_and_loses_it_with_its_place():
    table, peer = trunk(10.0, "192.0.2.1", "192.0.2.2")
    first, second = peer.hops(0.0, lambda: 0.0)
    for _ in range(FAILURES):
        peer.record_failure(first, 0.0)
    table.set_located(peer, peer.located)
    assert peer.hops(1.0) == [second]
    table.set_located(peer, Located(tuple(t for t in peer.located.targets if t.name != first.host), 60.0))
    assert first not in peer.health
    assert not peer.usable(first, 1.0)
    peer.record_failure(first, 1.0)  # of a call that was still on its way there
