"""Each line of the journal once, whole, over rotations and cut ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from provider_adapters.payer import journal as journals
from provider_adapters.payer.journal import Journal
from provider_adapters.payment import Approved, Charge
from provider_adapters.reconciler.reader import JournalReader


def charge(key: str) -> Charge:
    return Charge(idempotency_key=key, transaction_id="t", amount=1, currency="EUR")


def test_lines_are_read_once_as_they_come(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    reader = JournalReader(tmp_path / "j", 0)
    assert list(reader.read()) == []
    journal.begin(charge("k-1"))
    assert [each.key for each in reader.read()] == ["k-1"]
    journal.finish(charge("k-1"), Approved(reference="r"))
    journal.begin(charge("k-2"))
    assert [(each.key, each.state) for each in reader.read()] == [("k-1", "finished"), ("k-2", "sending")]
    assert list(reader.read()) == []


def test_a_line_that_is_not_whole_yet_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "j"
    Journal(path).begin(charge("k-1"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    reader = JournalReader(path, 0)
    assert list(reader.read()) == []
    with path.open("ab") as file:
        file.write(whole[-9:])
    assert [each.key for each in reader.read()] == ["k-1"]


def test_rotations_lose_nothing_and_repeat_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "ROTATE_AT", 400)
    journal, early = Journal(tmp_path / "j"), JournalReader(tmp_path / "j", 0)
    seen = []
    for number in range(20):
        journal.begin(charge(f"k-{number}"))
        if number % 3 == 0:
            seen += [each.key for each in early.read() if each.key]
    assert len(list(tmp_path.glob("j.[0-9]*"))) > 3
    late = JournalReader(tmp_path / "j", 0)
    assert [each.key for each in late.read() if each.key] == [f"k-{number}" for number in range(20)]
    assert [each.key for each in late.read()] == []
