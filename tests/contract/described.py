"""Reads the providers' own descriptions, and checks requests and answers against them.

They stand beside the checkout, in ../shared/specs, with their licences; a clone without them skips
these tests and says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml
from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator
from openapi_schema_validator import OAS30Validator, OAS31Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

SPECS = Path(__file__).parents[3] / "shared" / "specs"
_PARAMETER = re.compile(r"\{[^}]+\}")


class Described(Protocol):
    """A provider's description: what is wrong with a request or an answer by it, a line each.
    `asked`: the body of the request that was answered."""

    def check_request(
        self, method: str, path: str, headers: Mapping[str, str], body: object, *, is_form: bool
    ) -> list[str]: ...

    def check_answer(
        self, method: str, path: str, status: int, body: object, asked: object = None
    ) -> list[str]: ...


def spec_path(name: str) -> Path:
    """The file, or a skipped test where it is not there."""
    path = SPECS / name
    if not path.is_file():
        pytest.skip(f"needs the providers' own descriptions beside the checkout: {path}")
    return path


class _Source(NamedTuple):
    """A file, and what is put right in it."""

    name: str
    loose: tuple[str, ...] = ()
    mended: tuple[tuple[str, str], ...] = ()


class OpenApi:
    """An OpenAPI description, 3.0 or 3.1. `prefix` is the part of its paths that the account's URL
    has already. `allowed` names what is known to be wrong in the file, as parts of our lines,
    `loose` where a schema stands that nothing can fit: there any object will do. `mended` puts
    values right: the one at a JSON Pointer (RFC 6901) gives way to members, as JSON."""

    def __init__(
        self,
        name: str,
        *,
        prefix: str = "",
        allowed: tuple[str, ...] = (),
        loose: tuple[str, ...] = (),
        mended: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self._prefix, self._allowed = prefix, allowed
        self._source = _Source(name, loose, mended)

    def check_request(
        self, method: str, path: str, headers: Mapping[str, str], body: object, *, is_form: bool
    ) -> list[str]:
        """Path, method, required parameters, and the body by its schema."""
        document = _read(self._source)
        found = self._operation(method, path)
        if found is None:
            return [f"no such operation: {method} {path}"]
        operation, shared = found
        faults = []
        query = dict(parse_qsl(urlsplit(path).query, keep_blank_values=True))
        sent = {name.lower() for name in headers}
        declared = [_resolve(document, each) for each in [*shared, *operation.get("parameters", [])]]
        for each in declared:
            name, place = each["name"], each["in"]
            if each.get("required") and (
                (place == "header" and name.lower() not in sent) or (place == "query" and name not in query)
            ):
                faults.append(f"required {place} parameter {name} is missing")
        known = {each["name"] for each in declared if each["in"] == "query"}
        faults += [
            f"query parameter {name} is unknown"
            for name in query
            if name.partition("[")[0] not in {k.partition("[")[0] for k in known}
        ]
        content = _resolve(document, operation.get("requestBody", {})).get("content", {})
        kind = "application/x-www-form-urlencoded" if is_form else "application/json"
        if body is not None and content:
            media = next(
                (
                    each
                    for name, each in content.items()
                    if name.startswith(kind) or (not is_form and "json" in name)
                ),
                None,
            )
            if media is None:
                faults.append(f"a body of {kind} is not described: {sorted(content)}")
            else:
                faults += self._check(media["schema"], body)
        elif body is not None:
            faults.append("a body is not described")
        elif _resolve(document, operation.get("requestBody", {})).get("required"):
            faults.append("a body is required")
        return self._kept(faults)

    def check_answer(
        self, method: str, path: str, status: int, body: object, asked: object = None
    ) -> list[str]:
        """The answer of this status by its schema; one that is not described is a fault."""
        found = self._operation(method, path)
        if found is None:
            return [f"no such operation: {method} {path}"]
        document = _read(self._source)
        answers = found[0]["responses"]
        described = answers.get(str(status)) or answers.get(f"{status // 100}XX") or answers.get("default")
        if described is None:
            return self._kept([f"status {status} is not described"])
        content = _resolve(document, described).get("content", {})
        media = next((each for name, each in content.items() if "json" in name), None)
        if media is None or "schema" not in media:
            return []
        return self._kept(self._check(media["schema"], body))

    def example(self, name: str) -> Any:
        """A named example of the description."""
        return _read(self._source)["components"]["examples"][name]["value"]

    def _operation(self, method: str, path: str) -> tuple[dict[str, Any], list[Any]] | None:
        document = _read(self._source)
        asked = self._prefix + urlsplit(path).path
        paths = document["paths"]
        # A path without parameters goes before one with them.
        for template in sorted(paths, key=lambda each: each.count("{")):
            shape = "[^/]+".join(re.escape(part) for part in _PARAMETER.split(template))
            if re.fullmatch(shape, asked) and method.lower() in paths[template]:
                return paths[template][method.lower()], paths[template].get("parameters", [])
        return None

    def _check(self, schema: object, value: object) -> list[str]:
        return [
            f"{'/'.join(str(step) for step in error.absolute_path) or 'body'}: {error.message[:300]}"
            for error in _validator(self._source, json.dumps(schema)).iter_errors(value)
        ]

    def _kept(self, faults: list[str]) -> list[str]:
        return [fault for fault in faults if not any(part in fault for part in self._allowed)]


class JsonSchema:
    """A description of one POST to the account's URL: `$defs` of a JSON Schema has its `request`
    and its `response`. `undescribed`: statuses of answers that it says nothing of."""

    def __init__(self, name: str, *, undescribed: frozenset[int]) -> None:
        self._name, self._undescribed = name, undescribed

    def check_request(
        self, method: str, path: str, headers: Mapping[str, str], body: object, *, is_form: bool
    ) -> list[str]:
        """A POST by its schema; what has no body is no business of the description's."""
        if path or is_form or (body is not None and method != "POST"):
            return [f"no such operation: {method} {path}"]
        return [] if body is None else self._check("request", body)

    def check_answer(
        self, method: str, path: str, status: int, body: object, asked: object = None
    ) -> list[str]:
        """The answer by its schema, and its status, which is 200 in every case."""
        if status in self._undescribed:
            return []
        return ([] if status == 200 else [f"status {status} is not described"]) + self._check(
            "response", body
        )

    def _check(self, part: str, value: object) -> list[str]:
        schema = _read(_Source(self._name))["$defs"][part]
        return [
            f"{'/'.join(str(step) for step in error.absolute_path) or 'body'}: {error.message[:300]}"
            for error in Draft202012Validator(schema).iter_errors(value)
        ]


