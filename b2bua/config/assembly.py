"""Builds the trunks of the SIP engine and the plan of the switchboard from settings."""

from __future__ import annotations

from collections.abc import Mapping

from b2bua.call.charge_defaults import ChargeDefaults
from b2bua.call.pseudonyms import Pseudonyms
from b2bua.call.routing.limits import Limit
from b2bua.call.routing.numbers import NumberPlan
from b2bua.call.routing.router import Pattern, Place, Router, Rule
from b2bua.call.routing.trunk import Trunk
from b2bua.call.trunk_policy import KeyPolicy, PreMask, TrunkPolicy
from b2bua.config.charge_settings import ChargeSection
from b2bua.config.field_settings import known_fields
from b2bua.config.route_settings import RouteSettings
from b2bua.config.settings import SignallingSettings
from b2bua.config.trunk_settings import (
    CarrierSettings,
    PbxSettings,
    TrunkSettings,
)
from b2bua.config.values import form_name, split_list, trunk_name
from media.events import CaptureForm, Masking, Side
from media.form_description import CARD
from media.stream_description import Interface


def build_trunks(settings: SignallingSettings) -> list[Trunk]:
    """The trunks as the SIP engine takes them, in the order of sip.conf, carriers first."""
    return [_trunk(trunk_name(header), each) for header, each in settings.trunks.items()]


def build_retired_trunks(settings: SignallingSettings) -> list[Trunk]:
    """Those that a reload took out: their calls may go on."""
    return [_trunk(trunk_name(header), each) for header, each in settings.retired.items()]


def build_router(settings: SignallingSettings) -> Router:
    """The router of all trunks and routes."""
    places = {trunk_name(header): _place(each) for header, each in settings.trunks.items()}
    forms = build_forms(settings)
    rules = [_rule(trunk_name(header), each, forms) for header, each in settings.routes.items()]
    return Router(places, rules)


def trunk_limits(settings: SignallingSettings) -> dict[str, Limit]:
    """The limits of each trunk, by its name."""
    return {
        trunk_name(header): Limit(each.max_calls, each.max_rate) for header, each in settings.trunks.items()
    }


def trunk_policies(settings: SignallingSettings) -> dict[str, TrunkPolicy]:
    """How calls of each trunk are treated, by its name."""
    forms = build_forms(settings)
    return {trunk_name(header): _policy(each, forms) for header, each in settings.trunks.items()}


def build_pseudonyms(settings: SignallingSettings) -> Pseudonyms:
    """What stands for customers' numbers in what is kept, however carriers write them."""
    plans = (_number_plan(each) for each in settings.trunks.values() if isinstance(each, CarrierSettings))
    return Pseudonyms(settings.cdr.pseudonym_keys, tuple(plans))


def build_forms(settings: SignallingSettings) -> dict[str, CaptureForm]:
    """The forms by their names, the usual one first."""
    known = known_fields(settings.fields)
    forms = {
        form_name(header): each.form(form_name(header), known) for header, each in settings.forms.items()
    }
    return forms or {CARD.name: CaptureForm()}


def _policy(settings: TrunkSettings, forms: Mapping[str, CaptureForm]) -> TrunkPolicy:
    carrier = settings if isinstance(settings, CarrierSettings) else None
    return TrunkPolicy(
        latch=settings.nat,
        encrypted=settings.srtp,
        kinds=None if settings.media.strip() == "*" else frozenset(split_list(settings.media)),
        masking=_masking(carrier) if carrier is not None else Masking(),
        keys=KeyPolicy(carrier.info_digits, carrier.slow_keys) if carrier is not None else KeyPolicy(),
        pre_mask=carrier.pre_mask if carrier is not None else PreMask.AGENT,
        pre_mask_time=carrier.pre_mask_time if carrier is not None else 300.0,
        wants_events=isinstance(settings, PbxSettings) and settings.dtmf == "rfc4733",
        feature_codes=isinstance(settings, PbxSettings) and settings.feature_codes,
        interface=Interface(address=settings.media_address, advertised=settings.media_advertised),
        charging=_charging(settings, forms, usual=next(iter(forms.values()))),
        references=tuple(name.lower() for name in split_list(settings.reference_headers)),
        shown_headers=tuple(name.lower() for name in split_list(settings.shown_headers)),
    )


def _masking(settings: CarrierSettings) -> Masking:
    return Masking(
        policy=settings.mask,
        pause=settings.key_pause,
        tones=settings.capture_tones,
        placeholder=settings.placeholder_tone,
    )


def agent_charging(settings: SignallingSettings) -> dict[str, ChargeDefaults]:
    """What the agents' groups say of their charges, by the agent's name."""
    forms = build_forms(settings)
    return {
        agent: _charging(group, forms)
        for group in settings.agent_groups.values()
        for agent in split_list(group.agents)
    }


def _charging(
    settings: ChargeSection,
    forms: Mapping[str, CaptureForm],
    providers: tuple[str, ...] = (),
    usual: CaptureForm | None = None,
) -> ChargeDefaults:
    return ChargeDefaults(
        form=forms[settings.form] if settings.form else usual,
        providers=providers,
        merchant_account=settings.merchant_account,
        statement=settings.statement,
        metadata=dict(each.split("=", 1) for each in split_list(settings.metadata)),
    )


def _place(settings: TrunkSettings) -> Place:
    side = Side.CALLER if isinstance(settings, CarrierSettings) else Side.AGENT
    return Place(side, _number_plan(settings))


def _number_plan(settings: TrunkSettings) -> NumberPlan:
    return NumberPlan(
        settings.numbers, settings.country, settings.national_prefix, settings.international_prefix
    )


def _rule(name: str, settings: RouteSettings, forms: Mapping[str, CaptureForm]) -> Rule:
    return Rule(
        name=name,
        to=split_list(settings.to),
        sources=frozenset(split_list(settings.source)),
        caller=Pattern.read(settings.caller, settings.caller_as),
        callee=Pattern.read(settings.callee, settings.callee_as),
        spread=settings.spread,
        refuse=settings.refuse,
        charging=_charging(settings, forms, split_list(settings.provider)),
        mask=settings.mask or None,
        ends=settings.form_rule(next(iter(forms))),
        left=settings.rule_without_agent(next(iter(forms))),
    )


def _trunk(name: str, settings: TrunkSettings) -> Trunk:
    return Trunk(
        name=name,
        host=settings.host,
        port=settings.port,
        username=settings.username,
        password=settings.password.get_secret_value(),
        domain=settings.domain,
        contact_host=settings.contact_host,
        realm=settings.realm,
        challenge=settings.challenge or settings.host == "dynamic",
        register=settings.registration,
        user=settings.user or settings.username,
        expires=settings.expires,
        transport=settings.transport,
        networks=split_list(settings.match),
        follow=settings.redirect == "follow",
        bind=settings.bind,
        tcp_switch=settings.tcp_switch,
        keepalive=settings.keepalive,
        tls_ca=settings.tls_ca,
        tls_certificate=settings.tls_certificate,
        tls_key=settings.tls_key,
        tls_name=settings.tls_name,
        tls_verify_client=settings.tls_verify_client,
        session_expires=settings.session_expires,
        session_minimum=settings.session_minimum,
        probe=settings.probe,
        trusted=settings.trust,
        x_headers=tuple(name.strip().lower() for name in settings.x_headers.split(",") if name.strip()),
        user_parameters=tuple(name.lower() for name in split_list(settings.user_parameters)),
        user_phone=settings.user_phone,
        identity=settings.identity,
        refer=settings.refer,
        nat=settings.nat,
        prack=settings.prack,
    )
