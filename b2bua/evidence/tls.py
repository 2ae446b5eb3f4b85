"""Examines TLS: what our listeners agree to, what providers do, and the certificates of both.

Rule 1: a listener is examined by handshakes with old and new versions, not by its settings.
Rule 2: SIP's contexts are examined in memory, since a SIP port refuses whoever is no trunk's peer.
"""

from __future__ import annotations

import socket
import ssl
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import certifi
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from b2bua.config.assembly import build_trunks
from b2bua.config.settings import Settings
from b2bua.sip.transport.tls import TlsContexts

_TIMEOUT: Final = 5.0  # seconds for a handshake
_FLIGHTS: Final = 4
_DAY: Final = 86_400
_V12: Final = ssl.TLSVersion.TLSv1_2
_VERSIONS: Final = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": _V12,
    "1.3": ssl.TLSVersion.TLSv1_3,
}
_OLD: Final = ("1.0", "1.1")
_STRONG: Final = ("GCM", "CHACHA20", "CCM")

Handshake = Callable[[ssl.SSLContext], str | None]
"""The cipher that a client of this context agrees on; None where it is refused."""


class Grade(msgspec.Struct, kw_only=True):
    """What one end agrees to. `versions`: of TLS; `ciphers`: of 1.2 all of them, of 1.3 the one
    that was chosen. `reached`: whether there was anybody to ask."""

    what: str
    where: str
    reached: bool
    versions: dict[str, bool] = msgspec.field(default_factory=dict)
    ciphers: list[str] = msgspec.field(default_factory=list)
    verdict: str = ""


def examine_tls(settings: Settings, *, ask_providers: bool = True) -> dict[str, Any]:
    """Grades and certificates of everything that speaks TLS. Takes seconds."""
    grades = [*_sip_grades(settings), *_listener_grades(settings)]
    if ask_providers:
        grades += [_provider_grade(header, each) for header, each in settings.providers.items()]
    return {
        "grades": grades,
        "certificates": [describe_certificate(*each) for each in _certificates(settings)],
    }


def grade(what: str, where: str, handshake: Handshake) -> Grade:
    """Try every version, and every cipher of TLS 1.2, by handshakes."""
    found = Grade(what=what, where=where, reached=True)
    for name, version in _VERSIONS.items():
        agreed = handshake(_old_client(version, ()))
        found.versions[name] = agreed is not None
        while agreed is not None and agreed not in found.ciphers:
            found.ciphers.append(agreed)
            if version is not _V12:
                break
            agreed = handshake(_old_client(version, tuple(found.ciphers)))
    found.verdict = _verdict(found)
    return found


def network_handshake(host: str, port: int, trusted: str, name: str = "") -> Handshake:
    """Handshakes with a server whose certificate is `trusted`, a PEM file, or vouched for by it."""

    def attempt(context: ssl.SSLContext) -> str | None:
        context.load_verify_locations(cafile=trusted)
        with socket.create_connection((host, port), _TIMEOUT) as connection:
            try:
                with context.wrap_socket(connection, server_hostname=name or None) as secured:
                    cipher = secured.cipher()
            except ssl.SSLCertVerificationError:
                raise
            except (ssl.SSLError, ConnectionError, TimeoutError):
                return None
        return cipher[0] if cipher else None

    return attempt


def memory_handshake(server: ssl.SSLContext, trusted: str) -> Handshake:
    """Handshakes with a context of ours, without a network."""

    def attempt(context: ssl.SSLContext) -> str | None:
        context.load_verify_locations(cafile=trusted)
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        caller = context.wrap_bio(to_client, to_server)
        callee = server.wrap_bio(to_server, to_client, server_side=True)
        try:
            for _ in range(_FLIGHTS):
                for end in (caller, callee):
                    try:
                        end.do_handshake()
                    except ssl.SSLWantReadError:
                        continue
        except ssl.SSLCertVerificationError:
            raise
        except ssl.SSLError:
            return None
        cipher = caller.cipher()
        return cipher[0] if cipher else None

    return attempt


