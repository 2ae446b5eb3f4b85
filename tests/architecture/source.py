"""The product's source as the architecture tests see it: modules, their syntax trees, and what they
import."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("b2bua", "media", "provider_adapters", "tonewall")


@dataclass(frozen=True)
class Import:
    """One import, with the name that was asked for: `from a.b import c` is `a.b.c`, and may be a
    module or not."""

    name: str
    line: int
    typing_only: bool


@dataclass(frozen=True)
class Module:
    """One file of the product."""

    name: str
    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text()

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def where(self) -> str:
        return str(self.path.relative_to(ROOT))

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        return tuple(_imports(self.tree, self.name, typing_only=False))

    def __hash__(self) -> int:
        return hash(self.name)


def _imports(node: ast.AST, module: str, *, typing_only: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, child.lineno, typing_only)
        elif isinstance(child, ast.ImportFrom):
            base = child.module or ""
            if child.level:
                parents = module.split(".")[: -child.level]
                base = ".".join([*parents, *([base] if base else [])])
            for alias in child.names:
                yield Import(f"{base}.{alias.name}", child.lineno, typing_only)
        else:
            for_types = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)
            yield from _imports(child, module, typing_only=typing_only or for_types)


def _modules() -> dict[str, Module]:
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = Module(name, path)
    return found


MODULES: Mapping[str, Module] = _modules()
COMPILED = frozenset({"media._core"})


def every_module(
    check: Callable[[Module], None], modules: Collection[Module] = tuple(MODULES.values())
) -> Callable[[], None]:
    """Makes a rule for one module a test of all of them, which names each that breaks it.

    One test for each rule: one for each rule and module would be half of all tests, and as much of
    the time in which they are collected.
    """

    def test() -> None:
        broken = []
        for module in modules:
            try:
                check(module)
            except AssertionError as error:
                broken.append(f"{module.where}: {error}")
        assert not broken, "\n".join(broken)

    return test


def target(name: str) -> str:
    """The module that an imported name lives in: `media.events.Side` is `media.events`; others'
    modules as they are."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        shorter = ".".join(parts[:length])
        if shorter in MODULES or shorter in COMPILED:
            return shorter
    return name


def within(name: str, *packages: str) -> bool:
    """Whether a module is one of these, or inside one of them."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def imported(module: Module) -> set[str]:
    """What running the module imports directly."""
    return {target(each.name) for each in module.imports if not each.typing_only}


def reached(module: Module) -> Mapping[str, tuple[str, ...]]:
    """All that running the module imports of ours, directly and indirectly, and what those import
    of others: each with the chain that leads to it. A package's own `__init__` comes with each of
    its modules."""
    chains: dict[str, tuple[str, ...]] = {}
    waiting = [(module.name, (module.name,))]
    while waiting:
        name, chain = waiting.pop()
        for each in sorted(imported(MODULES[name]) | ({name.rpartition(".")[0]} - {""})):
            if each not in chains and each != module.name:
                chains[each] = (*chain, each)
                if each in MODULES:
                    waiting.append((each, chains[each]))
    return chains


def circles(arrows: Mapping[str, set[str]]) -> list[list[str]]:
    """The groups of modules each of which imports, at last, itself."""
    ahead = {name: _beyond(name, arrows) for name in arrows}
    groups = {
        frozenset(other for other in ahead[name] if name in ahead.get(other, ()))
        for name in arrows
        if name in ahead[name]
    }
    return sorted(sorted(group) for group in groups)


def _beyond(name: str, arrows: Mapping[str, set[str]]) -> set[str]:
    """All that a module imports, directly and indirectly."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for each in arrows.get(waiting.pop(), set()) - found:
            found.add(each)
            waiting.append(each)
    return found
