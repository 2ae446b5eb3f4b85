"""The tables of docs/leak-report.md, written into it between markers; what stands around them is
written by hand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "leak-report.md"
DRAFT = Path(__file__).parents[2] / "build" / "leak-report.md"
ENOUGH = 10_000  # presses a condition, without which the page is not touched


class NoPlace(Exception):
    """The page has no markers for a table, or twice."""


def filled(page: str, tables: Mapping[str, str]) -> str:
    """The page with each table between `<!-- name -->` and `<!-- end of name -->`."""
    for name, table in tables.items():
        first, last = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
        place = re.compile(re.escape(first) + ".*?" + re.escape(last), re.DOTALL)
        if len(place.findall(page)) != 1:
            raise NoPlace(name)
        between = f"{first}{table}{last}"
        page = place.sub(lambda _, between=between: between, page)  # type: ignore[misc]
    return page


def write(tables: Mapping[str, str], presses: int) -> Path:
    """Where it was written: with fewer presses than are promised, only a draft is."""
    to = PAGE if presses >= ENOUGH else DRAFT
    to.parent.mkdir(exist_ok=True)
    to.write_text(filled(PAGE.read_text(), tables))
    return to
