"""`tonewall doctor`: what is wrong with this machine or the configuration, and what to do about it.

Rule 1: a finding says what was seen and, unless it is good, what to do; a check that cannot be made says so.
Rule 2: nothing is changed, and nothing is sent but an OPTIONS to each peer, a TLS handshake to the provider, and a call of
        our own to each rtpengine server.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import resource
import secrets
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from urllib.parse import urlsplit

from b2bua.api.auth import Tokens
from b2bua.call import sdp
from b2bua.pjsua import build as pjsua
from b2bua.settings import GeneralSettings, Settings, read
from b2bua.sip.hop import Transport
from b2bua.sip.resolve import Resolver
from b2bua.trunk_settings import TrunkSettings, names, trunk_name
from media import examine as engine
from tonewall.ini import ConfigError

_PATIENCE = 2.0  # seconds for an answer from a peer
_LOCKED_MEMORY = 64 * 1024 * 1024  # bytes; what media and payers lock, with room
_SOCKETS_A_CALL = 4
_FEW = 10  # calls; a PJSIP that holds fewer was built for a telephone


class Level(Enum):
    GOOD = auto()
    WARNING = auto()
    FAULT = auto()


@dataclass(frozen=True, slots=True)
class Finding:
    level: Level
    what: str
    says: str


def _good(what: str, says: str) -> Finding:
    return Finding(Level.GOOD, what, says)


def _warn(what: str, says: str) -> Finding:
    return Finding(Level.WARNING, what, says)


def _fault(what: str, says: str) -> Finding:
    return Finding(Level.FAULT, what, says)


async def examine(config: Path | None) -> list[Finding]:
    """Every check, in the order in which an engineer would make them."""
    findings = [_core(), _memory_limit()]
    try:
        settings = read(config)
    except ConfigError as error:
        return [*findings, *(_fault("configuration", line) for line in str(error).splitlines())]
    findings.append(_good("configuration", "every section and key is understood"))
    findings += [
        _tokens(settings),
        _directory(settings),
        *_routes(settings),
        *_sip_ports(settings),
        *await asyncio.to_thread(_pjsip, settings),
        _api_port(settings),
        *_media(settings),
    ]
    general = settings.signalling.general
    peers = asyncio.gather(*(_peer(header, trunk, general) for header, trunk in settings.signalling.trunks.items()))
    provider = asyncio.create_task(_provider(settings))
    return [
        *findings,
        *(finding for peer in await peers for finding in peer),
        *await _rtpengine(settings),
        await provider,
    ]


# --- the machine --------------------------------------------------------------------------------------------------


def _core() -> Finding:
    try:
        from media._core import SecretMemory  # noqa: PLC0415  # its absence is a finding, not a crash
    except ImportError:
        return _fault("media core", "the compiled core is missing; install with: pip install .")
    try:
        kind = SecretMemory(4096).kind
    except OSError as error:
        return _fault("card memory", f"no memory could be locked ({error.strerror}); raise LimitMEMLOCK, see ulimit -l")
    if kind == "memfd_secret":
        return _good("card memory", "memfd_secret: not readable even for root")
    return _warn("card memory", "mlock only; a kernel with memfd_secret (5.14, secretmem.enable=1) keeps root out too")


def _memory_limit() -> Finding:
    hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
    if os.geteuid() == 0:
        return _good("memory lock limit", "root has none")
    if hard == resource.RLIM_INFINITY or hard >= _LOCKED_MEMORY:
        return _good("memory lock limit", "high enough to lock media and payers as a whole")
    return _warn(
        "memory lock limit",
        f"{hard // 1024} KiB: the vault is locked, but not all of media and payer; "
        "set LimitMEMLOCK=infinity (systemd) or --ulimit memlock=-1 (container), or switch swap off",
    )


def _codecs(name: str, answer: bytes) -> Finding:
    """What a peer says of its codecs, where its answer to OPTIONS has SDP (RFC 3261 section 11.2). Keys are captured from
    telephone-event in clear RTP; every codec is relayed."""
    what = f"{name}'s codecs"
    body = answer.partition(b"\r\n\r\n")[2]
    if not body:
        return _good(what, "not told in its answer to OPTIONS; a call needs telephone-event (RFC 4733) for a payment")
    try:
        described = sdp.parse(body)
    except sdp.SdpError as error:
        return _warn(what, f"its answer to OPTIONS has a body that is no SDP: {error}")
    if described.capturable() or any(media.payload_types().events for media in described.media):
        return _good(what, "telephone-event is among them: keys can be captured")
    return _warn(
        what, "telephone-event (RFC 4733) is not among them: keys cannot be captured; ask for it to be switched on"
    )


# --- the configuration --------------------------------------------------------------------------------------------


def _tokens(settings: Settings) -> Finding:
    try:
        Tokens.parse(settings.signalling.api.tokens.get_secret_value())
    except ValueError as error:
        return _fault("agents' tokens", f"[api] tokens: {error}")
    return _good("agents' tokens", "understood")


def _directory(settings: Settings) -> Finding:
    directory = settings.signalling.general.directory
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        return _fault("directory", f"[general] directory: {directory}: {error.strerror}")
    if directory.stat().st_mode & 0o077:
        return _warn("directory", f"{directory} is open to others: chmod 700 {directory}")
    return _good("directory", f"{directory} is private")


def _routes(settings: Settings) -> list[Finding]:
    """Trunks that no call goes to, and routes that come after one which takes all calls."""
    own = settings.signalling
    kinds = {trunk_name(header): trunk.section for header, trunk in own.trunks.items()}
    if not own.routes:
        several = [section for section in ("pbx", "carrier") if list(kinds.values()).count(section) > 1]
        return [
            _warn(
                "routes", f"there are several of [{section}] and no [route]: the first takes all calls while it answers"
            )
            for section in several
        ]
    findings = []
    for name in sorted(set(kinds) - {name for route in own.routes.values() for name in names(route.to)}):
        findings.append(_warn("routes", f"no [route] leads to {name}; add it to a `to`, or take the trunk away"))
    headers = list(own.routes)
    for header, later in itertools.pairwise(headers):
        if own.routes[header].takes_all(kinds):
            findings.append(_warn("routes", f"[{header}] takes every call, so [{later}] and what follows never fits"))
            break
    return findings or [_good("routes", f"{len(headers)}, each can be reached")]


def _sip_ports(settings: Settings) -> list[Finding]:
    general = settings.signalling.general
    keys = "[general] listen" if general.listen else "[general] bind and port"
    kinds = {Transport.UDP: socket.SOCK_DGRAM}
    return [
        _bindable(
            f"SIP over {bind.transport.upper()}",
            bind.host,
            bind.port,
            kinds.get(bind.transport, socket.SOCK_STREAM),
            keys,
        )
        for bind in general.binds
    ]


def _pjsip(settings: Settings) -> list[Finding]:
    """What the PJSIP that is installed can do, where it is the engine."""
    if settings.signalling.general.engine != "pjsua2":
        return []
    try:
        found = pjsua.examine()
    except pjsua.NoBuildError as error:
        return [_fault("PJSIP", str(error))]
    calls = found.places // 2
    says = f"{found.version}: {calls} calls at once; more get 503"
    enough = _warn("PJSIP", f"{says}; build it with a larger PJSUA_MAX_CALLS") if calls < _FEW else _good("PJSIP", says)
    tls = ", ".join(found.tls) or "none"
    return [
        enough,
        _good(
            "PJSIP's transports", f"UDP, on loopback behind Tonewall's own socket; its TLS library ({tls}) is not used"
        ),
    ]


def _api_port(settings: Settings) -> Finding:
    api = settings.signalling.api
    return _bindable("API port", api.address, api.port, socket.SOCK_STREAM, "[api] address and port")


def _bindable(what: str, address: str, port: int, kind: socket.SocketKind, keys: str) -> Finding:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, kind) as probe:
        if kind is socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            return _fault(what, f"{keys}: {address} port {port}: {error.strerror}")
    return _good(what, f"{address} port {port} is free")


def _media(settings: Settings) -> list[Finding]:
    media = settings.media
    low, high = media.port_range()
    calls = (high - low + 1) // _SOCKETS_A_CALL
    findings = [_bindable("media address", media.address, 0, socket.SOCK_DGRAM, "[media] address")]
    findings += [
        _bindable(
            f"{trunk_name(header)}'s media address",
            trunk.media_address,
            0,
            socket.SOCK_DGRAM,
            f"[{header}] media_address",
        )
        for header, trunk in settings.signalling.trunks.items()
        if trunk.media_address
    ]
    if media.engine == "rtpengine":
        return findings  # the ports are those of its servers
    findings.append(_good("media ports", f"{media.ports}: enough for {calls} calls at once"))
    cores = len(os.sched_getaffinity(0))
    if media.threads > cores:
        findings.append(_warn("media threads", f"[media] threads: more than the {cores} cores here; set {cores}"))
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if descriptors != resource.RLIM_INFINITY and calls * _SOCKETS_A_CALL > descriptors:
        findings.append(
            _warn("open files", f"{descriptors} allow {descriptors // _SOCKETS_A_CALL} calls; raise LimitNOFILE")
        )
    if media.realtime:
        findings.append(_realtime())
    return findings


def _realtime() -> Finding:
    def try_it() -> None:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(os.sched_get_priority_min(os.SCHED_FIFO)))

    with ThreadPoolExecutor(1) as thread:  # its own priority only, and it ends here
        error = thread.submit(try_it).exception()
    if error is None:
        return _good("real-time threads", "permitted")
    return _warn(
        "real-time threads",
        "[media] realtime: not permitted, so media threads run as all others; set LimitRTPRIO=1 (systemd), "
        "--ulimit rtprio=1 (container), or realtime = no",
    )


# --- who must be reachable ----------------------------------------------------------------------------------------


async def _peer(name: str, trunk: TrunkSettings, general: GeneralSettings) -> list[Finding]:
    """Whether the peer answers an OPTIONS (RFC 3261 section 11); any SIP answer will do."""
    if trunk.host == "dynamic":
        return [_good(name, "registers here; see GET /v1/trunks for where it is")]
    where = f"{trunk.host} port {trunk.port}" if trunk.port else trunk.host
    try:
        answer = await _ask(trunk, general)
    except TimeoutError:
        return [_warn(name, f"{where}: no answer to OPTIONS; some peers answer only what they know")]
    except LookupError:
        return [_fault(name, f"[{name}] host: the name cannot be resolved")]
    except OSError as error:
        return [_fault(name, f"{where}: {error.strerror}; is the peer running, is a firewall shut?")]
    if not answer.startswith(b"SIP/2.0 "):
        return [_fault(name, f"{where} answers, but not in SIP")]
    return [_good(name, f"{where} answers"), _codecs(name, answer)]


async def _ask(trunk: TrunkSettings, general: GeneralSettings) -> bytes:
    """The peer's answer to OPTIONS. Raises LookupError, OSError, TimeoutError."""
    loop = asyncio.get_running_loop()
    resolver, families = Resolver(), {socket.AF_INET6 if ":" in general.bind else socket.AF_INET}
    try:
        located = await resolver.locate(trunk.host, trunk.port, [Transport.UDP], families)
    except LookupError:
        located = await resolver.of_system(trunk.host, trunk.port, [Transport.UDP], families)
    if not located.targets:
        raise LookupError(trunk.host)
    address = (located.targets[0].addresses[0], located.targets[0].port)
    with socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        with contextlib.suppress(OSError):
            sock.bind((general.bind, 0))
        await loop.sock_connect(sock, address)
        here = sock.getsockname()
        await loop.sock_sendall(sock, _options(trunk, here[0], here[1]))
        return await asyncio.wait_for(loop.sock_recv(sock, 65535), _PATIENCE)


