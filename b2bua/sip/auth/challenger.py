"""Digest challenges to trunks: nonces, credentials, and sources that guess (RFC 3261 section 22,
RFC 8760). Sans-IO.

Rule 1: a nonce is its own proof of age; nothing is kept for whoever was only challenged.
Rule 2: an answer counts once: the nonce count goes up with each, and only the same request, sent
        again, may repeat one.
Rule 3: an answer is for one number (RFC 7616 section 3.4.6) and from one address, that to which the
        nonce was given.
Rule 4: an unknown name and a wrong password look the same. A source that guesses is not answered
        for a while; what answers no nonce that this source was given is no guess, as anybody can
        write another's address into a datagram.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from enum import StrEnum

from b2bua.call.routing.trunk import Trunk
from b2bua.sip.auth.digest import hash_parts, parse_digest
from b2bua.sip.hop import Hop
from b2bua.sip.message.message import Request
from b2bua.sip.message.octets import encode_octets
from b2bua.sip.message.uri import Uri

NONCE_LIFE = 300.0  # seconds that a nonce is good for
MAX_GUESSES = 5  # of one source, in REST
BLOCK_TIME = 60.0  # seconds
_MAX_KEPT = 4096
_RequestKey = tuple[str, int, str, str, Hop]  # what tells a request from any other, except its repetition
_OFFERED = {"SHA-256": "sha-256", "MD5": "md5"}  # the strongest first (RFC 8760 section 2.3)


class CredentialStatus(StrEnum):
    """What an answer to a challenge is worth."""

    GOOD = "good"
    STALE = "stale"  # right, but the nonce is too old, or has served another request
    FOREIGN = "foreign"  # to no nonce that we gave to this source
    BAD = "bad"
    NONE = "none"  # nothing was answered

    @property
    def is_stale(self) -> bool:
        """Whether it was the nonce, not the password, that was not right."""
        return self in {CredentialStatus.STALE, CredentialStatus.FOREIGN}


@dataclass(slots=True)
class DigestChallenger:
    """One per engine. `key`: proves that a nonce is ours."""

    realm: str
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    # By nonce: count, and for what.
    _used: OrderedDict[str, tuple[int, _RequestKey]] = field(default_factory=OrderedDict)
    # By source: how many, since when.
    _guesses: OrderedDict[str, tuple[int, float]] = field(default_factory=OrderedDict)

    def challenge_lines(
        self, now: float, source: str, header: str, *, stale: bool = False
    ) -> tuple[str, ...]:
        """The challenges of a 401 (`WWW-Authenticate`) or 407 (`Proxy-Authenticate`) to this
        source."""
        nonce = self._nonce(now, source)
        more = ", stale=true" if stale else ""
        return tuple(
            f'{header}: Digest realm="{self.realm}", nonce="{nonce}", algorithm={name}, qop="auth"{more}'
            for name in _OFFERED
        )

    def check_credentials(
        self, request: Request, header: str, trunk: Trunk | None, now: float
    ) -> CredentialStatus:
        """What the answer in `header` is worth, if `trunk` gave it; None: nobody that we know. A
        guess is remembered."""
        values = request.headers.getlist(header)
        if not values:
            return CredentialStatus.NONE
        given, source = parse_digest(values[0]) or {}, request.source.host
        nonce, count = given.get("nonce", ""), _count(given.get("nc", ""))
        age = self._age(nonce, source, now)
        if age is None:
            return CredentialStatus.FOREIGN
        known = (
            trunk is not None
            and self.still_answers(source, now)
            and self._proves_password(given, request, trunk)
        )
        if count is None or not known:
            self._count_guess(source, now)
            return CredentialStatus.BAD
        return (
            CredentialStatus.GOOD
            if age <= NONCE_LIFE and self._is_unused(nonce, count, _request_key(request))
            else CredentialStatus.STALE
        )

    def _proves_password(self, given: dict[str, str], request: Request, trunk: Trunk) -> bool:
        """Whether this was answered by who knows the trunk's password, and for where the request
        goes."""
        algorithm = _OFFERED.get(given.get("algorithm", "MD5").upper())
        uri, username = given.get("uri", ""), trunk.username
        if algorithm is None or given.get("qop", "").lower() != "auth" or _user(uri) != request.uri.user:
            return False  # of the URI the user alone: proxies write another host
        secret = hash_parts(algorithm, username, self.realm, trunk.password)
        what = hash_parts(algorithm, request.method, uri)
        wanted = hash_parts(
            algorithm, secret, given["nonce"], given.get("nc", ""), given.get("cnonce", ""), "auth", what
        )
        right = hmac.compare_digest(encode_octets(given.get("response", "")), wanted.encode())
        return right and given.get("username") == username and given.get("realm") == self.realm

    def _is_unused(self, nonce: str, count: int, request: _RequestKey) -> bool:
        before = self._used.get(nonce)
        if before is not None and count <= before[0]:
            return before == (count, request)
        self._used[nonce] = (count, request)
        self._used.move_to_end(nonce)
        if len(self._used) > _MAX_KEPT:
            self._used.popitem(last=False)
        return True

    # --- who guesses ------------------------------------------------------------------------------

    def still_answers(self, source: str, now: float) -> bool:
        """Whether this source is still answered."""
        guesses, since = self._guesses.get(source, (0, now))
        if now - since > BLOCK_TIME:
            self._guesses.pop(source, None)
            return True
        return guesses < MAX_GUESSES

    def _count_guess(self, source: str, now: float) -> None:
        """It answered a challenge wrongly."""
        guesses, since = self._guesses.get(source, (0, now))
        self._guesses[source] = (guesses + 1, since)
        self._guesses.move_to_end(source)
        if len(self._guesses) > _MAX_KEPT:
            self._guesses.popitem(last=False)

    # --- nonces -----------------------------------------------------------------------------------

    def _nonce(self, now: float, source: str) -> str:
        made = f"{int(now * 1000):x}.{secrets.token_hex(8)}"
        return f"{made}.{self._seal(made, source)}"

    def _seal(self, made: str, source: str) -> str:
        return hmac.new(self.key, encode_octets(f"{made} {source}"), hashlib.sha256).hexdigest()[:32]

    def _age(self, nonce: str, source: str, now: float) -> float | None:
        """Seconds since it was made; None where we never made it for this source."""
        made, _, seal = nonce.rpartition(".")
        if not hmac.compare_digest(encode_octets(seal), self._seal(made, source).encode()):
            return None
        return now - int(made.partition(".")[0], 16) / 1000


def username_in(value: str) -> str:
    """The username that an Authorization names; "" for none."""
    return (parse_digest(value) or {}).get("username", "")


def _request_key(request: Request) -> _RequestKey:
    return request.head.call_id, request.cseq, request.from_tag, str(request.uri), request.source


def _user(uri: str) -> str | None:
    """Of a URI that somebody wrote; "" where it is none."""
    try:
        return Uri.parse(uri).user
    except ValueError:
        return ""


def _count(text: str) -> int | None:
    """A nonce count: eight hexadecimal digits."""
    return (
        int(text, 16) if len(text) == 8 and all(char in "0123456789abcdefABCDEF" for char in text) else None
    )
