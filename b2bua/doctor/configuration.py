"""Checks that the parts of sip.conf fit together, and that this machine can provide them."""

from __future__ import annotations

import importlib.util
import ipaddress
import itertools
import json
import os
import resource
import socket
from collections.abc import Container
from pathlib import Path

from b2bua.access.roles import Role
from b2bua.access.tokens import Tokens
from b2bua.call.sdp.codecs import OtherAudio
from b2bua.config.settings import Settings
from b2bua.config.values import split_list, trunk_name
from b2bua.doctor.finding import Finding, fault, good, warn
from b2bua.doctor.machine import check_bind, check_realtime
from b2bua.pjsua import build as pjsua
from b2bua.sip.transport.bound_sockets import socket_kind, socket_name

_SOCKETS_A_CALL = 4
_FEW = 10  # calls; a PJSIP that holds fewer was built for a telephone


def check_tokens(settings: Settings) -> Finding:
    """Tokens of the API must have names and enough characters; an agent's, a way to a call."""
    api = settings.signalling.api
    try:
        tokens = Tokens.parse(api.tokens.get_secret_value(), api.roles)
    except ValueError as error:
        return fault("agents' tokens", f"[api] tokens: {error}")
    roles = {name: tokens.principal(name).roles for name in api.agents}
    blind = [name for name in api.agents if roles[name] == {Role.AGENT} and name not in api.agent_of.values()]
    claims = any(getattr(each, "feature_codes", False) for each in settings.signalling.trunks.values())
    if blind and not claims:
        return warn(
            "agents' tokens",
            f"{', '.join(blind)} may do what agents may, and sees no call: give it an extension ([api] "
            "extensions), or another role ([api] roles)",
        )
    return good("agents' tokens", ", ".join(f"{name}: {'+'.join(sorted(roles[name]))}" for name in roles))


def check_routes(settings: Settings) -> list[Finding]:
    """Trunks that no route leads to, and routes behind one that takes all calls."""
    own = settings.signalling
    kinds = {trunk_name(header): trunk.section for header, trunk in own.trunks.items()}
    if not own.routes:
        several = [section for section in ("pbx", "carrier") if list(kinds.values()).count(section) > 1]
        return [
            warn(
                "routes",
                f"there are several of [{section}] and no [route]: the first takes all calls while it "
                "answers",
            )
            for section in several
        ]
    findings = []
    for name in sorted(set(kinds) - {name for route in own.routes.values() for name in split_list(route.to)}):
        findings.append(
            warn("routes", f"no [route] leads to {name}; add it to a `to`, or take the trunk away")
        )
    headers = list(own.routes)
    for header, later in itertools.pairwise(headers):
        if own.routes[header].takes_all(kinds):
            findings.append(
                warn("routes", f"[{header}] takes every call, so [{later}] and what follows never fits")
            )
            break
    return findings or [good("routes", f"{len(headers)}, each can be reached")]


def check_decoder(settings: Settings) -> list[Finding]:
    """The decoder process, where one is configured, needs PyAV."""
    if (
        settings.signalling.general.other_audio is not OtherAudio.DECODE
        or importlib.util.find_spec("av") is not None
    ):
        return []
    text = (
        "[general] other_audio: PyAV (av) is not installed, so nothing can be decoded: install it, or set "
        "refuse or mute"
    )
    return [fault("codecs", text)]


def running_b2bua(settings: Settings) -> int | None:
    """The process id of a b2bua that runs with this [general] directory, or None."""
    try:
        pid = int(json.loads((settings.signalling.general.directory / "ready.json").read_bytes())["pid"])
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return pid if b"b2bua.app" in command.split(b"\0") else None


def check_sip_ports(
    settings: Settings, ours: int | None = None, stored: Container[str] = ()
) -> list[Finding]:
    """The ports of SIP must be free. `ours`: the process that may have them; `stored`: the names of
    sockets that are bound for us already."""
    general = settings.signalling.general
    keys = "[general] listen" if general.listen else "[general] bind and port"
    return [
        check_bind(
            f"SIP over {bind.transport.upper()}",
            bind.host,
            bind.port,
            socket_kind(bind),
            keys,
            ours,
        )
        for bind in general.binds
        if socket_name(bind) not in stored
    ]


def check_api_port(settings: Settings, ours: int | None = None) -> Finding:
    """The port of the API must be free. `ours`: the process that may have it."""
    api = settings.signalling.api
    return check_bind("API port", api.address, api.port, socket.SOCK_STREAM, "[api] address and port", ours)


def check_address_families(settings: Settings) -> list[Finding]:
    """Peers of one IP version need addresses of ours of the same version."""
    own, findings = settings.signalling, []
    listening = {_version(bind.host) for bind in own.general.binds}
    for header, trunk in own.trunks.items():
        version = _version(trunk.host)
        if version is None:
            continue
        if version not in listening:
            text = f"[{header}] host: {trunk.host} is IPv{version}, and no address of [general] listen is"
            findings.append(fault(f"{trunk_name(header)}'s address", text))
        media = trunk.media_address or settings.media.address
        if settings.media.engine == "own" and _version(media) != version:
            text = (
                f"[{header}] media_address: expected one of IPv{version}, as its host; RTP would be "
                f"received on {media}"
            )
            findings.append(fault(f"{trunk_name(header)}'s media address", text))
    return findings


def _version(host: str) -> int | None:
    try:
        return ipaddress.ip_address(host).version
    except ValueError:
        return None


def check_pjsip(settings: Settings) -> list[Finding]:
    """The limits of the installed PJSIP, where it is the engine."""
    if settings.signalling.general.engine != "pjsua2":
        return []
    try:
        found = pjsua.examine()
    except pjsua.NoBuildError as error:
        return [fault("PJSIP", str(error))]
    calls = found.places // 2
    text = f"{found.version}: {calls} calls at once; more get 503"
    enough = (
        warn("PJSIP", f"{text}; build it with a larger PJSUA_MAX_CALLS")
        if calls < _FEW
        else good("PJSIP", text)
    )
    tls = ", ".join(found.tls) or "none"
    return [
        enough,
        good(
            "PJSIP's transports",
            f"UDP, on loopback behind Tonewall's own socket; its TLS library ({tls}) is not used",
        ),
    ]


def check_media(settings: Settings) -> list[Finding]:
    """Addresses, ports, threads and open files of media."""
    wanted = settings.media
    low, high = wanted.port_range()
    calls = (high - low + 1) // _SOCKETS_A_CALL
    findings = [check_bind("media address", wanted.address, 0, socket.SOCK_DGRAM, "[media] address")]
    findings += [
        check_bind(
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
        findings.append(
            warn("media threads", f"[media] threads: more than the {cores} cores here; set {cores}")
        )
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if descriptors != resource.RLIM_INFINITY and calls * _SOCKETS_A_CALL > descriptors:
        findings.append(
            warn(
                "open files", f"{descriptors} allow {descriptors // _SOCKETS_A_CALL} calls; raise LimitNOFILE"
            )
        )
    if wanted.realtime:
        findings.append(check_realtime())
    return findings
