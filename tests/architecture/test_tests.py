"""How tests are built: marked, and without another test's module as their toolbox."""

from __future__ import annotations

import ast
from pathlib import Path

from tests import conftest

TESTS = Path(conftest.ROOT)


def test_what_tests_share_is_in_modules_that_are_no_tests() -> None:
    """A whole module may be imported, to play its tests again in another way."""
    taken = [
        f"{path.relative_to(TESTS)}:{node.lineno}: {node.module}"
        for path in sorted(TESTS.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").rpartition(".")[2].startswith("test_")
    ]
    assert not taken, "\n".join(taken)


def test_every_path_that_is_slow_or_on_the_wire_is_there() -> None:
    assert [each for each in (*conftest.WIRE, *conftest.SLOW) if not (TESTS / each).exists()] == []
