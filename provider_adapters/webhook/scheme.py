"""What a signature scheme is: a module that reads one request of a provider, sans-IO.

Rule 1: nothing of a body is believed before its signature was found right, and of a right one only
        what the signature covers.
Rule 2: signatures are compared in constant time.
Rule 3: a body is a stranger's until then: reading it raises BadSignature, Stale or Unreadable, and
        nothing else.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol, TypeVar, runtime_checkable

import msgspec

from provider_adapters.notice import MAX_EVENT, Notice

T = TypeVar("T")


class BadSignature(Exception):
    """The request is not signed, or not with our secret."""


class Stale(Exception):
    """The request was signed too long ago, or in the future: it is played again."""


class Unreadable(Exception):
    """The request is signed, and no event that this scheme can read."""


class Scheme(Protocol):
    """The module of one provider. `ANSWER`: the body that it wants to be answered with."""

    ANSWER: bytes

    def check_secret(self, secret: str) -> str:
        """What was expected of the secret; empty where it is fit."""
        ...

    def read(self, headers: Mapping[str, str], body: bytes, secret: str, now: float) -> tuple[Notice, ...]:
        """The notices in a request. `headers`: names in lower case; `now`: seconds since the epoch.

        Raises BadSignature, Stale, Unreadable."""
        ...


@runtime_checkable
class Challenged(Protocol):
    """A scheme whose provider asks, when the URL is entered, whether we know the secret."""

    def answer_challenge(self, query: str, secret: str) -> bytes | None:
        """What proves that we do, to a GET with that query; None where it is no challenge."""
        ...


SCHEMES: Mapping[str, str] = MappingProxyType(
    {
        name: f"provider_adapters.webhook.{name}"
        for name in ("adyen", "braintree", "checkout", "govuk_pay", "square", "stripe")
    }
)
"""The module by adapter. An adapter that is not here has no webhooks with us."""


def load_scheme(adapter: str) -> Scheme:
    """The scheme of an adapter's provider. Raises KeyError."""
    scheme: Scheme = importlib.import_module(SCHEMES[adapter])
    return scheme


def check_hexadecimal(given: str, secret: bytes, signed: bytes) -> None:
    """Compare a signature in hexadecimal digits with the HMAC-SHA256 of what was signed. Raises
    BadSignature."""
    right = hmac.new(secret, signed, hashlib.sha256).hexdigest()
    if not same(given.lower(), right):
        raise BadSignature


def same(given: str, right: str) -> bool:
    """Whether two texts are the same, in a time that does not tell where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), right.encode("utf-8", "replace"))


def read_json(body: bytes, kind: type[T]) -> T:
    """The body as `kind`. Raises Unreadable."""
    try:
        return msgspec.json.decode(body, type=kind)
    # A text of it may be no UTF-8; a nesting too deep for us is nobody's event.
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Unreadable from None


def event_id(*parts: str) -> str:
    """The parts as one id, of bounded length."""
    text = ":".join(parts)
    if len(text) <= MAX_EVENT and text.isascii() and text.isprintable():
        return text
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def check_text(secret: str) -> str:
    """What was expected of a secret that is a text; empty where it is fit."""
    fit = len(secret) >= 16 and secret.isascii() and secret.isprintable() and " " not in secret
    return "" if fit else "expected the signing secret, 16 signs or more, as the provider shows it"
