"""Checks that peers, rtpengine servers, the payment provider and the running Tonewall answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import socket
import ssl
import sys
from urllib.parse import urlsplit

from b2bua.access.tokens import first_clear_token
from b2bua.call.sdp import description as sdp
from b2bua.config.general_settings import GeneralSettings
from b2bua.config.settings import Settings
from b2bua.config.trunk_settings import TrunkSettings
from b2bua.doctor.finding import Finding, Level, fault, good, warn
from b2bua.doctor.health import ask_health
from b2bua.sip.hop import Transport
from b2bua.sip.trunk.resolve import Resolver
from media.rtpengine import examine as engine
from tonewall.process import plain_environment
from tonewall.streams import drop

_TIMEOUT = 2.0  # seconds for an answer from a peer
_EXAMINED = 15.0  # seconds for the answers of all providers


async def check_peer(name: str, trunk: TrunkSettings, general: GeneralSettings) -> list[Finding]:
    """A peer must answer OPTIONS (RFC 3261 section 11), with any status."""
    if trunk.host == "dynamic":
        return [good(name, "registers here; see GET /v1/trunks for where it is")]
    where = f"{trunk.host} port {trunk.port}" if trunk.port else trunk.host
    try:
        answer = await _send_options(trunk, general)
    except TimeoutError:
        return [warn(name, f"{where}: no answer to OPTIONS; some peers answer only what they know")]
    except LookupError:
        return [fault(name, f"[{name}] host: the name cannot be resolved")]
    except OSError as error:
        return [fault(name, f"{where}: {error.strerror}; is the peer running, is a firewall shut?")]
    if not answer.startswith(b"SIP/2.0 "):
        return [fault(name, f"{where} answers, but not in SIP")]
    return [good(name, f"{where} answers"), _check_codecs(name, answer)]


def _check_codecs(name: str, answer: bytes) -> Finding:
    """The codecs of a peer, where its answer to OPTIONS has SDP (RFC 3261 section 11.2): keys are
    captured from telephone-event in clear RTP; every codec is relayed."""
    what = f"{name}'s codecs"
    body = answer.partition(b"\r\n\r\n")[2]
    if not body:
        return good(
            what, "not in its answer to OPTIONS; a call needs telephone-event (RFC 4733) for a payment"
        )
    try:
        described = sdp.parse_description(body)
    except sdp.SdpError as error:
        return warn(what, f"its answer to OPTIONS has a body that is no SDP: {error}")
    if described.allows_capture() or any(media.payload_types().events for media in described.media):
        return good(what, "telephone-event is among them: keys can be captured")
    return warn(
        what,
        "telephone-event (RFC 4733) is not among them: keys cannot be captured; ask for it to be switched on",
    )


async def _send_options(trunk: TrunkSettings, general: GeneralSettings) -> bytes:
    """The peer's answer to OPTIONS. Raises LookupError, OSError, TimeoutError."""
    loop = asyncio.get_running_loop()
    resolver, families = Resolver(), {socket.AF_INET6 if ":" in general.bind else socket.AF_INET}
    try:
        located = await resolver.locate(trunk.host, trunk.port, [Transport.UDP], families)
    except LookupError:
        located = await resolver.locate_by_system(trunk.host, trunk.port, [Transport.UDP], families)
    if not located.targets:
        raise LookupError(trunk.host)
    address = (located.targets[0].addresses[0], located.targets[0].port)
    with socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        with contextlib.suppress(OSError):
            sock.bind((general.bind, 0))
        await loop.sock_connect(sock, address)
        here = sock.getsockname()
        await loop.sock_sendall(sock, _options_request(trunk, here[0], here[1]))
        return await asyncio.wait_for(loop.sock_recv(sock, 65535), _TIMEOUT)


def _options_request(trunk: TrunkSettings, address: str, port: int) -> bytes:
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


async def check_rtpengine(settings: Settings) -> list[Finding]:
    """Each rtpengine server must mask and report keys."""
    if settings.media.engine != "rtpengine":
        return []
    levels = {True: Level.GOOD, False: Level.FAULT, None: Level.WARNING}
    return [
        Finding(levels[each.good], f"rtpengine {each.address}", each.says)
        for each in await engine.examine(settings.media)
    ]


def check_health(settings: Settings) -> list[Finding]:
    """The state of the running Tonewall, from its /healthz."""
    what, directory = "running Tonewall", settings.signalling.general.directory
    api = settings.signalling.api
    try:
        answer = ask_health(directory, _TIMEOUT, first_clear_token(api.tokens.get_secret_value(), api.roles))
    except (OSError, ValueError, KeyError) as error:
        return [fault(what, f"does not answer at its API ({type(error).__name__}); see its log")]
    if "status" not in answer or "calls" not in answer:
        return [warn(what, "does not tell how it is: [api] healthz = no, and [api] tokens has hashes only")]
    faults = answer.get("faults", [])
    if not faults:
        return [
            good(
                what,
                f"well, with {answer.get('calls', 0)} calls and {answer.get('payers', 0)} payers waiting",
            )
        ]
    return [(fault if each["stops"] else warn)(what, str(each["says"])) for each in faults]


async def check_providers(settings: Settings) -> list[Finding]:
    """Each provider must be reachable, with a good certificate, and know our key. Nothing that is
    sent moves money."""
    reached = await asyncio.gather(*(_reach(settings, header) for header in settings.providers))
    if all(found.level is Level.FAULT for found in reached):
        return list(reached)
    examined = await _ask_providers(settings)
    return [
        found if found.level is Level.FAULT else _with_key(found, examined.get(name))
        for name, found in zip(settings.provider_names, reached, strict=True)
    ]


async def _reach(settings: Settings, header: str) -> Finding:
    """Whether there is a connection, with a good certificate."""
    provider = settings.providers[header]
    parts = urlsplit(provider.url)
    context = ssl.create_default_context(cafile=str(provider.ca_file) if provider.ca_file else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if provider.tls_certificate:
        # One that cannot be loaded is a finding of the certificates.
        with contextlib.suppress(OSError):
            context.load_cert_chain(provider.tls_certificate, provider.tls_key, password=lambda: "")
    host, port = parts.hostname or "", parts.port or 443
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port, ssl=context), _TIMEOUT * 2)
    except ssl.SSLError as error:
        return fault(header, f"{host}: its certificate is not good: {error.reason}; see [{header}] ca_file")
    except TimeoutError:
        return fault(header, f"{host} port {port}: no answer; is there a firewall or a proxy on the way?")
    except OSError as error:
        return fault(header, f"{host} port {port}: {error.strerror or 'the name cannot be resolved'}")
    await drop(writer)
    return good(header, f"{host} port {port}: reachable, its certificate is good")


async def _ask_providers(settings: Settings) -> dict[str, dict[str, str]]:
    """What each provider makes of our key, by its name. The keys and the adapters are of a process
    of the payer's room, as ever."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "provider_adapters.payer.examine",
        env=plain_environment(settings.provider_environment()),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), _EXAMINED)
        lines = [json.loads(line) for line in output.splitlines()]
    except (TimeoutError, ValueError):
        lines = []
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return {line["name"]: line for line in lines}


def _with_key(reached: Finding, examined: dict[str, str] | None) -> Finding:
    if examined is None:
        return warn(reached.what, f"{reached.text}; whether it knows the key could not be asked")
    level = {"accepted": Level.GOOD, "refused": Level.FAULT}.get(examined["found"], Level.WARNING)
    return Finding(level, reached.what, f"{reached.text}; {examined['says']}")
