"""Challenging others: who says to be a trunk of ours proves that it knows the password (RFC 3261 section 22, RFC 8760). Sans-IO.

Rule 1: a nonce is its own proof of age; nothing is kept for whoever was only challenged.
Rule 2: an answer counts once: the nonce count goes up with each, and only the same request, sent again, may repeat one.
Rule 3: an unknown name and a wrong password look the same. A source that guesses is not answered for a while.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from enum import StrEnum

from b2bua.sip.auth import fields, hashed

LIFE = 300.0  # seconds that a nonce is good for
MOST_GUESSES = 5  # of one source, in REST
REST = 60.0  # seconds
_MOST_KEPT = 4096
_OFFERED = {"SHA-256": "sha-256", "MD5": "md5"}  # the strongest first (RFC 8760 section 2.3)


class Verdict(StrEnum):
    """What an answer to a challenge is worth."""

    GOOD = "good"
    STALE = "stale"  # right, but the nonce is too old
    BAD = "bad"


@dataclass(slots=True)
class Guard:
    """One an engine. `key` makes nonces ours."""

    realm: str
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    _used: OrderedDict[str, tuple[int, str]] = field(default_factory=OrderedDict)  # by nonce: count, and for what
    _guesses: OrderedDict[str, tuple[int, float]] = field(
        default_factory=OrderedDict
    )  # by source: how many, since when

    def lines(self, now: float, header: str, *, stale: bool = False) -> tuple[str, ...]:
        """The challenges of a 401 (`WWW-Authenticate`) or 407 (`Proxy-Authenticate`)."""
        nonce = self._nonce(now)
        more = ", stale=true" if stale else ""
        return tuple(
            f'{header}: Digest realm="{self.realm}", nonce="{nonce}", algorithm={name}, qop="auth"{more}'
            for name in _OFFERED
        )

    def verify(self, value: str, method: str, username: str, password: str, request: str, now: float) -> Verdict:
        """`value`: of Authorization or Proxy-Authorization; `request`: what tells this request from any other."""
        given = fields(value) or {}
        algorithm = _OFFERED.get(given.get("algorithm", "MD5").upper())
        nonce, count = given.get("nonce", ""), _count(given.get("nc", ""))
        age = self._age(nonce, now)
        if algorithm is None or count is None or age is None or given.get("qop", "").lower() != "auth":
            return Verdict.BAD
        secret = hashed(algorithm, username, self.realm, password)
        what = hashed(algorithm, method, given.get("uri", ""))
        wanted = hashed(algorithm, secret, nonce, given["nc"], given.get("cnonce", ""), "auth", what)
        right = hmac.compare_digest(given.get("response", "").encode(), wanted.encode())
        if not right or given.get("username") != username or given.get("realm") != self.realm:
            return Verdict.BAD
        if age > LIFE:
            return Verdict.STALE
        return Verdict.GOOD if self._is_new(nonce, count, request) else Verdict.STALE

    def _is_new(self, nonce: str, count: int, request: str) -> bool:
        before = self._used.get(nonce)
        if before is not None and count <= before[0]:
            return before == (count, request)
        self._used[nonce] = (count, request)
        self._used.move_to_end(nonce)
        if len(self._used) > _MOST_KEPT:
            self._used.popitem(last=False)
        return True

    # --- who guesses -------------------------------------------------------------------------------------------------

    def patient(self, source: str, now: float) -> bool:
        """Whether this source is still answered."""
        guesses, since = self._guesses.get(source, (0, now))
        if now - since > REST:
            self._guesses.pop(source, None)
            return True
        return guesses < MOST_GUESSES

    def guessed(self, source: str, now: float) -> None:
        """It answered a challenge wrongly."""
        guesses, since = self._guesses.get(source, (0, now))
        self._guesses[source] = (guesses + 1, since)
        self._guesses.move_to_end(source)
        if len(self._guesses) > _MOST_KEPT:
            self._guesses.popitem(last=False)

    # --- nonces ------------------------------------------------------------------------------------------------------

    def _nonce(self, now: float) -> str:
        made = f"{int(now * 1000):x}.{secrets.token_hex(8)}"
        return f"{made}.{self._seal(made)}"

    def _seal(self, made: str) -> str:
        return hmac.new(self.key, made.encode(), hashlib.sha256).hexdigest()[:32]

    def _age(self, nonce: str, now: float) -> float | None:
        """Seconds since it was made; None where we never made it."""
        made, _, seal = nonce.rpartition(".")
        if not hmac.compare_digest(seal.encode(), self._seal(made).encode()):
            return None
        return now - int(made.partition(".")[0], 16) / 1000


def name_in(value: str) -> str:
    """The username that an Authorization names; "" for none."""
    return (fields(value) or {}).get("username", "")


def _count(text: str) -> int | None:
    """A nonce count: eight hexadecimal digits."""
    return int(text, 16) if len(text) == 8 and all(char in "0123456789abcdefABCDEF" for char in text) else None
