"""Every regular expression of the packages, as a checker of another language reads it.

A pattern is a literal with a name at the top of its module, and is used by that name, so that it is
known how it is anchored.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("b2bua", "media", "provider_adapters", "tonewall")
_METHODS = frozenset({"match", "fullmatch", "search", "findall", "finditer", "sub", "subn", "split"})
_FLAGS = {"IGNORECASE": "i", "I": "i", "MULTILINE": "m", "M": "m", "DOTALL": "s", "S": "s"}
_LEADING = re.compile(r"\(\?([aims]+)\)")


@dataclass(frozen=True)
class Expression:
    """One pattern. `flags`: JavaScript's letters; `methods`: what it is asked for."""

    place: str
    source: str
    flags: str
    methods: frozenset[str]

    def anchored(self) -> list[str]:
        """The pattern in the syntax of JavaScript, once for each way in which it is anchored."""
        source = self.source.replace("(?P<", "(?<").replace("(?P=", "(?:").replace(r"\Z", r"(?![\s\S])")
        # `fullmatch` is anchored at both ends even where `m` lets ^ and $ fit at lines.
        start = r"(?<![\s\S])" if "m" in self.flags else "^"
        end = r"(?![\s\S])" if "m" in self.flags else "$"
        found = []
        if "fullmatch" in self.methods:
            found.append(f"{start}(?:{source}){end}")
        if "match" in self.methods:
            found.append(f"{start}(?:{source})")
        if self.methods - {"fullmatch", "match"}:
            found.append(source)
        return found


def expressions(root: Path = ROOT) -> Iterator[Expression]:
    """All of them. Raises ValueError for one that is hidden: no literal, or without a name."""
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            yield from of_module(path.read_text(), str(path.relative_to(root)))


def of_module(text: str, name: str) -> Iterator[Expression]:
    """Those of one module."""
    tree = ast.parse(text)
    named = {
        id(node.value): target
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for target in ([node.target] if isinstance(node, ast.AnnAssign) else node.targets)
        if isinstance(target, ast.Name)
    }
    used: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            used.setdefault(node.value.id, set()).add(node.attr)
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if not (isinstance(node.func.value, ast.Name) and node.func.value.id == "re"):
            continue
        place = f"{name}:{node.lineno}"
        function = node.func.attr
        if function not in {*_METHODS, "compile"}:
            continue
        try:
            source = ast.literal_eval(node.args[0])
        except ValueError:
            raise ValueError(f"{place}: a pattern that is no literal") from None
        flags = "".join(sorted(set(_letters(node, place))))
        if function == "compile":
            if id(node) not in named:
                raise ValueError(f"{place}: a pattern without a name at the top of its module")
            methods = used.get(named[id(node)].id, set()) & _METHODS or {"search"}  # at worst
        else:
            methods = {function}
        text = source.decode("latin-1") if isinstance(source, bytes) else source
        leading = _LEADING.match(text)
        if leading:
            flags = "".join(sorted(set(flags + leading[1].replace("a", ""))))
            text = text[leading.end() :]
        yield Expression(place, text, flags, frozenset(methods))


def _letters(node: ast.Call, place: str) -> Iterator[str]:
    for given in [*node.args[1:], *(keyword.value for keyword in node.keywords)]:
        for each in ast.walk(given):
            if isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name) and each.value.id == "re":
                if each.attr == "ASCII":
                    continue
                if each.attr not in _FLAGS:
                    raise ValueError(f"{place}: a flag that has no counterpart: {each.attr}")
                yield _FLAGS[each.attr]
