"""The shape of the product: its names, its modules' sizes and docstrings, and tables that are
whole."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Mapping
from typing import Any

import pytest
from typer import Context
from typer.main import get_group

from b2bua.cli import app
from tests.architecture import states
from tests.architecture.source import MODULES, PACKAGES, ROOT, Module, every_module

MAX_LINES = 350
every_machine = pytest.mark.parametrize(
    "table", [table for _, _, table in states.MACHINES], ids=[title for title, _, _ in states.MACHINES]
)


@every_module
def test_a_module_says_what_it_is_for_in_a_sentence(module: Module):
    docstring = ast.get_docstring(module.tree)
    assert docstring, module.where
    assert docstring.split("\n\n")[0].rstrip().endswith((".", "?", ":")), module.where


@every_module
def test_a_module_is_one_idea(module: Module):
    assert len(module.text.splitlines()) <= MAX_LINES, f"{module.where}: split it"
    assert module.name.rpartition(".")[2] not in {
        "utils",
        "util",
        "helper",
        "helpers",
        "manager",
        "common",
        "misc",
    }


@every_module
def test_a_class_or_function_that_others_see_is_typed(module: Module):
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.returns is not None or node.name == "__init__", f"{module.where}:{node.lineno}"


def test_a_file_of_the_core_is_one_idea():
    sources = list((ROOT / "media" / "core").rglob("*.[ch]"))
    assert sources
    assert not [path.name for path in sources if len(path.read_text().splitlines()) > MAX_LINES]


@pytest.mark.parametrize(
    "path",
    [
        "Makefile",
        ".ci/run",
        "README.md",
        "sip.conf.example",
        "Dockerfile",
        "pyproject.toml",
        "docs/architecture.md",
        "docs/states.md",
        "media/_core.pyi",
        "b2bua/cli.py",
        "b2bua/app.py",
        "b2bua/config/settings.py",
        "b2bua/call/state.py",
        "b2bua/call/bridge.py",
        "b2bua/call/sdp/description.py",
        "b2bua/call/cdr.py",
        "b2bua/sip/transaction/transaction.py",
        "b2bua/sip/leg/dialog.py",
        "b2bua/sip/auth/digest.py",
        "b2bua/api/http.py",
        "b2bua/api/auth.py",
        "b2bua/switchboard/view_feed.py",
        "media/formats/rtp.py",
        "media/formats/telephone_event.py",
        "media/reference/reassembly.py",
        "media/reference/masking.py",
        "media/client.py",
        "media/events.py",
        "media/service/service.py",
        "media/service/ports.py",
        "media/capture/state.py",
        "media/capture/card_form.py",
        "media/capture/vault.py",
        "provider_adapters/payment.py",
        "provider_adapters/card.py",
        "provider_adapters/base.py",
        "provider_adapters/errors.py",
        "provider_adapters/payer/runner.py",
        "provider_adapters/registry.py",
        "provider_adapters/payer/process.py",
        "provider_adapters/payer/journal.py",
        "provider_adapters/connector.py",
    ],
)
def test_what_the_design_names_is_where_it_says(path: str):
    assert (ROOT / path).is_file()


def test_the_names_that_were_given_are_kept():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["scripts"]["tonewall"] == "b2bua.__main__:main"
    assert project["project"]["requires-python"] == ">=3.11"
    assert set(project["tool"]["scikit-build"]["wheel"]["packages"]) == set(PACKAGES)
    group = get_group(app)
    commands = {name: group.get_command(Context(group), name) for name in group.list_commands(Context(group))}
    assert {"run", "demo", "doctor", "version"} <= set(commands)
    assert all(command is not None and command.name == name for name, command in commands.items())
    makefile = (ROOT / "Makefile").read_text()
    for target in ("setup", "run", "test", "check", "bench"):
        assert f"\n{target}:" in makefile


# --- the tables -----------------------------------------------------------------------------------


def ends(target: object) -> tuple[Any, ...]:
    return tuple(target) if isinstance(target, tuple | frozenset | set) else (target,)


@every_machine
def test_every_state_has_a_row_and_every_arrow_ends_in_a_state(table: Mapping[Any, Mapping[Any, Any]]):
    kind = type(next(iter(table)))
    assert set(table) == set(kind)
    assert {end for row in table.values() for target in row.values() for end in ends(target)} <= set(kind)


@every_machine
def test_every_state_can_be_reached_from_where_a_machine_begins(table: Mapping[Any, Mapping[Any, Any]]):
    entered = {
        end for state, row in table.items() for target in row.values() for end in ends(target) if end != state
    }
    reached = {state for number, state in enumerate(table) if not number or state not in entered}
    waiting = list(reached)
    while waiting:
        for target in table[waiting.pop()].values():
            waiting += [end for end in ends(target) if end not in reached]
            reached |= set(ends(target))
    assert reached == set(table)


def test_every_table_in_the_code_is_drawn():
    drawn = {home.split(",")[0] for _, home, _ in states.MACHINES}
    tables = {
        module.where
        for module in MODULES.values()
        for node in module.tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        and "TRANSITIONS" in ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)
    }
    assert tables <= drawn


def test_the_drawing_is_fresh():
    assert states.PAGE.read_text() == states.page(), "run `make docs`"


def test_a_stale_drawing_is_an_error_that_says_what_to_do(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(states, "PAGE", tmp_path / "states.md")
    monkeypatch.setattr("sys.argv", ["states", "--check"])
    assert states.main() == 1
    assert "make docs" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["states"])
    assert states.main() == 0
    monkeypatch.setattr("sys.argv", ["states", "--check"])
    assert states.main() == 0
