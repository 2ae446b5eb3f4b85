"""What sip.conf asks for: whether it fits together, and whether this machine can give it."""

from __future__ import annotations

import importlib.util
import ipaddress
import itertools
import json
import os
import resource
import socket
from pathlib import Path

from b2bua.api.auth import Tokens
from b2bua.call.sdp.codecs import OtherAudio
from b2bua.config.settings import Settings
from b2bua.config.values import split_list, trunk_name
from b2bua.doctor.finding import Finding, fault, good, warn
from b2bua.doctor.machine import bindable, realtime
from b2bua.pjsua import build as pjsua
from b2bua.sip.hop import Transport

_SOCKETS_A_CALL = 4
_FEW = 10  # calls; a PJSIP that holds fewer was built for a telephone


def tokens(settings: Settings) -> Finding:
    try:
        Tokens.parse(settings.signalling.api.tokens.get_secret_value())
    except ValueError as error:
        return fault("agents' tokens", f"[api] tokens: {error}")
    return good("agents' tokens", "understood")


def routes(settings: Settings) -> list[Finding]:
    """Trunks that no call goes to, and routes that come after one which takes all calls."""
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


def codecs(settings: Settings) -> list[Finding]:
    """Whether the decoder process could start, where one is wanted."""
    if (
        settings.signalling.general.other_audio is not OtherAudio.DECODE
        or importlib.util.find_spec("av") is not None
    ):
        return []
    says = (
        "[general] other_audio: PyAV (av) is not installed, so nothing can be decoded: install it, or set "
        "refuse or mute"
    )
    return [fault("codecs", says)]


def running(settings: Settings) -> int | None:
    """The process id of the b2bua that runs here by these settings, where one does."""
    try:
        pid = int(json.loads((settings.signalling.general.directory / "ready.json").read_bytes())["pid"])
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return pid if b"b2bua.app" in command.split(b"\0") else None


def sip_ports(settings: Settings, ours: int | None = None) -> list[Finding]:
    """`ours`: the process that may have them already."""
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
            ours,
        )
        for bind in general.binds
    ]


def api_port(settings: Settings, ours: int | None = None) -> Finding:
    """`ours`: the process that may have it already."""
    api = settings.signalling.api
    return bindable("API port", api.address, api.port, socket.SOCK_STREAM, "[api] address and port", ours)


def families(settings: Settings) -> list[Finding]:
    """Peers of one IP version that would be told addresses of the other."""
    own, findings = settings.signalling, []
    heard = {_version(bind.host) for bind in own.general.binds}
    for header, trunk in own.trunks.items():
        version = _version(trunk.host)
        if version is None:
            continue
        if version not in heard:
            says = f"[{header}] host: {trunk.host} is IPv{version}, and no address of [general] listen is"
            findings.append(fault(f"{trunk_name(header)}'s address", says))
        media = trunk.media_address or settings.media.address
        if settings.media.engine == "own" and _version(media) != version:
            says = (
                f"[{header}] media_address: expected one of IPv{version}, as its host; RTP would be "
                f"received on {media}"
            )
            findings.append(fault(f"{trunk_name(header)}'s media address", says))
    return findings


def _version(host: str) -> int | None:
    try:
        return ipaddress.ip_address(host).version
    except ValueError:
        return None


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
    enough = (
        warn("PJSIP", f"{says}; build it with a larger PJSUA_MAX_CALLS")
        if calls < _FEW
        else good("PJSIP", says)
    )
    tls = ", ".join(found.tls) or "none"
    return [
        enough,
        good(
            "PJSIP's transports",
            f"UDP, on loopback behind Tonewall's own socket; its TLS library ({tls}) is not used",
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
        findings.append(realtime())
    return findings
