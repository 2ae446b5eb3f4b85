"""Asks, before each route, whether who sent the request may do that.

Rule 1: a route is asked for by its own operation, after it was chosen: no path is read twice.
Rule 2: an operation on a call or payment is permitted for that one: it is looked up first. A call
        that somebody may not see is named by its own id (403), or does not exist for them (404).
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from typing import Any, Final

import msgspec
from fastapi import Request

from b2bua.access.authority import Authority, NotPermitted
from b2bua.access.permissions import BY_BODY, Reach
from b2bua.access.principal import Principal
from b2bua.api.probes import LIVEZ, READYZ
from b2bua.audit.entry import Result
from b2bua.audit.recorder import NotWritten, Recorder
from b2bua.call.prepared import FindBy
from b2bua.call.prepared_desk import Desk
from b2bua.call.view import NoSuchCall
from tonewall.log import get_logger

log = get_logger(__name__)
_UNAUTHENTICATED: Final = frozenset({"/healthz", LIVEZ, READYZ, "/openapi.json", "/sign-in"})
_REMEMBERED: Final = 1000


class Doorkeeper:
    """Stands before the routes of an app, as a dependency of all of them. `audit`: notes what was
    refused."""

    def __init__(self, desk: Desk, authority: Authority, audit: Recorder | None = None) -> None:
        self._desk, self._authority, self._audit = desk, authority, audit
        self._refusals: OrderedDict[tuple[str, str], int] = OrderedDict()

    async def admit(self, request: Request) -> None:
        """Raises NotPermitted, NoSuchCall or NoSuchPayment where it may not be done."""
        operation = getattr(request.scope.get("route"), "operation_id", None) or ""
        if operation in BY_BODY:  # the route asks again, once the body is read
            operation = self._widest(request, BY_BODY[operation])
        await self.admit_to(request, operation)

    async def admit_to(self, request: Request, operation: str, path: dict[str, Any] | None = None) -> None:
        """The same for one of the operations that a body says, and the call or payment that it
        names (`path`)."""
        principal = principal_of(request)
        if principal is None:
            if request.scope["path"] in _UNAUTHENTICATED:
                return
            raise NotPermitted("This needs a name.")
        try:
            await self._require(principal, operation, request.path_params if path is None else path)
        except NotPermitted:
            await self._note(principal, operation, request)
            raise

    def _widest(self, request: Request, operations: tuple[str, ...]) -> str:
        principal = principal_of(request)
        if principal is None:
            return operations[0]
        return max(operations, key=lambda each: self._authority.reach(principal, each))

    async def admit_to_find(self, request: Request, find_by: FindBy) -> FindBy:
        """How the call of a payment that is prepared is found: for who reaches their own calls
        alone, among those. Raises NotPermitted."""
        principal = request.state.principal
        await self.admit_to(request, "prepare_payment")
        if self._authority.reach(principal, "prepare_payment") is not Reach.OWN:
            return find_by
        if find_by.agent not in ("", principal.name):
            raise NotPermitted("You may prepare payments for your own calls only.")
        return msgspec.structs.replace(find_by, agent=principal.name)

    async def _require(self, principal: Principal, operation: str, path: dict[str, Any]) -> None:
        authority = self._authority
        reach = authority.require(principal, operation)
        if reach is Reach.ALL:
            return
        if "call_id" in path:
            call = self._desk.find_call(path["call_id"])
            try:
                authority.require_call(principal, operation, call)
            except NotPermitted:
                if path["call_id"] != call.id:
                    raise NoSuchCall from None
                raise
        if "payment_id" in path:
            payment = await self._desk.payment(path["payment_id"])
            authority.require_payment(principal, operation, payment)
            if operation == "start_prepared_payment" and payment.call:
                authority.require_call(principal, operation, self._desk.find_call(payment.call))

    async def _note(self, principal: Principal, operation: str, request: Request) -> None:
        """Say it the first time, and then seldom: a page that asks again and again fills no log."""
        key = (principal.name, operation)
        count = self._refusals.pop(key, 0) + 1
        self._refusals[key] = count
        if len(self._refusals) > _REMEMBERED:
            self._refusals.popitem(last=False)
        if count & (count - 1):  # 1, 2, 4, 8 …
            return
        log.warning("not_permitted", agent=principal.name, operation=operation, count=count)
        if self._audit is not None:
            source = request.client.host if request.client else ""
            entry = self._audit.entry(
                principal.name, "access_refused", Result.NOTED, source=source,
                details={"operation": operation, "count": count},
            )  # fmt: skip
            with suppress(NotWritten):
                await self._audit.write(entry)


def principal_of(request: Request) -> Principal | None:
    """Who sent this request; None where that was not asked."""
    found: Principal | None = getattr(request.state, "principal", None)
    return found