def _options(trunk: TrunkSettings, address: str, port: int) -> bytes:
    host = f"[{address}]" if ":" in address else address
    token = secrets.token_hex(8)
    at = f"{trunk.host}:{trunk.port}" if trunk.port else trunk.host
    return (
        f"OPTIONS sip:{at} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{token};rport\r\n"
        f"From: <sip:doctor@{host}>;tag={token}\r\nTo: <sip:{trunk.host}>\r\n"
        f"Call-ID: {token}@doctor\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n"
        f"Contact: <sip:doctor@{host}:{port}>\r\nContent-Length: 0\r\n\r\n"
    ).encode()


async def _rtpengine(settings: Settings) -> list[Finding]:
    """Whether each server masks and reports; its version is not told by the ng protocol."""
    if settings.media.engine != "rtpengine":
        return []
    levels = {True: Level.GOOD, False: Level.FAULT, None: Level.WARNING}
    return [
        Finding(levels[each.good], f"rtpengine {each.address}", each.says)
        for each in await engine.examine(settings.media)
    ]


async def _provider(settings: Settings) -> Finding:
    """Whether the provider's certificate holds; no request is sent."""
    provider = settings.provider
    parts = urlsplit(provider.url)
    context = ssl.create_default_context(cafile=str(provider.ca_file) if provider.ca_file else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    host, port = parts.hostname or "", parts.port or 443
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port, ssl=context), _PATIENCE * 2)
    except ssl.SSLError as error:
        return _fault("provider", f"{host}: its certificate is not good: {error.reason}; see [provider] ca_file")
    except TimeoutError:
        return _fault("provider", f"{host} port {port}: no answer; is there a firewall or a proxy on the way?")
    except OSError as error:
        return _fault("provider", f"{host} port {port}: {error.strerror or 'the name cannot be resolved'}")
    writer.close()
    return _good("provider", f"{host} port {port}: reachable, its certificate is good")
