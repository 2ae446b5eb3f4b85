"""Signs people in at one identity provider (OpenID Connect Core section 3.1): where to send their
browser, and who it was that comes back.

Rule 1: the code is bound to us by PKCE with S256 (RFC 7636), the answer to its browser by `state`
        and a cookie, the ID token to both by `nonce`.
Rule 2: an answer of another issuer is refused before anything of it is used (RFC 9207).
Rule 3: neither code nor token is kept; none is in a log, a repr or an error.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import quote_plus, urlencode, urlsplit

from b2bua.access.oidc.id_token import BadToken, Expected, check_id_token, key_id
from b2bua.access.oidc.logout import LoggedOut, LogoutTokens
from b2bua.access.oidc.pending import PendingSignIn, PendingSignIns
from b2bua.access.oidc.people import People
from b2bua.access.oidc.provider import Description, Provider
from b2bua.access.oidc.refused import SignInRefused, Why
from b2bua.access.principal import Principal

_MAX_CODE: Final = 4096
_DENIED: Final = frozenset({"access_denied", "login_required", "consent_required", "interaction_required"})
_DOWN: Final = frozenset({"server_error", "temporarily_unavailable"})
_WRONG: Final = frozenset(  # RFC 6749 section 4.1.2.1, OpenID Connect Core section 3.1.2.6
    {"invalid_request", "unauthorized_client", "unsupported_response_type", "invalid_scope"}
    | {"account_selection_required", "request_not_supported", "registration_not_supported"}
)


@dataclass(frozen=True, slots=True)
class Account:
    """What the provider knows us by. `audience`: of ID tokens; `skew`: seconds; without a secret
    we are a public client."""

    client_id: str
    redirect_uri: str
    scopes: str
    audience: str
    client_secret: str = field(default="", repr=False)
    skew: float = 60.0

    @property
    def is_https(self) -> bool:
        """Whether browsers come to us by HTTPS."""
        return self.redirect_uri.startswith("https:")

    @property
    def start(self) -> str:
        """Our first page, as browsers know it."""
        parts = urlsplit(self.redirect_uri)
        return f"{parts.scheme}://{parts.netloc}/"


class SignIn:
    """The way in. `now`: seconds since the epoch."""

    def __init__(
        self,
        provider: Provider,
        account: Account,
        people: People,
        now: Callable[[], float] = time.time,
        pending: PendingSignIns | None = None,
    ) -> None:
        self.provider, self.account, self._people, self._now = provider, account, people, now
        self._pending = pending or PendingSignIns()
        self.logouts = LogoutTokens()

    async def begin(self, browser: str, source: str) -> str:
        """Where to send a browser that wants to sign in. Raises SignInRefused."""
        described = await self.provider.describe()
        state, pending = self._pending.begin(browser, source, self._now())
        query = {
            "response_type": "code",
            "client_id": self.account.client_id,
            "redirect_uri": self.account.redirect_uri,
            "scope": self.account.scopes,
            "state": state,
            "nonce": pending.nonce,
            "code_challenge": base64.urlsafe_b64encode(pending.challenge).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        return _with_query(described.authorization_endpoint, query)

    async def finish(self, answer: Mapping[str, str], browser: str) -> Principal:
        """Who it was, by what the provider sent their browser back with. Raises SignInRefused."""
        pending = self._pending.take(answer.get("state", ""), browser, self._now())
        if pending is None:
            raise SignInRefused(Why.NOT_BEGUN)
        described = await self.provider.describe()
        issuer = answer.get("iss")
        if issuer is None and described.authorization_response_iss_parameter_supported:
            raise SignInRefused(Why.MIXED_UP, "no iss")
        if issuer not in (None, self.provider.issuer):
            raise SignInRefused(Why.MIXED_UP, "iss")
        if "error" in answer:
            raise _refusal(answer["error"])
        code = answer.get("code", "")
        if not 0 < len(code) <= _MAX_CODE:
            raise SignInRefused(Why.PROVIDER, "no code")
        claims = await self._claims(described, code, pending)
        return self._people.principal(claims)

    async def leave(self) -> str:
        """Where to send a browser that signs out, so that the provider signs it out, too (OpenID
        Connect RP-Initiated Logout 1.0); our first page where the provider has no such place or
        does not answer."""
        try:
            described = await self.provider.describe()
        except SignInRefused:
            return self.account.start
        if not described.end_session_endpoint:
            return self.account.start
        query = {"client_id": self.account.client_id, "post_logout_redirect_uri": self.account.start}
        return _with_query(described.end_session_endpoint, query)

    async def log_out(self, token: str) -> tuple[LoggedOut, bytes]:
        """Who has left at the provider, by a logout token of it; and what lets it be used again.
        Raises BadToken and SignInRefused."""
        keys = await self.provider.keys(key_id(token))
        return self.logouts.use(token, keys, self._expected(), self._now())

    async def close(self) -> None:
        """Close what is open."""
        await self.provider.close()

    async def _claims(self, described: Description, code: str, pending: PendingSignIn) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.account.redirect_uri,
            "code_verifier": pending.verifier,
        }
        form, auth = self._authenticated(form, described)
        tokens = await self.provider.exchange(described.token_endpoint, form, auth)
        expected = replace(
            self._expected(), nonce=pending.nonce, access_token=tokens.access_token, since=pending.begun
        )
        try:
            keys = await self.provider.keys(key_id(tokens.id_token))
            claims = check_id_token(tokens.id_token, keys, expected, self._now())
        except BadToken as error:
            raise SignInRefused(Why.TOKEN, str(error)) from None
        if self._people.says_all(claims) or not described.userinfo_endpoint or not tokens.access_token:
            return claims
        more = await self.provider.user_info(described.userinfo_endpoint, tokens.access_token)
        if more.get("sub") != claims["sub"]:  # OpenID Connect Core section 5.3.2
            raise SignInRefused(Why.TOKEN, "user info: sub")
        return more | claims

    def _expected(self) -> Expected:
        account = self.account
        return Expected(self.provider.issuer, account.audience, account.client_id, account.skew)

    def _authenticated(
        self, form: dict[str, str], described: Description
    ) -> tuple[dict[str, str], tuple[str, str] | None]:
        """The form and the credentials beside it, by what the provider takes."""
        client_id, secret = self.account.client_id, self.account.client_secret
        if not secret:
            return form | {"client_id": client_id}, None
        methods = described.token_endpoint_auth_methods_supported
        if "client_secret_basic" not in methods and "client_secret_post" in methods:
            return form | {"client_id": client_id, "client_secret": secret}, None
        return form, (quote_plus(client_id), quote_plus(secret))  # RFC 6749 section 2.3.1


def _with_query(url: str, query: Mapping[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"


def _refusal(error: str) -> SignInRefused:
    """By an error of the provider's; its description is for nobody's eyes."""
    if error in _DENIED:
        return SignInRefused(Why.DENIED, error)
    if error in _DOWN:
        return SignInRefused(Why.UNAVAILABLE, error)
    return SignInRefused(Why.PROVIDER, error if error in _WRONG else "no error of OpenID Connect")
