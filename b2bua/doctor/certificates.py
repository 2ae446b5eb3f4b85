"""Checks the TLS files of sip.conf: usable, and for how long.

Rule 1: a certificate is tried in a handshake with ourselves, so that a finding is what a peer would
        see.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from pathlib import Path

from b2bua.config.consistency import DELIVERY
from b2bua.config.settings import Settings
from b2bua.doctor.finding import Finding, Level, fault, good, warn

_SOON = 21  # days before its end in which a certificate is a warning
_EXPIRED, _NOT_YET = 10, 9  # X509_V_ERR_CERT_HAS_EXPIRED, X509_V_ERR_CERT_NOT_YET_VALID
_DAY = 86_400


def check_certificates(settings: Settings) -> list[Finding]:
    """Findings for every certificate and every file of authorities."""
    own = settings.signalling
    pairs = [("general", own.general.tls_certificate, own.general.tls_key)]
    pairs.append(("api", own.api.tls_certificate, own.api.tls_key))
    pairs += [(header, trunk.tls_certificate, trunk.tls_key) for header, trunk in own.trunks.items()]
    pairs += _pairs_of_webhooks(settings)
    findings = [_check_pair(header, chain, key) for header, chain, key in pairs if chain]
    findings += [_check_client_pair(*pair) for pair in _pairs_of_providers(settings) if pair[1]]
    findings += [
        fault("certificate", f"[{header}] tls_key: given without a tls_certificate, and so of no use")
        for header, chain, key in pairs
        if key and not chain
    ]
    authorities = [(f"[{header}] tls_ca", trunk.tls_ca) for header, trunk in own.trunks.items()]
    authorities += [("[api] client_ca", own.api.client_ca), ("[oidc] ca_file", own.oidc.ca_file)]
    authorities += [
        (f"[{header}] ca_file", str(each.ca_file or "")) for header, each in settings.providers.items()
    ]
    findings += [_check_authorities(key, path) for key, path in authorities if path]
    return [*findings, *_check_encryption(settings)]


def _check_encryption(settings: Settings) -> list[Finding]:
    """To which keys the bodies of deliveries are encrypted."""
    found = []
    for header, each in settings.providers.items():
        if each.encryption_key:
            found.append(good(header, f"bodies are encrypted to {each.describe_encryption()}"))
        elif each.adapter == DELIVERY:
            text = (
                "bodies are not encrypted: a proxy before the service sees what was keyed; see encryption_key"
            )
            found.append(warn(header, text))
    return found


def find_unusable(settings: Settings) -> Iterator[str]:
    """Certificates that make every handshake fail; an expired one is not among them."""
    own = settings.signalling
    for header, chain, key in [
        ("general", own.general.tls_certificate, own.general.tls_key),
        ("api", own.api.tls_certificate, own.api.tls_key),
        *((header, trunk.tls_certificate, trunk.tls_key) for header, trunk in own.trunks.items()),
        *_pairs_of_webhooks(settings),
        *_pairs_of_providers(settings),
    ]:
        if chain and (why := _why_not_loadable(chain, key)):
            yield f"[{header}] {why}"
    for header, trunk in own.trunks.items():
        if (
            trunk.tls_ca
            and (found := _check_authorities(f"[{header}] tls_ca", trunk.tls_ca)).level is Level.FAULT
        ):
            yield found.text
    files = {header: str(each.ca_file or "") for header, each in settings.providers.items()}
    for header, path in {**files, own.oidc.section: own.oidc.ca_file}.items():
        if path and (found := _check_authorities(f"[{header}] ca_file", path)).level is Level.FAULT:
            yield found.text


def _pairs_of_webhooks(settings: Settings) -> list[tuple[str, str, str]]:
    return [
        (header, str(each.tls_certificate or ""), str(each.tls_key or ""))
        for header, each in settings.webhooks.items()
        if each.port
    ]


def _pairs_of_providers(settings: Settings) -> list[tuple[str, str, str]]:
    return [
        (header, str(each.tls_certificate or ""), str(each.tls_key or ""))
        for header, each in settings.providers.items()
    ]


def _check_pair(header: str, chain: str, key: str) -> Finding:
    what = "certificate"
    if why := _why_not_loadable(chain, key):
        return fault(what, f"[{header}] {why}")
    where = f"[{header}] tls_certificate: {chain}"
    try:
        ends = _end_of_validity(chain, key)
    except ssl.SSLCertVerificationError as error:
        reasons = {_EXPIRED: "has expired: renew it", _NOT_YET: "is not valid yet: is the clock right?"}
        return fault(
            what, f"{where} {reasons.get(error.verify_code, f'is not good: {error.verify_message}')}"
        )
    except (OSError, ValueError) as error:
        return fault(what, f"{where}: no handshake can be made with it ({type(error).__name__})")
    days = int((ends - time.time()) / _DAY)
    if days < _SOON:
        return warn(what, f"{where} expires in {days} days: renew it")
    return good(what, f"{where} is good for {days} days")


def _check_client_pair(header: str, chain: str, key: str) -> Finding:
    """By its dates: a certificate for clients need not be good for a server."""
    # Loading it takes long, and the supervisor starts with this module.
    from cryptography import x509  # noqa: PLC0415

    what, where = "certificate", f"[{header}] tls_certificate: {chain}"
    if why := _why_not_loadable(chain, key):
        return fault(what, f"[{header}] {why}")
    certificate = x509.load_pem_x509_certificate(Path(chain).read_bytes())
    now = time.time()
    if certificate.not_valid_before_utc.timestamp() > now:
        return fault(what, f"{where} is not valid yet: is the clock right?")
    days = int((certificate.not_valid_after_utc.timestamp() - now) / _DAY)
    if certificate.not_valid_after_utc.timestamp() < now:
        return fault(what, f"{where} has expired: renew it")
    if days < _SOON:
        return warn(what, f"{where} expires in {days} days: renew it")
    return good(what, f"{where} is good for {days} days")


def _why_not_loadable(chain: str, key: str) -> str | None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain, key or None, password=_no_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            return f"tls_key: {key or chain} is not the key of {chain}"
        return f"tls_certificate: {chain} and its key {key or 'in the same file'} are no PEM that can be used"
    except OSError as error:
        return f"tls_certificate: {chain} or its key {key or 'in the same file'}: {error.strerror or error}"
    return None


def _no_password() -> str:
    raise OSError("the key is protected by a password; store it without one")


def _end_of_validity(chain: str, key: str) -> float:
    """When the certificate ends, in seconds since the epoch. Raises SSLCertVerificationError where
    it is not valid now."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(chain, key or None)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    # It vouches for itself: only its own fields are looked at.
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client.load_verify_locations(chain)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    caller = client.wrap_bio(to_client, to_server)
    callee = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(3):  # flights of TLS 1.3
        for end in (caller, callee):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    certificate = caller.getpeercert()
    if not certificate:
        raise ValueError("the handshake did not end")
    return ssl.cert_time_to_seconds(str(certificate["notAfter"]))


def _check_authorities(key: str, path: str) -> Finding:
    what = "authorities"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=path)
    except ssl.SSLError:
        return fault(what, f"{key}: {path} holds no certificates in PEM")
    except OSError as error:
        return fault(what, f"{key}: {path}: {error.strerror}")
    ends = [ssl.cert_time_to_seconds(str(each["notAfter"])) for each in context.get_ca_certs()]
    if ends and max(ends) < time.time():
        return warn(what, f"{key}: every authority in {path} has expired")
    return good(what, f"{key}: {context.cert_store_stats()['x509']} in {Path(path).name}")
