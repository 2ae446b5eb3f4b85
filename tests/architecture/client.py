"""Writes the parts of `tonewall.client` that follow from b2bua/api/openapi.json, shapes and
methods: python -m tests.architecture.client [--check]."""

from __future__ import annotations

import json
import keyword
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any, Final

from tests.architecture.generated import write_or_check
from tests.architecture.openapi import PAGE
from tests.architecture.source import ROOT

HOME: Final = ROOT / "tonewall" / "client"
_MADE: Final = "\n\nRule 1: made from b2bua/api/openapi.json by `make docs`, and not changed by hand."
# A module of shapes, what it is about, and the shapes from which all of it is reached.
_VIEWS: Final = {
    "payment_views": ("Payments, as the API answers with them", ["PaymentView"]),
    "call_views": ("Calls and their captures, as the API answers with them", ["CallView"]),
    "statistics_views": ("Counts of the last hours, as the API answers with them", ["StatisticsView"]),
    "service_views": ("Other answers of the API", []),
}
_METHODS: Final[dict[str, tuple[str, set[str]]]] = {
    "calls": ("calls, and of the payment in one", {"calls", "capture"}),
    "payments": ("payments and payment links", {"payments", "links"}),
    "service": ("the service, its records and its webhooks", set()),  # all other tags
}
_CLAIMED: Final = {tag for _, tags in _METHODS.values() for tag in tags}
BY_HAND: Final = frozenset({"follow_calls"})
LEFT_OUT: Final = frozenset({"record_packets"})  # a file without an end, which `tonewall capture` writes
_TYPES: Final = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
_LONG_LINES: Final = 99


def described() -> dict[str, Any]:
    """The description of the API, as it is checked in."""
    found: dict[str, Any] = json.loads(PAGE.read_text())
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and description of each."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def modules() -> dict[str, str]:
    """The text of each module, by its name."""
    document = described()
    shapes = {name: each for name, each in document["components"]["schemas"].items() if name != "Problem"}
    homes = _homes(shapes)
    found = {name: _shapes_module(name, shapes, homes) for name in dict.fromkeys(homes.values())}
    for group in _METHODS:
        for flavour in ("sync", "async"):
            found[f"{flavour}_{group}"] = _methods_module(document, homes, group, flavour)
    return {name: _formatted(text) for name, text in found.items()}


# --- shapes ---------------------------------------------------------------------------------------


def _homes(shapes: dict[str, Any]) -> dict[str, str]:
    homes = {name: "bodies" for name in shapes if name.endswith("Body")}
    for module, (_, roots) in _VIEWS.items():
        for name in _reached(roots, shapes) if roots else shapes:
            homes.setdefault(name, module)
    return homes


def _reached(roots: Iterable[str], shapes: dict[str, Any]) -> list[str]:
    found: dict[str, None] = {}
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = None
            waiting += _references(shapes[name])
    return list(found)


def _references(schema: Any) -> list[str]:
    return re.findall(r"#/components/schemas/(\w+)", json.dumps(schema))


def _shapes_module(module: str, shapes: dict[str, Any], homes: dict[str, str]) -> str:
    own = [name for name in shapes if homes[name] == module]
    about = _VIEWS[module][0] if module in _VIEWS else "Bodies of requests"
    parts = [_shape(name, shapes[name]) for name in own]
    others = {each for name in own for each in _references(shapes[name])} - set(own)
    head = f'"""{about}.{_MADE}"""\n\nfrom __future__ import annotations\n\n'
    return head + _typing_import("\n".join(parts)) + _imports(others, homes) + "\n\n" + "\n\n".join(parts)


def _imports(names: set[str], homes: dict[str, str]) -> str:
    lines = []
    for module in sorted({homes[name] for name in names}):
        listed = ", ".join(sorted(name for name in names if homes[name] == module))
        lines.append(f"from tonewall.client.{module} import {listed}\n")
    return "".join(lines)


def _typing_import(text: str) -> str:
    names = [
        name for name in ("Any", "Literal", "NotRequired", "TypedDict") if re.search(rf"\b{name}\b", text)
    ]
    return f"from typing import {', '.join(names)}\n\n"


