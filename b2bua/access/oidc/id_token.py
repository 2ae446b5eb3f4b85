"""Checks ID tokens (OpenID Connect Core section 3.1.3.7). Sans-IO.

Rule 1: only signatures by public keys are looked at, with an algorithm of ALGORITHMS.
Rule 2: issuer, audience, authorised party, times, nonce and the hash of the access token are
        checked; clocks may differ by `skew` seconds.
Rule 3: a token has the three parts of a signed one, of MAX_LENGTH octets at most.
"""

from __future__ import annotations

import base64
import binascii
import copy
import hashlib
import hmac
import json
import math
import re
from dataclasses import dataclass, field
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

ALGORITHMS: Final = ("RS256", "ES256", "EdDSA", "Ed25519")
MAX_LENGTH: Final = 32_768  # hundreds of groups
_JWT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


def _registry() -> JWSRegistry:
    """The algorithms as joserfc has them; and EdDSA, as providers still call Ed25519 (RFC 9864),
    with keys of that curve alone, where joserfc would take Ed448 under that name, and warn."""
    known = JWSRegistry.algorithms
    older = copy.copy(known["Ed25519"])
    older.name = "EdDSA"
    registry = JWSRegistry(algorithms=ALGORITHMS)
    registry.algorithms = {each: known[each] for each in ("RS256", "ES256", "Ed25519")} | {"EdDSA": older}
    return registry


_REGISTRY: Final = _registry()


class BadToken(Exception):
    """No token that we take; `str(error)` says which part, a word of ours."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What an ID token must say. `since`: when its sign-in began, in seconds since the epoch."""

    issuer: str
    audience: str
    client_id: str
    skew: float
    nonce: str = field(default="", repr=False)
    access_token: str = field(default="", repr=False)
    since: float = 0.0


def key_id(token: str) -> str | None:
    """The id of the key that the token says it is signed with. Raises BadToken for what is none of
    ours, before anybody is asked for a key."""
    if len(token) > MAX_LENGTH or not _JWT.fullmatch(token):
        raise BadToken("form")
    part = token.partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        raise BadToken("header") from None
    if not isinstance(header, dict) or header.get("alg") not in ALGORITHMS:
        raise BadToken("alg")
    kid = header.get("kid")
    return kid if isinstance(kid, str) else None


def check_id_token(token: str, keys: KeySet, expected: Expected, now: float) -> dict[str, Any]:
    """The claims of an ID token that is signed by one of these keys. Raises BadToken."""
    algorithm, claims = verify(token, keys)
    check_parties(claims, expected)
    _check_times(claims, expected, now)
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:
        raise BadToken("sub")
    if not _same(claims.get("nonce"), expected.nonce):
        raise BadToken("nonce")
    if "at_hash" in claims and not _same(claims["at_hash"], half_hash(expected.access_token, algorithm)):
        raise BadToken("at_hash")
    return claims


def verify(token: str, keys: KeySet) -> tuple[str, dict[str, Any]]:
    """The algorithm and the claims of a token that is signed by one of these keys. Raises
    BadToken."""
    try:
        decoded = jwt.decode(token, keys, registry=_REGISTRY)
    except (JoseError, ValueError, TypeError, KeyError, RecursionError):
        raise BadToken("signature") from None
    return str(decoded.header["alg"]), decoded.claims


def half_hash(text: str, algorithm: str) -> str:
    """The left half of a hash, as `at_hash` has it (OpenID Connect Core section 3.1.3.6)."""
    hashed = hashlib.sha512 if algorithm in ("EdDSA", "Ed25519") else hashlib.sha256
    digest = hashed(text.encode()).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()


def check_parties(claims: dict[str, Any], expected: Expected) -> None:
    """Whether a token is of this provider, and for us. Raises BadToken."""
    if claims.get("iss") != expected.issuer:
        raise BadToken("iss")
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if expected.audience not in audiences:
        raise BadToken("aud")
    if ("azp" in claims or len(audiences) > 1) and claims.get("azp") != expected.client_id:
        raise BadToken("azp")


def _check_times(claims: dict[str, Any], expected: Expected, now: float) -> None:
    if read_time(claims, "exp") <= now - expected.skew:
        raise BadToken("exp")
    if not int(expected.since) - expected.skew <= read_time(claims, "iat") <= now + expected.skew:
        raise BadToken("iat")
    if "nbf" in claims and read_time(claims, "nbf") > now + expected.skew:
        raise BadToken("nbf")


def read_time(claims: dict[str, Any], name: str) -> float:
    """A time of a token's, in seconds since the epoch. Raises BadToken."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise BadToken(name)
    return value


def _same(given: object, expected: str) -> bool:
    return isinstance(given, str) and hmac.compare_digest(
        given.encode("utf-8", "surrogateescape"), expected.encode()
    )
