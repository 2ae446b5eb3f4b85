"""Model of `[oidc]`: the company's identity provider, where people sign in."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlsplit

import certifi
from pydantic import Field, SecretStr, field_validator, model_validator

from b2bua.access.oidc.client import Account, SignIn
from b2bua.access.oidc.people import People
from b2bua.access.oidc.provider import Provider
from b2bua.access.roles import Role, parse_roles
from b2bua.config.values import check_readable, split_list
from b2bua.notify.address import check_url
from tonewall.ini import ConfigError, Section
from tonewall.secret_file import read_secret

_CALLBACK = "/sign-in/oidc/callback"
_T = TypeVar("_T")


class OidcSettings(Section):
    """`[oidc]` of sip.conf."""

    section: ClassVar[str] = "oidc"

    issuer: str = Field(
        "", description="the URL of the identity provider, as it calls itself; empty: nobody signs in there"
    )
    client_id: str = Field("", description="what it knows us by")
    client_secret: SecretStr = Field(
        SecretStr(""), description="the secret that goes with it; empty: a public client, with PKCE alone"
    )
    client_secret_file: Path | None = Field(
        None,
        description="the file in which the secret stands; read at the start, and goes before client_secret",
    )
    redirect_uri: str = Field(
        "", description=f"where it sends browsers back to: https://HOST{_CALLBACK}, HOST as browsers know us"
    )
    scopes: str = Field("openid profile email", description="what is asked for, with spaces between")
    audience: str = Field("", description="the audience of its ID tokens; empty: client_id")
    name_claim: str = Field(
        "preferred_username email sub",
        description="where somebody's name is; of several, with spaces between, the first that there is",
    )
    groups_claim: str = Field(
        "groups", description="where their groups are; a dot leads into an object: realm_access.roles"
    )
    roles: str = Field(
        "",
        description="`group:role`, separated by commas, several as role+role; who is in none may not sign in",
    )
    teams: str = Field("", description="`group:team`, separated by commas: docs/roles.md")
    clock_skew: float = Field(60.0, ge=0, le=300, description="seconds that its clock may differ from ours")
    ca_file: str = Field(
        "", description="certificate authorities to trust for it instead of the public ones, as a PEM file"
    )
    contact: str = Field(
        "your administrator", description="whom people are told to ask who have no role, or meet an error"
    )

    @field_validator("issuer")
    @classmethod
    def _is_issuer(cls, value: str) -> str:
        if value and urlsplit(check_url(value)).query:
            raise ValueError("expected a URL without a query")
        return value

    @field_validator("redirect_uri")
    @classmethod
    def _is_ours(cls, value: str) -> str:
        if value and (urlsplit(check_url(value)).path != _CALLBACK or "?" in value):
            raise ValueError(f"expected https://HOST{_CALLBACK}, or http:// of a loopback address")
        return value

    @field_validator("scopes")
    @classmethod
    def _has_openid(cls, value: str) -> str:
        if "openid" not in value.split():
            raise ValueError("expected openid among them")
        return value

    @field_validator("name_claim")
    @classmethod
    def _is_named(cls, value: str) -> str:
        if not value.split():
            raise ValueError("expected a claim, such as preferred_username")
        return value

    @field_validator("roles")
    @classmethod
    def _are_roles(cls, value: str) -> str:
        for _, roles in _pairs(value, "group:role"):
            if parse_roles(roles) & {Role.INTEGRATION, Role.METRICS}:
                raise ValueError("expected roles of people; integration and metrics are of programs")
        return value

    @field_validator("teams")
    @classmethod
    def _are_teams(cls, value: str) -> str:
        _pairs(value, "group:team")
        return value

    @field_validator("ca_file")
    @classmethod
    def _is_file(cls, value: str) -> str:
        return check_readable(value)

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Take the secret out of its file."""
        file = values.get("client_secret_file")
        if not file:
            return values
        return {**values, "client_secret": read_secret(Path(file), "client_secret_file")}

    def faults(self, keeps_sessions: bool) -> list[str]:
        """What is missing, a line each. `keeps_sessions`: `[access]` has a directory."""
        if not self.issuer:
            return []
        if not keeps_sessions:
            return ["[oidc] issuer: expected [access] directory as well, where sessions are kept"]
        needed = {"client_id": self.client_id, "redirect_uri": self.redirect_uri, "roles": self.roles}
        return [
            f"[oidc] {name}: expected, since issuer is given" for name, value in needed.items() if not value
        ]

    def sign_in(self) -> SignIn | None:
        """The way in, where there is one. Raises ConfigError where the certificate authorities
        cannot be used."""
        if not self.issuer:
            return None
        account = Account(
            client_id=self.client_id,
            redirect_uri=self.redirect_uri,
            scopes=self.scopes,
            audience=self.audience or self.client_id,
            client_secret=self.client_secret.get_secret_value(),
            skew=self.clock_skew,
        )
        return SignIn(self.provider(), account, self.people())

    def people(self) -> People:
        """Who may do what, by what the provider says of them."""
        return People(
            roles=_by_group([(group, parse_roles(roles)) for group, roles in _pairs(self.roles, "")]),
            teams=_by_group([(group, frozenset({team})) for group, team in _pairs(self.teams, "")]),
            groups_claim=self.groups_claim,
            name_claims=tuple(self.name_claim.split()),
        )

    def provider(self) -> Provider:
        """The identity provider itself. Raises ConfigError likewise."""
        # Not ssl.create_default_context: that would write session keys to where SSLKEYLOGFILE says.
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trust.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            trust.load_verify_locations(cafile=self.ca_file or certifi.where())
        except OSError:  # ssl.SSLError, too
            raise ConfigError("[oidc] ca_file: expected certificates, as a PEM file") from None
        return Provider(self.issuer, trust)


def _pairs(value: str, expected: str) -> list[tuple[str, str]]:
    """The pairs of a list; a group may have colons. Raises ValueError."""
    split = [each.rpartition(":") for each in split_list(value)]
    pairs = [(group.strip(), ours.strip()) for group, _, ours in split]
    if not all(group and ours for group, ours in pairs):
        raise ValueError(f"expected {expected}, separated by commas")
    return pairs


def _by_group(pairs: list[tuple[str, frozenset[_T]]]) -> dict[str, frozenset[_T]]:
    """What each group has; one that stands twice has both."""
    found: dict[str, frozenset[_T]] = {}
    for group, ours in pairs:
        found[group] = found.get(group, frozenset()) | ours
    return found
