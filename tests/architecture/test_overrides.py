"""A private method is called where its class, or one that it comes from, can see it: one that
overrides what is called no more changes nothing, and no test of its own says so."""

from __future__ import annotations

import ast
from collections import defaultdict

from tests.architecture.source import MODULES

CLASSES: dict[str, list[tuple[str, ast.ClassDef]]] = defaultdict(list)
for _name, _module in MODULES.items():
    for _node in ast.walk(_module.tree):
        if isinstance(_node, ast.ClassDef):
            CLASSES[_node.name].append((_name, _node))


def family(name: str) -> set[str]:
    """The classes that one comes from, and all that come from these, itself too."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        one = waiting.pop()
        if one in found:
            continue
        found.add(one)
        waiting += [base for _, node in CLASSES.get(one, ()) for base in bases(node)]
        waiting += [each for each, defined in CLASSES.items() for _, node in defined if one in bases(node)]
    return found


def bases(node: ast.ClassDef) -> set[str]:
    return {base.id for base in node.bases if isinstance(base, ast.Name)} & CLASSES.keys()


def mentioned(module: str) -> set[str]:
    tree = MODULES[module].tree
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return names | {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}


def test_every_private_method_is_called() -> None:
    names = {module: mentioned(module) for module in MODULES}
    dead = [
        f"{module}.{node.name}.{method.name}"
        for classes in CLASSES.values()
        for module, node in classes
        for method in node.body
        if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef)
        and method.name.startswith("_")
        and not method.name.startswith("__")
        and not method.decorator_list
        and not any(method.name in names[at] for relative in family(node.name) for at, _ in CLASSES[relative])
    ]
    assert dead == []
