"""What is asked of a TLS connection, and what its faults mean for what was sent on it.

Rule 1: TLS 1.2 or newer, certificate and host name verified; there is no argument by which that
        could be turned off.
Rule 2: what is raised names the fault by a word of ours, and holds nothing of the request.
"""

from __future__ import annotations

import socket
import ssl

import certifi
import httpx

from provider_adapters.errors import ConnectionLost, NotSent, ProviderError, TimedOut, Unreachable, Untrusted

# Alerts by which a server ends the handshake over our certificate, as OpenSSL calls them.
_OUR_CERTIFICATE = frozenset(
    {
        "TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_BAD_CERTIFICATE", "TLSV1_ALERT_UNKNOWN_CA",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED", "SSLV3_ALERT_CERTIFICATE_REVOKED",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN", "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
    }
)  # fmt: skip


def tls_context(
    ca_file: str | None, certificate: str | None = None, key: str | None = None
) -> ssl.SSLContext:
    """What we ask of a server, and what we show it. Raises OSError or ssl.SSLError where a file
    holds no certificates, or no key of ours."""
    # Not ssl.create_default_context: that would write session keys to where SSLKEYLOGFILE says.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cafile=ca_file or certifi.where())
    if certificate:
        context.load_cert_chain(certificate, key, password=_no_password)
    return context


def _no_password() -> str:
    raise OSError("the key is protected by a password; store it without one")


def fault_after_sending(error: Exception) -> ProviderError:
    """What went wrong once some of the request had left."""
    if any(isinstance(cause, ssl.SSLError) and cause.reason in _OUR_CERTIFICATE for cause in _causes(error)):
        return Untrusted("client_certificate_refused")
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return TimedOut("no_answer_in_time")
    return ConnectionLost("connection_lost")


def fault_before_sending(error: Exception) -> NotSent:
    """What went wrong before that."""
    causes = _causes(error)
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return Untrusted("certificate_not_trusted")
    # Before the other TLS errors: a handshake that waits has an SSLWantReadError among its causes.
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return Unreachable("no_connection_in_time")
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return Untrusted("tls_failed")
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return Unreachable("host_not_found")
    return Unreachable("no_connection")


def _causes(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
