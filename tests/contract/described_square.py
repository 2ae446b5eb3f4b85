"""Checks requests and answers against Square's description, which has the order but not the path
that shows it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from tests.contract.described import OpenApi

_ORDER = re.compile(r"/v2/orders/[^/]+")


class Square(OpenApi):
    """The description, and the path of an order."""

    def __init__(self) -> None:
        # It describes successes alone; an error has the same form everywhere.
        statuses = (f"status {status} is not described" for status in (400, 401, 404))
        super().__init__("square-2025-08-payments.json", allowed=tuple(statuses))

    def check_request(
        self, method: str, path: str, headers: Mapping[str, str], body: object, *, is_form: bool
    ) -> list[str]:
        """By the description, where it has the path."""
        if "Square-Version" not in headers:
            return ["no version is named"]
        if _ORDER.fullmatch(urlsplit(path).path):
            return [] if method == "GET" and body is None else ["an order is only looked at"]
        return super().check_request(method, path, headers, body, is_form=is_form)

    def check_answer(
        self, method: str, path: str, status: int, body: object, asked: object = None
    ) -> list[str]:
        """By the description, where it has the path; else the order or the errors in it."""
        assert isinstance(body, dict)
        if _ORDER.fullmatch(urlsplit(path).path) and status == 200:
            return self._check({"$ref": "#/components/schemas/Order"}, body["order"])
        faults = [] if status == 200 else self._check_errors(body["errors"])
        if _ORDER.fullmatch(urlsplit(path).path):
            return faults
        return faults + super().check_answer(method, path, status, body, asked)

    def _check_errors(self, errors: list[object]) -> list[str]:
        schema = {"$ref": "#/components/schemas/Error"}
        return [fault for each in errors for fault in self._check(schema, each)]
