"""The table of docs/personal-data.md, from the inventory in the code: `python -m
tests.architecture.personal [--check]`."""

from __future__ import annotations

from pathlib import Path

from b2bua.personal_data.inventory import PERSONAL
from tests.architecture.generated import write_or_check

PAGE = Path(__file__).parents[2] / "docs" / "personal-data.md"
BEGIN, END = "<!-- inventory: `make docs` -->\n", "<!-- end of the inventory -->\n"


def table() -> str:
    """The rows, as Markdown."""
    lines = ["| data | whose | where | how long | how erased |", "|---|---|---|---|---|"]
    for row in PERSONAL:
        lines.append(f"| {' | '.join((row.data, row.whose, row.where, row.how_long, row.erasure))} |")
    return "\n".join(lines)


def draw() -> str:
    """The whole page."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n\n{END}{after}"


def main() -> int:
    """Write the page, or with `--check` say whether it is stale."""
    return write_or_check(PAGE, draw())


if __name__ == "__main__":
    raise SystemExit(main())
