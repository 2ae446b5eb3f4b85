"""Reads and makes the key that signs an audit log: Ed25519, in a file (PEM, RFC 8410) or in a
PKCS#11 token."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from b2bua.audit.pkcs11_uri import is_pkcs11, read_uri
from b2bua.audit.token_key import TokenKey, has_library

_EXPECTED = "expected an Ed25519 key in PEM: make one with `tonewall audit key`"


def make_key(path: Path) -> Path:
    """A new private key at `path`, mode 0600, and its public key beside it; that one's path. Raises
    FileExistsError, OSError."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(path, private, 0o600)
    beside = path.with_name(f"{path.name}.pub")
    write_public(beside, key.public_key())
    return beside


def make_in_token(uri: str, public: Path) -> bool:
    """A new private key in the token that the URI names, unless it is there; its public key at
    `public`. Whether it was made. Raises ValueError, FileExistsError, OSError."""
    name = read_uri(uri)
    if public.exists():
        raise FileExistsError(public)
    made = False
    try:
        key = TokenKey(name)
    except ValueError:
        key, made = TokenKey.make(name), True
    write_public(public, key.public_key())
    key.close()
    return made


def write_public(path: Path, key: Ed25519PublicKey) -> None:
    """Raises FileExistsError, OSError."""
    public = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    _write(path, public, 0o644)


def check_private(path: Path) -> None:
    """Check what can be checked without a word to a token. Raises ValueError, which quotes nothing,
    and OSError."""
    if not is_pkcs11(path):
        read_private(path)
        return
    name = read_uri(str(path))
    if not name.module.is_file():
        raise ValueError("module-path: expected a file that can be read")
    name.read_pin()
    if not has_library():
        raise ValueError("a key in a PKCS#11 token needs `pip install tonewall[pkcs11]`")


def read_private(path: Path) -> Ed25519PrivateKey:
    """The key at `path`, or in the token where it is a PKCS#11 URI. Raises ValueError, which quotes
    nothing, and OSError."""
    if is_pkcs11(path):
        return TokenKey(read_uri(str(path)))
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
