"""Model of `[api]`, and all sections of sip.conf together.

Rule 1: the b2bua process receives its own sections only; `[provider]` and its credentials go to
        payers alone.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Final, Literal

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from b2bua.access.roles import read_roles
from b2bua.access.teams import Teams
from b2bua.config.access_settings import AccessSettings
from b2bua.config.audit_settings import AuditSettings
from b2bua.config.cdr_settings import CdrSettings
from b2bua.config.charge_settings import AgentGroupSettings
from b2bua.config.client_settings import ClientSettings
from b2bua.config.event_settings import EventWebhookSettings
from b2bua.config.feature_settings import FeatureCodeSettings
from b2bua.config.field_settings import FieldSettings
from b2bua.config.form_settings import FormSettings
from b2bua.config.general_settings import GeneralSettings
from b2bua.config.limits import read_limits
from b2bua.config.link_settings import LinkSettings
from b2bua.config.notify_settings import NotifySettings
from b2bua.config.oauth_settings import OauthSettings
from b2bua.config.oidc_settings import OidcSettings
from b2bua.config.origins import parse_origins
from b2bua.config.page_messages import check_messages
from b2bua.config.route_settings import RouteSettings
from b2bua.config.shared_settings import SharedSettings
from b2bua.config.trunk_settings import CarrierSettings, PbxSettings, TrunkSettings
from b2bua.config.values import IpNetwork, check_numeric, check_readable, parse_networks, split_list
from media.settings import MediaSettings, PromptSettings
from provider_adapters.settings import ProviderSettings, provider_name
from provider_adapters.webhook.settings import WebhookSettings
from tonewall.ini import (
    NAMED,
    PREFIX,
    Section,
    load,
    to_environment,
)

RETIRED: Final = f"{PREFIX}RETIRED"
"""The variable with the headers of `SignallingSettings.retired`."""
_EXTENSION = re.compile(r"[A-Za-z0-9._~*#+-]{1,64}")


class ApiSettings(Section):
    """`[api]`: the agents' HTTP API and page."""

    section: ClassVar[str] = "api"

    address: str = Field("127.0.0.1", description="the numeric address of the agents' API")
    port: int = Field(8080, ge=0, le=65535, description="the TCP port of the agents' API")
    tokens: SecretStr = Field(
        description="`name:token` of each agent, separated by commas; a token has 16 characters or more"
    )
    roles: str = Field(
        "",
        description="`name:role` of each token, separated by commas, several as role+role; `*:role`: all "
        "others; who has none is an agent. docs/roles.md",
    )
    teams: str = Field(
        "", description="`team:name name`, separated by commas: whose calls a supervisor of the team sees"
    )
    refund_limit: str = Field(
        "",
        description="the most that a supervisor gives back of a payment: EUR 500.00, PLN 2000.00; empty: no "
        "limit",
    )
    extensions: str = Field("", description="`name:extension` of each agent's phone, separated by commas")
    tls_certificate: str = Field(
        "", description="our certificate chain for HTTPS, as a PEM file; a changed one is taken at once"
    )
    tls_key: str = Field("", description="its private key, as a PEM file, where it is not in the same")
    client_ca: str = Field(
        "", description="the authorities of programs' certificates, as a PEM file; empty: none are asked for"
    )
    client_crl: str = Field("", description="what those authorities have revoked, as a PEM file")
    plain_http: bool = Field(
        False, description="yes: HTTP without TLS, tokens in clear, on an address other than loopback"
    )
    trusted_proxies: str = Field(
        "",
        description="addresses or networks of the proxies before the API, separated by commas; their "
        "X-Forwarded-For is believed",
    )
    idle_time: float = Field(
        900.0,
        gt=0,
        le=900,
        description="seconds without an action of the agent's after which the page signs out, and a session "
        "ends",
    )
    frame_ancestors: str = Field(
        "", description="origins of the pages that may hold /embed in a frame, separated by commas"
    )
    origins: str = Field(
        "", description="origins of the pages that may use `<tonewall-payment>` and the API, by CORS"
    )
    messages: Annotated[str, AfterValidator(check_messages)] = Field(
        "",
        description="a directory of files LANGUAGE.json, whose sentences the page has in place of ours",
    )
    language: Literal["", "en", "pl", "de", "fr", "es"] = Field(
        "", description="the language of the page, of who has chosen none on it; empty: their browser's"
    )
    connections: int = Field(1024, ge=8, le=65536, description="connections at once; more get 503")
    healthz: bool = Field(True, description="yes or no: /healthz answers without a token")
    openapi: bool = Field(True, description="yes or no: /openapi.json answers without a token")

    @field_validator("tls_certificate", "tls_key", "client_ca", "client_crl")
    @classmethod
    def _is_file(cls, value: str) -> str:
        return check_readable(value)

    @field_validator("address")
    @classmethod
    def _is_numeric(cls, value: str) -> str:
        return check_numeric(value)

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        parse_networks(value)
        return value

    @field_validator("frame_ancestors", "origins")
    @classmethod
    def _are_origins(cls, value: str) -> str:
        parse_origins(value)
        return value

    @model_validator(mode="after")
    def _is_protected(self) -> ApiSettings:
        is_loopback = ipaddress.ip_address(self.address).is_loopback
        if not is_loopback and not self.tls_certificate and not self.plain_http:
            raise ValueError(
                "tls_certificate: expected a PEM file, since address is not loopback and tokens would cross "
                "the network in clear; or address = 127.0.0.1, with a TLS proxy before it; or plain_http = "
                "yes, where something else encrypts the way"
            )
        return self

    @field_validator("roles")
    @classmethod
    def _are_roles(cls, value: str) -> str:
        read_roles(value)
        return value

    @field_validator("teams")
    @classmethod
    def _are_teams(cls, value: str) -> str:
        Teams.parse(value)
        return value

    @field_validator("refund_limit")
    @classmethod
    def _are_limits(cls, value: str) -> str:
        read_limits(value)
        return value

    @field_validator("extensions")
    @classmethod
    def _are_extensions(cls, value: str) -> str:
        pairs = [each.partition(":") for each in split_list(value)]
        numbers = [number for _, _, number in pairs]
        if not all(name and _EXTENSION.fullmatch(number) for name, _, number in pairs):
            raise ValueError("expected name:extension, separated by commas, such as desk-1:201")
        if len(set(numbers)) < len(numbers):
            raise ValueError("expected each extension once, since one agent has it")
        return value

    @property
    def agent_of(self) -> dict[str, str]:
        """The agent of each extension."""
        pairs = (each.partition(":") for each in split_list(self.extensions))
        return {number: name for name, _, number in pairs}

    def faults(self) -> list[str]:
        """What does not fit together, a line each."""
        pairs = [
            ("tls_key", "tls_certificate"),
            ("client_ca", "tls_certificate"),
            ("client_crl", "client_ca"),
        ]
        wanting = [pair for pair in pairs if getattr(self, pair[0]) and not getattr(self, pair[1])]
        return [f"[api] {needed}: expected a PEM file, since {given} is given" for given, needed in wanting]

    @property
    def proxies(self) -> list[IpNetwork]:
        """The networks of the proxies before the API."""
        return parse_networks(self.trusted_proxies)

    @property
    def scheme(self) -> str:
        """How the API is reached: https or http."""
        return "https" if self.tls_certificate else "http"

    @property
    def guarded(self) -> frozenset[str]:
        """Paths without data of calls that need a token all the same."""
        given = (("/healthz", self.healthz), ("/openapi.json", self.openapi))
        return frozenset(path for path, is_open in given if not is_open)

    @property
    def agents(self) -> tuple[str, ...]:
        """The names of the tokens, in their order."""
        return tuple(each.partition(":")[0] for each in split_list(self.tokens.get_secret_value()))


