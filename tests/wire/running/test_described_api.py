"""The API of a running Tonewall, as its own description has it: schemathesis makes requests that
fit the description, and requests that do not, and compares every answer with it.

`make explore-api EXAMPLES=200` makes more of them, and others each time.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import CheckContext
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from tests.architecture import openapi
from tests.stack import Stack, running
from tests.wire.handmade import trunk

EXAMPLES: Final = int(os.environ.get("TONEWALL_API_EXAMPLES", "0"))
# The feed and a recording do not end; a sign-in is answered the later the more of them are wrong.
APART: Final = {"follow_calls", "record_packets", "sign_in"}
# No fault is a 422 to what fits its schema: of a card number in an order, and of fields that go
# together or not at all, no schema speaks.
ACCEPTED: Final = frozenset({200, 201, 202, 204})


def no_unexpected_error(_: CheckContext, response: Response, case: Case) -> bool | None:
    """503 is for what is not there now, and is described; any other 5xx is a fault."""
    del case
    assert response.status_code < 500 or response.status_code == 503, response.text
    return None


def a_body_that_is_wrong_is_refused(context: CheckContext, response: Response, case: Case) -> bool | None:
    """413 is a refusal, too."""
    return None if response.status_code == 413 else negative_data_rejection(context, response, case)


CHECKS: Final[list[Any]] = [
    no_unexpected_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    a_body_that_is_wrong_is_refused,
    unsupported_method,
]


def operations() -> Iterator[APIOperation]:
    """Every operation that is described, but for those apart."""
    schema = schemathesis.openapi.from_dict(openapi.document())
    # Tokens that it thinks of are wrong, and wrong ones are answered late.
    schema.config.generation.update(with_security_parameters=False)
    for each in schema.get_all_operations():
        operation = each.ok()
        if operation.definition.raw["operationId"] not in APART:
            yield operation


def compare(
    operation: APIOperation, mode: GenerationMode, url: str, token: str
) -> tuple[list[str], set[int]]:
    """What is wrong with the answers, a text each, and their codes."""
    faults: dict[str, str] = {}
    codes: set[int] = set()
    session = requests.Session()
    headers = {"Authorization": f"Bearer {token}"} if token else {}

    @settings(
        max_examples=EXAMPLES or 4, derandomize=not EXAMPLES, deadline=None, database=None,
        suppress_health_check=list(HealthCheck), phases=[Phase.generate],
    )  # fmt: skip
    @given(operation.as_strategy(generation_mode=mode))
    def ask(case: Case) -> None:
        try:
            answer = case.call_and_validate(
                base_url=url, session=session, headers=headers, checks=CHECKS, timeout=60
            )
        except FailureGroup as group:
            for each in group.exceptions:
                kind = each.title if isinstance(each, Failure) else type(each).__name__
                faults.setdefault(kind, f"{operation.label}: {each}\n{case.as_curl_command()}")
        else:
            codes.add(answer.status_code)

    try:
        ask()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE  # nothing of it can be wrong: no parameter, no body
    finally:
        session.close()
    return list(faults.values()), codes


@pytest.mark.timeout(7200 if EXAMPLES else 900)  # in wall time, of a loaded machine
async def test_every_answer_is_as_the_description_says(tmp_path: Path) -> None:
    faults: list[str] = []
    codes: set[int] = set()
    with trunk() as carrier, trunk() as pbx:
        async with running(Stack(tmp_path, carrier.port, pbx.port, pairs=5)) as stack:
            token = stack.api.headers["Authorization"].removeprefix("Bearer ")
            for operation in operations():
                for mode in GenerationMode:
                    found, seen = await asyncio.to_thread(compare, operation, mode, stack.api_url, token)
                    faults += found
                    codes |= seen
    assert faults == [], "\n\n".join(faults)
    assert codes & ACCEPTED, "requests that are accepted"
    assert {404, 422} <= codes
