"""Generates docs/pci-dss.md from the table of clauses: `make docs` writes it, `--check` says
whether it is stale."""

from __future__ import annotations

import textwrap

from b2bua.evidence.clause import Clause
from b2bua.evidence.clauses import CLAUSES
from b2bua.evidence.judges import Verdict, operator, product
from b2bua.evidence.page import NOTE
from tests.architecture.generated import write_or_check
from tests.architecture.source import ROOT

PAGE = ROOT / "docs" / "pci-dss.md"
_INTRODUCTION = (
    "This page lists clauses of PCI DSS 4.0.1, and of the PCI SSC's supplement on payment data by "
    "telephone: what Tonewall does for each, what stays with whoever operates it, and where an "
    "[evidence pack](evidence-pack.md) shows it. `make docs` generates it from "
    "`b2bua/evidence/clauses.py`. " + NOTE + " In a pack, `index.html` has the verdict on each "
    "clause and the values in force."
)


def page() -> str:
    """The whole page."""
    lines = ["# PCI DSS", "", *_wrap(_INTRODUCTION), ""]
    for clause in CLAUSES:
        lines += _section(clause)
    return "\n".join(lines)


def _section(clause: Clause) -> list[str]:
    lines = [f"## {clause.number}", "", *_wrap(clause.topic), ""]
    items = [f"**Tonewall:** {clause.product}", f"**The operator:** {clause.operator}"]
    items.append(f"**Verdict:** {_verdict(clause)}")
    if clause.evidence:
        items.append(f"**In the pack:** {', '.join(f'`{name}`' for name in clause.evidence)}")
    for item in items:
        lines += _wrap(f"- {item}", "  ")
    return [*lines, ""]


def _verdict(clause: Clause) -> str:
    if clause.judge in (operator, product):
        return str(Verdict.OPERATOR if clause.judge is operator else Verdict.PRODUCT)
    named = (each.partition(" ") for each in clause.settings)
    by = ", ".join(f"`[{section}] {key}`" for section, _, key in named)
    return "depends on configuration" + (f": {by}" if by else "")


def _wrap(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, 100, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def main() -> int:
    """Write the page, or with `--check` say whether it is stale."""
    return write_or_check(PAGE, page())


if __name__ == "__main__":
    raise SystemExit(main())
