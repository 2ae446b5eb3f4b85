"""Model of `[oauth]`: access tokens of the company's identity provider, which programs present."""

from __future__ import annotations

import ssl
from typing import ClassVar

from pydantic import Field, field_validator

from b2bua.access.issuer_keys import IssuerKeys
from b2bua.access.jwt_tokens import ALGORITHMS, JwtAuthenticator, TokenPolicy
from b2bua.access.roles import Role
from b2bua.config.values import check_readable, split_list
from b2bua.notify.address import check_url
from tonewall.ini import ConfigError, Section


class OauthSettings(Section):
    """`[oauth]` of sip.conf."""

    section: ClassVar[str] = "oauth"

    issuer: str = Field(
        "", description="who issues the tokens, exactly as their `iss` has it; empty: none are taken"
    )
    audience: str = Field("", description="what their `aud` has for this Tonewall")
    jwks_url: str = Field("", description="where the keys are; empty: the issuer's own description says so")
    ca_file: str = Field("", description="authorities to trust for both instead of the public ones, PEM")
    token_types: str = Field(
        "at+jwt",
        description="the `typ` of tokens: at+jwt (RFC 9068); JWT as well where the provider writes that",
    )
    algorithms: str = Field(
        ", ".join(ALGORITHMS), description="the signatures that are accepted, of public keys alone"
    )
    scope_prefix: str = Field("", description="what stands before our scopes in theirs, as tonewall/")
    role_claim: str = Field("", description="the claim with the roles of programs; empty: scopes alone count")
    roles: str = Field("", description="our role by one of theirs: scrapers:metrics, revision:auditor")
    leeway: int = Field(30, ge=0, le=300, description="seconds that the issuer's clock may differ")

    @field_validator("issuer", "jwks_url")
    @classmethod
    def _is_url(cls, value: str) -> str:
        return check_url(value) if value else value

    @field_validator("ca_file")
    @classmethod
    def _is_file(cls, value: str) -> str:
        return check_readable(value)

    @field_validator("algorithms")
    @classmethod
    def _are_algorithms(cls, value: str) -> str:
        given = split_list(value)
        if not given or set(given) - set(ALGORITHMS):
            raise ValueError(f"expected some of {', '.join(ALGORITHMS)}")
        return value

    @field_validator("roles")
    @classmethod
    def _are_roles(cls, value: str) -> str:
        for each in split_list(value):
            theirs, _, ours = each.rpartition(":")
            if not theirs or ours not in set(Role) or ours == Role.INTEGRATION:
                raise ValueError("expected theirs:ours, separated by commas; scopes make an integration")
        return value

    def faults(self) -> list[str]:
        """What does not fit together, a line each."""
        if self.issuer and not self.audience:
            return ["[oauth] audience: expected, since issuer is given: tokens for other services are none"]
        return []

    def authenticator(self) -> JwtAuthenticator | None:
        """What takes those tokens; None where there is no issuer. Raises ConfigError."""
        if not self.issuer:
            return None
        try:
            trust = ssl.create_default_context(cafile=self.ca_file or None)
        except OSError:
            raise ConfigError("[oauth] ca_file: expected certificates, as a PEM file") from None
        pairs = (each.rpartition(":") for each in split_list(self.roles))
        policy = TokenPolicy(
            issuer=self.issuer,
            audience=self.audience,
            types=frozenset(each.lower() for each in split_list(self.token_types)),
            algorithms=split_list(self.algorithms),
            scope_prefix=self.scope_prefix,
            role_claim=self.role_claim,
            roles={theirs: Role(ours) for theirs, _, ours in pairs},
            leeway=self.leeway,
        )
        return JwtAuthenticator(policy, IssuerKeys(self.issuer, self.jwks_url, trust))
