"""Access tokens of an identity provider: what a good one is, what each kind of bad one is not, and
keys that are replaced, missing or asked for by strangers."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import structlog
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import OctKey, OKPKey, RSAKey

from b2bua.access.certificates import STATE
from b2bua.access.issuer_keys import MAX_AGE, IssuerKeys
from b2bua.access.jwt_tokens import JwtAuthenticator, TokenPolicy
from b2bua.access.principal import Principal
from b2bua.access.roles import Role, Scope
from tests.unit.b2bua.access.issuer import AUDIENCE, Issuer, curve_key, running_issuer, unsigned

BOTH = frozenset({Scope.CALLS_READ, Scope.PAYMENTS_TAKE})
DER = b"a certificate"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest_asyncio.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with running_issuer() as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


def taking(issuer: Issuer, clock: Clock, now: Any = time.time, **policy: Any) -> JwtAuthenticator:
    keys = IssuerKeys(issuer.url, now=clock)
    return JwtAuthenticator(TokenPolicy(issuer.url, AUDIENCE, **policy), keys, now)


async def who(
    authenticator: JwtAuthenticator, token: str, certificate: bytes | None = None
) -> Principal | None:
    state = {} if certificate is None else {STATE: certificate}
    return await authenticator.authenticate(
        {"headers": [(b"authorization", f"Bearer {token}".encode())], "state": state}
    )


async def test_a_token_of_the_issuer_is_a_program_with_its_scopes(issuer: Issuer, clock: Clock) -> None:
    found = await who(taking(issuer, clock), issuer.token())
    assert found is not None
    assert (found.name, found.roles, found.scopes, found.method) == (
        "crm", frozenset({Role.INTEGRATION}), BOTH, "oauth",
    )  # fmt: skip
    assert issuer.asked == ["/.well-known/openid-configuration", "/jwks"]


@pytest.mark.parametrize(
    ("header", "claims"),
    [
        ({}, {"aud": "https://another.example"}),
        ({}, {"aud": None}),
        ({}, {"aud": []}),
        ({}, {"aud": {"a": AUDIENCE}}),
        ({}, {"iss": "http://127.0.0.1:1"}),
        ({}, {"iss": None}),
        ({}, {"exp": int(time.time()) - 60}),
        ({}, {"exp": None}),
        ({}, {"exp": "tomorrow"}),
        ({}, {"nbf": int(time.time()) + 86_400}),
        ({}, {"iat": int(time.time()) + 86_400}),
        ({}, {"sub": None}),
        ({}, {"client_id": "c\nrm", "azp": "crm"}),
        ({}, {"client_id": ["crm"]}),
        ({}, {"cnf": {"jkt": "x"}}),
        ({}, {"cnf": "x"}),
        ({}, {"cnf": {"x5t#S256": "AAAA"}}),
        ({"typ": "JWT"}, {}),  # an ID token
        ({"typ": None}, {}),
        ({"alg": "RS512"}, {}),
    ],
)
async def test_a_token_that_is_not_for_us_or_not_now_is_none(
    issuer: Issuer, clock: Clock, header: dict[str, Any], claims: dict[str, Any]
) -> None:
    authenticator = taking(issuer, clock, algorithms=("RS256", "ES256"))
    assert await who(authenticator, issuer.token()) is not None
    assert await who(authenticator, issuer.token(header=header, **claims)) is None


async def test_a_signature_by_anybody_else_is_none(issuer: Issuer, clock: Clock) -> None:
    authenticator = taking(issuer, clock)
    good = issuer.token()
    stranger = RSAKey.generate_key(2048, {"kid": "one"}, private=True)
    head = {"alg": "RS256", "typ": "at+jwt", "kid": "one"}
    public = issuer.key.as_pem(private=False)
    private: Any = issuer.key.private_key

    def sign(octets: bytes) -> bytes:
        signature: bytes = private.sign(octets, PKCS1v15(), SHA256())
        return signature

    assert await who(authenticator, issuer.forged(head, sign)) is not None
    changed = good.split(".")
    changed[1] = issuer.token(scope="all").split(".")[1]
    bad = [
        issuer.token(stranger),
        issuer.token(stranger, {"jwk": stranger.as_dict(private=False)}),
        issuer.token(stranger, {"jku": "https://evil.example/jwks"}),
        # The public key as a shared secret: what a verifier that trusts `alg` falls for.
        issuer.forged({**head, "alg": "HS256"}, lambda octets: hmac.digest(public, octets, "sha256")),
        issuer.forged({**head, "crit": ["b64"], "b64": False}, sign),
        issuer.forged({**head, "crit": ["x"], "x": 1}, sign),
        issuer.forged({**head, "kid": ["one"]}, sign),
        issuer.forged({**head, "typ": ["at+jwt"]}, sign),
        unsigned(good),
        good[:-4],
        ".".join(changed),
        good + ".x",
        "a.b.c",
        "e30.e30.e30",
        "[" * 3000 + ".e30.e30",
    ]
    for each in bad:
        assert await who(authenticator, each) is None
    assert await who(authenticator, good) is not None


async def test_clocks_may_differ_a_little(issuer: Issuer, clock: Clock) -> None:
    authenticator = taking(issuer, clock, leeway=30)
    now = int(time.time())
    assert await who(authenticator, issuer.token(exp=now - 20)) is not None
    assert await who(authenticator, issuer.token(iat=now + 20, nbf=now + 20)) is not None
    assert await who(authenticator, issuer.token(exp=now - 40)) is None


async def test_curves_are_as_good(issuer: Issuer, clock: Clock) -> None:
    curve, edwards = curve_key("two"), OKPKey.generate_key("Ed25519", {"kid": "three"}, private=True)
    issuer.publish(issuer.key, curve, edwards)
    authenticator = taking(issuer, clock)
    assert await who(authenticator, issuer.token(curve, {"alg": "ES256", "kid": "two"})) is not None
    assert await who(authenticator, issuer.token(edwards, {"alg": "Ed25519", "kid": "three"})) is not None


async def test_a_new_key_is_fetched_when_it_is_used_first(issuer: Issuer, clock: Clock) -> None:
    authenticator = taking(issuer, clock)
    assert await who(authenticator, issuer.token()) is not None
    new = curve_key("two")
    issuer.publish(new)
    token = issuer.token(new, {"alg": "ES256", "kid": "two"})
    assert await who(authenticator, token) is None  # 30 seconds are not over
    clock.now += 31
    assert await who(authenticator, token) is not None
    assert await who(authenticator, issuer.token()) is None  # the old key is withdrawn


async def test_strangers_key_ids_do_not_make_us_ask_again_and_again(issuer: Issuer, clock: Clock) -> None:
    authenticator = taking(issuer, clock)
    tokens = [issuer.token(header={"kid": f"k{number}"}) for number in range(50)]
    assert not any(await asyncio.gather(*(who(authenticator, each) for each in tokens)))
    assert issuer.asked.count("/jwks") == 1
    assert await who(authenticator, issuer.token()) is not None


async def test_keys_outlive_an_issuer_that_is_away_for_a_day(issuer: Issuer, clock: Clock) -> None:
    authenticator = taking(issuer, clock)
    assert await who(authenticator, issuer.token()) is not None
    issuer.status = 503
    with structlog.testing.capture_logs() as lines:
        clock.now += MAX_AGE - 60
        assert await who(authenticator, issuer.token()) is not None
        clock.now += 120
        assert await who(authenticator, issuer.token()) is None
        assert any(each["event"] == "issuer_keys_not_fetched" for each in lines)
        issuer.status = 200
        clock.now += 31
        assert await who(authenticator, issuer.token()) is not None


async def test_a_list_with_shared_or_private_keys_gives_none_of_them(issuer: Issuer, clock: Clock) -> None:
    shared = OctKey.generate_key(256, {"kid": "shared"})
    issuer.documents["/jwks"] = {
        "keys": [
            shared.as_dict(), issuer.key.as_dict(private=True), {"kty": "RSA"}, "x",
            {"kty": "PQ", "kid": "one"}, {**curve_key("for").as_dict(private=False), "use": "enc"},
        ]
    }  # fmt: skip
    with structlog.testing.capture_logs() as lines:
        assert await who(taking(issuer, clock), issuer.token()) is None
    assert "no key of signatures" in lines[-1]["why"]


@pytest.mark.parametrize(
    "document", [{"issuer": "https://evil.example"}, {"jwks_uri": "http://192.0.2.1/jwks"}, {}]
)
async def test_a_description_that_leads_elsewhere_is_not_followed(
    issuer: Issuer, clock: Clock, document: dict[str, str]
) -> None:
    own = {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/jwks"} if document else {}
    issuer.documents["/.well-known/openid-configuration"] = own | document
    with structlog.testing.capture_logs() as lines:
        assert await who(taking(issuer, clock), issuer.token()) is None
    assert [each["event"] for each in lines] == ["issuer_keys_not_fetched"]
    assert "/jwks" not in issuer.asked


async def test_roles_are_those_that_the_settings_name(issuer: Issuer, clock: Clock) -> None:
    authenticator = taking(
        issuer, clock, scope_prefix="tonewall/", role_claim="roles", roles={"scrapers": Role.METRICS}
    )
    found = await who(authenticator, issuer.token(roles=["scrapers", "administrator"], scope="calls:read"))
    assert found is not None
    assert (found.roles, found.scopes) == (frozenset({Role.METRICS}), frozenset())
    found = await who(authenticator, issuer.token(scope="tonewall/calls:read x", roles=[1, None]))
    assert found is not None
    assert (found.roles, found.scopes) == (frozenset({Role.INTEGRATION}), frozenset({Scope.CALLS_READ}))
    found = await who(authenticator, issuer.token(scope="calls:read"))
    assert found is not None  # known, and may do nothing
    assert (found.roles, found.scopes) == (frozenset(), frozenset())


async def test_a_token_that_is_bound_to_a_certificate_needs_it(issuer: Issuer, clock: Clock) -> None:
    authenticator = taking(issuer, clock)
    print_of = base64.urlsafe_b64encode(hashlib.sha256(DER).digest()).rstrip(b"=").decode()
    token = issuer.token(cnf={"x5t#S256": print_of})
    assert await who(authenticator, token) is None
    assert await who(authenticator, token, b"another") is None
    assert await who(authenticator, token, DER) is not None


async def test_it_holds_until_its_end(issuer: Issuer, clock: Clock) -> None:
    shift = 0.0
    authenticator = taking(issuer, clock, now=lambda: time.time() + shift)
    found = await who(authenticator, issuer.token())
    assert found is not None
    assert authenticator.holds(found)
    shift = 331.0
    assert not authenticator.holds(found)
    assert authenticator.holds(Principal("ann", frozenset({Role.AGENT})))
