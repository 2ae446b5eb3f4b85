"""Encrypts to a public key: JWE in compact serialisation (RFC 7516).

Rule 1: the key decides the algorithm: RSA-OAEP-256 for RSA of 2048 bits or more, ECDH-ES for P-256,
        P-384, P-521 and X25519 (RFC 7518, RFC 8037); the content is encrypted by A256GCM.
Rule 2: a private key is refused: who has only the public one cannot read what was sent.
"""

from __future__ import annotations

import gc
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

MEDIA_TYPE: Final = "application/jose"  # RFC 7515 section 9.2.1
CONTENT: Final = "A256GCM"
EXPECTED: Final = (
    "expected a public key for encryption: RSA of 2048 bits or more, P-256, P-384, P-521 or X25519, as PEM "
    "or JWK"
)
_KEYS: Final[dict[str, Any]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
_CURVES: Final = frozenset({"P-256", "P-384", "P-521", "X25519"})
_MIN_BITS = 2048
_SIGNING: Final = frozenset({"sign", "verify"})  # of key_ops, RFC 7517 section 4.3


class BadKey(ValueError):
    """The text is no key that can be used; says what was expected, and nothing of the text."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key to encrypt to. `kind`: such as "RSA, 3072 bits" or "P-256"; `algorithm`: of its
    header; `key_id`: the key's own, or its thumbprint (RFC 7638)."""

    kind: str
    algorithm: str
    key_id: str
    _key: Any = field(repr=False)

    def encrypt(self, plaintext: bytes) -> bytes:
        """The plaintext, which is JSON, as JWE in compact serialisation."""
        header = {"alg": self.algorithm, "enc": CONTENT, "kid": self.key_id, "cty": "json"}
        made = jwe.encrypt_compact(header, plaintext, self._key, algorithms=[self.algorithm, CONTENT])
        # What the library made holds the plaintext, in a circle of references.
        gc.collect()
        return made.encode("ascii")


def read_public_key(text: str) -> PublicKey:
    """The key of a PEM or JWK. Raises BadKey."""
    try:
        key = _read_jwk(text) if text.lstrip().startswith("{") else _read_pem(text)
    except BadKey:
        raise
    except (JoseError, msgspec.MsgspecError, ValueError, TypeError, KeyError, AttributeError):
        raise BadKey(EXPECTED) from None
    if key.is_private:
        raise BadKey("expected a public key; this one is private, and belongs to the service alone")
    stated = key.as_dict(private=False)
    if str(stated.get("use", "enc")) != "enc":
        raise BadKey("expected a key whose use is enc")
    if isinstance(key, RSAKey):
        bits = key.raw_value.key_size
        if bits < _MIN_BITS:
            raise BadKey(EXPECTED)
        kind, algorithm = f"RSA, {bits} bits", "RSA-OAEP-256"
    else:
        kind, algorithm = str(stated.get("crv")), "ECDH-ES"
        if kind not in _CURVES:
            raise BadKey(EXPECTED)
    if str(stated.get("alg", algorithm)) != algorithm:
        raise BadKey(f"expected a key whose alg is {algorithm}, or not stated")
    return PublicKey(kind, algorithm, str(stated.get("kid") or key.thumbprint()), key)


def _read_jwk(text: str) -> Any:
    values = msgspec.json.decode(text, type=dict[str, Any])
    if _SIGNING & set(values.get("key_ops") or ()):
        raise BadKey("expected a key for encryption; the key_ops of this one are for signatures")
    # Of a browser's key, "ext" is no text, and "key_ops" of a public key for ECDH names no use.
    values = {name: value for name, value in values.items() if name not in ("ext", "key_ops")}
    return _KEYS[str(values["kty"])].import_key(values)


def _read_pem(text: str) -> Any:
    if "PRIVATE KEY" in text:
        raise BadKey("expected a public key; this one is private, and belongs to the service alone")
    key = serialization.load_pem_public_key(text.encode("ascii"))
    kinds = {"RSA": rsa.RSAPublicKey, "EC": ec.EllipticCurvePublicKey, "OKP": x25519.X25519PublicKey}
    for name, kind in kinds.items():
        if isinstance(key, kind):
            return _KEYS[name].import_key(text)
    raise BadKey(EXPECTED)
