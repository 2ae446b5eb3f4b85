"""The faces of the core that give digits or its numbers to Python are there for tests: the product
never names them."""

from __future__ import annotations

import ast

from tests.architecture.source import Module, every_module

FOR_TESTS = {"Mask", "Player", "constants"}


@every_module
def test_no_module_of_the_product_takes_a_face_of_the_core_that_is_for_tests(module: Module) -> None:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and node.module == "media._core":
            assert not FOR_TESTS & {alias.name for alias in node.names}, module.where
        if isinstance(node, ast.Import):
            assert "media._core" not in {alias.name for alias in node.names}, (
                f"{module.where}: name what is taken"
            )
        if isinstance(node, ast.ImportFrom) and node.module == "media":
            assert "_core" not in {alias.name for alias in node.names}, f"{module.where}: name what is taken"
