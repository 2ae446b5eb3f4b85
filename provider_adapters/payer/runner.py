"""The only HTTPS client: sends what a flow yields, and settles what became of a charge.

Rule 1: a request that may charge is sent once. What gets no clear answer is asked for, then
        Unknown; it is never sent again, but where the provider promises that the same request under
        the same key charges once (`Request.repeatable`).
Rule 2: "sent" begins where the first byte of the request may have left: before that every fault is
        Failed. One later is: that our certificate is refused, by which TLS 1.3 takes the handshake
        back, and with it the request (RFC 8446 section 4.4.2.4).
Rule 3: TLS 1.2 or newer, certificate and host name verified; there is no argument by which that
        could be turned off.
Rule 4: no proxy and no setting from the environment, no redirect, no body, header or URL in a log
        or an exception.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Generator
from typing import TypeGuard, TypeVar

import httpx
import msgspec
from anyio.lowlevel import checkpoint

from provider_adapters.account import Account, https_url
from provider_adapters.base import Inquiry, Notes, NotFound, Request, Response
from provider_adapters.errors import (
    AnswerTooLarge,
    MaybeSent,
    NotNoted,
    NotSent,
    ProviderError,
    StillOpen,
    Unreachable,
)
from provider_adapters.form import encode_form
from provider_adapters.payer.connection import fault_after_sending, fault_before_sending, tls_context
from provider_adapters.payment import DIFFERENCES, Failed, Outcome, Unknown
from tonewall.log import get_logger

LARGEST_ANSWER = 64 * 1024
_CONNECT = 10.0
_MIN_WAIT, _MAX_WAIT = 0.25, 4.0  # seconds between two inquiries, or two repetitions
_FAULTS_OF_SERVERS = range(500, 600)  # RFC 9110 15.6
# Refusals at the door: of this request, and no word about the one before it under the same key.
_AT_THE_DOOR = frozenset({401, 403, 404, 407, 408, 409, 425, 429})
T = TypeVar("T")


class NotRepeatable(Exception):
    """The next request may move money once more: nobody promised otherwise, so it was not sent."""


log = get_logger(__name__)
for _name in ("httpx", "httpcore"):
    # httpx logs URLs, httpcore at debug level every header: credentials.
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)
    logging.getLogger(_name).propagate = False


class Runner:
    """Drives one flow. `open` does what takes time and needs no request; `settle` never raises for
    a fault.

    `note` is called before a request of a named step leaves, and has it on disk when it returns;
    it raises OSError where that fails, and nothing is sent.

    `is_repetition`: what may charge was sent by an earlier runner. Only a repeatable request leaves
    then, else NotRepeatable is raised; and a refusal at the door says nothing of the earlier
    one."""

    def __init__(
        self,
        account: Account,
        note: Callable[[Request], None] | None = None,
        *,
        is_repetition: bool = False,
    ) -> None:
        self._account = account
        self._is_repetition = is_repetition
        self.has_repeated = False
        """Whether a repeatable request has an answer of its own."""
        self._note = note
        self._url = https_url(account.url)
        self._client = httpx.AsyncClient(
            verify=tls_context(account.ca_file, account.tls_certificate, account.tls_key),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(account.timeout, connect=min(_CONNECT, account.timeout)),
            # A new connection for each request: on an old one, a close by the server looks like a
            # lost charge.
            limits=httpx.Limits(max_keepalive_connections=0),
            headers={"User-Agent": "tonewall", "Accept-Encoding": "identity"},
        )
        self._may_have_charged = False
        self._requests = 0
        self._until: float | None = None  # when the requests of one charge must be over
        self.notes: Notes = {}
        """What the requests so far have said that an inquiry must know."""

    async def open(self) -> None:
        """Load what the first request would load."""
        await self._client.__aenter__()
        await checkpoint()

    async def close(self) -> None:
        await self._client.aclose()

    async def settle(
        self, charging: Generator[Request, Response, T], inquire: Callable[[Notes], Inquiry]
    ) -> T | Outcome:
        """Run the charge, all of its requests within `timeout`; where it is left open and money may
        have moved, ask until `inquiry_time` is over, too."""
        now = asyncio.get_running_loop().time()
        self._until = now + self._account.timeout
        end = self._until + self._account.inquiry_time
        try:
            outcome = await self.drive(charging)
        except ProviderError as error:
            reason = error.reason
        except Exception as error:
            log.error("adapter_failed", exc_info=error)
            reason = "adapter_failed"
        else:
            if not isinstance(outcome, Unknown) or outcome.reason in DIFFERENCES:
                return outcome
            reason = outcome.reason
        if not self._may_have_charged:
            return Failed(reason=reason)
        log.warning("charge_unclear", reason=reason)
        self._until = end
        until = min(end, asyncio.get_running_loop().time() + self._account.inquiry_time)
        return await self._ask(inquire, reason, until)

    async def _ask(self, inquire: Callable[[Notes], Inquiry], reason: str, until: float) -> Outcome:
        now = asyncio.get_running_loop().time
        wait = _MIN_WAIT
        while now() < until:
            before = self._requests
            try:
                async with asyncio.timeout_at(until):
                    outcome = await self.drive(inquire(self.notes))
            except (ProviderError, TimeoutError) as error:
                log.warning(
                    "inquiry_failed", reason=error.reason if isinstance(error, ProviderError) else "timeout"
                )
            except Exception as error:
                log.error("adapter_failed", exc_info=error)
                break
            else:
                if is_decided(outcome):
                    return outcome
                if self._requests == before:
                    break  # there is nobody to ask
            await asyncio.sleep(min(wait, max(0.0, until - now())))
            wait = min(wait * 2, _MAX_WAIT)
        return Unknown(reason=reason)

    async def drive(self, flow: Generator[Request, Response, T]) -> T:
        """Send what the flow yields until it returns. Raises ProviderError."""
        try:
            request = next(flow)
            while True:
                response = await self._send_noted(request)
                request = flow.send(response)
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            flow.close()

    async def _send_noted(self, request: Request) -> Response:
        if self._is_repetition and request.may_charge and not request.repeatable:
            raise NotRepeatable
        if request.step and self._note is not None:
            try:
                self._note(request)
            except OSError as error:
                log.error("journal_failed", exc_info=error)
                raise NotNoted("journal_failed") from None
        self.notes = {**self.notes, **request.notes}
        self._requests += 1
        return await (self._repeat(request) if request.repeatable else self._send(request))

    async def _repeat(self, request: Request) -> Response:
        """Send until there is an answer that is no fault of the server's, or the time is over.
        Raises MaybeSent where an earlier one may have been carried out, and the last was refused
        at the door."""
        now = asyncio.get_running_loop().time
        until = now() + self._account.inquiry_time
        if self._until is not None:
            self._until += self._account.inquiry_time
        wait, is_open = _MIN_WAIT, self._is_repetition
        while True:
            try:
                response = await self._send(request)
            except MaybeSent as error:
                if now() + wait >= until:
                    raise
                reason, is_open = error.reason, True
            except NotSent:
                if not self._may_have_charged or now() + wait >= until:
                    raise
                reason = "no_connection"
            else:
                is_late = now() + wait >= until
                refused = response.status in _AT_THE_DOOR
                if response.status not in _FAULTS_OF_SERVERS and not (is_open and refused):
                    self.has_repeated |= request.may_charge
                    return response
                reason = f"http_{response.status}"
                if is_late and is_open and refused:
                    raise StillOpen(reason)
                if is_late:
                    return response
                is_open = True
            log.warning("charge_repeated", reason=reason, hint="under the same key")
            await asyncio.sleep(wait)
            wait = min(wait * 2, _MAX_WAIT)

    async def _send(self, request: Request) -> Response:
        """The answer to one request. Raises NotSent or MaybeSent."""
        left, may_have_charged = False, self._may_have_charged
        loop = asyncio.get_running_loop()
        patience = self._account.timeout
        if self._until is not None:
            patience = min(patience, self._until - loop.time())
            if patience <= 0:
                raise Unreachable("no_connection_in_time")

        async def trace(event: str, _info: object) -> None:
            nonlocal left
            if event.endswith("send_request_headers.started"):
                left = True
                self._may_have_charged |= request.may_charge

        body, kind = _encode(request)
        headers = {} if body is None else {"Content-Type": kind}
        headers |= request.all_headers(body or b"", time.time())
        try:
            async with (
                asyncio.timeout(patience),
                self._client.stream(
                    request.method,
                    self._url + request.path,
                    headers=headers,
                    content=body,
                    extensions={"trace": trace},
                ) as answer,
            ):
                received = bytearray()
                async for part in answer.aiter_raw():
                    received += part
                    if len(received) > LARGEST_ANSWER:
                        raise AnswerTooLarge("answer_too_large")
                return Response(answer.status_code, bytes(received))
        except ProviderError:
            raise
        except Exception as error:
            # `from None`: what httpx raises holds the request, and with it the card.
            fault = fault_after_sending(error) if left else fault_before_sending(error)
            if isinstance(fault, NotSent):
                self._may_have_charged = may_have_charged
            raise fault from None


def is_decided(outcome: Outcome | NotFound | None) -> TypeGuard[Outcome]:
    """Whether an inquiry's answer is the end of asking: an outcome, or a difference that a person
    must look at."""
    if outcome is None or isinstance(outcome, NotFound):
        return False
    return not isinstance(outcome, Unknown) or outcome.reason in DIFFERENCES


def _encode(request: Request) -> tuple[bytes | None, str]:
    """The body and its media type."""
    if request.body is None:
        return None, ""
    if isinstance(request.body, bytes):
        return request.body, request.media_type
    if request.is_form:
        return encode_form(request.body), "application/x-www-form-urlencoded"
    return msgspec.json.encode(request.body), "application/json"
