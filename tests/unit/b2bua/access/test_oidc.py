"""Sign-in at an identity provider that lies, errs, hangs or dies: nobody gets in by it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey

from b2bua.access.oidc.id_token import half_hash
from b2bua.access.oidc.refused import SignInRefused, Why
from b2bua.access.roles import Role
from tests.unit.b2bua.access.odd_provider import BROWSER, CLIENT, Client, OddProvider, signing_key

pytestmark = pytest.mark.filterwarnings("error::joserfc.errors.SecurityWarning")
KEY = signing_key()
OTHER_KEY = signing_key("two")
NOW = int(time.time())
LATER = NOW + 86_400  # for as long as the tests may run


@pytest.fixture
async def provider() -> AsyncIterator[OddProvider]:
    async with OddProvider(key=KEY).running() as running:
        yield running


@pytest.fixture
async def client(provider: OddProvider) -> AsyncIterator[Client]:
    async with Client(provider).ready() as ready:
        yield ready


async def refusal(client: Client, **answer: str | None) -> tuple[Why, str]:
    with pytest.raises(SignInRefused) as caught:
        await client.whole(**answer)
    return caught.value.why, caught.value.detail


async def test_who_is_in_a_group_with_a_role_comes_in(client: Client) -> None:
    principal = await client.whole()
    assert (principal.name, principal.roles, principal.method) == ("ann", {Role.AGENT}, "oidc")
    assert principal.credential == "oidc:u-1"


async def test_the_code_is_bound_by_pkce_and_the_secret_is_in_no_url(client: Client) -> None:
    asked = await client.begin()
    assert asked["code_challenge_method"] == "S256"
    await client.sign_in.finish({"state": asked["state"], "code": "c-1"}, BROWSER)
    form = client.provider.form
    digest = hashlib.sha256(form["code_verifier"].encode()).digest()
    assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == asked["code_challenge"]
    assert (form["grant_type"], form["code"]) == ("authorization_code", "c-1")
    assert "client_secret" not in form


@pytest.mark.parametrize(
    ("claims", "part"),
    [
        ({"aud": "another"}, "aud"),
        ({"aud": ["another"]}, "aud"),
        ({"aud": None}, "aud"),
        ({"aud": [CLIENT, "another"]}, "azp"),
        ({"aud": [CLIENT, "another"], "azp": "another"}, "azp"),
        ({"azp": "another"}, "azp"),
        ({"iss": "https://evil.example"}, "iss"),
        ({"iss": None}, "iss"),
        ({"nonce": "another"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"nonce": 1}, "nonce"),
        ({"exp": NOW - 120}, "exp"),
        ({"exp": None}, "exp"),
        ({"exp": True}, "exp"),
        ({"exp": "tomorrow"}, "exp"),
        ({"iat": LATER}, "iat"),
        ({"iat": NOW - 3600}, "iat"),
        ({"iat": None}, "iat"),
        ({"nbf": LATER}, "nbf"),
        ({"sub": None}, "sub"),
        ({"sub": ""}, "sub"),
        ({"sub": ["u-1"]}, "sub"),
        ({"at_hash": "another"}, "at_hash"),
        ({"at_hash": None, "sub": "x" * 256}, "sub"),
    ],
)
async def test_an_id_token_with_a_wrong_claim_lets_nobody_in(
    client: Client, claims: dict[str, Any], part: str
) -> None:
    client.provider.claims = claims
    assert await refusal(client) == (Why.TOKEN, part)


async def test_what_may_differ_does_not_matter(client: Client) -> None:
    now = int(time.time())
    client.provider.claims = {
        "aud": [CLIENT, "another"], "azp": CLIENT, "at_hash": half_hash("at", "RS256"), "exp": now - 50,
        "iat": now + 50, "nbf": now + 50,
    }  # fmt: skip
    assert (await client.whole()).name == "ann"


async def test_clocks_may_differ_by_as_much_as_is_said(provider: OddProvider) -> None:
    async with Client(provider, skew=5.0).ready() as client:
        client.clock = 30.0  # ours is ahead: an ID token from before the sign-in began
        assert await refusal(client) == (Why.TOKEN, "iat")
        client.clock = 0.0
        assert (await client.whole()).name == "ann"


async def test_only_public_keys_of_signatures_count(client: Client, provider: OddProvider) -> None:
    good = provider.token
    await client.whole()
    public = provider.key.as_pem(private=False)

    def forged(header: dict[str, Any], sign: Any) -> str:
        body = good().split(".")[1]
        head = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
        signature = base64.urlsafe_b64encode(sign(f"{head}.{body}".encode())).rstrip(b"=").decode()
        return f"{head}.{body}.{signature}"

    def by_public(text: bytes) -> bytes:
        return hmac.new(public, text, "sha256").digest()

    secret = OctKey.import_key("s" * 32, {"kid": "one"})
    for header, sign, part in (
        ({"alg": "HS256", "kid": "one"}, by_public, "alg"),
        ({"alg": "none"}, lambda _: b"x", "alg"),
        ({"alg": "None", "kid": "one"}, lambda _: b"x", "alg"),
        ({"alg": "RS256", "kid": "one"}, lambda _: b"x", "signature"),
        ({"alg": "RS256", "kid": "one", "crit": ["x"], "x": 1}, lambda _: b"x", "signature"),
        ({"alg": "RS256", "jwk": secret.as_dict(), "kid": "one"}, by_public, "signature"),
        ({"alg": ["RS256"], "kid": "one"}, lambda _: b"x", "alg"),
        ({"alg": "ES256", "kid": "one"}, lambda _: b"x", "signature"),
    ):
        provider.id_token = None
        asked = await client.begin()
        provider.id_token = forged(header, sign)
        with pytest.raises(SignInRefused) as caught:
            await client.sign_in.finish({"state": asked["state"], "code": "c"}, BROWSER)
        assert (caught.value.why, caught.value.detail) == (Why.TOKEN, part), header


@pytest.mark.parametrize("token", ["", "x", "a.b", "a.b.c.d", "ü.b.c", "e30.e30.", "W10.e30.x", "x" * 40_000])
async def test_what_is_no_token_is_refused(client: Client, token: str) -> None:
    client.provider.id_token = token
    assert (await refusal(client))[0] is Why.TOKEN


@pytest.mark.parametrize(
    ("alg", "key"),
    [
        ("ES256", ECKey.generate_key("P-256", {"kid": "e"})),
        ("EdDSA", OKPKey.generate_key("Ed25519", {"kid": "d"})),
        ("Ed25519", OKPKey.generate_key("Ed25519", {"kid": "d"})),
    ],
)
async def test_other_algorithms_of_public_keys_are_taken(client: Client, alg: str, key: Any) -> None:
    client.provider.alg, client.provider.key = alg, key
    client.provider.claims = {"at_hash": half_hash("at", alg)}
    assert (await client.whole()).name == "ann"


async def test_a_new_key_is_found_at_once_and_looked_for_once_a_minute(
    client: Client, provider: OddProvider
) -> None:
    await client.whole()
    provider.published, provider.key = [KEY], OTHER_KEY  # signs with a key that is not there
    client.monotonic = 61.0
    for _ in range(5):
        assert (await refusal(client)) == (Why.TOKEN, "kid")
    assert provider.asked.count("/jwks") == 2
    provider.published = [OTHER_KEY]  # and is, a minute later; the old one has gone
    client.monotonic = 122.0
    assert (await client.whole()).name == "ann"
    provider.key = KEY
    assert (await refusal(client)) == (Why.TOKEN, "kid")


async def test_a_state_is_good_once_in_its_own_browser_and_for_ten_minutes(client: Client) -> None:
    asked = await client.begin()
    answer = {"state": asked["state"], "code": "c"}
    with pytest.raises(SignInRefused, match="not_begun"):
        await client.sign_in.finish(answer, "c" * 43)
    await client.sign_in.finish(answer, BROWSER)
    with pytest.raises(SignInRefused, match="not_begun"):
        await client.sign_in.finish(answer, BROWSER)
    asked = await client.begin()
    client.clock = 601.0
    with pytest.raises(SignInRefused, match="not_begun"):
        await client.sign_in.finish({"state": asked["state"], "code": "c"}, BROWSER)
    for forged in ("", "x", asked["state"][:-1]):
        assert (await refusal(client, state=forged))[0] is Why.NOT_BEGUN


async def test_an_answer_of_another_issuer_is_not_used(client: Client, provider: OddProvider) -> None:
    assert await refusal(client, iss="https://evil.example") == (Why.MIXED_UP, "iss")
    assert "/token" not in provider.asked
    assert (await client.whole(iss=provider.url)).name == "ann"
    provider.description = {"authorization_response_iss_parameter_supported": True}
    client.monotonic = 3700.0
    assert await refusal(client) == (Why.MIXED_UP, "no iss")


@pytest.mark.parametrize(
    ("error", "why", "detail"),
    [
        ("access_denied", Why.DENIED, "access_denied"),
        ("temporarily_unavailable", Why.UNAVAILABLE, "temporarily_unavailable"),
        ("invalid_scope", Why.PROVIDER, "invalid_scope"),
        ("<script>", Why.PROVIDER, "no error of OpenID Connect"),
    ],
)
async def test_errors_of_the_provider_come_in_words_of_ours(
    client: Client, error: str, why: Why, detail: str
) -> None:
    assert await refusal(client, error=error, code=None) == (why, detail)


@pytest.mark.parametrize(
    ("claims", "why", "detail"),
    [
        ({"groups": ["others"]}, Why.NO_ROLE, ""),
        ({"groups": []}, Why.NO_ROLE, ""),
        ({"groups": {"agents": 1}}, Why.NO_ROLE, ""),
        ({"groups": [["agents"], 7, None]}, Why.NO_ROLE, ""),
        ({"preferred_username": "no agent", "sub": "a b"}, Why.NO_NAME, ""),
        ({"preferred_username": "<b>", "email": "e@x.example", "sub": "\n"}, Why.NO_NAME, ""),
        ({"preferred_username": ["ann"], "sub": "x" * 65}, Why.NO_NAME, ""),
    ],
)
async def test_who_has_no_role_or_no_name_stays_out(
    client: Client, claims: dict[str, Any], why: Why, detail: str
) -> None:
    client.provider.claims = claims
    client.provider.description = {"userinfo_endpoint": None}
    assert await refusal(client) == (why, detail)


async def test_groups_that_did_not_fit_are_told_apart(client: Client) -> None:
    client.provider.claims = {"groups": None, "_claim_names": {"groups": "src1"}}
    client.provider.description = {"userinfo_endpoint": None}
    assert await refusal(client) == (Why.NO_ROLE, "groups_left_out")


async def test_mail_counts_as_a_name_where_it_is_verified(client: Client) -> None:
    client.provider.claims = {"preferred_username": None, "email": "ann@x.example", "email_verified": True}
    assert (await client.whole()).name == "ann@x.example"
    client.provider.claims["email_verified"] = None
    client.provider.description = {"userinfo_endpoint": None}
    client.monotonic = 3700.0
    assert (await client.whole()).name == "u-1"


async def test_what_the_token_leaves_out_is_asked_for_of_the_same_person(client: Client) -> None:
    client.provider.claims = {"groups": None}
    client.provider.answers["/me"] = (200, b'{"sub":"u-1","groups":["leads"],"preferred_username":"eve"}')
    principal = await client.whole()
    assert (principal.name, principal.roles, principal.teams) == ("ann", {Role.SUPERVISOR}, {"north"})
    client.provider.answers["/me"] = (200, b'{"sub":"u-2","groups":["leads"]}')
    assert await refusal(client) == (Why.TOKEN, "user info: sub")
    for answer in ((200, b"[]"), (200, b"x")):
        client.provider.answers["/me"] = answer
        assert (await refusal(client))[0] is Why.TOKEN
    client.provider.answers["/me"] = (401, b"")
    assert (await refusal(client))[0] is Why.UNAVAILABLE


@pytest.mark.parametrize(
    ("status", "body", "why", "detail"),
    [
        (400, b'{"error":"invalid_grant"}', Why.CODE, "invalid_grant"),
        (401, b'{"error":"invalid_client"}', Why.CODE, "invalid_client"),
        (400, b'{"error":"<b>4000056655665556</b>"}', Why.CODE, "no error of RFC 6749"),
        (302, b"", Why.CODE, "no error of RFC 6749"),
        (500, b"", Why.UNAVAILABLE, "status 500"),
        (200, b"", Why.TOKEN, "the answer has no ID token"),
        (200, b'{"access_token":"x"}', Why.TOKEN, "the answer has no ID token"),
        (200, b'{"id_token":7}', Why.TOKEN, "the answer has no ID token"),
        (200, b"x" * 300_000, Why.UNAVAILABLE, "the answer is too long"),
    ],
)
async def test_a_token_endpoint_that_errs_lets_nobody_in(
    client: Client, status: int, body: bytes, why: Why, detail: str
) -> None:
    client.provider.answers["/token"] = (status, body)
    assert await refusal(client) == (why, detail)


@pytest.mark.parametrize(
    ("description", "detail"),
    [
        ({"issuer": "https://evil.example"}, "the description is that of another issuer"),
        ({"issuer": None}, "the description cannot be read"),
        ({"token_endpoint": "http://pay.example/token"}, "the description names a URL without https"),
        ({"jwks_uri": "file:///etc/passwd"}, "the description names a URL without https"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "the description names a URL without https"),
        ({"authorization_endpoint": ""}, "the description names a URL without https"),
    ],
)
async def test_a_description_that_cannot_be_is_not_used(
    client: Client, description: dict[str, Any], detail: str
) -> None:
    client.provider.description = description
    assert await refusal(client) == (Why.UNAVAILABLE, detail)


async def test_a_provider_that_is_down_is_asked_seldom_and_is_back_at_once(
    client: Client, provider: OddProvider
) -> None:
    provider.answers["/.well-known/openid-configuration"] = (503, b"")
    for _ in range(10):
        assert (await refusal(client))[0] is Why.UNAVAILABLE
    assert len(provider.asked) == 1
    provider.answers.clear()
    client.monotonic = 6.0
    assert (await client.whole()).name == "ann"
    provider.answers["/.well-known/openid-configuration"] = (503, b"")
    client.monotonic = 4000.0
    assert (await client.whole()).name == "ann"  # by what it said before


async def test_a_provider_that_hangs_is_given_up_and_holds_up_nobody_else(provider: OddProvider) -> None:
    provider.hangs = True
    async with Client(provider, patience=0.3).ready() as client:
        began = asyncio.get_running_loop().time()
        answers = await asyncio.gather(
            *(client.sign_in.begin(BROWSER, "192.0.2.1") for _ in range(50)), return_exceptions=True
        )
        took = asyncio.get_running_loop().time() - began
    assert all(isinstance(each, SignInRefused) and each.why is Why.UNAVAILABLE for each in answers)
    assert len(provider.asked) == 1
    assert took < 5


async def test_where_to_sign_out(client: Client, provider: OddProvider) -> None:
    assert await client.sign_in.leave() == "https://pay.example/"
    provider.description = {"end_session_endpoint": f"{provider.url}/out"}
    client.monotonic = 3700.0
    assert await client.sign_in.leave() == (
        f"{provider.url}/out?client_id=tonewall&post_logout_redirect_uri=https%3A%2F%2Fpay.example%2F"
    )


async def test_no_repr_shows_a_secret(client: Client) -> None:
    shown = f"{client.sign_in.account!r} {client.sign_in._pending.begin(BROWSER, 'x', 0.0)[1]!r}"
    assert "client_secret" not in shown
    assert "verifier" not in shown
