"""Checks requests and answers against Stripe's two descriptions.

The public one of 2023 has paths and answers. The parameters that Stripe's library declares are
newer and have `moto`; they go before it where they have a request.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from jsonschema import Draft202012Validator
from stripe.params import CustomerCreateParams, PaymentLinkCreateParams, SetupIntentCreateParams
from stripe.params.checkout import SessionExpireParams, SessionListParams
from typing_extensions import is_typeddict

from tests.contract.described import OpenApi, spec_path

_PARAMETERS = "stripe-2026-sdk-params.schema.json"
_EXAMPLES = "stripe-fixtures3.json"
_OF_2026 = {
    "/v1/payment_methods": "PaymentMethodCreateParams",
    "/v1/payment_intents": "PaymentIntentCreateParams",
    "/v1/refunds": "RefundCreateParams",
}
# Their parameters are in no file here, so they are read in the library.
_OF_THE_LIBRARY: Mapping[str, type] = {
    "/v1/customers": CustomerCreateParams,
    "/v1/payment_links": PaymentLinkCreateParams,
    "/v1/setup_intents": SetupIntentCreateParams,
}
# Not among the public paths that are kept here: their objects, by the library's own examples.
_NOT_PUBLIC = {"/v1/customers": "customer", "/v1/checkout/sessions": "checkout.session"}
_SESSIONS = re.compile(r"/v1/checkout/sessions(/[^/]+/expire)?")


class Stripe:
    """Both descriptions as one."""

    def __init__(self) -> None:
        self._public = OpenApi("stripe-2023-08-16-payments.json")

    def check_request(
        self, method: str, path: str, headers: Mapping[str, str], body: object, *, is_form: bool
    ) -> list[str]:
        """By the newer description where it has the request, and by the older one."""
        where = urlsplit(path).path
        if not is_form and body is not None:
            return ["Stripe takes forms"]
        if "Stripe-Version" not in headers:
            return ["no version is named"]
        if _SESSIONS.fullmatch(where):
            if method == "GET":
                asked = {name: True for name, _ in parse_qsl(urlsplit(path).query)}
                return _find_unknown(asked, SessionListParams)
            return _find_unknown(body, SessionExpireParams) if where.endswith("/expire") else ["no such path"]
        if method == "POST" and where in _OF_THE_LIBRARY:
            return _find_unknown(body, _OF_THE_LIBRARY[where])
        faults = self._public.check_request(method, path, headers, body, is_form=is_form)
        kind = "PaymentIntentConfirmParams" if where.endswith("/confirm") else _OF_2026.get(where)
        if method == "POST" and kind is not None:
            # Of the older one, path and method count.
            faults = [each for each in faults if each.startswith("no such")]
            faults += [
                f"{'/'.join(str(step) for step in each.absolute_path) or 'body'}: {each.message[:300]}"
                for each in _validator(kind).iter_errors(body)
            ]
        return faults

    def check_answer(
        self, method: str, path: str, status: int, body: object, asked: object = None
    ) -> list[str]:
        """By the public description."""
        where = urlsplit(path).path
        base = "/v1/checkout/sessions" if _SESSIONS.fullmatch(where) else where
        if base in _NOT_PUBLIC:
            example = _read(_EXAMPLES)["resources"][_NOT_PUBLIC[base]]
            assert isinstance(body, dict)
            shown = body["data"] if body.get("object") == "list" else [body]
            return [f"{name} is unknown" for each in shown for name in set(each) - set(example) - {"error"}]
        return self._public.check_answer(method, path, status, body)

    def example(self, name: str) -> dict[str, Any]:
        """An example of a resource."""
        found: dict[str, Any] = _read(_EXAMPLES)["resources"][name]
        return found


def _find_unknown(value: object, declared: type, where: str = "body") -> list[str]:
    """What the library's types do not name, however deep."""
    faults = []
    fields, module = declared.__annotations__, vars(sys.modules[declared.__module__])
    for name, each in value.items() if isinstance(value, dict) else ():
        if name not in fields:
            faults.append(f"{where}: {name} is unknown")
        # Its types name each other as texts.
        words = re.findall(r"\w+", str(fields.get(name, "")))
        for kind in (module[word] for word in words if is_typeddict(module.get(word))):
            faults += _find_unknown(each, kind, name)
    return faults


@cache
def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(spec_path(name).read_text(encoding="utf-8"))
    return found


@cache
def _validator(kind: str) -> Draft202012Validator:
    document = _read(_PARAMETERS)
    return Draft202012Validator({"$ref": f"#/$defs/{kind}", "$defs": document["$defs"]})
