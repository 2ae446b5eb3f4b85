"""Hashes and checks passwords by argon2id (RFC 9106).

Rule 1: a password that nobody has costs the same to check as one that somebody has.
"""

from __future__ import annotations

import secrets
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_LENGTH: Final = 12  # characters; PCI DSS 8.3.6
MAX_LENGTH: Final = 256
_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is read as another
_HASHER: Final = PasswordHasher(time_cost=3, memory_cost=65_536, parallelism=1)
# A hash of these parameters that no password has: its salt and tag are none of a password.
NOBODYS: Final = "$argon2id$v=19$m=65536,t=3,p=1$bm9ib2R5IG5vYm9keSE$" + "A" * 43


def hash_password(password: str) -> str:
    """Its hash, with parameters and salt."""
    return _HASHER.hash(password)


def is_password(hashed: str, password: str) -> bool:
    """Whether this is the password of that hash. It takes some 0.1 s and 64 MiB."""
    try:
        return _HASHER.verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(hashed: str) -> bool:
    """Whether a hash was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(hashed)


def make_password() -> str:
    """A password of 80 bits, to be changed at the first sign-in."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))


def find_weakness(password: str, name: str) -> str | None:
    """Why this is no password for somebody of that name, in words for them; None where it is
    one."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        return f"A password has {MIN_LENGTH} to {MAX_LENGTH} characters."
    if not any(each.isalpha() for each in password) or not any(each.isdigit() for each in password):
        return "A password has letters and digits."
    if name.casefold() in password.casefold():
        return "The name may not be in the password."
    if len(set(password)) < 6:
        return "A password has six different characters or more."
    return None
