"""Verifies the API that our own commands talk to by its certificate, since they reach it by an
address, not by its name.

Rule 1: nothing but that certificate will do, not even another of the same authority. Its dates do
        not matter: whoever has its key is who we mean, and a health check outlives a late renewal.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Self, TypeVar
from urllib.error import URLError

OWN_CERTIFICATE: Final = "api-certificate.pem"  # in [general] directory: the one in force
T = TypeVar("T")
_NO_CHECK_TIME: Final = 0x200000  # OpenSSL's flag
_END = "-----END CERTIFICATE-----"


def pinned(certificate: Path) -> ssl.SSLContext:
    """A context that accepts the first certificate of that PEM file alone. Raises OSError."""
    first, end, _ = certificate.read_text(encoding="latin-1").partition(_END)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    try:
        context.load_verify_locations(cadata=first[first.index("-----BEGIN CERTIFICATE-----") :] + end)
    except ValueError:
        raise OSError(f"{certificate}: no certificate in PEM") from None
    return context


class FollowedCertificate(ssl.SSLContext):
    """As `pinned`, by the file as it is at each handshake: whoever runs for months outlives a
    renewal. The first handshake after it fails where the server reads its certificate at that very
    one (`ask_verified`): have the transport try again. Raises OSError."""

    _file: Path

    def __new__(cls, certificate: Path) -> Self:
        pinned(certificate)  # a wrong file is noticed at once
        context = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        context._file = certificate
        return context

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:
        return pinned(self._file).wrap_bio(*arguments, **options)


def running_api(directory: Path) -> ssl.SSLContext | None:
    """For the API of the Tonewall with this `[general] directory`; None where it has shown no
    certificate. Raises OSError."""
    path = directory / OWN_CERTIFICATE
    return pinned(path) if path.exists() else None


def ask_verified(trust: Callable[[], ssl.SSLContext | None], ask: Callable[[ssl.SSLContext | None], T]) -> T:
    """What `ask` returns with that trust; asked again, once, where the certificate is another than
    the file has: a handshake is what makes a renewed one be read and copied there. Nothing was sent
    before that. Raises what both raise."""
    try:
        return ask(trust())
    except URLError as error:
        if not isinstance(error.reason, ssl.SSLCertVerificationError):
            raise
        return ask(trust())
