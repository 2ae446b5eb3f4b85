"""Writes the page of an evidence pack: clauses, verdicts, and who answers for what.

Rule 1: one file without a script and without anything from elsewhere; it prints.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Final

from b2bua.evidence.archive import MANIFEST
from b2bua.evidence.clause import Clause
from b2bua.evidence.clauses import CLAUSES
from b2bua.evidence.judges import Facts, Judgement, Verdict

NOTE: Final = (
    "The wording is ours, not the standard's; read the clauses themselves in PCI DSS 4.0.1. "
    "No assessor (QSA) has read this page, and a verdict here is a program's."
)
_STYLE: Final = """
:root { color-scheme: light }
body { font: 11pt/1.45 system-ui, sans-serif; color: #1a1a1a;
  max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid #ccc }
th { border-bottom: 2px solid #444 }
code { font-size: .92em; overflow-wrap: anywhere }
.well, .product { color: #0a5c2b } .weak { color: #9c1c1c; font-weight: 600 }
.open { color: #7a4b00 } .operator { color: #333 }
.note { border-left: 4px solid #7a4b00; padding-left: 1rem }
@page { size: A4 landscape; margin: 12mm }
@media print { body { font-size: 9pt; margin: 0; max-width: none } tr { break-inside: avoid }
  thead { display: table-header-group } }
"""


def write_page(facts: Facts, product: str, since: str, until: str, made_at: str) -> str:
    """The page as HTML."""
    judged = [(clause, clause.judge(facts)) for clause in CLAUSES]
    title = f"Evidence for PCI DSS: {since[:10]} to {until[:10]}"
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    lines = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(product)}, made {escape(made_at)}. Each file that is named here is beside this page;",
        f"<code>{MANIFEST}</code> has its hash.</p>",
        f'<p class="note">{escape(NOTE)}</p>',
        *_summary(judged),
        *_clauses(judged, facts),
        *_matrix(),
        *_missing(facts),
        "</body></html>",
        "",
    ]
    return "\n".join(lines)


def _summary(judged: list[tuple[Clause, Judgement]]) -> Iterable[str]:
    yield "<h2>Summary</h2><table><thead><tr><th>Verdict</th><th>Clauses</th></tr></thead><tbody>"
    for verdict in Verdict:
        numbers = [clause.number for clause, found in judged if found.verdict is verdict]
        listed = f"{len(numbers)}: {escape(', '.join(numbers))}" if numbers else "none"
        yield f"<tr><td {_class(verdict)}>{verdict}</td><td>{listed}</td></tr>"
    yield "</tbody></table>"


def _clauses(judged: list[tuple[Clause, Judgement]], facts: Facts) -> Iterable[str]:
    yield "<h2>Clauses</h2><table><thead><tr><th>Clause</th><th>What it asks for, in our words</th>"
    yield "<th>Verdict</th><th>In force</th><th>Evidence</th></tr></thead><tbody>"
    for clause, found in judged:
        values = "<br>".join(_in_force(setting, facts) for setting in clause.settings)
        files = "<br>".join(_file(name, facts) for name in clause.evidence)
        yield (
            f"<tr><td>{escape(clause.number)}</td><td>{escape(clause.topic)}</td>"
            f"<td {_class(found.verdict)}>{found.verdict}<br><small>{escape(found.why)}</small></td>"
            f"<td>{values}</td><td>{files}</td></tr>"
        )
    yield "</tbody></table>"


def _matrix() -> Iterable[str]:
    yield "<h2>Who answers for what</h2><table><thead><tr><th>Clause</th><th>Tonewall</th>"
    yield "<th>The operator</th></tr></thead><tbody>"
    for clause in CLAUSES:
        cells = (clause.number, clause.product, clause.operator)
        yield f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
    yield "</tbody></table>"


def _missing(facts: Facts) -> Iterable[str]:
    if facts.missing:
        yield "<h2>Not in this pack</h2><ul>"
        yield from (
            f"<li><code>{escape(name)}</code>: {escape(why)}</li>" for name, why in facts.missing.items()
        )
        yield "</ul>"


def _in_force(setting: str, facts: Facts) -> str:
    section, _, key = setting.partition(" ")
    found = list(facts.values(section, key))
    if not found:
        return f"<code>[{escape(section)}] {escape(key)}</code>: none"
    return "<br>".join(
        f"<code>[{escape(header)}] {escape(key)} = {escape(_text(value))}</code>" for header, value in found
    )


def _text(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case _:
            return "" if value is None else str(value)


def _file(name: str, facts: Facts) -> str:
    shown = f"<code>{escape(name)}</code>"
    return shown if facts.has(name) else f"{shown} (not there)"


def _class(verdict: Verdict) -> str:
    return f'class="{verdict.name.lower()}"'
