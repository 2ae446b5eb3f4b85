"""Remembers sign-ins that have begun, until the identity provider sends their browser back.

Sans-IO.

Rule 1: one is good once, for LIFE seconds, and in the browser that began it.
Rule 2: there are MOST at a time. Then the oldest goes of the address that began most, so that one
        address cannot drive out the others.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

LIFE: Final = 600.0  # seconds
MOST: Final = 1000
_BROWSER = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class PendingSignIn:
    """One that has begun. `verifier`: of PKCE (RFC 7636); `begun`: seconds since the epoch."""

    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    browser: bytes = field(repr=False)  # SHA-256 of its cookie
    source: str
    begun: float

    @property
    def challenge(self) -> bytes:
        """What the provider is shown of the verifier: its SHA-256."""
        return hashlib.sha256(self.verifier.encode()).digest()


class PendingSignIns:
    """All that have begun, by their state."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._of: dict[str, PendingSignIn] = {}

    def begin(self, browser: str, source: str, now: float) -> tuple[str, PendingSignIn]:
        """A new one and its state. `browser`: from `browser_secret`; `source`: the address."""
        self._forget(now)
        state = secrets.token_urlsafe(32)
        self._of[state] = PendingSignIn(
            secrets.token_urlsafe(32), secrets.token_urlsafe(48), _digest(browser), source, now
        )
        return state, self._of[state]

    def take(self, state: str, browser: str, now: float) -> PendingSignIn | None:
        """The one of this state, where it has begun in this browser and is not too old."""
        found = self._of.get(state)
        if found is None or not hmac.compare_digest(found.browser, _digest(browser)):
            return None
        del self._of[state]
        return found if 0 <= now - found.begun <= LIFE else None

    def _forget(self, now: float) -> None:
        while self._of and not 0 <= now - next(iter(self._of.values())).begun <= LIFE:
            del self._of[next(iter(self._of))]
        if len(self._of) >= self._most:
            [(busiest, _)] = Counter(each.source for each in self._of.values()).most_common(1)
            del self._of[next(state for state, each in self._of.items() if each.source == busiest)]

    def __len__(self) -> int:
        return len(self._of)


def browser_secret(given: str) -> str:
    """What a browser's cookie holds: the one that it has, so that two tabs may sign in at once, or
    a new one."""
    return given if _BROWSER.fullmatch(given) else secrets.token_urlsafe(32)


def _digest(browser: str) -> bytes:
    return hashlib.sha256(browser.encode("utf-8", "surrogateescape")).digest()
