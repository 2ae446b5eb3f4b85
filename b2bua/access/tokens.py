"""Reads the bearer tokens of sip.conf (RFC 6750), and knows who has which.

Rule 1: only the SHA-256 of a token is kept; no repr, log or error shows a token or its hash.
Rule 2: every known token is compared, in constant time, whether or not an earlier one matched.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any, Final

from b2bua.access.bearer import credentials
from b2bua.access.principal import Principal
from b2bua.access.roles import ALL_SCOPES, Role, read_roles

MIN_TOKEN: Final = 16
_EXPECTED = (
    f"expected name:token, name2:token2 (a token has at least {MIN_TOKEN} characters), or name:sha256:hash"
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750 section 2.1, b64token
_HASH = re.compile(r"[0-9a-fA-F]{64}")
_OTHERS: Final = "*"  # in `roles`: tokens that it does not name
_LEAST: Final = frozenset({Role.AGENT})


class Tokens:
    """The tokens of sip.conf, by name. An authenticator."""

    __slots__ = ("_changes", "_digests", "_roles")

    def __init__(self, digests: dict[str, bytes], roles: Mapping[str, frozenset[Role]] | None = None) -> None:
        """`roles`: by name; `*`: of all others. Who has none is an agent."""
        self._digests = dict(digests)
        self._roles = dict(roles or {})
        self._changes: dict[str, int] = {}  # how often each was replaced

    @classmethod
    def parse(cls, text: str, roles: str = "") -> Tokens:
        """Read `name:token, name2:sha256:hash`, and `name:role, *:role+role`. Raises ValueError
        with what was expected, never with what was given."""
        digests: dict[str, bytes] = {}
        for number, entry in enumerate((part.strip() for part in text.split(",")), start=1):
            name, _, rest = entry.partition(":")
            kind, _, digest = rest.partition(":")
            if not _NAME.fullmatch(name) or name in digests:
                raise ValueError(f"token {number} has no name, or one that is taken; {_EXPECTED}")
            if kind == "sha256" and _HASH.fullmatch(digest):
                digests[name] = bytes.fromhex(digest)
            elif len(rest) >= MIN_TOKEN and _TOKEN.fullmatch(rest):
                digests[name] = hashlib.sha256(rest.encode()).digest()
            else:
                raise ValueError(f"token {number} is too short or has other characters than letters, digits "
                "and "
                                 f"._~+/-; {_EXPECTED}")  # fmt: skip
        given = read_roles(roles)
        if set(given) - {*digests, _OTHERS}:
            raise ValueError("roles: expected names of tokens, or * for all others")
        return cls(digests, given)

    async def authenticate(self, scope: Mapping[str, Any]) -> Principal | None:
        """See Authenticator."""
        scheme, token = credentials(scope)
        name = self.agent_of(token) if scheme == "bearer" else None
        return None if name is None else self.principal(name)

    def holds(self, principal: Principal) -> bool:
        """See Authenticator. A token is valid until another one, or none, has its name."""
        name = principal.name
        if principal.method != "token":
            return True
        return name in self._digests and principal == self.principal(name)

    def replace(self, tokens: Tokens) -> None:
        """Know these tokens from now on, and no others."""
        for name in {**self._digests, **tokens._digests}:
            if self._digests.get(name) != tokens._digests.get(name):
                self._changes[name] = self._changes.get(name, 0) + 1
        self._digests, self._roles = tokens._digests, tokens._roles

    def principal(self, name: str) -> Principal:
        """Who has the token of this name."""
        roles = self._roles.get(name, self._roles.get(_OTHERS, _LEAST))
        scopes = ALL_SCOPES if Role.INTEGRATION in roles else frozenset()
        change = self._changes.get(name)
        credential = f"token:{name}" if change is None else f"token:{name}:{change}"
        return Principal(name=name, roles=roles, scopes=scopes, method="token", credential=credential)

    def agent_of(self, token: str) -> str | None:
        """The name of the agent who has this token, or None."""
        presented = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        found: str | None = None
        for name, digest in self._digests.items():
            if hmac.compare_digest(presented, digest):
                found = name
        return found

    def __len__(self) -> int:
        return len(self._digests)

    def __repr__(self) -> str:
        return f"<Tokens of {len(self)} agents>"


def first_clear_token(text: str, roles: str = "", wanted: frozenset[Role] = frozenset(Role)) -> str:
    """The first token of these texts (as `Tokens.parse` reads them) that is no hash, for our own
    commands: with one of the roles `wanted`, else the first of all; "" where all are hashes."""
    entries = [part.strip().partition(":")[::2] for part in text.split(",")]
    clear = [(name, token) for name, token in entries if token and not token.startswith("sha256:")]
    given = read_roles(roles)
    fit = [token for name, token in clear if given.get(name, given.get(_OTHERS, _LEAST)) & wanted]
    return next(iter([*fit, *(token for _, token in clear)]), "")
