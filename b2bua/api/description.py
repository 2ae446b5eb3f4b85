"""Serves the description of the API (OpenAPI 3.1), which `make docs` has written beside this
module.

Rule 1: nothing of it is made while calls go on: to describe the routes takes a third of a second.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Final

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import Response

PATH: Final = "/openapi.json"


class Operation(msgspec.Struct, frozen=True):
    """One operation of a path, by its method, as far as it is needed here."""

    name: str = msgspec.field(name="operationId")


class _Description(msgspec.Struct, frozen=True):
    paths: dict[str, dict[str, Operation]]


def read_description() -> bytes:
    """The description, as it is served."""
    return (files("b2bua.api") / "openapi.json").read_bytes()


def read_operations() -> dict[str, dict[str, Operation]]:
    """Every path with its operations, by the name of the method in lower case."""
    return msgspec.json.decode(read_description(), type=_Description).paths


def add_description(app: FastAPI) -> None:
    """Serve the description."""
    body = read_description()

    async def get_description(_: Request) -> Response:
        return Response(body, media_type="application/json")

    app.add_route(PATH, get_description, methods=["GET"], include_in_schema=False)
