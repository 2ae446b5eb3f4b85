"""The description of the API is checked in, whole, and true of its own examples."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from openapi_schema_validator import OAS31Validator

from b2bua.api.http import create_app
from tests.architecture import openapi
from tests.browser.fake_desk import FakeDesk

DOCUMENT: dict[str, Any] = json.loads(openapi.PAGE.read_text())
OPERATIONS = [
    (f"{method.upper()} {path}", operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
]
every_operation = pytest.mark.parametrize("operation", [each for _, each in OPERATIONS], ids=dict(OPERATIONS))


def contents(operation: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each body with the direction or code that it is of, and its media type."""
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        yield "request", media_type, content
    for code, response in operation["responses"].items():
        for media_type, content in response.get("content", {}).items():
            yield code, media_type, content


def examples_of(content: dict[str, Any]) -> list[Any]:
    if "examples" in content:
        return [each["value"] for each in content["examples"].values()]
    return [content["example"]]


def test_the_description_is_fresh():
    assert openapi.PAGE.read_text() == openapi.page(), "run `make docs`"
    assert DOCUMENT["openapi"].startswith("3.1.")


async def test_what_is_checked_in_is_served():
    app = create_app(FakeDesk(), authenticators=[])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://tonewall.test") as any_:
        answer = await any_.get("/openapi.json")
    assert answer.content == openapi.PAGE.read_bytes()
    assert answer.headers["content-type"] == "application/json"


def test_the_process_that_serves_it_never_describes_the_routes():
    code = "import sys, b2bua.app; print('b2bua.api.openapi' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"False\n"


@every_operation
def test_each_body_has_an_example_that_is_as_its_schema_says(operation: dict[str, Any]):
    for where, media_type, content in contents(operation):
        schema = {**content["schema"], "components": DOCUMENT["components"]}
        assert content["schema"], f"{where} {media_type}"
        for example in examples_of(content):
            faults = [error.message for error in OAS31Validator(schema).iter_errors(example)]
            assert faults == [], f"{where} {media_type}"


@every_operation
def test_each_error_is_a_problem_and_each_operation_has_a_name_and_one_tag(operation: dict[str, Any]):
    assert operation["operationId"].isidentifier()
    assert operation["summary"]
    assert operation["tags"][0] in {tag["name"] for tag in DOCUMENT["tags"]}
    for code, response in operation["responses"].items():
        assert response["description"]
        if code.startswith("4"):
            assert list(response["content"]) == ["application/problem+json"], code


def test_every_reference_leads_somewhere_and_every_schema_is_used():
    text = json.dumps(DOCUMENT)
    named = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert named <= set(DOCUMENT["components"]["schemas"])
    assert set(DOCUMENT["components"]["schemas"]) - named <= {"ServiceView"}  # of the feed alone
