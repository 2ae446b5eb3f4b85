"""Reads sip.conf and the environment into settings, with every fault at once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from b2bua.config.access_settings import AccessSettings
from b2bua.config.audit_settings import AuditSettings
from b2bua.config.cdr_settings import CdrSettings
from b2bua.config.charge_settings import AgentGroupSettings
from b2bua.config.client_settings import ClientSettings
from b2bua.config.consistency import find_faults, find_signalling_faults
from b2bua.config.event_settings import EventWebhookSettings
from b2bua.config.feature_settings import FeatureCodeSettings
from b2bua.config.field_settings import FieldSettings
from b2bua.config.form_settings import FormSettings
from b2bua.config.general_settings import GeneralSettings
from b2bua.config.link_settings import LinkSettings
from b2bua.config.notify_settings import NotifySettings
from b2bua.config.oauth_settings import OauthSettings
from b2bua.config.oidc_settings import OidcSettings
from b2bua.config.route_settings import RouteSettings
from b2bua.config.settings import RETIRED, SECTIONS, SEVERAL, ApiSettings, Settings, SignallingSettings
from b2bua.config.shared_settings import SharedSettings
from b2bua.config.trunk_settings import CarrierSettings, PbxSettings
from media.settings import MediaSettings, PromptSettings
from provider_adapters.settings import ProviderSettings
from provider_adapters.webhook.settings import WebhookSettings
from tonewall.ini import (
    ConfigError,
    Section,
    Sections,
    check_names,
    doubled_secrets,
    headers,
    load,
    read_file,
)


def read_settings(path: Path | None) -> Settings:
    """All settings, from the file and the environment, which wins. Raises ConfigError that names
    every fault, not only the first."""
    sections = read_file(path) if path else {}
    check_names(sections, SECTIONS, SEVERAL)
    faults = doubled_secrets(
        {header: model for model in SECTIONS.values() for header in _headers(model, sections)}
    )
    for model in SECTIONS.values():
        for header in _headers(model, sections):
            try:
                load(model, sections, header=header)
            except ConfigError as error:
                faults.append(str(error))
    if faults:
        raise ConfigError("\n".join(dict.fromkeys(faults)))
    providers = {
        header: load(ProviderSettings, sections, header=header)
        for header in _headers(ProviderSettings, sections)
    }
    webhooks = {
        header: load(WebhookSettings, sections, header=header)
        for header in _headers(WebhookSettings, sections)
    }
    prompts = {
        header: load(PromptSettings, sections, header=header) for header in _headers(PromptSettings, sections)
    }
    settings = Settings(
        read_signalling(sections), load(MediaSettings, sections), providers, webhooks, prompts
    )
    if faults := find_faults(settings):
        raise ConfigError("\n".join(faults))
    return settings


def read_signalling(sections: Sections, environment: Mapping[str, str] | None = None) -> SignallingSettings:
    """The settings of the b2bua process alone; `environment`: where not our own. Raises
    ConfigError."""
    read = partial(load, environment=environment)
    own = SignallingSettings(
        general=read(GeneralSettings, sections),
        trunks={
            header: read(model, sections, header=header)
            for model in (CarrierSettings, PbxSettings)
            for header in _headers(model, sections, environment)
        },
        routes={
            header: read(RouteSettings, sections, header=header)
            for header in _headers(RouteSettings, sections, environment)
        },
        api=read(ApiSettings, sections),
        cdr=read(CdrSettings, sections),
        agent_groups={
            header: read(AgentGroupSettings, sections, header=header)
            for header in _headers(AgentGroupSettings, sections, environment)
        },
        forms={
            header: read(FormSettings, sections, header=header)
            for header in _headers(FormSettings, sections, environment)
        },
        fields={
            header: read(FieldSettings, sections, header=header)
            for header in _headers(FieldSettings, sections, environment)
        },
        links=read(LinkSettings, sections),
        feature_codes=read(FeatureCodeSettings, sections),
        audit=read(AuditSettings, sections),
        notify=read(NotifySettings, sections),
        access=read(AccessSettings, sections),
        oauth=read(OauthSettings, sections),
        oidc=read(OidcSettings, sections),
        shared=read(SharedSettings, sections),
        clients={
            header: read(ClientSettings, sections, header=header)
            for header in _headers(ClientSettings, sections, environment)
        },
        webhooks={
            header: read(EventWebhookSettings, sections, header=header)
            for header in _headers(EventWebhookSettings, sections, environment)
        },
        retired={
            header: read(model, {}, header=header)
            for model in (CarrierSettings, PbxSettings)
            for header in headers(model.section, {}, environment, RETIRED)
        },
    )
    if faults := find_signalling_faults(own):
        raise ConfigError("\n".join(faults))
    return own


def _headers(
    model: type[Section], sections: Sections, environment: Mapping[str, str] | None = None
) -> list[str]:
    """The headers of a model's sections. Where a trunk is missing, that of one without a name: its
    fault says so."""
    if model.section not in SEVERAL:
        return [model.section]
    absent = {RouteSettings, AgentGroupSettings, FormSettings, FieldSettings, PromptSettings, ClientSettings}
    may_be_absent = model in absent | {EventWebhookSettings}
    return headers(model.section, sections, environment) or ([] if may_be_absent else [model.section])
