"""The page of an evidence pack: clauses judged by what is configured and gathered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from b2bua.evidence.clauses import CLAUSES
from b2bua.evidence.configuration import describe_settings
from b2bua.evidence.judges import Facts, Verdict
from b2bua.evidence.page import write_page
from tests.architecture import clauses
from tests.unit.b2bua.doctor.written import settings

NUMBERS = {clause.number: clause for clause in CLAUSES}
SOUND = {"whole_log": {"lines": 9, "entries": 8, "first": 1, "sound": True, "findings": []}}

COMPARED = {"audit-log": SOUND | {"entries_of_the_period": {"files_compared noted": 30}}}


def facts(folder: Path, missing: Mapping[str, str] | None = None, **more: Any) -> Facts:
    """Those of a sip.conf. `more`: sections of it as dictionaries, or files of the pack."""
    sections = {name: more.pop(name) for name in ("cdr", "api", "carrier") if name in more}
    by_hand = {name: more.pop(f"section_{name}") for name in ("access", "audit") if f"section_{name}" in more}
    files = {
        "configuration": json.loads(json.dumps(describe_settings(settings(folder, **sections)))),
        "tls": {"grades": [], "certificates": []},
        "records": {"calls": 3, "payments": 2, "canary_alarms": 0},
        "components": {"packages": []},
    }
    for name, values in by_hand.items():  # as read from a sip.conf whose files are there
        files["configuration"]["sections"][name] |= values
    present = {name if "." in name else f"{name}.json" for name in files | more} | {"audit"}
    return Facts(files | more, frozenset(present), missing or {})


def verdict(number: str, found: Facts) -> Verdict:
    return NUMBERS[number].judge(found).verdict


@pytest.mark.parametrize(
    ("number", "good", "bad"),
    [
        ("3.2.1", {}, {"cdr": {"retention": "0"}}),
        ("10.7.2", {}, {"records": {"calls": 3, "payments": 2, "canary_alarms": 1}}),
        ("11.5.2", COMPARED, {}),
        (
            "11.5.2",
            COMPARED,
            COMPARED | {"components": {"packages": [{"name": "httpx", "changed": ["a.py"]}]}},
        ),
        ("11.5.2", COMPARED, {"audit-log": SOUND | {"entries_of_the_period": {"files_changed noted": 1}}}),
        (
            "8.2.5",
            {"access": [{"name": "crm", "method": "token", "roles": ["integration"]}]},
            {"access": [{"name": "ann", "method": "token", "roles": ["agent"]}]},
        ),
        (
            "8.4.2",
            {"section_access": {"directory": "/access"}},
            {"section_access": {"directory": "/access", "totp_required": "administrator"}},
        ),
        (
            "10.3.3",
            {"section_audit": {"syslog": "tls:logs.example:6514"}},
            {"running": {"faults": [{"what": "audit_copy"}]}},
        ),
        (
            "10.3.2",
            {"audit-log": SOUND},
            {"audit-log": {"whole_log": {"lines": 9, "sound": False, "findings": [1]}}},
        ),
        ("10.3.2", {"audit-log": SOUND}, {}),
        ("7.2.1", {"roles": {}}, {}),
        ("7.2.4", {"access-reviews.jsonl": ""}, {}),
        ("10.7.2", {"running": {"leaks": 0}}, {"running": {"leaks": 1}}),
        (
            "3.3.2",
            {"doctor": [{"what": "memory lock limit", "level": "GOOD", "text": "none"}]},
            {"doctor": [{"what": "memory lock limit", "level": "FAULT", "text": "64 KiB"}]},
        ),
        (
            "4.2.1.1",
            {"tls": {"grades": [], "certificates": [{"of": "general", "days_left": 90}]}},
            {"tls": {"grades": [], "certificates": [{"of": "general", "days_left": 3}]}},
        ),
        (
            "Telephone supplement: masking of keys",
            {"self-tests": [{"at": "a", "result": "passed"}]},
            {"self-tests": [{"at": "a", "result": "failed"}]},
        ),
        ("Telephone supplement: masking of keys", {"self-tests": [{"at": "a", "result": "passed"}]}, {}),
        (
            "Telephone supplement: masking of keys",
            {"self-tests": [{"at": "a", "result": "passed"}], "masks": {"passed": 0, "alarms": 0}},
            {"self-tests": [{"at": "a", "result": "passed"}], "masks": {"passed": 1, "alarms": 0}},
        ),
    ],
)
def test_a_verdict_follows_what_is_there(
    tmp_path: Path, number: str, good: dict[str, Any], bad: dict[str, Any]
) -> None:
    assert verdict(number, facts(tmp_path, **good)) is Verdict.WELL
    assert verdict(number, facts(tmp_path, **bad)) is Verdict.WEAK


@pytest.mark.parametrize(
    ("number", "section", "good", "other", "verdict_of_other"),
    [
        ("8.3.4", "access", {"directory": "/access"}, {"directory": None}, Verdict.OPEN),
        ("Telephone supplement: spoken cards", "carrier", {"mask": "mute"}, {"mask": "notch"}, Verdict.OPEN),
        ("3.4.1", "field", {"last_shown": 4}, {"last_shown": 5}, Verdict.WEAK),
        ("8.2.8", "api", {"idle_time": 900.0}, None, None),
        ("6.3.2", "sbom", {}, None, None),
    ],
)
def test_a_verdict_follows_one_setting(
    tmp_path: Path,
    number: str,
    section: str,
    good: dict[str, Any],
    other: dict[str, Any] | None,
    verdict_of_other: Verdict | None,
) -> None:
    found = facts(tmp_path, **({section: good} if section == "sbom" else {}))
    sections = found.files["configuration"]["sections"]
    sections.setdefault(section, {}).update(good)
    assert verdict(number, found) is Verdict.WELL
    if other is not None:
        sections[section].update(other)
        assert verdict(number, found) is verdict_of_other


def test_without_a_bill_of_materials_it_is_no_release(tmp_path: Path) -> None:
    assert verdict("6.3.2", facts(tmp_path)) is Verdict.WEAK


def test_a_trunk_needs_both_tls_and_srtp(tmp_path: Path) -> None:
    found = facts(tmp_path)
    carrier = found.files["configuration"]["sections"]["carrier"]
    for transport, srtp, expected in (
        ("tls", True, Verdict.WELL),
        ("tls", False, Verdict.WEAK),
        ("udp", True, Verdict.WEAK),
    ):
        carrier |= {"transport": transport, "srtp": srtp}
        assert verdict("4.2.1", found) is expected


def test_an_api_in_clear_on_a_network_is_weak(tmp_path: Path) -> None:
    assert verdict("8.3.2", facts(tmp_path)) is Verdict.OPEN
    found = facts(tmp_path)
    found.files["configuration"]["sections"]["api"]["address"] = "192.0.2.7"
    assert verdict("8.3.2", found) is Verdict.WEAK


def test_an_audit_log_that_payments_do_not_need_is_weak(tmp_path: Path) -> None:
    assert verdict("10.2.1", facts(tmp_path)) is Verdict.WEAK
    found = facts(tmp_path, None, **{"audit-log": SOUND})
    audit = found.files["configuration"]["sections"]["audit"]
    audit |= {"directory": "/audit", "required": True}
    assert verdict("10.2.1", found) is Verdict.WELL
    audit["retention"] = 30.0
    assert verdict("10.5.1", found) is Verdict.WEAK


class Tags(HTMLParser):
    """What a page is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [str(value) for name, value in attrs if name in ("src", "href")]


def test_the_page_has_no_script_and_nothing_from_elsewhere(tmp_path: Path) -> None:
    found = facts(tmp_path, {"sbom.json": "not in <this> build"})
    found.files["configuration"]["sections"]["carrier"]["transport"] = "<script>alert(1)</script>"
    page = write_page(found, "tonewall 0.1.0", "2026-11-01T00", "2026-12-01T00", "2026-12-01T08")
    tags = Tags()
    tags.feed(page)
    assert "script" not in tags.tags
    assert not tags.addresses
    assert "not in &lt;this&gt; build" in page
    assert all(clause.number in page for clause in CLAUSES)
    assert "No assessor (QSA) has read this page" in page


def test_the_documentation_is_fresh() -> None:
    assert clauses.PAGE.read_text() == clauses.page()


def test_each_setting_that_a_clause_names_is_one(tmp_path: Path) -> None:
    kinds = {header.partition(" ")[0] for header in facts(tmp_path).sections}
    for clause in CLAUSES:
        for setting in clause.settings:
            assert setting.partition(" ")[0] in kinds | {"field"}
