"""Writes each request that changes something into the audit log: before it is carried out, and what
became of it.

Rule 1: what moves money, opens a capture or takes one over is not done where the log cannot be
        written, if the settings say so. What ends a payment or a mask is done all the same.
Rule 2: bodies are not looked at. A call is named by its own id, and a payment that is named
        otherwise is not quoted: a path may hold the number of a caller, or anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from b2bua.api.call_routes import loggable
from b2bua.api.description import Operation, read_operations
from b2bua.api.problems import problem
from b2bua.api.webhook_routes import loggable_delivery
from b2bua.audit.entry import ALWAYS_DONE, Result
from b2bua.audit.recorder import NotWritten, Recorder
from b2bua.audit.request import carrying_out

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
# The one writes its own entries, few of wrong tries; the other changes nothing to know of.
_NOT_HERE = frozenset({"sign_in", "stay_signed_in"})


class Audit:
    """ASGI middleware; inside of the one that authenticates."""

    def __init__(self, app: ASGIApp, recorder: Recorder, own_id: Callable[[str], str]) -> None:
        """`own_id`: of the call that a path names."""
        self._app, self._recorder, self._own_id = app, recorder, own_id
        self._operations = _Operations(read_operations())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._operation(scope) if scope["type"] == "http" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        what, parameters = found
        recorder = self._recorder
        about = {
            "source": scope["client"][0] if scope.get("client") else "",
            "call": self._own_id(parameters["call_id"]) if "call_id" in parameters else "",
            "payment": loggable(parameters.get("payment_id", "")),
        }
        principal = scope.get("state", {}).get("principal")
        who = principal.name if principal is not None else ""
        by = {"credential": principal.credential} if principal is not None else {}
        if "delivery_id" in parameters:
            by["delivery"] = loggable_delivery(parameters["delivery_id"])
        number = 0
        try:
            number = await recorder.write(recorder.entry(who, what, Result.ASKED, details=by, **about))
        except NotWritten:
            if recorder.required and what not in ALWAYS_DONE:
                refusal = problem(
                    503, "The audit log cannot be written, so this is not done.", {"Retry-After": "5"}
                )
                await refusal(scope, receive, send)
                return
        status = 500

        async def send_noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            with carrying_out(number):
                await self._app(scope, receive, send_noted)
        finally:
            await self._note(who, what, number, status, about)

    def _operation(self, scope: Scope) -> tuple[str, dict[str, str]] | None:
        return self._operations.find(scope["method"], scope["path"])

    async def _note(self, who: str, what: str, number: int, status: int, about: dict[str, str]) -> None:
        result = Result.DONE if status < 400 else Result.REFUSED if status < 500 else Result.FAILED
        entry = self._recorder.entry(who, what, result, of=number, details={"status": status}, **about)
        try:
            await self._recorder.write(entry)
        except NotWritten:
            return  # the recorder counts it, and is a fault


class _Operations:
    """The operations of an API that change something: a pattern of the path, its method, its
    name."""

    def __init__(self, paths: Mapping[str, Mapping[str, Operation]]) -> None:
        self._all = [
            (compile_path(path)[0], method.upper(), operation.name)
            for path, item in paths.items()
            for method, operation in item.items()
            if method.upper() not in _READING and operation.name not in _NOT_HERE
        ]

    def find(self, method: str, path: str) -> tuple[str, dict[str, str]] | None:
        """What is asked for, and what stands in its path; None for what there is not."""
        for pattern, verb, name in self._all:
            if verb == method and (match := pattern.match(path)) is not None:
                return name, match.groupdict()
        return None