def _shape(name: str, schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return f"{name} = {_type(schema)}"
    lines = [f"class {name}(TypedDict):", *_docstring(schema.get("description") or f"A {name}.")]
    for field, part in schema["properties"].items():
        kind = _type(part)
        lines.append(
            f"    {field}: {kind if field in schema.get('required', ()) else f'NotRequired[{kind}]'}"
        )
    return "\n".join(lines) + "\n"


def _docstring(text: str) -> list[str]:
    first = " ".join(text.split("\n\n", maxsplit=1)[0].split())
    sentence = re.split(r"(?<=[.:?]) (?=[`A-Z])", first)[0].rstrip(":")
    sentence = sentence if sentence.endswith((".", "?")) else f"{sentence}."
    return textwrap.wrap(f'"""{sentence}"""', _LONG_LINES, initial_indent="    ", subsequent_indent="    ")


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return _references(schema)[0]
    for each in ("anyOf", "oneOf"):
        if each in schema:
            return " | ".join(dict.fromkeys(_type(part) for part in schema[each]))
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return f"Literal[{', '.join(json.dumps(value) for value in values)}]"
    kind = schema.get("type")
    if kind == "array":
        return f"list[{_type(schema.get('items', {}))}]"
    if kind == "object":
        values = schema.get("additionalProperties")
        return f"dict[str, {_type(values) if isinstance(values, dict) else 'Any'}]"
    return _TYPES[kind] if kind else "Any"


# --- methods --------------------------------------------------------------------------------------


def _methods_module(document: dict[str, Any], homes: dict[str, str], group: str, flavour: str) -> str:
    about, tags = _METHODS[group]
    tags = tags or {each["name"] for each in document["tags"]} - _CLAIMED
    chosen = [
        (method, path, each)
        for method, path, each in operations(document)
        if tags & set(each["tags"]) and each["operationId"] not in BY_HAND | LEFT_OUT
    ]
    methods = "\n".join(_method(*each, flavour) for each in chosen)
    names = {each for each in homes if re.search(rf"\b{each}\b", methods)}
    typing = [name for name in ("Any", "Literal", "Unpack") if re.search(rf"\b{name}\b", methods)]
    kind = flavour.capitalize()
    return (
        f'"""Methods about {about}, {flavour}.{_MADE}"""\n\nfrom __future__ import annotations\n\n'
        f"from typing import {', '.join(typing)}\n\n{_imports(names, homes)}"
        f"from tonewall.client.requests import {kind}Sender, make_request\n\n\n"
        f'class {kind}{group.capitalize()}({kind}Sender):\n    """Methods about {about}."""\n\n{methods}'
    )


def _method(method: str, path: str, operation: dict[str, Any], flavour: str) -> str:
    given = [each for each in operation.get("parameters", ()) if each["name"] != "accept"]
    in_path = [each["name"] for each in given if each["in"] == "path"]
    query = [each for each in given if each["in"] == "query"]
    has_key = any(each["name"] == "Idempotency-Key" for each in given)
    body, many = _body(operation)
    signature = ["self", *(f"{name}: str" for name in in_path)]
    signature += [f"body: {body}"] if many else []
    keywords = [_keyword(each) for each in query]
    keywords += ["idempotency_key: str | None = None"] if has_key else []
    if keywords:
        signature += ["*", *keywords]
    if body and not many:
        signature.append(f"**body: Unpack[{body}]")
    answer = _answer(operation)
    parts = [f'"{method}"', f'"{path}"', *in_path]
    if query:
        pairs = ", ".join(f'"{each["name"]}": {_argument(each["name"])}' for each in query)
        parts.append(f"query={{{pairs}}}")
    if body:
        # The server tells two kinds of body apart; kwargs are a dictionary of their own.
        parts.append("body=body")
    parts += ["key=idempotency_key", "has_key=True"] if has_key else []
    if "content" in operation["responses"].get("503", {}) and _is_json(operation["responses"]["503"]):
        parts.append("also=503")
    waits = "async " if flavour == "async" else ""
    call = f"{'await ' if waits else ''}self._send(make_request({', '.join(parts)}))"
    end = f"{call}" if answer == "None" else f"answer: {answer} = {call}\n        return answer"
    return (
        f"    {waits}def {operation['operationId']}({', '.join(signature)}) -> {answer}:\n"
        f'        """{operation["summary"].rstrip(".")}."""\n        {end}\n'
    )


def _body(operation: dict[str, Any]) -> tuple[str, bool]:
    """The type of the body, and whether there are several."""
    if "requestBody" not in operation:
        return "", False
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    return _type(schema), "oneOf" in schema


def _answer(operation: dict[str, Any]) -> str:
    kinds = []
    for code, response in operation["responses"].items():
        if code[0] == "2":
            content = response.get("content", {})
            if "application/json" in content:
                kinds.append(_type(content["application/json"]["schema"]))
            else:
                kinds.append("str" if content else "None")
    return " | ".join(dict.fromkeys(kinds))


def _is_json(response: dict[str, Any]) -> bool:
    return "application/json" in response["content"]


def _argument(name: str) -> str:
    return f"{name}_" if keyword.iskeyword(name) else name


def _keyword(parameter: dict[str, Any]) -> str:
    name, schema = _argument(parameter["name"]), parameter["schema"]
    return f"{name}: {_type(schema)}" if parameter.get("required") else f"{name}: {_optional(schema)} = None"


def _optional(schema: dict[str, Any]) -> str:
    kind = _type(schema)
    return kind if "None" in kind.split(" | ") else f"{kind} | None"


def _formatted(text: str) -> str:
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", "made.py", "-"]
    text = subprocess.run(command, input=text, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    command = [sys.executable, "-m", "ruff", "check", "--fix", "--select", "I", "-q",
               "--stdin-filename", "tonewall/client/made.py", "-"]  # fmt: skip
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True, cwd=ROOT).stdout


def main() -> int:
    """Write the modules, or with `--check` say which are stale."""
    return max(write_or_check(HOME / f"{name}.py", text) for name, text in modules().items())


if __name__ == "__main__":
    raise SystemExit(main())
