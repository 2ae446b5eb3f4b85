"""Writes a page that is generated, or says whether it is stale."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.architecture.source import ROOT


def write_or_check(page: Path, text: str) -> int:
    """Write the page; with `--check` on the command line, status 1 where it is stale."""
    if "--check" not in sys.argv:
        page.write_text(text)
        return 0
    if page.exists() and page.read_text() == text:
        return 0
    name = page.relative_to(ROOT) if page.is_relative_to(ROOT) else page.name
    print(f"{name} is stale: run `make docs` and commit it")
    return 1
