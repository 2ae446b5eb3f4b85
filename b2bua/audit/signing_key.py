"""Reads and makes the key that signs an audit log: Ed25519, PEM (RFC 8410)."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_EXPECTED = "expected an Ed25519 key in PEM: make one with `tonewall audit key`"


def make_key(path: Path) -> Path:
    """A new private key at `path`, mode 0600, and its public key beside it; that one's path. Raises
    FileExistsError, OSError."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    _write(path, private, 0o600)
    beside = path.with_name(f"{path.name}.pub")
    _write(beside, public, 0o644)
    return beside


def read_private(path: Path) -> Ed25519PrivateKey:
    """Raises ValueError, which quotes nothing, and OSError."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError(_EXPECTED) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(_EXPECTED)
    return key


def read_public(path: Path) -> Ed25519PublicKey:
    """Raises ValueError, OSError."""
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError(_EXPECTED) from None
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError(_EXPECTED)
    return key


def _write(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        os.fsync(file.fileno())
