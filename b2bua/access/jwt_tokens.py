"""Tells programs by access tokens of the company's identity provider: JWT as of RFC 9068.

Rule 1: only signatures by public keys of the issuer are looked at, with an algorithm of ALGORITHMS;
        the token itself says nothing about where keys are.
Rule 2: issuer, audience, type and times are checked; an ID token, or one for another service, is
        none. Clocks may differ by `leeway`.
Rule 3: a token that is bound to a certificate (RFC 8705) is good on a connection with that one
        alone; one that is bound to anything else is refused, since we cannot see it.
Rule 4: no log has anything of a token.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError

from b2bua.access.bearer import credentials
from b2bua.access.certificates import STATE
from b2bua.access.issuer_keys import IssuerKeys
from b2bua.access.principal import Principal
from b2bua.access.roles import Role, Scope

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "Ed25519")
ACCESS_TOKEN: Final = "at+jwt"  # noqa: S105  # RFC 9068 section 2.1
_MAX_LENGTH: Final = 8192
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_JWT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class TokenPolicy:
    """What a token must be, and what it means.

    `audience`: ours, one of the token's; `types`: of its header, in lower case; `scope_prefix`:
    before our scopes in its `scope` or `scp`; `role_claim`: the claim with its roles, `roles`: ours
    by theirs; `leeway`: seconds.
    """

    issuer: str
    audience: str
    types: frozenset[str] = frozenset({ACCESS_TOKEN})
    algorithms: tuple[str, ...] = ALGORITHMS
    scope_prefix: str = ""
    role_claim: str = ""
    roles: Mapping[str, Role] = field(default_factory=dict)
    leeway: int = 30


class JwtAuthenticator:
    """Authenticates by the tokens of one issuer. `now`: seconds since the epoch."""

    def __init__(self, policy: TokenPolicy, keys: IssuerKeys, now: Callable[[], float] = time.time) -> None:
        self._policy, self._keys, self._now = policy, keys, now
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(now()),
            leeway=policy.leeway,
            iss={"essential": True, "value": policy.issuer},
            aud={"essential": True, "value": policy.audience},
            exp={"essential": True},
            sub={"essential": True},
        )

    async def authenticate(self, scope: Mapping[str, Any]) -> Principal | None:
        """See Authenticator."""
        scheme, text = credentials(scope)
        if scheme != "bearer" or len(text) > _MAX_LENGTH or not _JWT.fullmatch(text):
            return None
        header = _header(text)
        if header is None or not self._accepts(header):
            return None
        kid = header.get("kid")
        keys = await self._keys.find(kid if isinstance(kid, str) else None)
        if keys is None:
            return None
        try:
            token = jwt.decode(text, keys, algorithms=list(self._policy.algorithms))
            self._claims.validate(token.claims)
        except (JoseError, ValueError, TypeError):
            return None
        claims = token.claims
        if not _is_bound_to(claims.get("cnf"), scope.get("state", {}).get(STATE)):
            return None
        return self._principal(claims)

    def holds(self, principal: Principal) -> bool:
        """See Authenticator."""
        if principal.method != "oauth" or principal.expires_at is None:
            return True
        return self._now() < principal.expires_at + self._policy.leeway

    def _accepts(self, header: Mapping[str, Any]) -> bool:
        kind = str(header.get("typ", "")).lower().removeprefix("application/")
        return kind in self._policy.types and header.get("alg") in self._policy.algorithms

    def _principal(self, claims: Mapping[str, Any]) -> Principal | None:
        """Whose token it is, and what they may: by scopes a program, by roles what those mean."""
        name = next((claims[each] for each in ("client_id", "azp", "sub") if claims.get(each)), "")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            return None
        prefix = self._policy.scope_prefix
        given = [
            each.removeprefix(prefix) for each in _words(claims, "scope", "scp") if each.startswith(prefix)
        ]
        scopes = frozenset(Scope(each) for each in given if each in set(Scope))
        listed = _words(claims, self._policy.role_claim) if self._policy.role_claim else []
        roles = {self._policy.roles[each] for each in listed if each in self._policy.roles}
        if scopes:
            roles.add(Role.INTEGRATION)
        return Principal(
            name=name,
            roles=frozenset(roles),
            scopes=scopes,
            method="oauth",
            credential=f"oauth:{name}",
            expires_at=float(claims["exp"]),
        )


def _header(text: str) -> dict[str, Any] | None:
    part = text.partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return None
    return header if isinstance(header, dict) else None


def _words(claims: Mapping[str, Any], *names: str) -> list[str]:
    """The words of the first of these claims that there is, a list or a text with spaces."""
    value = next((claims[name] for name in names if name in claims), "")
    if isinstance(value, str):
        return value.split()
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _is_bound_to(confirmation: object, certificate: bytes | None) -> bool:
    """Whether the token may be used on this connection (RFC 8705 section 3)."""
    if confirmation is None:
        return True
    if not isinstance(confirmation, dict) or set(confirmation) != {"x5t#S256"} or certificate is None:
        return False
    ours = base64.urlsafe_b64encode(hashlib.sha256(certificate).digest()).rstrip(b"=")
    return hmac.compare_digest(ours, str(confirmation["x5t#S256"]).encode("utf-8", "surrogateescape"))
