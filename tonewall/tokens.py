"""Tags, branches, Call-IDs and leg ids: hexadecimal, and as hard to guess as the system's own
random numbers.

Rule 1: each octet of the pool is used once. The pool spares a system call for each of the ten that
        a call needs.
"""

from __future__ import annotations

import secrets

_POOL = 4096  # octets


class Tokens:
    """A source of tokens; one a process, which must not fork."""

    def __init__(self) -> None:
        self._pool = ""
        self._at = 0

    def take_token(self, octets: int) -> str:
        """So many octets, two characters each."""
        end = self._at + 2 * octets
        if end > len(self._pool):
            self._pool, self._at, end = secrets.token_hex(_POOL), 0, 2 * octets
        start, self._at = self._at, end
        return self._pool[start:end]


token = Tokens().take_token


def identifier(octets: int) -> str:
    """A token with a letter in it, so that nobody takes it for a number: one in two thousand of
    eight octets has none."""
    while (drawn := token(octets)).isdecimal():
        pass
    return drawn
