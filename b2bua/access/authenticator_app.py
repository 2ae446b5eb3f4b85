"""Checks the codes of authenticator apps (TOTP, RFC 6238), and encrypts their secrets.

Rule 1: a secret is kept encrypted (AES-256-GCM, bound to its owner's name) under the key of a file
        of its own: the file of people alone makes no code.
Rule 2: a code counts for one sign-in: its step must be later than the last that counted.
"""

from __future__ import annotations

import hmac
import secrets
from pathlib import Path
from typing import Final

import pyotp
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from b2bua.access.secret_file import read_or_make

KEY_FILE: Final = "people.key"
_STEP: Final = 30  # seconds
_AROUND: Final = (0, -1, 1)  # steps that clocks may differ
_ISSUER: Final = "Tonewall"


def make_secret() -> str:
    """A secret of 160 bits, in base32."""
    return pyotp.random_base32()


def enrolment_uri(secret: str, name: str) -> str:
    """What the QR code for an app holds."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=_ISSUER)


def find_step(secret: str, code: str, now: float, after: int) -> int | None:
    """The step that a code is of; None where it is of none around now, or of none after `after`."""
    totp, found = pyotp.TOTP(secret), None
    current = int(now // _STEP)
    for step in (current + each for each in _AROUND):
        if hmac.compare_digest(totp.at(step * _STEP).encode(), code.encode()) and step > after:
            found = step
    return found


def encrypt(directory: Path, name: str, secret: str) -> bytes:
    """A secret as it is kept. Raises OSError."""
    nonce = secrets.token_bytes(12)
    return nonce + _cipher(directory).encrypt(nonce, secret.encode(), name.encode())


def decrypt(directory: Path, name: str, kept: bytes) -> str:
    """The secret of somebody. Raises OSError, also where the key is another."""
    try:
        return _cipher(directory).decrypt(kept[:12], kept[12:], name.encode()).decode()
    except InvalidTag:
        raise OSError(None, "is not the key of the file of people", str(directory / KEY_FILE)) from None


def _cipher(directory: Path) -> AESGCM:
    return AESGCM(read_or_make(directory / KEY_FILE))
