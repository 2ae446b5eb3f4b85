"""Makes the TLS side of a client: 1.2 or newer, certificate and name of the server verified."""

from __future__ import annotations

import ssl

import certifi


def client_context(ca_file: str = "", certificate: str = "", key: str = "") -> ssl.SSLContext:
    """`ca_file`: authorities to trust instead of the public ones; `certificate` and `key`: ours,
    PEM. Raises OSError, of which ssl.SSLError is one, where a file holds none."""
    # Not ssl.create_default_context: that would write session keys to where SSLKEYLOGFILE says.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cafile=ca_file or certifi.where())
    if certificate:
        context.load_cert_chain(certificate, key or None, password="")
    return context


def is_untrusted(error: BaseException | None) -> bool:
    """Whether a connection failed because of the server's certificate."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