class ByPath:
    """Several descriptions of one provider, each for the paths that begin so."""

    def __init__(self, descriptions: Mapping[str, Described]) -> None:
        self._descriptions = descriptions

    def check_request(
        self, method: str, path: str, headers: Mapping[str, str], body: object, *, is_form: bool
    ) -> list[str]:
        """By the description that has the path."""
        found = self._of(path)
        if found is None:
            return [f"no description has this path: {path}"]
        return found.check_request(method, path, headers, body, is_form=is_form)

    def check_answer(
        self, method: str, path: str, status: int, body: object, asked: object = None
    ) -> list[str]:
        """By the description that has the path."""
        found = self._of(path)
        if found is None:
            return [f"no description has this path: {path}"]
        return found.check_answer(method, path, status, body, asked)

    def _of(self, path: str) -> Described | None:
        return next((each for start, each in self._descriptions.items() if path.startswith(start)), None)


@cache
def _read(source: _Source) -> dict[str, Any]:
    path = spec_path(source.name)
    text = path.read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text) if path.suffix == ".yaml" else json.loads(text)
    for place in source.loose:
        *above, last = place.split("/")
        schema = found
        for step in above:
            schema = schema[step]
        schema[last] = {"type": "object"}
    for pointer, value in source.mended:
        *steps, last = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
        schema = found
        for step in steps:
            schema = schema[step]
        assert last in schema, f"{source.name} has no {pointer} any more"
        del schema[last]
        schema |= json.loads(value)
    return found


def _resolve(document: dict[str, Any], value: Any) -> Any:
    while isinstance(value, dict) and "$ref" in value:
        found: Any = document
        for step in value["$ref"].removeprefix("#/").split("/"):
            found = found[step.replace("~1", "/").replace("~0", "~")]
        value = found
    return value


@cache
def _validator(source: _Source, schema: str) -> Validator:
    document = _read(source)
    resource = Resource(contents=document, specification=DRAFT202012)
    registry: Registry[Any] = Registry().with_resource("urn:spec", resource)
    kind = OAS31Validator if document["openapi"].startswith("3.1") else OAS30Validator
    # Its references count from the document that they stand in.
    return kind(json.loads(schema.replace('"#/', '"urn:spec#/')), registry=registry)