@dataclass(frozen=True, slots=True)
class SignallingSettings:
    """The sections of the b2bua process. Trunks, routes, agent groups, forms and fields by their
    headers, in their order. `retired`: trunks that a reload took out, whose calls may go on; in no
    file."""

    general: GeneralSettings
    trunks: Mapping[str, TrunkSettings]
    routes: Mapping[str, RouteSettings]
    api: ApiSettings
    cdr: CdrSettings
    links: LinkSettings
    feature_codes: FeatureCodeSettings
    notify: NotifySettings
    audit: AuditSettings = field(default_factory=lambda: load(AuditSettings, {}, {}))
    access: AccessSettings = field(default_factory=lambda: load(AccessSettings, {}, {}))
    oauth: OauthSettings = field(default_factory=lambda: load(OauthSettings, {}, {}))
    oidc: OidcSettings = field(default_factory=lambda: load(OidcSettings, {}, {}))
    shared: SharedSettings = field(default_factory=lambda: load(SharedSettings, {}, {}))
    clients: Mapping[str, ClientSettings] = field(default_factory=dict)
    webhooks: Mapping[str, EventWebhookSettings] = field(default_factory=dict)
    agent_groups: Mapping[str, AgentGroupSettings] = field(default_factory=dict)
    forms: Mapping[str, FormSettings] = field(default_factory=dict)
    fields: Mapping[str, FieldSettings] = field(default_factory=dict)
    retired: Mapping[str, TrunkSettings] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """These sections as environment variables, for the b2bua process. Secrets are in clear."""
        single: list[Section] = [self.general, self.api, self.cdr, self.links, self.feature_codes, self.audit]
        single += [self.notify, self.access, self.oauth, self.oidc, self.shared]
        several: dict[str, Section] = {**self.trunks, **self.routes, **self.agent_groups}
        several |= {**self.forms, **self.fields, **self.clients, **self.webhooks}
        variables = {NAMED: ",".join(several), RETIRED: ",".join(self.retired)}
        for section in single:
            variables |= to_environment(section)
        for header, section in {**several, **self.retired}.items():
            variables |= to_environment(section, header)
        return variables | self.audit.module_environment()


