"""What sip.conf asks for: whether it fits together, and whether this machine can give it."""

from __future__ import annotations

import itertools
import os
import resource
import socket

from b2bua.api.auth import Tokens
from b2bua.doctor.finding import Finding, fault, good, warn
from b2bua.doctor.machine import bindable, realtime
from b2bua.pjsua import build as pjsua
from b2bua.settings import Settings
from b2bua.sip.hop import Transport
from b2bua.trunk_settings import names, trunk_name

_SOCKETS_A_CALL = 4
_FEW = 10  # calls; a PJSIP that holds fewer was built for a telephone


def tokens(settings: Settings) -> Finding:
    try:
        Tokens.parse(settings.signalling.api.tokens.get_secret_value())
    except ValueError as error:
        return fault("agents' tokens", f"[api] tokens: {error}")
    return good("agents' tokens", "understood")


def directory(settings: Settings) -> Finding:
    directory = settings.signalling.general.directory
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        return fault("directory", f"[general] directory: {directory}: {error.strerror}")
    if directory.stat().st_mode & 0o077:
        return warn("directory", f"{directory} is open to others: chmod 700 {directory}")
    return good("directory", f"{directory} is private")


def routes(settings: Settings) -> list[Finding]:
    """Trunks that no call goes to, and routes that come after one which takes all calls."""
    own = settings.signalling
    kinds = {trunk_name(header): trunk.section for header, trunk in own.trunks.items()}
    if not own.routes:
        several = [section for section in ("pbx", "carrier") if list(kinds.values()).count(section) > 1]
        return [
            warn(
                "routes", f"there are several of [{section}] and no [route]: the first takes all calls while it answers"
            )
            for section in several
        ]
    findings = []
    for name in sorted(set(kinds) - {name for route in own.routes.values() for name in names(route.to)}):
        findings.append(warn("routes", f"no [route] leads to {name}; add it to a `to`, or take the trunk away"))
    headers = list(own.routes)
    for header, later in itertools.pairwise(headers):
        if own.routes[header].takes_all(kinds):
            findings.append(warn("routes", f"[{header}] takes every call, so [{later}] and what follows never fits"))
            break
    return findings or [good("routes", f"{len(headers)}, each can be reached")]


def sip_ports(settings: Settings) -> list[Finding]:
    general = settings.signalling.general
    keys = "[general] listen" if general.listen else "[general] bind and port"
    kinds = {Transport.UDP: socket.SOCK_DGRAM}
    return [
        bindable(
            f"SIP over {bind.transport.upper()}",
            bind.host,
            bind.port,
            kinds.get(bind.transport, socket.SOCK_STREAM),
            keys,
        )
        for bind in general.binds
    ]


def api_port(settings: Settings) -> Finding:
    api = settings.signalling.api
    return bindable("API port", api.address, api.port, socket.SOCK_STREAM, "[api] address and port")


def pjsip(settings: Settings) -> list[Finding]:
    """What the PJSIP that is installed can do, where it is the engine."""
    if settings.signalling.general.engine != "pjsua2":
        return []
    try:
        found = pjsua.examine()
    except pjsua.NoBuildError as error:
        return [fault("PJSIP", str(error))]
    calls = found.places // 2
    says = f"{found.version}: {calls} calls at once; more get 503"
    enough = warn("PJSIP", f"{says}; build it with a larger PJSUA_MAX_CALLS") if calls < _FEW else good("PJSIP", says)
    tls = ", ".join(found.tls) or "none"
    return [
        enough,
        good(
            "PJSIP's transports", f"UDP, on loopback behind Tonewall's own socket; its TLS library ({tls}) is not used"
        ),
    ]


def media(settings: Settings) -> list[Finding]:
    wanted = settings.media
    low, high = wanted.port_range()
    calls = (high - low + 1) // _SOCKETS_A_CALL
    findings = [bindable("media address", wanted.address, 0, socket.SOCK_DGRAM, "[media] address")]
    findings += [
        bindable(
            f"{trunk_name(header)}'s media address",
            trunk.media_address,
            0,
            socket.SOCK_DGRAM,
            f"[{header}] media_address",
        )
        for header, trunk in settings.signalling.trunks.items()
        if trunk.media_address
    ]
    if wanted.engine == "rtpengine":
        return findings  # the ports are those of its servers
    findings.append(good("media ports", f"{wanted.ports}: enough for {calls} calls at once"))
    cores = len(os.sched_getaffinity(0))
    if wanted.threads > cores:
        findings.append(warn("media threads", f"[media] threads: more than the {cores} cores here; set {cores}"))
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if descriptors != resource.RLIM_INFINITY and calls * _SOCKETS_A_CALL > descriptors:
        findings.append(
            warn("open files", f"{descriptors} allow {descriptors // _SOCKETS_A_CALL} calls; raise LimitNOFILE")
        )
    if wanted.realtime:
        findings.append(realtime())
    return findings
