"""Verifies a copy of an audit log, or a part of one: a file of lines, of which some came twice."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from b2bua.audit.chain import hash_of, read_head
from b2bua.audit.verify import Chain, Report, read_lines


def verify_copy(path: Path, key: Ed25519PublicKey, head: Path | None = None) -> Report:
    """Every change without the key to a file of lines that were copied, from its first line on.
    `head`: the file of the log that says where it ended; without it, what is behind the newest
    checkpoint may be missing. Raises OSError."""
    report = Report()
    chain, seen = Chain(report, key), set[str]()
    for number, line in enumerate(read_lines(path), start=1):
        same = hash_of(line)
        if same in seen:  # a copy is made at least once
            report.repeated += 1
            continue
        seen.add(same)
        chain.follow(path.name, number, line)
    if head is not None:
        chain.check_end(path.name, read_head(head.read_bytes(), key))
    return report
