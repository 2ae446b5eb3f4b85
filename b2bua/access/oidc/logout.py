"""Checks logout tokens, by which the identity provider says that somebody has left (OpenID Connect
Back-Channel Logout 1.0 section 2.6). Sans-IO.

Rule 1: a token is signed by the provider for us, of the last MAX_AGE seconds, of the one event, and
        no ID token: it has no nonce.
Rule 2: a token is good once; MOST are remembered.
Rule 3: a session that opens while its end arrives is ended, too: see `ended_since`.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from joserfc.jwk import KeySet

from b2bua.access.oidc.id_token import BadToken, Expected, check_parties, read_time, verify
from b2bua.access.oidc.people import METHOD, credential_of
from b2bua.access.principal import Principal

MAX_AGE: Final = 300.0  # seconds
MOST: Final = 10_000
_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"


@dataclass(frozen=True, slots=True)
class LoggedOut:
    """Whose sessions are over: of this subject, of this session of the provider's, or of both;
    "": not said."""

    subject: str
    session: str

    def includes(self, principal: Principal) -> bool:
        """Whether a session of this principal is over. One whose `sid` was never said is, where its
        subject is."""
        if principal.method != METHOD:
            return False
        if self.subject and principal.credential != credential_of(self.subject):
            return False
        known = (self.session, "") if self.subject else (self.session,)
        return not self.session or principal.provider_session in known


class LogoutTokens:
    """Those that came."""

    def __init__(self) -> None:
        self._used: dict[bytes, float] = {}  # until when a token would be good, by its `jti`
        self._ended: deque[LoggedOut] = deque(maxlen=MOST)
        self._count = 0

    def use(self, token: str, keys: KeySet, expected: Expected, now: float) -> tuple[LoggedOut, bytes]:
        """Who has left, by a token that is signed by one of these keys; and what `release` takes.
        Raises BadToken. `now`: seconds since the epoch."""
        _, claims = verify(token, keys)
        check_parties(claims, expected)
        issued = _check_times(claims, expected.skew, now)
        events = claims.get("events")
        if not isinstance(events, dict) or not isinstance(events.get(_EVENT), dict):
            raise BadToken("events")
        if "nonce" in claims:
            raise BadToken("nonce")
        ended = LoggedOut(_word(claims, "sub"), _word(claims, "sid"))
        if ended == LoggedOut("", ""):
            raise BadToken("sub")
        jti = hashlib.sha256(_word(claims, "jti", is_needed=True).encode("utf-8", "surrogatepass")).digest()
        for each in list(self._outdated(now)):
            del self._used[each]
        if jti in self._used:
            raise BadToken("jti")
        if len(self._used) >= MOST:
            del self._used[next(iter(self._used))]
        self._used[jti] = issued + MAX_AGE + expected.skew
        self._ended.append(ended)
        self._count += 1
        return ended, jti

    def release(self, jti: bytes) -> None:
        """Let a token be used again, whose sessions could not be ended."""
        self._used.pop(jti, None)

    def mark(self) -> int:
        """The present, for `ended_since`."""
        return self._count

    def ended_since(self, mark: int, principal: Principal) -> bool:
        """Whether somebody has left since then, as which a session was to open meanwhile."""
        late = islice(reversed(self._ended), self._count - mark)
        return any(each.includes(principal) for each in late)

    def _outdated(self, now: float) -> Iterator[bytes]:
        return (each for each, until in self._used.items() if until < now)


def _check_times(claims: dict[str, Any], skew: float, now: float) -> float:
    issued = read_time(claims, "iat")
    if not now - MAX_AGE - skew <= issued <= now + skew:
        raise BadToken("iat")
    # Providers of the drafts have none; `iat` bounds these.
    if "exp" in claims and read_time(claims, "exp") <= now - skew:
        raise BadToken("exp")
    return issued


def _word(claims: dict[str, Any], name: str, *, is_needed: bool = False) -> str:
    value = claims.get(name, "")
    if not isinstance(value, str) or len(value) > 255 or (is_needed and not value):
        raise BadToken(name)
    return value
