"""Judges clauses by the configuration in force and by what was gathered.

Rule 1: a judge says what it saw. What it cannot see is no pass.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

_YEAR: Final = 365  # days
_SOON: Final = 30  # days before the end of a certificate


class Verdict(StrEnum):
    """How a clause stands, as far as a program can see."""

    PRODUCT = "met by the product"
    WELL = "depends on configuration: stands"
    WEAK = "depends on configuration: does not stand"
    OPEN = "depends on configuration: not to be seen from here"
    OPERATOR = "stays with the operator"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, and what it was based on."""

    verdict: Verdict
    why: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What a pack holds. `files`: the contents of its files in JSON by their names, without the
    ending; `present`: the paths of all files and directories; `missing`: what is not there, with
    why."""

    files: Mapping[str, Any]
    present: frozenset[str]
    missing: Mapping[str, str]

    @property
    def sections(self) -> Mapping[str, Mapping[str, Any]]:
        """The sections of the configuration by their headers."""
        sections: Mapping[str, Mapping[str, Any]] = self.files["configuration"]["sections"]
        return sections

    def values(self, section: str, key: str) -> Iterator[tuple[str, Any]]:
        """The value of a key in each section of that kind, with the header."""
        for header, keys in self.sections.items():
            if header.partition(" ")[0] == section and key in keys:
                yield header, keys[key]

    def value(self, section: str, key: str) -> Any:
        """The value of a key in a section that stands once; None where there is none."""
        return next((value for _, value in self.values(section, key)), None)

    def has(self, name: str) -> bool:
        """Whether a file or directory is in the pack."""
        return name in self.present


def _well(why: str) -> Judgement:
    return Judgement(Verdict.WELL, why)


def _weak(why: str) -> Judgement:
    return Judgement(Verdict.WEAK, why)


def _open(why: str) -> Judgement:
    return Judgement(Verdict.OPEN, why)


def product(_facts: Facts) -> Judgement:
    """No configuration changes it."""
    return Judgement(Verdict.PRODUCT, "whatever is configured")


def operator(_facts: Facts) -> Judgement:
    """Nothing of it can be seen from here, or too little."""
    return Judgement(Verdict.OPERATOR, "see who answers for what")


def retention(facts: Facts) -> Judgement:
    """Records are deleted some day."""
    days = facts.value("cdr", "retention")
    return _well(f"call records are kept {days:g} days") if days else _weak("call records are kept for ever")


def locked_memory(facts: Facts) -> Judgement:
    """Digits are never swapped."""
    findings = facts.files.get("doctor") or []
    found = next((each for each in findings if each["what"] == "memory lock limit"), None)
    if found is None:
        return _open("whether memory can be locked was not examined")
    return (_well if found["level"] == "GOOD" else _weak)(str(found["text"]))


def shown_digits(facts: Facts) -> Judgement:
    """Forms show few digits of other fields."""
    shown = {header: int(value or 0) for header, value in facts.values("field", "last_shown")}
    most = max(shown.values(), default=0)
    if most > 4:
        return _weak(f"a field shows {most} digits; whether it may hold a card is for you to say")
    return _well("of a card the last four at most" + (f"; of other fields {most}" if most else ""))


def trunk_encryption(facts: Facts) -> Judgement:
    """Carriers' trunks are encrypted."""
    clear = [
        header
        for header, transport in facts.values("carrier", "transport")
        if transport != "tls" or not facts.sections[header].get("srtp")
    ]
    if clear:
        return _weak(f"without both SIP over TLS and SRTP: {', '.join(clear)}; fine on a private line only")
    return _well("every carrier has SIP over TLS, and SRTP")


def certificates(facts: Facts) -> Judgement:
    """No certificate ends soon."""
    found = facts.files["tls"]["certificates"]
    if not found:
        return _open("no certificate is configured")
    soon = [each["of"] for each in found if each.get("days_left", -1) < _SOON]
    return _weak(f"ends within {_SOON} days: {', '.join(soon)}") if soon else _well(f"{len(found)} listed")


def inventory(facts: Facts) -> Judgement:
    """A bill of materials is there."""
    if facts.has("sbom.json"):
        return _well("a bill of materials is in the pack")
    return _weak("this is no release: there is no bill of materials, but the list of components")


def roles(facts: Facts) -> Judgement:
    """There is a table of roles."""
    if facts.has("roles.json"):
        return _well("the table is in the pack")
    return _weak("this version has no roles: every token may do everything")


def reviews(facts: Facts) -> Judgement:
    """Somebody reviewed who has access."""
    if facts.has("access-reviews.jsonl"):
        return _well("the reviews of the period are in the pack")
    return _weak("no review is noted in the audit log of this period")


_PEOPLE: Final = frozenset({"agent", "supervisor", "administrator", "auditor"})


def leavers(facts: Facts) -> Judgement:
    """Nobody has a token that ends with a restart alone."""
    grants = facts.files.get("access")
    if grants is None:
        return _open("who has access was not listed")
    tokens = [each["name"] for each in grants if each["method"] == "token" and _PEOPLE & set(each["roles"])]
    if tokens:
        return _weak(f"tokens of sip.conf with roles of people end with a restart alone: {', '.join(tokens)}")
    return _well("people have accounts here or at the identity provider, none a token of sip.conf")


def lock_out(facts: Facts) -> Judgement:
    """Passwords are asked for here, or elsewhere."""
    if facts.value("access", "directory"):
        return _well("people sign in here: the tenth wrong try locks a name for 30 minutes")
    return _open("nobody has a password here; an identity provider's lock-out cannot be seen")


