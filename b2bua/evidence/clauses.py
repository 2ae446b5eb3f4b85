"""Holds one table: clauses of PCI DSS 4.0.1, and what stands for each of them here.

Rule 1: the words are ours, not the standard's. No assessor has read them.
Rule 2: a clause that configuration decides has a judge (b2bua/evidence/judges.py), which looks at
        the values in force.
"""

from __future__ import annotations

from typing import Final

from b2bua.evidence import judges
from b2bua.evidence.clause import Clause

CLAUSES: Final = (
    Clause(
        "3.2.1",
        "Account data is kept no longer than it is needed.",
        "Stores no PAN and no sensitive authentication data. Call records have brand and last four.",
        "Sets how long call records and the audit log are kept, and writes that down.",
        ("configuration.json", "records.json"),
        ("cdr retention", "audit retention"),
        judges.retention,
    ),
    Clause(
        "3.3.1",
        "No sensitive authentication data remains after authorisation.",
        "The digits leave locked memory into one charge and are overwritten, whatever comes of it. "
        "Tests search memory, core files, logs and databases for them.",
        "Keeps recorders and packet captures off the customer's side of Tonewall.",
        ("leak-report.md", "files.sha256"),
    ),
    Clause(
        "3.3.2",
        "Sensitive authentication data before authorisation is encrypted where it is stored.",
        "It is never stored: it is in locked memory, which is not swapped.",
        "Allows Tonewall to lock its memory, and has no swap that is not encrypted.",
        ("doctor.json",),
        judge=judges.locked_memory,
    ),
    Clause(
        "3.4.1",
        "A PAN is masked where it is displayed.",
        "Agents see the brand and the last four digits. No digit of a card reaches a browser.",
        "Nothing for cards. Last digits of other fields are shown where a form says so.",
        ("configuration.json",),
        ("field last_shown",),
        judges.shown_digits,
    ),
    Clause(
        "3.4.2",
        "A PAN is not copied over remote access.",
        "There is no PAN to be seen or copied, in the page, the API or the records.",
        "Controls remote access to the machine.",
    ),
    Clause(
        "3.5.1",
        "A PAN that is stored is unreadable.",
        "No PAN is stored. For later payments the provider's token is used.",
        "Nothing, unless other systems get a PAN by another way.",
        ("configuration.json",),
    ),
    Clause(
        "4.2.1",
        "A PAN is encrypted by strong cryptography on public networks.",
        "Providers are reached by TLS 1.2 or newer, certificate and name verified, and no setting "
        "changes that.",
        "The telephone line carries keys in clear unless the carrier offers SIP over TLS and SRTP: "
        "decides with the carrier, and keeps the trunk off public networks else.",
        ("tls.json", "configuration.json"),
        ("carrier transport", "carrier srtp"),
        judges.trunk_encryption,
    ),
    Clause(
        "4.2.1.1",
        "Trusted keys and certificates are listed.",
        "The pack lists certificates, their keys and when they end.",
        "Keeps the list, and renews what ends.",
        ("tls.json",),
        ("general tls_certificate", "api tls_certificate"),
        judges.certificates,
    ),
    Clause(
        "6.2.4",
        "Software is written such that common attacks do not succeed.",
        "Input of strangers is parsed within limits of size and time, fuzzed, and tested under "
        "sanitizers; secrets are types that no log or text takes.",
        "Writes own programs against the API with the same care.",
        ("files.sha256",),
    ),
    Clause(
        "6.3.1",
        "Weaknesses are looked for, and ranked.",
        "The changelog names fixes, SECURITY.md how to report a weakness. A release is checked for "
        "known vulnerabilities of its packages.",
        "Watches the versions in the pack for published weaknesses, and ranks them.",
        ("components.json", "sbom.json"),
        judge=judges.operator,
    ),
    Clause(
        "6.3.2",
        "Software and its parts are listed.",
        "The pack lists every part with version and hash; a release has a bill of materials.",
        "Keeps the list, own programs included.",
        ("components.json", "sbom.json", "files.sha256"),
        judge=judges.inventory,
    ),
    Clause(
        "6.3.3",
        "Critical fixes are installed within a month.",
        "Nothing is installed by itself.",
        "Installs releases of Tonewall and of the system.",
        ("components.json",),
        judge=judges.operator,
    ),
    Clause(
        "6.4.3",
        "Scripts of pages on which customers key cards are authorised and unchanged.",
        "Customers key cards into a telephone; payment links lead to the provider's own page. The "
        "agents' page takes no card, and runs scripts of its own server with the hashes it names.",
        "Asks the provider about its page of payment links, where these are used.",
        ("files.sha256",),
    ),
    Clause(
        "7.2.1",
        "Who may do what follows from a defined model.",
        "Roles and what each may do are one table in the code; each request asks it.",
        "Gives each person and program the role that its work needs.",
        ("roles.json", "configuration.json"),
        judge=judges.roles,
    ),
    Clause(
        "7.2.4",
        "Accounts are reviewed every six months.",
        "`tonewall access review` lists who may do what and what to look at, and notes who signs off.",
        "Reviews, and signs off; reviews groups at the identity provider.",
        ("access.json", "access-reviews.jsonl"),
        judge=judges.reviews,
    ),
    Clause(
        "7.2.5",
        "Accounts of programs have the least that they need.",
        "Each process gets its own settings alone; a payer has the provider's key for one charge. A "
        "program's key has scopes, and ends after a year at most.",
        "Gives each program a key of its own, with the scopes that it needs.",
        ("roles.json", "access.json"),
    ),
    Clause(
        "8.2.1",
        "Each user has an identity of their own.",
        "Every entry of the audit log has the name of who acted.",
        "Gives each agent a name of their own; none is shared (8.2.2).",
        ("configuration.json", "audit/audit-excerpt.jsonl"),
        judge=judges.operator,
    ),
    Clause(
        "8.2.5",
        "Access of people who left ends at once.",
        "`tonewall user disable` and `remove`, `user sign-out` and `token revoke` hold at once, also in "
        "a running Tonewall; an open feed ends within 15 s. A token that is removed from sip.conf is "
        "refused from the next start on.",
        "Does so, or ends the account at the identity provider: a session that was begun there lasts "
        "12 hours at most, unless `user sign-out` ends it.",
        ("access.json",),
        ("api tokens", "access directory"),
        judges.leavers,
    ),
    Clause(
        "8.2.8",
        "An idle session ends after 15 minutes.",
        "A session ends by itself, and the agents' page signs out; no more than 900 s can be "
        "configured, nor a session of more than 12 hours. A token has no session.",
        "Locks the workstation as well.",
        ("configuration.json",),
        ("api idle_time",),
        judges.idle_time,
    ),
    Clause(
        "8.3.2",
        "Secrets of sign-in are unreadable in transit and storage.",
        "Passwords are kept as argon2id, keys and sessions as hashes; tokens of sip.conf can be. Secrets "
        "are in no log and no error.",
        "Uses HTTPS for the API, keeps hashes of tokens, and keeps sip.conf to its owner.",
        ("configuration.json", "tls.json", "doctor.json"),
        ("api tls_certificate", "api address"),
        judges.api_encryption,
    ),
    Clause(
        "8.3.4",
        "Guessing is slowed down or locked out.",
        "After the third wrong try for a name the next one waits, longer each time; the tenth locks "
        "the name for 30 minutes. Addresses wait likewise, and many wrong tries are an alarm. A restart "
        "forgets the counts. Tokens have 16 characters or more, keys 256 random bits.",
        "Sets lock-out at the identity provider, where there is one.",
        ("configuration.json",),
        ("access directory",),
        judges.lock_out,
    ),
    Clause(
        "8.4.2",
        "Access to the cardholder data environment needs several factors.",
        "People with a password here need an authenticator app (TOTP) besides, unless the operator "
        "lets roles do without. Tokens and keys are one factor.",
        "Several factors for whoever reaches the machine, and at the identity provider.",
        ("configuration.json", "access.json"),
        ("access totp_required",),
        judges.factors,
    ),
    Clause(
        "8.6.2",
        "Passwords of programs stand in no script or configuration.",
        "Secrets can come from the environment or from files.",
        "Puts them there, not into sip.conf.",
        ("doctor.json",),
        judge=judges.operator,
    ),
    Clause(
        "10.2.1",
        "Actions are logged.",
        "Each request that changes something is in the audit log before it is carried out, and then "
        "with its result; so are masks, sign-ins, refused tries, commands, and reading the log.",
        "Keeps an audit log.",
        ("audit-log.json", "audit/audit-excerpt.jsonl", "masks.txt"),
        ("audit directory", "audit required"),
        judges.audit_kept,
    ),
    Clause(
        "10.2.2",
        "Each entry has who, what, when, from where, on what, and its result.",
        "These are fields of an entry.",
        "Nothing.",
        ("audit/audit-excerpt.jsonl",),
    ),
    Clause(
        "10.3.2",
        "Logs cannot be changed unseen.",
        "Lines are chained by hashes and signed; the pack holds the proof, and the verification of "
        "the whole log.",
        "Keeps the key, and a copy of the public one elsewhere.",
        ("audit-log.json",),
        ("audit key_file",),
        judges.audit_sound,
    ),
    Clause(
        "10.3.3",
        "Logs are copied at once to a place that is hard to change.",
        "Each line is copied once it is on disk, to a syslog server over TLS or by HTTPS, and tried "
        "until it is accepted; a copy verifies by itself. A copy that fails is a fault.",
        "Names that server, which Tonewall's administrators cannot change.",
        ("configuration.json", "running.json"),
        ("audit syslog", "audit copy_to"),
        judges.audit_copied,
    ),
    Clause(
        "10.4.1",
        "Logs are reviewed daily.",
        "Faults are at /healthz, in metrics and on the page.",
        "Reviews, or lets a program do so (10.4.1.1).",
        judge=judges.operator,
    ),
    Clause(
        "10.5.1",
        "Logs are kept for a year.",
        "Removes files of the audit log after a time that is configured, and says so in the log.",
        "Keeps that at a year or more, and three months at hand.",
        ("configuration.json",),
        ("audit retention",),
        judges.audit_retention,
    ),
    Clause(
        "10.6.1",
        "Clocks agree.",
        "Times are UTC, in milliseconds, of the machine's clock.",
        "Keeps that clock right (NTP).",
        judge=judges.operator,
    ),
    Clause(
        "10.7.2",
        "Failures of security controls are noticed.",
        "A media process that is gone, an audit log that cannot be written or copied, changed files and "
        "many wrong tries to sign in are faults of /healthz; alarms of the canary are a metric.",
        "Has somebody called for them, and responds (10.7.3).",
        ("records.json", "running.json", "doctor.json"),
        judge=judges.alarms,
    ),
    Clause(
        "11.5.2",
        "Changes to critical files are noticed.",
        "A running Tonewall compares its files with the manifest of its release at the start and daily; "
        "a difference is a fault and an entry of the audit log. The pack has the hash of each file.",
        "Gives the key of whoever built the release; watches Python, the system and sip.conf.",
        ("audit-log.json", "files.sha256", "components.json"),
        ("general manifest_key",),
        judges.changed_packages,
    ),
    Clause(
        "11.6.1",
        "Changes to pages on which customers key cards are noticed.",
        "There is no such page of Tonewall's. The agents' page names the hash of each script, and its "
        "files are among those that are compared.",
        "Asks the provider about its page of payment links, where these are used.",
        ("files.sha256",),
    ),
    Clause(
        "12.5.2",
        "The scope is documented, and confirmed every year.",
        "Names where card data is: the carrier's side, the media process, payers.",
        "Draws its own network. What is on the agents' side of Tonewall is for the assessor to "
        "take out of scope.",
        ("configuration.json",),
        judge=judges.operator,
    ),
    Clause(
        "12.8.5",
        "Who answers for which requirement is written down.",
        "This table.",
        "Adds carrier, provider and hosting.",
        judge=judges.operator,
    ),
    Clause(
        "12.10.1",
        "There is a plan for incidents.",
        "Faults name what to do. docs/security.md has steps for a leak alarm, an unknown charge, a gap in "
        "the audit log, a stolen credential, a changed file and a copied database.",
        "Has a plan that takes them up, with whom to call, and tries it every year (12.10.2).",
        judge=judges.operator,
    ),
    Clause(
        "Telephone supplement: masking of keys",
        "Agents and recordings get neither tones nor digits.",
        "While masked, no telephone-event, no SIP INFO and no tone leaves for the agent's side; the "
        "leak report has the figures, `tonewall self-test` tries the real line.",
        "Runs the self-test monthly, and listens to recordings of it.",
        ("leak-report.md", "masks.json", "masks.txt", "self-tests.json"),
        ("carrier mask",),
        judges.self_tested,
    ),
    Clause(
        "Telephone supplement: spoken cards",
        "Customers who speak their card are dealt with.",
        "Speech is not masked, unless the trunk's mask is `mute`.",
        "Trains agents to interrupt, and pauses recordings where it happens.",
        ("configuration.json",),
        ("carrier mask",),
        judges.spoken,
    ),
)
