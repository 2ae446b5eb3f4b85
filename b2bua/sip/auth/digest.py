"""Digest credentials of ours, and parsing for both sides (RFC 3261 section 22, RFC 2617, RFC 8760).
Sans-IO.

Rule 1: a trunk has one realm: the configured one, or else that of the first challenge to a REGISTER
        or to an INVITE which opens a call. Nothing is answered for another: a second party on the
        path cannot have our credentials hashed for its own.
Rule 2: before the realm is known, no challenge within a dialog is answered (the SIP digest leak:
        whoever is called may challenge our BYE). Which requests may be answered at all is
        `Leg.answer_challenge`'s to say.
Rule 3: a challenge is answered once, and once more where the peer says that only the nonce was
        stale.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

from b2bua.sip.message.message import Response
from b2bua.sip.message.octets import encode_octets

_PAIR = re.compile(r'\s*([A-Za-z0-9_-]{1,32})\s*=\s*(?:"((?:[^"\\]|\\.)*)"\s*|([^\s",]+)\s*)?(?:,|$)')
HASHES = {"sha-512-256": "sha512_256", "sha-256": "sha256", "md5": "md5"}  # the strongest first
_BEST = tuple(HASHES)
_MAX_LENGTH = 1024


@dataclass(frozen=True, slots=True)
class Challenge:
    """One Digest challenge. `header` is the name of the header that answers it."""

    header: str
    realm: str
    nonce: str
    algorithm: str  # of HASHES
    algorithm_as_sent: str  # the algorithm as the peer wrote it, or ""
    opaque: str | None
    qop: bool  # whether qop=auth is offered
    stale: bool


def parse_challenges(response: Response) -> list[Challenge]:
    """The challenges of a 401 or 407 that can be answered, the strongest first (RFC 8760 section
    2.4)."""
    asks, header = ("WWW-Authenticate", "Authorization")
    if response.code == 407:
        asks, header = ("Proxy-Authenticate", "Proxy-Authorization")
    found = [_parse(value, header) for value in response.headers.getlist(asks)]
    return sorted((one for one in found if one is not None), key=lambda one: _BEST.index(one.algorithm))


def parse_digest(value: str) -> dict[str, str] | None:
    """The parameters of a Digest challenge or answer, unquoted; None where it is none."""
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() != "digest" or len(rest) > _MAX_LENGTH:
        return None
    given: dict[str, str] = {}
    at = 0
    while at < len(rest):
        match = _PAIR.match(rest, at)
        if match is None:
            return None
        given[match[1].lower()] = match[3] or "" if match[2] is None else re.sub(r"\\(.)", r"\1", match[2])
        at = match.end()
    return given


def hash_parts(algorithm: str, *parts: str) -> str:
    """H of RFC 7616 section 3.4, over parts joined by colons."""
    text = ":".join(parts)
    return hashlib.new(HASHES[algorithm], encode_octets(text), usedforsecurity=False).hexdigest()


def _parse(value: str, header: str) -> Challenge | None:
    given = parse_digest(value)
    if given is None:
        return None
    algorithm = given.get("algorithm", "MD5").lower()
    offered = [item.strip().lower() for item in given.get("qop", "").split(",") if item.strip()]
    if (
        algorithm not in HASHES
        or (offered and "auth" not in offered)
        or not {"realm", "nonce"} <= given.keys()
    ):
        return None
    return Challenge(
        header=header,
        realm=given["realm"],
        nonce=given["nonce"],
        algorithm=algorithm,
        algorithm_as_sent=given.get("algorithm", ""),
        opaque=given.get("opaque"),
        qop=bool(offered),
        stale=given.get("stale", "").lower() == "true",
    )


@dataclass(slots=True)
class Pin:
    """The realm of a trunk; None until it is known."""

    realm: str | None = None


@dataclass(slots=True)
class Digest:
    """A trunk's credentials within one leg, and what was answered so far. `pin` is the trunk's."""

    username: str
    password: str = field(repr=False)
    pin: Pin
    nonce: str = ""
    count: int = 0  # of requests sent with this nonce

    def answer_challenge(
        self, response: Response, method: str, uri: str, tries: int, cnonce: str, *, opening: bool
    ) -> str | None:
        """The header line that answers a 401 or 407, or None where it is not to be answered.

        `tries`: how often this request was sent with credentials already; `cnonce`: random, from
        the caller; `opening`: a REGISTER, or an INVITE that opens a call.
        """
        if not self.username:
            return None
        for challenge in parse_challenges(response):
            known = opening if self.pin.realm is None else challenge.realm == self.pin.realm
            again = tries == 0 or (tries == 1 and challenge.stale)
            if known and again:
                return self._line(challenge, method, uri, cnonce)
        return None

    def _line(self, challenge: Challenge, method: str, uri: str, cnonce: str) -> str:
        self.pin.realm = challenge.realm
        self.count = self.count + 1 if challenge.nonce == self.nonce else 1
        self.nonce = challenge.nonce
        count = f"{self.count:08x}"
        algorithm = challenge.algorithm
        secret = hash_parts(algorithm, self.username, challenge.realm, self.password)
        middle = (challenge.nonce, count, cnonce, "auth") if challenge.qop else (challenge.nonce,)
        parts = [
            f"username={_quote(self.username)}",
            f"realm={_quote(challenge.realm)}",
            f"nonce={_quote(challenge.nonce)}",
            f"uri={_quote(uri)}",
            f'response="{hash_parts(algorithm, secret, *middle, hash_parts(algorithm, method, uri))}"',
        ]
        if challenge.algorithm_as_sent:
            parts.append(f"algorithm={challenge.algorithm_as_sent}")
        if challenge.opaque is not None:
            parts.append(f"opaque={_quote(challenge.opaque)}")
        if challenge.qop:
            parts += ["qop=auth", f"nc={count}", f'cnonce="{cnonce}"']
        return f"{challenge.header}: Digest " + ", ".join(parts)


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
