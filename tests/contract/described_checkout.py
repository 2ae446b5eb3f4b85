"""Describes Checkout.com's search by reference, which its own description of 2021 does not have:
its library sends it, and its public texts show the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from checkout_sdk.payments.payments import PaymentsQueryFilter

from tests.contract.described import OpenApi


class Search:
    """`GET /payments?reference=…`: a list of what `GET /payments/{id}` shows."""

    def __init__(self, payments: OpenApi) -> None:
        self._payments = payments

    def check_request(
        self, method: str, path: str, headers: Mapping[str, str], body: object, *, is_form: bool
    ) -> list[str]:
        """The words of its query are those of the library."""
        query = dict(parse_qsl(urlsplit(path).query))
        known = PaymentsQueryFilter.__annotations__
        return (
            ([] if method == "GET" and body is None else [f"no such operation: {method} {path}"])
            + [f"query parameter {name} is unknown" for name in query if name not in known]
            + ([] if query.get("reference") else ["a reference is required"])
        )

    def check_answer(self, method: str, path: str, status: int, body: Any, asked: object = None) -> list[str]:
        """Each payment is one that the description knows."""
        if status != 200:
            return [] if status == 401 else [f"status {status} is not described"]
        faults = [f"{name} is missing" for name in ("limit", "skip", "total_count") if name not in body]
        for each in body["data"]:
            faults += self._payments.check_answer("GET", f"/payments/{each['id']}", 200, each)
        return faults
