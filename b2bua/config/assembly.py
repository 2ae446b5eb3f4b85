"""Builds the trunks of the SIP engine and the plan of the switchboard from settings."""

from __future__ import annotations

from b2bua.call.routing.limits import Limit
from b2bua.call.routing.numbers import NumberPlan
from b2bua.call.routing.router import Pattern, Place, Router, Rule
from b2bua.call.routing.trunk import Trunk
from b2bua.config.route_settings import RouteSettings
from b2bua.config.settings import SignallingSettings
from b2bua.config.trunk_settings import (
    CarrierSettings,
    PbxSettings,
    TrunkSettings,
)
from b2bua.config.values import split_list, trunk_name
from media.events import Masking, Side
from media.stream_description import Interface


def build_trunks(settings: SignallingSettings) -> list[Trunk]:
    """The trunks as the SIP engine takes them, in the order of sip.conf, carriers first."""
    return [_trunk(trunk_name(header), each) for header, each in settings.trunks.items()]


def build_router(settings: SignallingSettings) -> Router:
    """The router of all trunks and routes."""
    places = {trunk_name(header): _place(each) for header, each in settings.trunks.items()}
    return Router(places, [_rule(trunk_name(header), each) for header, each in settings.routes.items()])


def trunk_limits(settings: SignallingSettings) -> dict[str, Limit]:
    """The limits of each trunk, by its name."""
    return {
        trunk_name(header): Limit(each.max_calls, each.max_rate) for header, each in settings.trunks.items()
    }


def media_kinds(settings: SignallingSettings) -> dict[str, frozenset[str]]:
    """The kinds of m-lines that a trunk may have, by its name; a trunk that may have all is not in
    it."""
    return {
        trunk_name(header): frozenset(split_list(each.media))
        for header, each in settings.trunks.items()
        if each.media.strip() != "*"
    }


def masks(settings: SignallingSettings) -> dict[str, Masking]:
    """The mask policy of each carrier, by its name."""
    return {
        trunk_name(header): Masking(
            policy=each.mask,
            pause=each.key_pause,
            tones=each.capture_tones,
            placeholder=each.placeholder_tone,
        )
        for header, each in settings.trunks.items()
        if isinstance(each, CarrierSettings)
    }


def trunks_with_info_digits(settings: SignallingSettings) -> frozenset[str]:
    """The names of carriers that send keys as SIP INFO."""
    return frozenset(
        trunk_name(header)
        for header, each in settings.trunks.items()
        if isinstance(each, CarrierSettings) and each.info_digits
    )


def trunks_with_events(settings: SignallingSettings) -> frozenset[str]:
    """The names of PBXs that want keys of SIP INFO as telephone-event."""
    return frozenset(
        trunk_name(header)
        for header, each in settings.trunks.items()
        if isinstance(each, PbxSettings) and each.dtmf == "rfc4733"
    )


def interfaces(settings: SignallingSettings) -> dict[str, Interface]:
    """The addresses for RTP of trunks that have some of their own, by name."""
    return {
        trunk_name(header): Interface(address=each.media_address, advertised=each.media_advertised)
        for header, each in settings.trunks.items()
        if each.media_address or each.media_advertised
    }


def trunks_behind_nat(settings: SignallingSettings) -> frozenset[str]:
    """The names of trunks behind NAT."""
    return frozenset(trunk_name(header) for header, each in settings.trunks.items() if each.nat)


def trunks_with_srtp(settings: SignallingSettings) -> frozenset[str]:
    """The names of trunks whose RTP is encrypted."""
    return frozenset(trunk_name(header) for header, each in settings.trunks.items() if each.srtp)


def _place(settings: TrunkSettings) -> Place:
    side = Side.CALLER if isinstance(settings, CarrierSettings) else Side.AGENT
    plan = NumberPlan(
        settings.numbers, settings.country, settings.national_prefix, settings.international_prefix
    )
    return Place(side, plan)


def _rule(name: str, settings: RouteSettings) -> Rule:
    return Rule(
        name=name,
        to=split_list(settings.to),
        sources=frozenset(split_list(settings.source)),
        caller=Pattern.read(settings.caller, settings.caller_as),
        callee=Pattern.read(settings.callee, settings.callee_as),
        spread=settings.spread,
        refuse=settings.refuse,
    )


def _trunk(name: str, settings: TrunkSettings) -> Trunk:
    return Trunk(
        name=name,
        host=settings.host,
        port=settings.port,
        username=settings.username,
        password=settings.password.get_secret_value(),
        domain=settings.domain,
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
