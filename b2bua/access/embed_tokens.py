"""Issues and checks the tokens of embedded forms: of one agent, for minutes, for one call where
that is said.

Rule 1: only the SHA-256 of a token is kept, in memory: a restart ends all of them.
Rule 2: a token is valid as long as the credential that asked for it, and LONGEST seconds at most.
Rule 3: whose token it is has the role of an agent, whatever else they are; operations outside of
        `EMBEDDED` (permissions.py) are refused.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from b2bua.access.bearer import credentials
from b2bua.access.principal import EMBED, Authenticator, Principal
from b2bua.access.roles import Role

PREFIX: Final = "tonewall_embed_"
LONGEST: Final = 900  # seconds
SHORTEST: Final = 60
MOST: Final = 10_000  # tokens at once


class TooManyTokens(Exception):
    """There is room for no other token, until some have ended."""


class CreatorOver(Exception):
    """The credential that asks for a token ends now."""


@dataclass(frozen=True, slots=True)
class _Grant:
    principal: Principal
    creator: Principal
    ends: float  # on the monotonic clock


class EmbedTokens:
    """The tokens of a running process. An authenticator. `others`: who say whether the credential
    of a creator still is valid; `now`: seconds since the epoch; `clock`: seconds that never run
    backwards."""

    def __init__(
        self,
        others: Sequence[Authenticator],
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._others, self._now, self._clock = tuple(others), now, clock
        self._by_digest: dict[bytes, _Grant] = {}
        self._by_credential: dict[str, _Grant] = {}

    def issue(self, creator: Principal, agent: str, call: str, seconds: float) -> tuple[str, Principal]:
        """A token for this agent, and who shows it. `call`: the id of the only call that it is for;
        empty: those of the agent. Raises TooManyTokens and CreatorOver."""
        now = self._now()
        if creator.expires_at is not None:
            seconds = min(seconds, creator.expires_at - now)
        if seconds <= 0:
            raise CreatorOver
        if len(self._by_digest) >= MOST:
            self._drop_ended()
        if len(self._by_digest) >= MOST:
            raise TooManyTokens
        token = PREFIX + secrets.token_urlsafe(32)
        principal = Principal(
            name=agent,
            roles=frozenset({Role.AGENT}),
            method=EMBED,
            credential=f"{EMBED}:{secrets.token_hex(8)}",
            expires_at=now + seconds,
            only_call=call,
        )
        grant = _Grant(principal, creator, self._clock() + seconds)
        self._by_digest[_digest(token)] = self._by_credential[principal.credential] = grant
        return token, principal

    async def authenticate(self, scope: Mapping[str, Any]) -> Principal | None:
        """See Authenticator."""
        scheme, text = credentials(scope)
        if scheme != "bearer" or not text.startswith(PREFIX):
            return None
        grant = self._by_digest.get(_digest(text))
        return grant.principal if grant is not None and self._is_valid(grant) else None

    def holds(self, principal: Principal) -> bool:
        """See Authenticator."""
        if principal.method != EMBED:
            return True
        grant = self._by_credential.get(principal.credential)
        return grant is not None and self._is_valid(grant)

    def _is_valid(self, grant: _Grant) -> bool:
        return self._clock() < grant.ends and all(each.holds(grant.creator) for each in self._others)

    def _drop_ended(self) -> None:
        now = self._clock()
        for digest in [each for each, grant in self._by_digest.items() if grant.ends <= now]:
            del self._by_credential[self._by_digest.pop(digest).principal.credential]


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("latin-1")).digest()
