"""Requests of our own commands to the API of a running Tonewall."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable
from functools import partial
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import TypeVar
from urllib.error import HTTPError
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

import msgspec

from b2bua.access.roles import Role
from b2bua.access.tokens import first_clear_token
from b2bua.api.own_certificate import OWN_CERTIFICATE, ask_verified, running_api
from b2bua.commands.configuration import TOKEN, give_up, given_token
from b2bua.config.general_settings import GeneralSettings
from b2bua.config.settings import ApiSettings
from tonewall.address import base_url
from tonewall.ini import ConfigError, load, read_file

OPERATORS = frozenset({Role.SUPERVISOR, Role.ADMINISTRATOR})
_TIMEOUT = 10.0  # seconds for an answer
T = TypeVar("T")


class ApiFailure(Exception):
    """The API did not do it; the text says what to do. `status` and `body`: of its answer, where
    there was one."""

    def __init__(self, text: str, status: int = 0, body: bytes = b"") -> None:
        super().__init__(text)
        self.status, self.body = status, body


class ApiClient:
    """The API of a running Tonewall. A failure ends the command, with what to do."""

    def __init__(
        self, url: str, token: str, trust: Callable[[], ssl.SSLContext | None] = lambda: None
    ) -> None:
        """`trust`: gives what its certificate is verified by now; None: the public authorities."""
        self._url = url.rstrip("/")
        self._token = token
        self._trust = trust

    @classmethod
    def for_config(cls, config: Path | None, url: str, roles: frozenset[Role] = OPERATORS) -> ApiClient:
        """The API of the Tonewall with this configuration, at `url` where one is given. `roles`: of
        which one is needed; the token is one of theirs, where sip.conf has it."""
        try:
            sections = read_file(config) if config else {}
            settings = load(ApiSettings, sections)
            directory = load(GeneralSettings, sections).directory
        except ConfigError as error:
            give_up(f"the configuration is wrong:\n{error}")
        token = given_token() or first_clear_token(settings.tokens.get_secret_value(), settings.roles, roles)
        if not token:
            give_up(f"[api] tokens has hashes only: put a token into the environment as {TOKEN}")
        if url:
            return cls(url, token)
        try:
            url = str(json.loads((directory / "ready.json").read_bytes())["api_url"])
        except (OSError, ValueError, KeyError, TypeError):
            url = base_url(settings.address, settings.port, settings.scheme)
        try:
            running_api(directory)
        except OSError as error:
            give_up(f"{directory / OWN_CERTIFICATE} cannot be used: {error.strerror or error}")
        return cls(url, token, partial(running_api, directory))

    def fetch(self, path: str, kind: type[T]) -> T:
        """The answer to a GET, decoded as `kind`."""
        return self._or_give_up(path, kind, None, {}, _TIMEOUT)

    def ask(self, path: str, kind: type[T], patience: float = _TIMEOUT) -> T:
        """The same for a command that goes on after a failure. Raises ApiFailure."""
        return self._ask(path, kind, None, {}, patience)

    def send(self, path: str, body: object, kind: type[T], patience: float = _TIMEOUT) -> T:
        """The answer to a POST, decoded as `kind`. `patience`: seconds that it may take."""
        headers = {"Content-Type": "application/json"}
        return self._or_give_up(path, kind, msgspec.json.encode(body), headers, patience)

    def stream(self, path: str, body: object, into: Callable[[bytes], None], patience: float) -> None:
        """Hand on the answer to a POST while it comes. `patience`: seconds without any of it.
        Raises ApiFailure; with status 0 where the connection was lost."""
        headers = {"Content-Type": "application/json"}

        def take(answer: HTTPResponse) -> None:
            while part := answer.read1(65536):
                into(part)

        self._exchange(path, msgspec.json.encode(body), headers, patience, take)

    def _or_give_up(
        self, path: str, kind: type[T], body: bytes | None, headers: dict[str, str], patience: float
    ) -> T:
        try:
            return self._ask(path, kind, body, headers, patience)
        except ApiFailure as error:
            give_up(str(error))

    def _ask(
        self, path: str, kind: type[T], body: bytes | None, headers: dict[str, str], patience: float
    ) -> T:
        return self._exchange(
            path, body, headers, patience, lambda answer: msgspec.json.decode(answer.read(), type=kind)
        )

    def _exchange(
        self,
        path: str,
        body: bytes | None,
        headers: dict[str, str],
        patience: float,
        read: Callable[[HTTPResponse], T],
    ) -> T:
        try:
            headers = {"Authorization": f"Bearer {self._token}", **headers}
            request = Request(self._url + path, body, headers)  # noqa: S310

            def ask(tls: ssl.SSLContext | None) -> T:
                opener = build_opener(ProxyHandler({}), HTTPSHandler(context=tls))
                with opener.open(request, timeout=patience) as answer:
                    return read(answer)

            return ask_verified(self._trust, ask)
        except HTTPError as error:
            answer = _body_of(error)
            raise ApiFailure(self._explain(error, answer), error.code, answer) from None
        except (OSError, ValueError, HTTPException, msgspec.MsgspecError) as error:
            why = getattr(error, "reason", error)
            why = getattr(why, "strerror", None) or type(why).__name__
            raise ApiFailure(
                f"the API at {self._url} does not answer as it should ({why}); is `tonewall run` up? Its "
                "log and `tonewall doctor` say more; --url names another address"
            ) from None

    def _explain(self, error: HTTPError, answer: bytes) -> str:
        if error.code == 401:
            return (
                f"the API at {self._url} does not know the token; put one of its own into the environment "
                f"as {TOKEN}"
            )
        try:
            detail = problem_detail(answer)
        except ValueError:
            detail = ""
        if error.code == 404 and detail and "ladder" in error.url:
            return f"{detail} `tonewall ladder` without an id lists the calls that are remembered."
        if detail:
            return detail
        return f"the API at {self._url} answers {error.code}; is it a Tonewall of this version?"


def _body_of(error: HTTPError) -> bytes:
    try:
        return error.read()
    except (OSError, HTTPException):
        return b""


def problem_detail(body: bytes) -> str:
    """The detail of a problem (RFC 9457), or "". Raises ValueError where the body is no JSON."""
    problem = json.loads(body)
    detail = problem.get("detail", "") if isinstance(problem, dict) and "status" in problem else ""
    return "".join(char for char in str(detail)[:400] if char.isprintable())