def describe_certificate(header: str, path: str) -> dict[str, Any]:
    """The first certificate of a PEM file: its names, key, signature and end."""
    try:
        certificate = x509.load_pem_x509_certificate(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        return {"of": header, "file": path, "fault": type(error).__name__}
    key = certificate.public_key()
    hashed = certificate.signature_hash_algorithm
    kind = "RSA" if isinstance(key, rsa.RSAPublicKey) else getattr(key, "curve", key).__class__.__name__
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        alternatives = [str(each.value) for each in names]
    except x509.ExtensionNotFound:
        alternatives = []
    ends = certificate.not_valid_after_utc
    return {
        "of": header,
        "file": path,
        "subject": certificate.subject.rfc4514_string(),
        "issuer": certificate.issuer.rfc4514_string(),
        "names": alternatives,
        "key": kind,
        "key_bits": getattr(key, "key_size", None),
        "signature": hashed.name if hashed is not None else None,
        "ends": ends.isoformat().replace("+00:00", "Z"),
        "days_left": int((ends.timestamp() - time.time()) // _DAY),
    }


def _verdict(found: Grade) -> str:
    old = [name for name in _OLD if found.versions[name]]
    if old:
        return f"weak: TLS {' and '.join(old)} is accepted"
    if not any(found.versions.values()):
        return "no handshake at all"
    weak = [each for each in found.ciphers if not any(word in each for word in _STRONG)]
    if weak:
        return (
            f"TLS 1.2 or newer; without authenticated encryption where a peer offers no better: {len(weak)}"
        )
    return "good: TLS 1.2 or newer, authenticated encryption only"


def _sip_grades(settings: Settings) -> list[Grade]:
    own = settings.signalling
    if not any(bind.transport.secure for bind in own.general.binds):
        return []
    contexts = TlsContexts(own.general.tls_certificate, own.general.tls_key)
    found = []
    for trunk in build_trunks(own):
        certificate = trunk.tls_certificate or own.general.tls_certificate
        what = f"SIP from {trunk.name}"
        try:
            context = contexts.server(trunk)
        except OSError as error:
            why = f"no context can be made: {type(error).__name__}"
            found.append(Grade(what=what, where="in memory", reached=False, verdict=why))
            continue
        asks = context.verify_mode is ssl.CERT_REQUIRED
        context.verify_mode = ssl.CERT_OPTIONAL  # it is ours: no peer of this process sees it
        made = _try(what, "in memory", memory_handshake(context, certificate))
        made.verdict += "; its certificate is asked for" if asks else "; no certificate is asked for"
        found.append(made)
    return found


def _listener_grades(settings: Settings) -> list[Grade]:
    api = settings.signalling.api
    ends = [("api", api.address, api.port, getattr(api, "tls_certificate", ""))]
    ends += [
        (header, each.address, each.port, str(each.tls_certificate or ""))
        for header, each in settings.webhooks.items()
    ]
    return [
        _try(f"[{header}]", f"{address}:{port}", network_handshake(address, port, certificate))
        for header, address, port, certificate in ends
        if certificate and port
    ]


def _try(what: str, where: str, handshake: Handshake) -> Grade:
    try:
        return grade(what, where, handshake)
    except ssl.SSLCertVerificationError as error:
        why = f"its certificate is not the configured one, or not good: {error.verify_message}"
        return Grade(what=what, where=where, reached=True, verdict=why)
    except OSError as error:
        return Grade(what=what, where=where, reached=False, verdict=error.strerror or type(error).__name__)


def _provider_grade(header: str, settings: Any) -> Grade:
    """One handshake, as a payer makes it: certificate and name are verified."""
    url = urlsplit(settings.url)
    host, port = url.hostname or "", url.port or 443
    found = Grade(what=f"[{header}]", where=f"{host}:{port}", reached=False)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = _V12
    try:
        context.load_verify_locations(cafile=settings.ca_file or certifi.where())
        if settings.tls_certificate:
            context.load_cert_chain(settings.tls_certificate, settings.tls_key)
        with (
            socket.create_connection((host, port), _TIMEOUT) as connection,
            context.wrap_socket(connection, server_hostname=host) as secured,
        ):
            version, cipher = secured.version(), secured.cipher()
            ends = str((secured.getpeercert() or {}).get("notAfter", ""))
    except OSError as error:
        found.verdict = f"not reached: {getattr(error, 'verify_message', '') or type(error).__name__}"
        return found
    found.reached = True
    found.versions = {str(version).removeprefix("TLSv"): True}
    found.ciphers = [cipher[0]] if cipher else []
    found.verdict = f"good: verified; its certificate ends {ends}; older than TLS 1.2 is never offered"
    return found


def _certificates(settings: Settings) -> list[tuple[str, str]]:
    own = settings.signalling
    pairs = [("general", own.general.tls_certificate), ("api", getattr(own.api, "tls_certificate", ""))]
    pairs += [(header, trunk.tls_certificate) for header, trunk in own.trunks.items()]
    pairs += [(header, str(each.tls_certificate or "")) for header, each in settings.webhooks.items()]
    pairs += [(header, str(each.tls_certificate or "")) for header, each in settings.providers.items()]
    return [pair for pair in pairs if pair[1]]


def _old_client(version: ssl.TLSVersion, without: tuple[str, ...]) -> ssl.SSLContext:
    """A client of one version that takes any cipher but some, and a certificate by itself."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # the certificate is compared with the file
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # old versions are what is looked for
        context.minimum_version = context.maximum_version = version
    context.set_ciphers(":".join(("ALL:@SECLEVEL=0", *(f"!{name}" for name in without))))
    return context
