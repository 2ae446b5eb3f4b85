"""The benchmark's harness works. No figure is judged: a loaded machine would fail what is right."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmark import (
    auditing,
    capacity,
    instances,
    killing,
    leaking,
    machine,
    packets,
    playing,
    relaying,
    relays,
    rows,
    showing,
    soaking,
)
from tests.benchmark.__main__ import benchmarks
from tests.complaints import permit_error
from tests.leak.report import ALONE, OTHERS, REQUIRED, SHOWN
from tests.model.world import PROVOKED
from tests.wire.peers import kamailio


def test_the_relay_benchmark_carries_packets_and_gives_well_formed_rows(tmp_path: Path) -> None:
    plan = relaying.Plan(calls=4, rounds=1, most_rounds=1, seconds=0.5, warm_up=0.1)
    result = relaying.measure(plan, peers=False)
    (run,) = result.runs
    assert run["sent"] > 0
    assert 0 < run["received"] <= run["sent"]
    assert run["foreign"] == 0
    rows.write(result, tmp_path / "bench.json", "a test")
    written = json.loads((tmp_path / "bench.json").read_text())
    names = ["relay_cpu_us_per_packet", "relay_latency_p50_us", "relay_latency_p99_us"]
    assert [row["name"] for row in written] == names
    for row in written:
        assert list(row) == ["name", "value", "unit", "peer", "peer_value", "ratio"]
        assert row["value"] > 0
        assert (row["peer"], row["peer_value"], row["ratio"]) == (None, None, None)


def test_a_kill_of_media_loses_no_call_no_digit_and_no_record() -> None:
    for event in PROVOKED:
        permit_error(event)
    plan = killing.KillPlan(calls=6, keying=2, charging=1, kills=1, kinds=("media",))
    result = killing.measure(plan)
    [run] = result.runs
    assert [run[name] for name in ("calls", "lost", "digits", "doubles")] == [6, 0, 0, 0]
    assert (run["records"], run["complete"]) == (6, 6)
    assert run["gap_p99_ms"] > 0


@pytest.mark.skipif(not kamailio.available(), reason="kamailio is not here")
@pytest.mark.timeout(180)
def test_redis_may_be_away_under_calls_of_three_instances() -> None:
    machine.allow_many_files()
    plan = instances.InstancesPlan(calls=6, keying=1, charging=1, kinds=("redis",))
    [run] = instances.measure(plan).runs
    assert [run[name] for name in ("calls", "lost", "digits", "doubles")] == [6, 0, 0, 0]
    assert (run["records"], run["complete"]) == (6, 6)
    assert run["gap_p99_ms"] > 0


@pytest.mark.skipif(shutil.which("sipp") is None, reason="sipp (Debian: sip-tester) is not here")
@pytest.mark.timeout(180)
def test_idle_calls_are_held_twice_and_nothing_of_them_is_left(tmp_path: Path) -> None:
    machine.allow_many_files()
    run = soaking.one_run(
        soaking.SoakPlan(calls=300, rate=60, hold=10.0, hold_again=1.0, timers=0.0), tmp_path
    )
    assert run["faults"] == []
    before, up, after = run["files"]
    # RTP and RTCP on both legs. Fewer than one call's are other files, such as a module that a
    # process still read before.
    assert up > before + 4 * 299
    assert after <= before


@pytest.mark.parametrize("masked", [0, 4])
def test_a_media_process_that_gets_no_processor_for_two_seconds_loses_no_packet(masked: int) -> None:
    (relay,) = relaying.relays(peers=False)
    with packets.PacketLoad(4) as load:
        try:
            relay.start(4)
            load.send_to(relay.open_calls(load.ends))
            relay.mask(masked)
            pause = threading.Timer(0.5, os.kill, (relay.pid(), signal.SIGSTOP))
            wake = threading.Timer(2.5, os.kill, (relay.pid(), signal.SIGCONT))
            pause.start()
            wake.start()
            traffic = load.run(3.0)
        finally:
            relay.stop()
    held = 2 * masked  # what a mask waits to hear the end of
    assert traffic.latency_p99_us > 50_000, "it was stopped"
    assert traffic.sent - held <= traffic.received + traffic.foreign <= traffic.sent


def test_what_is_read_behind_the_mask_is_a_table_and_three_rows() -> None:
    result = leaking.measure(leaking.LeakPlan(presses=4, minutes=0.2))
    assert [row.name for row in result.rows] == [
        "leaked_presses",
        "false_masks_per_10_minutes",
        "false_mask_longest_ms",
    ]
    assert result.rows[0].unit == f"of {4 * len(REQUIRED)}"
    assert all(run["control"]["union"] for run in result.runs), "without a mask the decoders read them"
    pressed, spoken = result.tables
    assert pressed.row_count == len([*REQUIRED, *SHOWN, *ALONE, *OTHERS])
    assert spoken.row_count == 2


def test_a_row_compares_the_quietest_run_of_each() -> None:
    runs = [
        {"program": "ours", "disturbed": 0.2, "cost": 1.0},
        {"program": "peer", "disturbed": 0.1, "cost": 4.0},
        {"program": "ours", "disturbed": 0.0, "cost": 2.0},
        {"program": "peer", "disturbed": 0.3, "cost": 9.0},
    ]
    assert rows.compare("x", "ms", "cost", runs, "ours", "peer") == rows.Row("x", 2.0, "ms", "peer", 4.0, 0.5)


def test_without_a_peer_a_row_has_no_ratio() -> None:
    runs = [{"program": "ours", "disturbed": 0.0, "cost": 2.0}]
    assert rows.compare("x", "ms", "cost", runs, "ours", "peer") == rows.Row("x", 2.0, "ms", None, None, None)


def test_masked_calls_are_relayed_too_and_give_their_row() -> None:
    plan = relaying.Plan(calls=4, masked=2, rounds=1, most_rounds=1, seconds=0.5, warm_up=0.1)
    result = relaying.measure_masked("masked_relay_cpu_us_per_packet", plan, peers=False)
    (run,) = result.runs
    assert (run["calls"], run["masked"]) == (4, 2)
    # The mask was on: it holds packets back, and shuts the last.
    assert 0 < run["foreign"] <= run["lost"]
    assert run["sent"] * 0.9 <= run["received"] <= run["sent"]
    [row] = result.rows
    assert row.name == "masked_relay_cpu_us_per_packet"
    assert row.value


def test_masked_calls_beside_others_do_not_count_in_the_latency_of_those() -> None:
    plan = relaying.Plan(calls=4, masked=2, rounds=1, most_rounds=1, seconds=0.5, warm_up=0.1)
    result = relaying.measure_mixed(plan, peers=False)
    assert [row.name for row in result.rows] == [
        "mixed_relay_cpu_us_per_packet",
        "mixed_relay_latency_p50_us",
        "mixed_relay_latency_p99_us",
    ]
    (run,) = result.runs
    assert 0 < run["timed"] <= run["sent"] / 2
    (whole,) = relaying.measure_masked(
        "masked_relay_cpu_us_per_packet", replace(plan, masked=4), peers=False
    ).runs
    assert whole["timed"] == whole["received"]


def test_the_most_calls_are_those_of_the_last_step_that_was_carried(monkeypatch: pytest.MonkeyPatch) -> None:
    def played(relay: relays.Relay, plan: relaying.Plan) -> dict[str, object]:
        late = 9000.0 if plan.calls > {"tonewall": 300, "rtpengine": 200}[relay.name] else 50.0
        return {"latency_p99_us": late, "lost": 0, "sent": 100, "latest_send_us": 10.0}

    monkeypatch.setattr(capacity, "one_run", played)
    result = capacity.measure(capacity.CapacityPlan(steps=(100, 200, 300, 400), tries=2))
    assert result.rows == [rows.Row("calls_per_core", 300, "calls", "rtpengine", 200, 1.5)]
    assert len(result.runs) == 3 + 2 + 2 + 2  # a step that fails is tried again
    lost = {"latency_p99_us": 50.0, "lost": 1, "sent": 100}
    assert not capacity.carries(lost)


def test_every_packet_of_a_prompt_that_is_due_is_sent_and_has_its_cost() -> None:
    result = playing.measure(playing.PlayPlan(calls=8, seconds=1.0, rounds=1), say=lambda _: None)
    cost, share, missing = (row.value for row in result.rows)
    assert cost is not None
    assert share == pytest.approx(cost * 50 / 1e4, abs=0.001)
    assert missing == 0


@pytest.mark.timeout(120)
def test_each_key_of_a_number_has_its_dot_on_the_page_later() -> None:
    result = showing.measure(showing.ShowPlan(rounds=1))
    assert [row.name for row in result.rows] == ["key_to_dot_p50_ms", "key_to_dot_p99_ms"]
    [run] = result.runs
    assert len(run["delays_ms"]) == 15
    assert all(delay > 0 for delay in run["delays_ms"])


def test_what_the_audit_log_costs_is_measured_and_its_log_verifies() -> None:
    plan = auditing.AuditPlan(requests=40, rounds=1, seconds=0.5, per_minute=1200.0, burst=10)
    result = auditing.measure(plan)
    assert tuple(row.name for row in result.rows) == auditing.FIGURES
    *_, waits = result.runs
    assert len(waits["burst_ms"]) == 20
    assert all(each > 0 for each in [*waits["alone_ms"], *waits["beside_ms"]])


def test_each_benchmark_can_be_chosen_whole_and_short() -> None:
    for short in (False, True):
        chosen = benchmarks(short)
        assert {"relay", "kills", "instances"} <= chosen.keys()
        assert all(one.figures and one.runs > 0 for one in chosen.values())