def factors(facts: Facts) -> Judgement:
    """Whoever signs in by a password needs an app as well."""
    if not facts.value("access", "directory"):
        return _open("nobody has a password here; an identity provider's factors cannot be seen")
    roles = facts.value("access", "totp_required")
    if str(roles).strip() == "all":
        return _well("everybody with a password here needs an authenticator app")
    return _weak(f"an authenticator app is needed by: {roles} ([access] totp_required)")


def idle_time(facts: Facts) -> Judgement:
    """The page signs out."""
    return _well(f"after {facts.value('api', 'idle_time'):g} s")


def api_encryption(facts: Facts) -> Judgement:
    """The API is not in clear on a network."""
    address = str(facts.value("api", "address"))
    if facts.value("api", "tls_certificate"):
        grade = next((each for each in facts.files["tls"]["grades"] if each["what"] == "[api]"), None)
        if grade is None or not grade["reached"]:
            return _open("HTTPS is configured; the listener was not reached")
        good = not any(grade["versions"].get(old) for old in ("1.0", "1.1")) and any(
            grade["versions"].values()
        )
        return (_well if good else _weak)(f"HTTPS: {grade['verdict']}")
    if ipaddress.ip_address(address).is_loopback:
        return _open(f"HTTP on {address}: whatever is before it has to speak HTTPS")
    return _weak(f"HTTP in clear on {address}")


def audit_kept(facts: Facts) -> Judgement:
    """An audit log is kept."""
    log = facts.files.get("audit-log", {}).get("whole_log")
    if not log or not log["lines"]:
        return _weak("no audit log is kept")
    if not facts.value("audit", "required"):
        return _weak("an audit log is kept, but payments go on where it cannot be written ([audit] required)")
    return _well("an audit log is kept, and nothing is paid without it")


def audit_sound(facts: Facts) -> Judgement:
    """The audit log verifies."""
    log = facts.files.get("audit-log", {}).get("whole_log")
    if not log or not log["lines"]:
        return _weak("there is no audit log")
    if not log["sound"]:
        return _weak(f"the audit log is not what was written: {len(log['findings'])} findings")
    return _well(f"{log['lines']} lines from {log['first']} on are unbroken")


def audit_copied(facts: Facts) -> Judgement:
    """The audit log is copied elsewhere."""
    faults = [each["what"] for each in facts.files.get("running", {}).get("faults", [])]
    if "audit_copy" in faults:
        return _weak("lines are not copied now: the running Tonewall says so")
    for key in ("syslog", "copy_to"):
        if facts.value("audit", key):
            return _well(f"lines are copied ([audit] {key})")
    return _open("Tonewall copies no line; whether another program does cannot be seen")


def audit_retention(facts: Facts) -> Judgement:
    """The audit log is kept a year."""
    days = facts.value("audit", "retention")
    if days is None or facts.value("audit", "directory") is None:
        return _weak("no audit log is kept")
    kept = f"{days:g} days" if days else "for ever"
    return (_well if not days or days >= _YEAR else _weak)(f"the audit log is kept {kept}")


def alarms(facts: Facts) -> Judgement:
    """Nothing was found by the canary in the period."""
    counts = facts.files["records"]
    if "canary_alarms" not in counts:
        return _open(str(counts.get("fault", "no counts")))
    if counts["canary_alarms"]:
        return _weak(
            f"the canary raised {counts['canary_alarms']} alarms in {counts['calls']} calls: see why"
        )
    leaks = facts.files.get("running", {}).get("leaks", 0)
    if leaks:
        return _weak(f"the running media process counts {leaks} alarms of the canary: see why")
    return _well(f"no alarm of the canary in {counts['calls']} calls and {counts['payments']} payments")


def changed_packages(facts: Facts) -> Judgement:
    """Installed packages are as they were installed, and a running Tonewall found its files so."""
    changed = [each["name"] for each in facts.files["components"]["packages"] if each["changed"]]
    if changed:
        return _weak(f"packages with changed files: {', '.join(changed)}")
    counts = facts.files.get("audit-log", {}).get("entries_of_the_period", {})
    compared, found = counts.get("files_compared noted", 0), counts.get("files_changed noted", 0)
    if found:
        return _weak(f"{found} of {found + compared} comparisons found changed files: see the audit log")
    if not compared:
        return _weak(
            "no comparison is noted in this period (an installation from the sources is not compared); "
            "no file of a Python package was changed since its installation"
        )
    by = " with the signed manifest" if facts.value("general", "manifest_key") else ", by no key"
    return _well(f"{compared} comparisons{by}; no file was changed")


def self_tested(facts: Facts) -> Judgement:
    """Nothing got out under a mask, and the line was tested in the period."""
    masks = facts.files.get("masks") or {}
    if masks.get("passed") or masks.get("alarms"):
        why = f"{masks['passed']} packets with a key got out under masks, {masks['alarms']} alarms"
        return _weak(f"{why} of the canary: see masks.txt")
    tests = facts.files.get("self-tests") or []
    if not tests:
        return _weak("no self-test in this period")
    failed = [each["at"] for each in tests if each["result"] != "passed"]
    if failed:
        return _weak(f"{len(failed)} of {len(tests)} self-tests did not pass: {', '.join(failed)}")
    return _well(f"{len(tests)} self-tests passed, the last at {tests[-1]['at']}")


def spoken(facts: Facts) -> Judgement:
    """Whether speech is kept from agents."""
    masks = dict(facts.values("carrier", "mask"))
    loud = [header for header, mask in masks.items() if mask != "mute"]
    if loud:
        return _open(f"speech goes on to the agent while masked: {', '.join(loud)}")
    return _well("while masked, nothing of the customer's audio reaches the agent")
