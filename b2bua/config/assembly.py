"""From the trunks and routes of sip.conf to what the SIP engine and the switchboard take."""

from __future__ import annotations

from b2bua.call.routing.limits import Limit
from b2bua.call.routing.numbers import NumberPlan
from b2bua.call.routing.router import Pattern, Place, Router, Rule
from b2bua.call.routing.trunk import Trunk
from b2bua.config.settings import SignallingSettings
from b2bua.config.trunk_settings import (
    CarrierSettings,
    PbxSettings,
    RouteSettings,
    TrunkSettings,
    names,
    networks,
    trunk_name,
)
from media.events import Masking, Side
from media.mline import Interface


def trunks(settings: SignallingSettings) -> list[Trunk]:
    """For the engine."""
    return [_trunk(trunk_name(header), each) for header, each in settings.trunks.items()]


def router(settings: SignallingSettings) -> Router:
    """For the switchboard, and for whoever asks where a call would go."""
    places = {trunk_name(header): _place(each) for header, each in settings.trunks.items()}
    return Router(places, [_rule(trunk_name(header), each) for header, each in settings.routes.items()])


def limits(settings: SignallingSettings) -> dict[str, Limit]:
    return {
        trunk_name(header): Limit(each.max_calls, each.max_rate) for header, each in settings.trunks.items()
    }


def media_kinds(settings: SignallingSettings) -> dict[str, frozenset[str]]:
    """Of the trunks that may not have every kind of m-line."""
    return {
        trunk_name(header): frozenset(names(each.media))
        for header, each in settings.trunks.items()
        if each.media.strip() != "*"
    }


def masks(settings: SignallingSettings) -> dict[str, Masking]:
    """How the customers of each carrier are masked."""
    return {
        trunk_name(header): Masking(
            policy=each.mask,
            pause=each.key_pause,
            tones=each.capture_tones,
            flat=each.placeholder_tone,
        )
        for header, each in settings.trunks.items()
        if isinstance(each, CarrierSettings)
    }


def with_info_digits(settings: SignallingSettings) -> frozenset[str]:
    """The carriers that send keys as SIP INFO."""
    return frozenset(
        trunk_name(header)
        for header, each in settings.trunks.items()
        if isinstance(each, CarrierSettings) and each.info_digits
    )


def with_events(settings: SignallingSettings) -> frozenset[str]:
    """The PBXs that want keys as telephone-event, where they come as SIP INFO."""
    return frozenset(
        trunk_name(header)
        for header, each in settings.trunks.items()
        if isinstance(each, PbxSettings) and each.dtmf == "rfc4733"
    )


def interfaces(settings: SignallingSettings) -> dict[str, Interface]:
    """Where RTP of the trunks is received that have an address of their own for it."""
    return {
        trunk_name(header): Interface(address=each.media_address, advertised=each.media_advertised)
        for header, each in settings.trunks.items()
        if each.media_address or each.media_advertised
    }


def behind_nat(settings: SignallingSettings) -> frozenset[str]:
    return frozenset(trunk_name(header) for header, each in settings.trunks.items() if each.nat)


def with_srtp(settings: SignallingSettings) -> frozenset[str]:
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
        to=names(settings.to),
        sources=frozenset(names(settings.source)),
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
        networks=networks(settings.match),
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
        user_parameters=tuple(name.lower() for name in names(settings.user_parameters)),
        user_phone=settings.user_phone,
        identity=settings.identity,
        refer=settings.refer,
        nat=settings.nat,
        prack=settings.prack,
    )
