"""Read the Markdown pages of the repository: prose, table rows, code spans, links and headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.architecture.source import ROOT

_SPAN = re.compile(r"(`+)(.+?)\1")
_TARGET = re.compile(r"(?<=\])\(([^()\s]+)\)")
_HEADING = re.compile(r"#{1,6} (.+)")


@dataclass(frozen=True)
class Line:
    """One line outside of code blocks and comments. `number` counts from 1."""

    number: int
    text: str

    @property
    def is_row(self) -> bool:
        """Whether it belongs to a table."""
        return self.text.lstrip().startswith("|")

    @property
    def cells(self) -> list[str]:
        """The cells of a row, without what surrounds them."""
        return [cell.strip() for cell in re.split(r"(?<!\\)\|", self.text.strip()[1:-1])]

    @property
    def words(self) -> str:
        """The text without code spans and targets of links."""
        return _SPAN.sub("``", _TARGET.sub("", self.text))


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path

    @property
    def where(self) -> str:
        """The path from the top of the repository."""
        return str(self.path.relative_to(ROOT))

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """All lines outside of code blocks and comments."""
        return tuple(_lines(self.path.read_text()))

    @cached_property
    def flowing(self) -> str:
        """All of these lines, as one text."""
        return "\n".join(line.text for line in self.lines)

    @cached_property
    def headings(self) -> tuple[str, ...]:
        """The texts of all headings, the title first."""
        return tuple(found[1] for line in self.lines if (found := _HEADING.fullmatch(line.text)))

    @cached_property
    def anchors(self) -> frozenset[str]:
        """The fragments that links into this page may have, as GitHub makes them."""
        plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in self.headings)
        return frozenset(each.replace(" ", "-") for each in plain)

    @cached_property
    def spans(self) -> tuple[str, ...]:
        """The texts of all code spans."""
        return tuple(found[2] for line in self.lines for found in _SPAN.finditer(line.text))

    @cached_property
    def links(self) -> tuple[str, ...]:
        """The targets of all links and pictures but those of the web."""
        found = _TARGET.findall(_SPAN.sub("``", self.flowing))
        return tuple(target for target in found if "://" not in target)


def _lines(text: str) -> Iterator[Line]:
    in_fence = in_block = False
    before = ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            in_fence = not in_fence
        elif line.strip():
            in_block = line.startswith("    ") and (in_block or not before.strip())
            if not in_fence and not in_block and not line.startswith("<!--"):
                yield Line(number, line)
        before = line


PAGES = tuple(
    Page(path) for path in [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
)
