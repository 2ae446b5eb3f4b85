"""Tools with which a voice bot takes payments, each a request of the HTTP API.

Rule 1: a result has states, sentences and counts; no digit of a card but the last four.
Rule 2: the tools act for the token that the bot's platform sends, and may what it may.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Final
from urllib.parse import quote

import httpx
import msgspec
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, Field

from b2bua.call.view import CallView, CaptureStage, PaymentView
from b2bua.voice_bot.sentences import say
from media.form_description import FormDescription
from provider_adapters.currency import MINOR_UNITS

LONGEST_WAIT: Final = 25.0  # seconds that payment_status waits for a change
_LOOK_EVERY = 0.2  # seconds
_FINAL = frozenset({CaptureStage.FINISHED, CaptureStage.CANCELLED, CaptureStage.ABORTED})

CallName = Annotated[str, Field(description="The call's id, from find_call.")]
Amount = Annotated[str, Field(description="The amount, as in 49.90.")]
Currency = Annotated[str, Field(description="The currency, ISO 4217, as in EUR.")]
Country = Annotated[str, Field(description="The country of an IBAN that is keyed, as in DE.")]
Reference = Annotated[str, Field(description="Your own reference of the order; never a card number.")]


class Call(BaseModel):
    """A call. `state`: ringing, up or ended."""

    call: str
    state: str
    direction: str
    caller: str
    callee: str
    reference: str = ""


class Calls(BaseModel):
    """Calls that are up or ringing."""

    calls: list[Call]


class Progress(BaseModel):
    """A payment. `stage`: as in the API; `say`: what to say to the customer now, if anything.

    `field`, `keyed`: what is being keyed, and how many digits it has; `missing`: fields that are
    not complete; `reason`: why one was refused, or what ended the payment; `over`: nothing more
    comes of it."""

    call: str
    stage: str
    say: str = ""
    field: str = ""
    keyed: int = 0
    missing: list[str] = []
    brand: str = ""
    last_four: str = ""
    outcome: str = ""
    reason: str = ""
    reference: str = ""
    protected: bool = False
    over: bool = False


class SentLink(BaseModel):
    """A payment link, and the payment that it is for. The company's own service sends it."""

    payment: str
    stage: str
    url: str = ""
    say: str = "You get a link to pay in a moment."


class Tools:
    """The tools over the API at a URL. `token` gives the token of the request that is being
    answered; `verify`: as httpx has it."""

    def __init__(self, url: str, token: Callable[[], str], verify: ssl.SSLContext | bool = True) -> None:
        self._client = httpx.AsyncClient(
            base_url=url, timeout=10.0, transport=httpx.AsyncHTTPTransport(verify=verify, retries=1)
        )
        self._token = token
        self._end_keys: dict[str, str] = {}  # of each form, by its name

    @property
    def all(self) -> tuple[Callable[..., Awaitable[BaseModel]], ...]:
        """Each by its own name and docstring."""
        return (
            self.find_call, self.protect_line, self.take_payment, self.payment_status, self.ask_again,
            self.charge, self.cancel, self.send_link,
        )  # fmt: skip

    async def present(self, credentials: str) -> httpx.Response | None:
        """What the API answers to whoever has these credentials; None where it does not answer."""
        try:
            # In octets, as they came: not all of them are ASCII.
            headers = {b"Authorization": credentials.encode("latin-1")}
            return await self._client.get("/v1/me", headers=headers)
        except httpx.HTTPError:
            return None

    async def find_call(
        self, number: str = "", call_id: str = "", reference: str = "", mine: bool = False
    ) -> Calls:
        """Find calls, all or those of which everything is so that is given: from or to a number,
        compared by its last digits; with a leg of this SIP Call-ID; with this reference of an
        order in a header; with the bot's own extension (mine)."""
        given = {"call_id": call_id, "reference": reference, "mine": "1" if mine else ""}
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in given.items() if value)
        views = await self._fetch("GET", f"/v1/calls?{query}" if query else "/v1/calls", list[CallView])
        wanted = _digits(number)
        return Calls(calls=[_call(view) for view in views if not wanted or wanted in _numbers(view)])

    async def protect_line(self, call: CallName) -> Progress:
        """Protect the line before a payment, as soon as the talk turns to one: keys of a customer
        who is too quick reach nobody. take_payment then collects at once. Without a payment the
        line opens again by itself, after minutes."""
        path = f"/v1/calls/{quote(call, safe='')}/mask"
        return await self._progress(await self._fetch("POST", path, CallView))

    async def take_payment(
        self, call: CallName, reference: Reference, amount: Amount = "", currency: Currency = "",
        form: str = "", country: Country = "",
    ) -> Progress:  # fmt: skip
        """Begin a payment in a call. The line is protected first: the bot hears the customer, and
        none of the keys. Wait with payment_status until the stage is collecting before you ask for
        the card. A form that moves no money has no amount."""
        named = {name: value for name, value in (("form", form), ("country", country)) if value}
        order = _order(amount, currency, reference) | named
        return await self._progress(await self._fetch("POST", _capture(call), CallView, order))

    async def payment_status(self, call: CallName, wait: float = 0.0) -> Progress:
        """How the payment of a call stands, and what to say. With `wait`: once that has changed, or
        after so many seconds, 25 at most."""
        before = now = await self._call(call)
        clock = asyncio.get_running_loop().time
        until = clock() + min(max(wait, 0.0), LONGEST_WAIT)
        while clock() < until and now.capture == before.capture and not _is_over(now):
            await asyncio.sleep(_LOOK_EVERY)
            now = await self._call(call)
        return await self._progress(now)

    async def ask_again(self, call: CallName, field: str) -> Progress:
        """Have one field keyed again, by its name as in `field`: expiry, say. The others stay."""
        return await self._progress(
            await self._fetch("POST", f"{_capture(call)}/ask", CallView, {"field": field})
        )

    async def charge(self, call: CallName) -> Progress:
        """Charge the card, or pass the form on, once all is ready and the customer has agreed.
        The outcome comes with payment_status."""
        return await self._progress(await self._fetch("POST", f"{_capture(call)}/submit", CallView, {}))

    async def cancel(self, call: CallName) -> Progress:
        """Cancel the payment. What was keyed is wiped, and nothing is charged."""
        return await self._progress(await self._fetch("DELETE", _capture(call), CallView))

    async def send_link(
        self, call: CallName, amount: Amount, currency: Currency, reference: Reference, phone: str = "",
        email: str = "",
    ) -> SentLink:  # fmt: skip
        """Open a payment link instead of having a card keyed. The company's own service sends it to
        the phone number or e-mail address."""
        to = {name: value for name, value in (("phone", phone), ("email", email)) if value}
        body = _order(amount, currency, reference) | ({"to": to} if to else {})
        payment = await self._fetch("POST", f"/v1/calls/{quote(call, safe='')}/links", PaymentView, body)
        return SentLink(payment=payment.id, stage=payment.stage, url=payment.link.url if payment.link else "")

    async def _call(self, call: str) -> CallView:
        view: CallView = await self._fetch("GET", f"/v1/calls/{quote(call, safe='')}", CallView)
        return view

    async def _progress(self, view: CallView) -> Progress:
        form = view.capture.order.form if view.capture else ""
        if form not in self._end_keys:
            forms = await self._fetch("GET", "/v1/forms", list[FormDescription])
            self._end_keys = {"": forms[0].end_key} | {each.name: each.end_key for each in forms}
        # Of a form that was renamed since, nobody says a wrong key.
        return _progress(view, self._end_keys.get(form, ""))

    async def _fetch(self, method: str, path: str, kind: Any, body: dict[str, object] | None = None) -> Any:
        """Raises ToolError with a sentence."""
        headers = {"Authorization": f"Bearer {self._token()}"}
        try:
            answer = await self._client.request(method, path, json=body, headers=headers)
        except httpx.HTTPError:
            raise ToolError("Tonewall does not answer. Try again in a moment.") from None
        if answer.status_code == 401:
            raise ToolError("Tonewall does not know this token.")
        if not answer.is_success:
            raise ToolError(_problem(answer))
        return msgspec.json.decode(answer.content, type=kind)


