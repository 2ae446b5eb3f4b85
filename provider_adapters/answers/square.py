"""Reads Square's answers as outcomes, and writes what its requests have in common."""

from __future__ import annotations

import hashlib

import msgspec

from provider_adapters.account import Account
from provider_adapters.base import Response
from provider_adapters.codes.square import ERRORS
from provider_adapters.http_errors import judge_error
from provider_adapters.payment import Charge, Failed, Unknown
from provider_adapters.text import clean_code

_VERSION = "2025-08-20"


class Money(msgspec.Struct):
    """In the currency's minor unit."""

    amount: int | None = None
    currency: str | None = None


class _Error(msgspec.Struct):
    code: str = ""
    category: str = ""


class _Errors(msgspec.Struct):
    errors: list[_Error] = []


def make_headers(account: Account) -> dict[str, str]:
    """Of a request."""
    return {
        "Authorization": f"Bearer {account.api_key}",
        "Square-Version": _VERSION,
        "Accept": "application/json",
    }


def location(account: Account, charge: Charge) -> str:
    """At whose location it is charged."""
    return charge.merchant_account or account.merchant_account


def shorten(key: str, most: int) -> str:
    """A key of ours, or so many signs that stand for a longer one."""
    return key if len(key) <= most else hashlib.sha256(key.encode()).hexdigest()[:most]


def says_not_found(response: Response) -> bool:
    """Whether it is Square itself that does not have what was asked for."""
    errors = (response.read(_Errors) or _Errors()).errors
    return [(each.category, each.code) for each in errors] == [("INVALID_REQUEST_ERROR", "NOT_FOUND")]


def failed(response: Response) -> Failed | Unknown:
    """What an error says of a request."""
    errors = (response.read(_Errors) or _Errors()).errors
    return judge_error(response.status, clean_code(errors[0].code) if errors else "", ERRORS)
