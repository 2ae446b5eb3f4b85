"""What may have been sent is on disk before it is, and is never sent again."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from provider_adapters.payer import journal as journals
from provider_adapters.payer import line_search
from provider_adapters.payer.journal import Journal
from provider_adapters.payment import Approved, Charge, Declined, Failed, Unknown


def charge(key: str = "k-1", amount: int = 1999) -> Charge:
    return Charge(
        idempotency_key=key,
        transaction_id="t-1",
        amount=amount,
        currency="EUR",
        description="4111111111111111",
    )


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    made = Journal(tmp_path / "made" / "journal.jsonl")
    made.open()
    return made


def test_a_new_key_may_be_sent_once(journal: Journal) -> None:
    assert journal.begin(charge()) is None
    assert journal.begin(charge()) == Unknown(reason="already_sent")
    assert journal.begin(charge("k-2")) is None


@pytest.mark.parametrize(
    "outcome",
    [
        Approved(reference="r", token="tok"),
        Declined(reason="no"),
        Failed(reason="no_connection"),
        Unknown(reason="x"),
    ],
)
def test_a_finished_key_gives_its_recorded_outcome(journal: Journal, outcome) -> None:
    journal.begin(charge())
    journal.finish(charge(), outcome)
    assert journal.begin(charge()) == outcome
    entry = journal.lookup("k-1")
    assert entry is not None
    assert entry.state == "finished"


def test_a_key_is_not_lent_to_another_charge(journal: Journal) -> None:
    journal.begin(charge())
    journal.finish(charge(), Approved(reference="r"))
    assert journal.begin(charge(amount=2000)) == Failed(reason="key_of_another_charge")


def test_a_key_that_is_part_of_another_is_another(journal: Journal) -> None:
    journal.begin(charge("k-11"))
    assert journal.lookup("k-1") is None
    assert journal.lookup('k-11"') is None


def test_the_journal_is_private_and_holds_no_description(journal: Journal, tmp_path: Path) -> None:
    journal.begin(charge())
    path = tmp_path / "made" / "journal.jsonl"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert set(msgspec.json.decode(path.read_bytes().splitlines()[-1])) == {
        "at", "key", "state", "transaction_id", "amount", "currency",
    }  # fmt: skip
    assert b"4111" not in path.read_bytes()


def test_what_was_never_noted_is_closed_and_certainly_not_sent(journal: Journal) -> None:
    later = time.time() + 1
    assert journal.resolve(charge(), later, patience=60) == Failed(reason="not_sent")
    # A payer that comes late must not send it.
    assert journal.begin(charge()) == Failed(reason="not_sent")
    assert journal.resolve(charge(), later, patience=60) == Failed(reason="not_sent")


def test_a_journal_that_is_younger_than_the_charge_does_not_call_it_unsent(journal: Journal) -> None:
    assert journal.resolve(charge(), time.time() - 60, patience=60) == Unknown(reason="journal_too_young")
    assert journal.begin(charge()) == Unknown(reason="journal_too_young")


def test_what_a_payer_may_still_be_at_is_open_until_its_patience_is_over(journal: Journal) -> None:
    journal.begin(charge())
    assert journal.resolve(charge(), time.time(), patience=60) is None
    assert journal.resolve(charge(), time.time(), patience=0) == Unknown(reason="outcome_not_recorded")
    assert journal.begin(charge()) == Unknown(reason="outcome_not_recorded")


def test_an_outcome_that_was_noted_is_what_became_of_the_charge(journal: Journal) -> None:
    journal.begin(charge())
    journal.finish(charge(), Approved(reference="r"))
    assert journal.resolve(charge(), time.time(), patience=0) == Approved(reference="r")


def test_a_rotated_journal_still_knows_how_old_it_is(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "ROTATE_AT", 300)
    for number in range(9):
        monkeypatch.setattr(journals, "_now", lambda hour=number: f"2026-11-29T{hour:02}:00:00.000+00:00")
        journal.begin(charge(f"k-{number}"))
    between = datetime(2026, 11, 29, 0, 30, tzinfo=UTC).timestamp()
    assert len(list((tmp_path / "made").glob("journal.jsonl.[0-9]*"))) >= 2
    assert journal.resolve(charge("k-old"), between, patience=60) == Unknown(reason="journal_too_young")
    assert journal.resolve(charge("k-new"), between + 12 * 3600, patience=60) == Failed(reason="not_sent")


def test_a_line_cut_short_by_a_crash_is_ignored_and_closed(journal: Journal, tmp_path: Path) -> None:
    path = tmp_path / "made" / "journal.jsonl"
    journal.begin(charge())
    whole = path.read_bytes()
    for length in range(1, len(whole)):
        path.write_bytes(whole[:length])
        # Cut before its newline, fsync had not returned, so nothing was sent under this key.
        assert journal.lookup("k-1") is None
        assert journal.begin(charge("k-2")) is None
        assert journal.begin(charge("k-2")) == Unknown(reason="already_sent")


def test_keys_are_found_across_chunks_and_rotations(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_search, "_CHUNK", 97)
    monkeypatch.setattr(journals, "ROTATE_AT", 4000)
    keys = [f"k-{number}" for number in range(30)]
    for key in keys:
        assert journal.begin(charge(key)) is None
        journal.finish(charge(key), Approved(reference=key))
    assert len(list((tmp_path / "made").glob("journal.jsonl.[0-9]*"))) >= 2
    for key in keys[-12:]:
        assert journal.begin(charge(key)) == Approved(reference=key)


def test_of_many_that_begin_the_same_key_at_once_one_may_send(journal: Journal, tmp_path: Path) -> None:
    def begin(_: int) -> object:
        return Journal(tmp_path / "made" / "journal.jsonl").begin(charge())

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(begin, range(24)))
    assert answers.count(None) == 1


def test_a_process_killed_between_noting_and_sending_leaves_the_key_used(
    journal: Journal, tmp_path: Path
) -> None:
    program = textwrap.dedent("""
        import sys, pathlib, time
        from provider_adapters.payer.journal import Journal
        from provider_adapters.payment import Charge
        charge = Charge(idempotency_key="k-1", transaction_id="t-1", amount=1999, currency="EUR")
        print(Journal(pathlib.Path(sys.argv[1])).begin(charge), flush=True)
        time.sleep(60)
    """)
    command = [sys.executable, "-c", program, str(tmp_path / "made" / "journal.jsonl")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "None\n"
        os.kill(process.pid, signal.SIGKILL)
    assert journal.begin(charge()) == Unknown(reason="already_sent")


def test_a_journal_that_cannot_be_written_says_so_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        Journal(tmp_path / "file" / "journal.jsonl").open()