class _Problem(msgspec.Struct):
    """The part of a problem (RFC 9457) that is meant to be read."""

    detail: str = ""


def _problem(answer: httpx.Response) -> str:
    try:
        detail = msgspec.json.decode(answer.content, type=_Problem).detail
    except msgspec.DecodeError:
        detail = ""
    return detail or f"Tonewall answers {answer.status_code}."


def _capture(call: str) -> str:
    return f"/v1/calls/{quote(call, safe='')}/capture"


def _call(view: CallView) -> Call:
    return Call(
        call=view.id, state=view.state, direction=view.direction, caller=view.caller, callee=view.callee,
        reference=view.reference,
    )  # fmt: skip


def _numbers(view: CallView) -> tuple[str, str]:
    return _digits(view.caller), _digits(view.callee)


def _digits(number: str) -> str:
    """The last nine digits: what stands before them depends on who writes the number."""
    return "".join(sign for sign in number if sign.isdecimal())[-9:]


def _order(amount: str, currency: str, reference: str) -> dict[str, object]:
    """Raises ToolError."""
    if not amount:  # the API knows whether the form needs one
        return {"transaction_id": reference, **({"currency": currency} if currency else {})}
    if currency not in MINOR_UNITS:
        raise ToolError("The currency is a code of ISO 4217, such as EUR.")
    try:
        minor = Decimal(amount).scaleb(MINOR_UNITS[currency])
    except InvalidOperation:
        raise ToolError("The amount is a number such as 49.90.") from None
    if not minor.is_finite() or minor != minor.to_integral_value():
        raise ToolError(f"An amount in {currency} has {MINOR_UNITS[currency]} decimals.")
    return {"transaction_id": reference, "amount": int(minor), "currency": currency}


def _is_over(view: CallView) -> bool:
    return view.capture is None or view.capture.stage in _FINAL or view.state == "ended"


def _progress(view: CallView, end_key: str) -> Progress:
    capture = view.capture
    if capture is None:
        protected = view.masked_since is not None
        return Progress(call=view.id, stage="none", protected=protected, over=view.state == "ended")
    now = next((each for each in capture.fields if each.field == capture.field), None)
    outcome = msgspec.to_builtins(capture.outcome) if capture.outcome is not None else {}
    return Progress(
        call=view.id,
        stage=capture.stage,
        say=say(capture, end_key),
        field=capture.field or "",
        keyed=now.count if now else 0,
        missing=[each.field for each in capture.fields if not each.complete],
        brand=capture.brand or "",
        last_four=capture.last_four or "",
        outcome=outcome.get("type", ""),
        reason=(now.reason if now else None) or outcome.get("reason") or capture.reason or "",
        reference=outcome.get("reference") or "",
        protected=view.masked,
        over=capture.stage in _FINAL,
    )
