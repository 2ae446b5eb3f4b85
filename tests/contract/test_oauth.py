"""Programs with access tokens of npm's oidc-provider: client credentials for a resource, keys that
are replaced, and tokens that are bound to a certificate."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc.jwk import ECKey, RSAKey

from b2bua.access.certificates import STATE
from b2bua.access.issuer_keys import IssuerKeys
from b2bua.access.jwt_tokens import JwtAuthenticator, TokenPolicy
from b2bua.access.principal import Principal
from b2bua.access.roles import Role, Scope
from tests.contract.oidc import AUDIENCE, access_token, identity_provider
from tests.stack import free_port
from tests.wire.certificates import Authority


@contextlib.asynccontextmanager
async def taking(issuer: str) -> AsyncIterator[JwtAuthenticator]:
    keys = IssuerKeys(issuer, min_interval=0.0)
    try:
        yield JwtAuthenticator(TokenPolicy(issuer, AUDIENCE), keys)
    finally:
        await keys.close()


async def who(
    authenticator: JwtAuthenticator, token: str, certificate: bytes | None = None
) -> Principal | None:
    state = {} if certificate is None else {STATE: certificate}
    headers = [(b"authorization", f"Bearer {token}".encode())]
    return await authenticator.authenticate({"headers": headers, "state": state})


def rsa_key(kid: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"}, private=True)


async def test_a_program_presents_a_token_for_this_tonewall(tmp_path: Path) -> None:
    async with identity_provider(free_port(), [rsa_key("one")], tmp_path) as issuer, taking(issuer) as found:
        principal = await who(found, await access_token(issuer, scope="calls:read payments:take"))
        assert principal is not None
        assert (principal.name, principal.roles) == ("crm", frozenset({Role.INTEGRATION}))
        assert principal.scopes == {Scope.CALLS_READ, Scope.PAYMENTS_TAKE}
        # For another service, and one without a resource, which is no JWT.
        assert await who(found, await access_token(issuer, resource="https://erp.example")) is None
        assert await who(found, await access_token(issuer, scope="", resource="")) is None


async def test_the_provider_s_keys_are_replaced(tmp_path: Path) -> None:
    port, old = free_port(), rsa_key("one")
    new = ECKey.generate_key("P-256", {"kid": "two", "use": "sig", "alg": "ES256"}, private=True)
    async with taking(f"http://127.0.0.1:{port}") as found:
        async with identity_provider(port, [old], tmp_path) as issuer:
            token = await access_token(issuer)
            assert await who(found, token) is not None
        async with identity_provider(port, [new, old], tmp_path) as issuer:
            fresh = await access_token(issuer)
            assert await who(found, fresh) is not None
            assert await who(found, token) is not None
        # A fetch that the old token begins finds that its key is withdrawn, once the list is older.
        async with identity_provider(port, [new], tmp_path) as issuer, taking(issuer) as again:
            assert await who(again, token) is None
            assert await who(again, await access_token(issuer)) is not None


async def test_a_token_that_is_bound_to_a_certificate_needs_its_connection(tmp_path: Path) -> None:
    certificate, _ = Authority(tmp_path).issue("crm.example")
    other, _ = Authority(tmp_path).issue("crm.example")
    pem, der = read(certificate)
    async with identity_provider(free_port(), [rsa_key("one")], tmp_path) as issuer, taking(issuer) as found:
        token = await access_token(issuer, client="bound", certificate=pem)
        assert await who(found, token) is None
        assert await who(found, token, read(other)[1]) is None
        principal = await who(found, token, der)
        assert principal is not None
        assert principal.name == "bound"


def read(path: str) -> tuple[str, bytes]:
    """A certificate as PEM and as DER."""
    text = Path(path).read_text()
    return text, x509.load_pem_x509_certificate(text.encode()).public_bytes(Encoding.DER)
