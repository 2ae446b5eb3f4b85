"""Checks documents, variables and answers against a provider's GraphQL schema."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    build_schema,
    execute_sync,
    parse,
    validate,
)
from graphql.execution.values import get_variable_values

from tests.contract.described import spec_path

_AMOUNT = re.compile(r"[0-9]+(\.[0-9]{2,3})?")


class GraphQl:
    """A schema, at one path. Amounts are what the schema's text says of them, which its scalar
    cannot say. `errors`: the classes of error that the provider's library knows."""

    def __init__(self, name: str, path: str, *, headers: tuple[str, ...], errors: frozenset[str]) -> None:
        self._name, self._path, self._headers, self._errors = name, path, headers, errors

    def check_request(
        self, method: str, path: str, headers: Mapping[str, str], body: object, *, is_form: bool
    ) -> list[str]:
        """Path, headers, document and variables."""
        faults = [f"header {name} is missing" for name in self._headers if name not in headers]
        if (method, path, is_form) != ("POST", self._path, False):
            return [f"no such operation: {method} {path}"]
        if not isinstance(body, dict) or set(body) != {"query", "variables"}:
            return ["a body is a query and its variables"]
        schema = _read(self._name)
        try:
            document = parse(body["query"])
        except GraphQLError as error:
            return [error.message]
        faults += [error.message for error in validate(schema, document)]
        operation = document.definitions[0]
        if not isinstance(operation, OperationDefinitionNode):
            return [*faults, "the first definition is no operation"]
        declared = {each.variable.name.value for each in operation.variable_definitions}
        faults += [f"variable {name} is unknown" for name in set(body["variables"]) - declared]
        values = get_variable_values(schema, operation.variable_definitions, body["variables"])
        if isinstance(values, list):
            faults += [error.message for error in values]
        return faults + [
            f"{amount!r} is no amount" for amount in _amounts(body["variables"]) if not _is_amount(amount)
        ]

    def check_answer(
        self, method: str, path: str, status: int, body: object, asked: object = None
    ) -> list[str]:
        """Whether the schema, filled with the answer, answers the document so."""
        if status != 200:
            return [f"status {status} is not described"]
        assert isinstance(body, dict)
        assert isinstance(asked, dict)
        faults = [
            f"error of class {each.get('extensions', {}).get('errorClass')!r}"
            for each in body.get("errors", ())
            if each.get("extensions", {}).get("errorClass") not in self._errors
        ]
        if body.get("data") is None:
            return faults if body.get("errors") else ["neither data nor errors"]
        result = execute_sync(
            _read(self._name),
            parse(asked["query"]),
            root_value=body["data"],
            variable_values=asked["variables"],
        )
        faults += [error.message for error in result.errors or ()]
        return faults if result.data == body["data"] else [*faults, f"the schema makes {result.data} of it"]


def _is_amount(value: object) -> bool:
    return isinstance(value, str) and _AMOUNT.fullmatch(value) is not None


def _amounts(value: object) -> list[Any]:
    """What stands under `amount`, however deep."""
    if not isinstance(value, dict):
        return []
    return [
        found for name, each in value.items() for found in ([each] if name == "amount" else _amounts(each))
    ]


@cache
def _read(name: str) -> GraphQLSchema:
    # Its fields that are deprecated in a type and not in that type's interface are no concern here.
    return build_schema(spec_path(name).read_text(encoding="utf-8"), assume_valid=True)


def read_enum(name: str, kind: str) -> set[str]:
    """The values of an enumeration of a schema."""
    found = _read(name).type_map[kind]
    assert isinstance(found, GraphQLEnumType)
    return set(found.values)