@dataclass(frozen=True, slots=True)
class Settings:
    """All of sip.conf. Providers, their webhooks and sets of prompts by their headers, in their
    order."""

    signalling: SignallingSettings
    media: MediaSettings
    providers: Mapping[str, ProviderSettings]
    webhooks: Mapping[str, WebhookSettings]
    prompts: Mapping[str, PromptSettings] = field(default_factory=dict)

    @property
    def provider(self) -> ProviderSettings:
        """The default provider: the first."""
        return next(iter(self.providers.values()))

    @property
    def provider_names(self) -> list[str]:
        """What the providers are called, in their order."""
        return [provider_name(header) for header in self.providers]

    def provider_header(self, webhooks: str) -> str:
        """The header of the provider whose webhooks these are, by theirs: of the same name; the
        first, where they have none. There may be no such section."""
        name = webhooks.partition(" ")[2]
        return f"{ProviderSettings.section} {name}" if name else next(iter(self.providers))

    def provider_of(self, webhooks: str) -> ProviderSettings | None:
        """That provider, where there is one."""
        return self.providers.get(self.provider_header(webhooks))

    @property
    def plays_prompts(self) -> bool:
        """Whether any form is guided by prompts, or agents hear tones, or what their codes came
        to."""
        own = self.signalling
        forms = own.forms.values()
        return bool(own.feature_codes.prompts) or any(form.prompts or form.agent_tones for form in forms)

    def prompt_environment(self) -> dict[str, str]:
        """All sets of prompts as environment variables, for the process that prepares them."""
        variables = {NAMED: ",".join(self.prompts)}
        for header, section in self.prompts.items():
            variables |= to_environment(section, header)
        return variables

    def provider_environment(self) -> dict[str, str]:
        """All providers as environment variables, for payers and reconciler. They share the
        journal of the first."""
        variables = {NAMED: ",".join(self.providers)}
        for header, section in self.providers.items():
            variables |= to_environment(section.model_copy(update={"journal": self.provider.journal}), header)
        return variables


SECTIONS: Mapping[str, type[Section]] = {
    model.section: model
    for model in (
        GeneralSettings,
        CarrierSettings,
        PbxSettings,
        RouteSettings,
        MediaSettings,
        ApiSettings,
        AgentGroupSettings,
        FormSettings,
        FieldSettings,
        PromptSettings,
        CdrSettings,
        LinkSettings,
        FeatureCodeSettings,
        AuditSettings,
        AccessSettings,
        ClientSettings,
        OauthSettings,
        OidcSettings,
        SharedSettings,
        NotifySettings,
        EventWebhookSettings,
        ProviderSettings,
        WebhookSettings,
    )
}
SEVERAL = frozenset(
    {CarrierSettings.section, PbxSettings.section, RouteSettings.section}
    | {AgentGroupSettings.section, FormSettings.section, FieldSettings.section, PromptSettings.section}
    | {ProviderSettings.section, WebhookSettings.section}
    | {ClientSettings.section, EventWebhookSettings.section}
)
