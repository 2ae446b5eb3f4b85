"""When a provider is passed by, and when it is tried again."""

from __future__ import annotations

from pathlib import Path

import pytest

from provider_adapters.payer.circuits import Circuit, Circuits, CircuitState
from provider_adapters.payment import Approved, Declined, Failed, Outcome, Unknown

PAUSE, LIMIT = 30.0, 3
DOWN = Failed(reason="no_connection")


@pytest.fixture
def circuits(tmp_path: Path) -> Circuits:
    return Circuits(tmp_path / "circuits")


def test_faults_in_a_row_open_it_and_one_charge_tries_it_after_the_pause(circuits: Circuits) -> None:
    for _ in range(LIMIT):
        assert circuits.admit("a", 0.0, PAUSE) is CircuitState.CLOSED
        circuits.record("a", DOWN, 0.0, LIMIT)
    assert circuits.admit("a", PAUSE - 1, PAUSE) is CircuitState.OPEN
    assert circuits.admit("b", PAUSE - 1, PAUSE) is CircuitState.CLOSED
    assert circuits.admit("a", PAUSE, PAUSE) is CircuitState.HALF_OPEN
    assert circuits.admit("a", PAUSE, PAUSE) is CircuitState.OPEN, "one at a time tries"
    circuits.record("a", DOWN, PAUSE + 5, LIMIT)
    assert circuits.admit("a", 2 * PAUSE, PAUSE) is CircuitState.OPEN, "one fault opens it again"
    assert circuits.admit("a", 2 * PAUSE + 5, PAUSE) is CircuitState.HALF_OPEN
    circuits.record("a", Approved(reference="r"), 2 * PAUSE + 6, LIMIT)
    assert circuits.admit("a", 2 * PAUSE + 6, PAUSE) is CircuitState.CLOSED


def test_a_charge_that_tries_it_and_dies_leaves_it_to_the_next_after_another_pause(
    circuits: Circuits,
) -> None:
    circuits.record("a", DOWN, 0.0, 1)
    assert circuits.admit("a", PAUSE, PAUSE) is CircuitState.HALF_OPEN
    assert circuits.admit("a", 2 * PAUSE, PAUSE) is CircuitState.HALF_OPEN


@pytest.mark.parametrize(
    ("outcome", "is_fault"),
    [
        (Approved(reference="r"), False),
        (Declined(reason="declined"), False),
        (Failed(reason="amount_not_allowed"), False),
        (Failed(reason="request_refused"), False),
        (Failed(reason="key_refused"), True),
        (DOWN, True),
        (Unknown(reason="no_answer_in_time"), True),
        (Unknown(reason="amount_differs"), False),
    ],
    ids=lambda each: getattr(each, "reason", type(each).__name__),
)
def test_what_the_provider_decides_is_no_fault(outcome: Outcome, is_fault: bool) -> None:
    after = Circuit(failures=2).record(outcome, 0.0, 3)
    assert (after.opened_at is not None) is is_fault


def test_a_limit_of_zero_never_opens(circuits: Circuits) -> None:
    for _ in range(100):
        circuits.record("a", DOWN, 0.0, 0)
    assert circuits.admit("a", 0.0, PAUSE) is CircuitState.CLOSED


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"a": 1}', b"[]"])
def test_a_file_that_cannot_be_understood_closes_every_circuit(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "circuits").write_bytes(content)
    circuits = Circuits(tmp_path / "circuits")
    assert circuits.admit("a", 0.0, PAUSE) is CircuitState.CLOSED
    circuits.record("a", DOWN, 0.0, 1)
    assert circuits.states(1.0, {"a": PAUSE, "b": PAUSE}) == {
        "a": CircuitState.OPEN,
        "b": CircuitState.CLOSED,
    }


def test_a_file_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    circuits = Circuits(tmp_path / "nowhere" / "circuits")
    circuits.record("a", DOWN, 0.0, 1)
    assert circuits.admit("a", 1.0, PAUSE) is CircuitState.CLOSED
