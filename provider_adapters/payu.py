"""PayU (Europe): REST API 2.1, a card in text form in the order that it pays.

Source: PayU's own OpenAPI description 2.1.0, and its public texts on card data in text form, on
statuses and on card status codes. What binds here: a token comes first (OAuth client credentials),
which moves no money. An order is taken at once and paid a little later: GET shows its status. An
order is found by PayU's own id alone, so one whose answer was lost stays open; `extOrderId` may be
used once, so nothing is sent twice unnoticed. A telephone order is known in answers only
(`paymentFlow`), not in requests: whether PayU treats the account's orders so is agreed with PayU.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from typing import ClassVar
from urllib.parse import quote

import msgspec

from provider_adapters.account import Account
from provider_adapters.answers.payu import (
    Answer,
    Method,
    Orders,
    Token,
    judge_follow_up,
    judge_refusal,
    judge_transactions,
)
from provider_adapters.approval import approve
from provider_adapters.base import Charging, Examination, FollowingUp, Inquiry, Notes, Request, Response
from provider_adapters.card import Card
from provider_adapters.codes.payu import ERRORS
from provider_adapters.currency import MINOR_UNITS
from provider_adapters.http_errors import judge_error
from provider_adapters.minor_units import AmountNotPayable, from_provider, to_provider
from provider_adapters.payment import (
    Charge,
    Declined,
    Failed,
    FollowUp,
    Operation,
    Outcome,
    Unknown,
)
from provider_adapters.text import clean_code, clean_text

_ORDERS = "/api/v2_1/orders"
# Every amount has two decimals, whatever ISO 4217 says.
_SHIFTS = {currency: 2 - decimals for currency, decimals in MINOR_UNITS.items() if decimals != 2}
_NO_ADDRESS = "127.0.0.1"  # required of the payer, who has none on the telephone
_VALID = "3600"  # seconds in which an order is paid, or cancelled by PayU
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{1,4096}")  # RFC 6750, b64token
_Headers = Mapping[str, str]


class _WaysToPay(msgspec.Struct, rename="camel"):
    """What can be paid with here."""

    pay_by_links: list[object]


class Payu:
    """Speaks with a point of sale's credentials."""

    OPERATIONS: ClassVar[frozenset[Operation]] = frozenset(
        {Operation.CHARGE, Operation.AUTHORISE, Operation.CHARGE_SAVED, Operation.VOID}
        | {Operation.CAPTURE, Operation.CAPTURE_PART, Operation.REFUND, Operation.REFUND_PART}
    )
    ABSENT_AFTER: ClassVar[float | None] = None
    PROVES: ClassVar[str] = "the POS and its secret are accepted"

    def __init__(self, account: Account) -> None:
        self._account = account

    def charge(self, charge: Charge, card: Card) -> Charging:
        """A token, the order, a look at it."""
        month, year = card.expiry.reveal_digits()
        code = card.security_code.reveal()
        paid_by: dict[str, object] = {
            "type": "PBL",
            "value": "c",
            "card": {"number": card.pan.reveal(), "expirationMonth": month, "expirationYear": year}
            | ({"cvv": code} if code else {}),
        }
        saves = (charge.token_type or self._account.token_type) != "none"
        return (yield from self._pay(charge, paid_by, "FIRST" if saves else ""))

    def charge_saved(self, charge: Charge, token: str) -> Charging:
        """The same with a token of a saved card."""
        paid_by: dict[str, object] = {"type": "CARD_TOKEN", "value": token}
        return (yield from self._pay(charge, paid_by, "STANDARD_MERCHANT"))

    def inquire(self, charge: Charge, notes: Notes) -> Inquiry:
        """A token and a look; nothing where PayU's id of the order is not known."""
        order_id = notes.get("order_id")
        if not order_id:
            return None
        headers = yield from self._authorise()
        if isinstance(headers, Failed):
            return None
        response = yield Request("GET", _path(order_id), headers=headers)
        return (yield from self._judge(response, charge, headers, None))

    def follow_up(self, request: FollowUp) -> FollowingUp:
        """A token, and one request about the order."""
        charge, path = request.charge, _path(request.reference)
        try:
            units = to_provider(request.amount, charge.currency, _SHIFTS)
        except AmountNotPayable:
            return Failed(reason="amount_not_allowed")
        amount = {"amount": str(units), "currencyCode": charge.currency}
        headers = yield from self._authorise()
        if isinstance(headers, Failed):
            return headers
        match request.kind:
            case "void":
                response = yield Request("DELETE", path, headers=headers, may_charge=True)
            case "capture":
                body = amount if request.is_partial else None
                response = yield Request(
                    "POST", f"{path}/captures", headers=headers, body=body, may_charge=True
                )
            case "refund":
                text = charge.description or charge.transaction_id
                body = {"description": text, "extRefundId": request.key} | amount
                # "Idempotent, if exactly the same data" is sent.
                response = yield Request(
                    "POST",
                    f"{path}/refunds",
                    headers=headers,
                    body={"refund": body},
                    may_charge=True,
                    repeatable=True,
                )
        return judge_follow_up(response, request)

    def examine(self) -> Examination:
        """Ask for a token, which proves the POS and its secret, and with it for the ways to pay."""
        headers = yield from self._authorise()
        if isinstance(headers, Failed):
            return headers.reason
        response = yield Request("GET", "/api/v2_1/paymethods", headers=headers)
        known = response.status == 200 and response.read(_WaysToPay) is not None
        return None if known else judge_refusal(response).reason

    def _authorise(self) -> Generator[Request, Response, _Headers | Failed]:
        """The headers of all further requests."""
        body = {
            "grant_type": "client_credentials",
            "client_id": self._account.api_user,
            "client_secret": self._account.api_key,
        }
        response = yield Request("POST", "/pl/standard/user/oauth/authorize", body=body, is_form=True)
        found = response.read(Token) or Token()
        if response.status == 200 and _TOKEN.fullmatch(found.access_token):
            return {
                "Authorization": f"Bearer {found.access_token}",
                "Accept": "application/json",
                "Content-Type": "application/json",
            }
        error = judge_error(response.status, clean_code(found.error), ERRORS)
        if isinstance(error, Failed):
            return error
        return Failed(reason="try_again_later", code=error.reason)  # without a token nothing is sent

    def _pay(self, charge: Charge, paid_by: dict[str, object], card_on_file: str) -> Charging:
        try:
            amount = str(to_provider(charge.amount, charge.currency, _SHIFTS))
        except AmountNotPayable:
            return Failed(reason="amount_not_allowed")
        headers = yield from self._authorise()
        if isinstance(headers, Failed):
            return headers
        held = {"authorizationType": "PRE_AUTHORIZATION"} if charge.operation == "authorise" else {}
        text = charge.description or charge.transaction_id
        more = {
            "statementDescription": charge.statement or self._account.statement,
            "cardOnFile": card_on_file,
            "buyer": {"extCustomerId": charge.customer} if charge.customer else None,
        }
        body: dict[str, object] = {
            "extOrderId": charge.idempotency_key,
            "merchantPosId": charge.merchant_account
            or self._account.merchant_account
            or self._account.api_user,
            "customerIp": _NO_ADDRESS,
            "description": text,
            "additionalDescription": charge.transaction_id,
            "currencyCode": charge.currency,
            "totalAmount": amount,
            "validityTime": _VALID,
            "products": [{"name": text[:255], "unitPrice": amount, "quantity": "1"}],
            "payMethods": {"payMethod": paid_by | held},
        }
        response = yield Request(
            "POST",
            _ORDERS,
            headers=headers,
            body=body | {name: value for name, value in more.items() if value},
            may_charge=True,
        )
        answer = response.read(Answer) or Answer()
        if response.status not in (200, 201, 302):
            return judge_refusal(response)
        if not answer.order_id:
            return Unknown(reason="answer_not_understood")
        code = clean_code(answer.status.status_code)
        redirects = response.status == 302 or bool(answer.redirect_uri)
        if redirects or code != "SUCCESS":
            return (yield from self._give_up(answer.order_id, code, redirects, headers))
        response = yield Request(
            "GET", _path(answer.order_id), headers=headers, step="look", notes={"order_id": answer.order_id}
        )
        found = yield from self._judge(response, charge, headers, answer.pay_methods.pay_method)
        return found or Unknown(reason="pending")

    def _give_up(self, order_id: str, code: str, redirects: bool, headers: _Headers) -> Charging:
        """Cancel an order that waits for the payer at a browser: nobody is there."""
        response = yield Request(
            "DELETE", _path(order_id), headers=headers, step="cancel", notes={"order_id": order_id}
        )
        answer = response.read(Answer) or Answer()
        if response.status == 200 and answer.status.status_code == "SUCCESS":
            waited = code.startswith("WARNING_CONTINUE") or redirects
            return Declined(
                reason="authentication_required" if waited else "cancelled",
                reference=clean_text(order_id) or None,
                code=code,
            )
        return Unknown(reason="not_cancelled")

    def _judge(
        self, response: Response, charge: Charge, headers: _Headers, method: Method | None
    ) -> Generator[Request, Response, Outcome | None]:
        """What became of an order by its status; of a cancelled one, why by its transactions."""
        orders = (response.read(Orders) or Orders()).orders if response.status == 200 else []
        order = next((each for each in orders if each.ext_order_id == charge.idempotency_key), None)
        if order is None:
            return None
        if order.status == "CANCELED":
            response = yield Request("GET", f"{_path(order.order_id)}/transactions", headers=headers)
            return judge_transactions(response, order)
        if order.status == "WAITING_FOR_CONFIRMATION" and charge.operation != "authorise":
            return Unknown(reason="not_captured")
        if order.status not in ("COMPLETED", "WAITING_FOR_CONFIRMATION"):
            return None
        units = order.total_amount if order.total_amount.isdecimal() else ""
        amount = from_provider(int(units), order.currency_code, _SHIFTS) if units else None
        saved = method is not None and method.type == "CARD_TOKEN"
        return approve(
            charge,
            reference=order.order_id,
            amount=-1 if amount is None else amount,
            currency=order.currency_code,
            token=method.value if method is not None and saved else None,
        )


def _path(order_id: str) -> str:
    return f"{_ORDERS}/{quote(order_id, safe='')}"
