"""One naming scheme of log entries: the fields of the table and no others, and the ids that are at
hand where an entry is written."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

import pytest

from b2bua.access.permissions import PERMISSIONS
from tests.architecture.log_entries import LogCall, log_calls
from tests.architecture.source import MODULES, within
from tonewall.log_fields import FIELDS

_SNAKE = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
# By the logger itself, in each entry or where there is an exception.
_BY_THE_LOGGER = frozenset({"timestamp", "level", "process", "module", "event", "error", "at", "dropped"})
# A function that has this parameter, by name or by its type, logs the id that it carries.
_IDS: Mapping[str, str] = {
    "call_id": "call",
    "session_id": "call",
    "payment_id": "payment",
    "delivery_id": "delivery",
    "SessionId": "call",
    "SessionProtocol": "call",
    "RtpengineSession": "call",
    "CallRecord": "call",
    "LegId": "leg",
    "Peer": "trunk",
    "Trunk": "trunk",
    "Charge": "payment",
    "PaymentView": "payment",
}
_ENTRIES = {"b2bua.switchboard": "call", "provider_adapters": "payment"}  # of `Entry`, by package
# Ids of fields whose values are words of ours: fixed, or an attribute of such.
_WORDS = ("state", "reason", "outcome", "operation", "side", "kind", "transport")


def _parameters(call: LogCall) -> set[str]:
    """The names of the parameters around an entry, and of their types."""
    if call.function is None:
        return set()
    arguments = call.function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    types = {ast.unparse(each.annotation) for each in every if each.annotation is not None}
    return {each.arg for each in every} | types


def _missing(call: LogCall) -> set[str]:
    """The ids that are at hand and not in the entry."""
    wanted = {_IDS[each] for each in _parameters(call) if each in _IDS}
    if "Entry" in _parameters(call):
        wanted |= {name for package, name in _ENTRIES.items() if within(call.module.name, package)}
    have = set(call.fields)
    if have & {"payment", "follow_up"}:
        wanted -= {"payment"}
    return wanted - have


def _example(text: str) -> LogCall:
    function = ast.parse(text).body[0]
    assert isinstance(function, ast.FunctionDef)
    node = next(each for each in ast.walk(function) if isinstance(each, ast.Call))
    return LogCall(MODULES["b2bua.switchboard.executor"], node, function)


def test_every_event_is_a_fixed_name_in_snake_case():
    assert [each.where for each in log_calls() if not _SNAKE.fullmatch(each.event)] == []


def test_entries_have_fields_of_the_table_alone_and_the_table_no_others():
    used = {field for each in log_calls() for field in each.fields} - {"exc_info"}
    assert used | _BY_THE_LOGGER == set(FIELDS)


def test_ids_that_are_at_hand_are_in_the_entry():
    assert [f"{each.where}: {sorted(missing)}" for each in log_calls() if (missing := _missing(each))] == []


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("def f(leg: LegId): log.error('failed', call=1)", {"leg"}),
        ("def f(entry: Entry): log.error('failed')", {"call"}),
        ("def f(payment_id: str): log.error('failed', payment=payment_id)", set()),
        ("def f(charge: Charge): log.error('failed', follow_up=1)", set()),
    ],
)
def test_the_check_finds_an_id_that_is_left_out(text: str, missing: set[str]):
    assert _missing(_example(text)) == missing


def test_words_of_entries_are_names_and_no_sentences():
    found = [
        f"{each.where}: {field}={value.value}"
        for each in log_calls()
        for field, value in each.fields.items()
        if field in _WORDS and isinstance(value, ast.Constant) and not _NAME.fullmatch(str(value.value))
    ]
    assert found == []


def test_operations_are_those_of_the_table_of_permissions():
    known = {*PERMISSIONS, "count_personal_data"}
    found = [
        constant.value
        for each in log_calls()
        if "operation" in each.fields
        for constant in ast.walk(each.fields["operation"])
        if isinstance(constant, ast.Constant) and constant.value != "_payment"
    ]
    assert found
    assert set(found) <= known
