"""A known vulnerability is refused, unless somebody accepted it, with a reason, until a day."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from release import findings
from release.findings import Acceptance, Found, NoData, complaints, main, read_accepted, read_found

TODAY = date(2026, 12, 1)
FOUND = Found("example", "1.0", ("PYSEC-2026-1", "CVE-2026-9999"), ("1.1",))
# As pip-audit 2.10 writes it.
REPORT: dict[str, Any] = {
    "dependencies": [
        {"name": "clean", "version": "2.0", "vulns": []},
        {
            "name": "Exam_ple",
            "version": "1.0",
            "vulns": [
                {
                    "id": "PYSEC-2026-1",
                    "fix_versions": ["1.1"],
                    "aliases": ["CVE-2026-9999"],
                    "description": "An attacker may.",
                }
            ],
        },
    ],
    "fixes": [],
}


def accepted(**changed: Any) -> Acceptance:
    row = {"id": "PYSEC-2026-1", "package": "example", "reason": "Not called.", "until": date(2027, 3, 1)}
    return Acceptance(**row | changed)


def test_a_report_is_read():
    assert read_found(REPORT) == [Found("exam-ple", "1.0", ("PYSEC-2026-1", "CVE-2026-9999"), ("1.1",))]


def test_a_package_that_was_passed_by_is_no_good_news():
    report = {"dependencies": [{"name": "example", "skip_reason": "not found on the index"}]}
    with pytest.raises(NoData, match="example: not found on the index"):
        read_found(report)


def test_a_finding_is_refused_with_its_remedy():
    assert list(complaints([FOUND], [], TODAY)) == [
        "example 1.0: PYSEC-2026-1 CVE-2026-9999; fixed in 1.1: make lock"
    ]
    unfixed = Found("example", "1.0", ("PYSEC-2026-1",), ())
    assert list(complaints([unfixed], [], TODAY)) == ["example 1.0: PYSEC-2026-1; no version without it"]


@pytest.mark.parametrize("name", ["PYSEC-2026-1", "CVE-2026-9999"])
def test_an_acceptance_by_any_name_is_enough_until_its_day(name: str):
    row = accepted(id=name, package="Example")
    assert list(complaints([FOUND], [row], date(2027, 2, 28))) == []
    for day in (date(2027, 3, 1), date(2028, 1, 1)):
        (complaint,) = complaints([FOUND], [row], day)
        assert "accepted until 2027-03-01 only (Not called.): look at it anew" in complaint


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"package": "other"}, "PYSEC-2026-1 of other is not found any more: remove it"),
        ({"id": "PYSEC-2026-2"}, "PYSEC-2026-2 of example is not found any more: remove it"),
        ({"reason": " "}, "expected a reason"),
        ({"until": date(2028, 1, 1)}, "2028-01-01 is more than a year away"),
    ],
)
def test_an_acceptance_that_is_none_is_refused(row: dict[str, Any], why: str):
    assert any(why in each for each in complaints([FOUND], [accepted(**row)], TODAY))


def test_the_file_is_one_and_rows_without_a_reason_or_a_day_are_not(tmp_path: Path):
    assert list(complaints([], read_accepted(), TODAY)) == []
    path = tmp_path / "accepted.toml"
    whole = '[[accepted]]\nid = "X"\npackage = "y"\nreason = "z"\nuntil = 2027-01-01\n'
    path.write_text(whole)
    assert read_accepted(path) == [Acceptance(id="X", package="y", reason="z", until=date(2027, 1, 1))]
    for line in whole.splitlines()[1:]:
        path.write_text(whole.replace(f"{line}\n", ""))
        with pytest.raises(ValueError, match="missing required field"):
            read_accepted(path)


def test_the_command_says_what_it_knows(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(findings, "audit", lambda: {"dependencies": []})
    main()
    assert "0 known vulnerabilities" in capsys.readouterr().out
    monkeypatch.setattr(findings, "audit", lambda: REPORT)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "PYSEC-2026-1" in capsys.readouterr().err


def test_without_data_nobody_says_that_all_is_well(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    """The real pip-audit, whose service is not there."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    lock = tmp_path / "run.lock"
    lock.write_text(f"certifi==2024.8.30 \\\n    --hash=sha256:{'0' * 64}\n")
    real = findings.audit
    monkeypatch.setattr(findings, "audit", lambda: real(lock))
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("no data: ")
