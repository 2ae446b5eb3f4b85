"""Bodies for a company's public key alone: only its private key reads them, and nothing else is
taken for a public key."""

from __future__ import annotations

import json
from typing import Any

import pytest
from joserfc import jwe as reference
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from provider_adapters.jwe import BadKey, read_public_key

KEYS: dict[str, Any] = {
    "RSA, 2048 bits": RSAKey.generate_key(2048),
    "P-256": ECKey.generate_key("P-256"),
    "P-384": ECKey.generate_key("P-384"),
    "P-521": ECKey.generate_key("P-521"),
    "X25519": OKPKey.generate_key("X25519"),
}
PLAIN = b'{"fields":{"sort_code":"200415"}}'


@pytest.mark.parametrize("form", ["pem", "jwk"])
@pytest.mark.parametrize("kind", KEYS)
def test_the_private_key_reads_what_was_encrypted_to_the_public_one(kind: str, form: str) -> None:
    private = KEYS[kind]
    text = private.as_pem(private=False).decode() if form == "pem" else json.dumps(private.as_dict(False))
    key = read_public_key(text)
    assert key.kind == kind
    sent = key.encrypt(PLAIN)
    assert b"200415" not in sent
    assert sent.count(b".") == 4  # RFC 7516 section 7.1
    algorithm = "RSA-OAEP-256" if kind.startswith("RSA") else "ECDH-ES"
    read = reference.decrypt_compact(sent, private, algorithms=[algorithm, "A256GCM"])
    assert read.plaintext == PLAIN
    assert read.headers()["alg"] == algorithm
    assert read.headers()["enc"] == "A256GCM"
    assert read.headers()["kid"] == private.thumbprint()


def test_the_same_body_is_never_encrypted_to_the_same_octets() -> None:
    key = read_public_key(json.dumps(KEYS["P-256"].as_dict(private=False)))
    assert len({key.encrypt(PLAIN) for _ in range(10)}) == 10


def test_a_key_keeps_its_own_id() -> None:
    key = read_public_key(json.dumps(KEYS["P-256"].as_dict(private=False) | {"kid": "2027-1"}))
    assert key.key_id == "2027-1"


@pytest.mark.parametrize(("kind", "operations"), [("P-256", []), ("RSA, 2048 bits", ["wrapKey", "encrypt"])])
def test_a_key_as_a_browser_exports_it_is_taken(kind: str, operations: list[str]) -> None:
    exported = KEYS[kind].as_dict(private=False) | {"ext": True, "key_ops": operations}
    sent = read_public_key(json.dumps(exported)).encrypt(PLAIN)
    algorithm = "ECDH-ES" if kind == "P-256" else "RSA-OAEP-256"
    read = reference.decrypt_compact(sent, KEYS[kind], algorithms=[algorithm, "A256GCM"])
    assert read.plaintext == PLAIN


PUBLIC = KEYS["P-256"].as_dict(private=False)


REFUSED = {
    "nothing": "",
    "no members": "{}",
    "half": "{",
    "a list": "[]",
    "garbage": "garbage",
    "half a PEM": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    "no kind": json.dumps(PUBLIC | {"kty": "none"}),
    "no point": json.dumps(PUBLIC | {"x": "AAAA"}),
    "for signatures": json.dumps(PUBLIC | {"use": "sig"}),
    "for signatures, by key_ops": json.dumps(PUBLIC | {"key_ops": ["verify"]}),
    "key_ops that are none": json.dumps(PUBLIC | {"key_ops": 1}),
    "another algorithm": json.dumps(PUBLIC | {"alg": "RSA-OAEP"}),
    "private": json.dumps(KEYS["P-256"].as_dict(private=True)),
    "private PEM": KEYS["P-256"].as_pem(private=True).decode(),
    "private RSA": KEYS["RSA, 2048 bits"].as_pem(private=True).decode(),
    "short": RSAKey.generate_key(1024).as_pem(private=False).decode(),
    "another curve": ECKey.generate_key("secp256k1").as_pem(private=False).decode(),
    "Ed25519 PEM": OKPKey.generate_key("Ed25519").as_pem(private=False).decode(),
    "Ed25519": json.dumps(OKPKey.generate_key("Ed25519").as_dict(private=False)),
    "symmetric": json.dumps(OctKey.generate_key(256).as_dict()),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_public_key_for_encryption_is_refused_and_not_quoted(name: str) -> None:
    with pytest.raises(BadKey) as caught:
        read_public_key(REFUSED[name])
    assert str(caught.value).startswith("expected ")
    assert len(str(caught.value)) < 140
