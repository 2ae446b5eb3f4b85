"""The statuses of commands are those of the table in docs/operations.md."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[4]
_ROW = re.compile(r"\| (\d+) \| (.+?) \| .+ \|")


def statuses(path: Path) -> set[int]:
    """What a module gives `typer.Exit`, as far as it is a number of its own; 0 aside."""
    tree = ast.parse(path.read_text())
    named: dict[str, set[int]] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name):
                named[target.id] = numbers(node.value)
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "typer.Exit":
            for argument in node.args:
                found |= numbers(argument)
                for each in ast.walk(argument):
                    found |= named.get(each.id, set()) if isinstance(each, ast.Name) else set()
    return found - {0}


def numbers(node: ast.AST) -> set[int]:
    constants = {each.value for each in ast.walk(node) if isinstance(each, ast.Constant)}
    return {value for value in constants if type(value) is int}


def test_each_status_of_a_command_is_in_the_table() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    table = page.partition("## Signals and exit statuses")[2].partition("\n## ")[0]
    rows = {(int(code), name.split()[0]) for code, names in _ROW.findall(table)
            for name in re.findall(r"`(.+?)`", names)}  # fmt: skip
    made: set[tuple[int, str]] = set()
    for path in (ROOT / "b2bua" / "commands").glob("*.py"):
        name = {"files": "verify-files"}.get(path.stem, path.stem.replace("_", "-"))
        made |= {(status, name) for status in statuses(path) if path.stem != "configuration"}
    assert statuses(ROOT / "b2bua" / "commands" / "configuration.py") == {2}, "of every command"
    assert len(made) > 5
    assert made <= rows
