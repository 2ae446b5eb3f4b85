"""The simulation of many calls follows its costs and the product's own figures, and docs/scale.md
has what it gives."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from pathlib import Path

import pytest

from b2bua.shared import instances
from tests.benchmark import scaling
from tests.benchmark.scale_plot import PAGE, PLOT, draw, page
from tests.benchmark.scaling import EDGE_PROCESSES, PLANNED_CALLS, Costs, simulate

ROOT = Path(__file__).parents[2]
NOTHING = Costs(*(0.0 for _ in fields(Costs)))


def test_plot_and_tables_are_what_the_costs_give() -> None:
    assert PLOT.read_text() == draw(), "run `make scale`"
    assert PAGE.read_text() == page(PAGE.read_text()), "run `make scale`"


def test_costs_are_those_of_the_benchmarks() -> None:
    figures = (ROOT / "docs" / "benchmarks.md").read_text()
    costs = Costs()
    assert f"`mixed_relay_cpu_us_per_packet`, one call in ten masked | {costs.packet:.2f} µs" in figures
    assert f"`b2bua_cpu_ms_per_call_at_20` | {costs.call / 1000:.2f} ms" in figures
    assert f"`kept_call_cpu_us`: a call costs so much more | {costs.kept_call:.0f} µs" in figures


def test_times_and_processes_are_those_of_the_product() -> None:
    assert (scaling._BEAT, scaling._GATHER) == (instances._BEAT, instances._GATHER)
    found = re.search(r"(?m)^children=(\d+)$", (ROOT / "deploy" / "edge" / "kamailio.cfg").read_text())
    assert found is not None
    assert int(found[1]) == EDGE_PROCESSES
    planned = (ROOT / "docs" / "sizes.md").read_text()
    assert f"a core for every {PLANNED_CALLS:,} calls" in planned


def test_each_part_follows_its_own_costs() -> None:
    nothing = simulate(2000, costs=NOTHING)
    assert set(nothing.shares.values()) == {0.0}
    for name, part in (
        ("packet", "media"), ("call", "signalling"), ("instance_message", "signalling"),
        ("redis_beat", "Redis"), ("edge_pass", "edge"),
    ):  # fmt: skip
        once = simulate(2000, costs=replace(NOTHING, **{name: 10.0})).shares
        twice = simulate(2000, costs=replace(NOTHING, **{name: 20.0})).shares
        assert once[part] > 0
        assert twice[part] == pytest.approx(2 * once[part])
        assert [other for other, share in once.items() if share and other != part] == []


def test_calls_begin_at_the_rate_that_keeps_their_number() -> None:
    costs = replace(NOTHING, edge_pass=1e6)  # a second for each pass, two for a call
    assert simulate(18_000, 180.0, costs=costs).edge / 2 == pytest.approx(100, rel=0.1)
    assert simulate(18_000, 60.0, costs=costs).edge / 2 == pytest.approx(300, rel=0.1)


def test_an_instance_writes_each_second_and_after_changes_no_more_than_it_gathers() -> None:
    idle = simulate(4000, talk=1e9)
    assert idle.beats == pytest.approx(idle.instances, rel=0.1)
    busy = simulate(1000, talk=0.5)
    assert busy.beats / busy.instances == pytest.approx(1 / scaling._GATHER, rel=0.1)


def test_redis_grows_with_the_square_of_the_instances_and_what_is_full_has_a_queue() -> None:
    few, many = simulate(50_000), simulate(100_000)
    assert 3 < many.redis / few.redis < 4.5
    assert many.beat_wait < 0.1
    assert simulate(200_000).beat_wait > 1
