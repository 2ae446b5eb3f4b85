"""TLS of the API: certificate, authorities and revocation lists, read again when a file changes.

Rule 1: TLS 1.2 or newer, with forward secrecy and authenticated encryption only.
Rule 2: files that changed are in force for the next connection; where they cannot be used, what was
        read before stays in force, and that is a fault. Connections that are open go on, except
        those of clients with a certificate: they are verified anew.
Rule 3: a client need not show a certificate; one that is shown is verified, or there is no
        connection.
"""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from b2bua.api.own_certificate import OWN_CERTIFICATE
from b2bua.call.service_view import Fault
from b2bua.config.settings import ApiSettings
from tonewall.ini import ConfigError
from tonewall.log import get_logger

log = get_logger(__name__)
_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"  # of TLS 1.2; those of 1.3 are all good
_SOON: Final = 7 * 86_400.0  # seconds before its end in which a certificate is a fault
_DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Paths of PEM files; "" where there is none. `key` may be in the file of the certificate."""

    certificate: str
    key: str = ""
    client_ca: str = ""
    client_crl: str = ""

    @property
    def stamp(self) -> tuple[tuple[int, ...], ...]:
        """Changes with any of the files. Raises OSError."""
        paths = (self.certificate, self.key, self.client_ca, self.client_crl)
        stats = [os.stat(path) for path in paths if path]
        return tuple((each.st_mtime_ns, each.st_size, each.st_ino) for each in stats)


class ServerTls:
    """The context of a server, as its files have it now."""

    def __init__(
        self,
        files: TlsFiles,
        copy: Path | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`copy`: the file that gets the certificate in force; `now`: seconds since the epoch.
        Raises OSError (ssl.SSLError is one) where the files cannot be used."""
        self._files, self._copy, self._now = files, copy, now
        self._stamp: tuple[tuple[int, ...], ...] = files.stamp
        self._context, self._ends = self._load()
        self._is_refused = False

    def context(self) -> ssl.SSLContext:
        """The context for a connection that begins now."""
        try:
            stamp = self._files.stamp
        except OSError as error:
            self._refuse((), error)
            return self._context
        if stamp != self._stamp:
            try:
                self._context, self._ends = self._load()
            except OSError as error:
                self._refuse(stamp, error)
            else:
                self._is_refused = False
                log.info("api_certificate_loaded")
            self._stamp = stamp
        return self._context

    def fault(self) -> Fault | None:
        """That the files cannot be used, or that the certificate ends soon."""
        self.context()
        left = self._ends - self._now()
        if self._is_refused:
            says = (
                "The API shows its old certificate: the files of [api] tls_certificate, tls_key, client_ca "
                "and client_crl cannot be used. `tonewall doctor` says why."
            )
        elif left < 0:
            says = "The API's certificate has expired: browsers refuse it. Renew [api] tls_certificate."
        elif left < _SOON:
            says = f"The API's certificate expires in {int(left / _DAY)} days. Renew [api] tls_certificate."
        else:
            return None
        return Fault(what="certificate", says=says, stops=None)

    def _load(self) -> tuple[ssl.SSLContext, float]:
        context = server_context(self._files)
        try:
            certificate = x509.load_pem_x509_certificate(Path(self._files.certificate).read_bytes())
        except ValueError:
            raise OSError("tls_certificate: no certificate in PEM") from None
        if self._copy is not None:
            # Whole or not at all: a command may read it now.
            fresh = self._copy.with_suffix(".new")
            fresh.write_bytes(certificate.public_bytes(Encoding.PEM))
            fresh.replace(self._copy)
        return context, certificate.not_valid_after_utc.timestamp()

    def _refuse(self, stamp: tuple[tuple[int, ...], ...], error: OSError) -> None:
        if not self._is_refused or stamp != self._stamp:
            log.error("api_certificate_unusable", exc_info=error, hint="tonewall doctor")
        self._is_refused, self._stamp = True, stamp


def open_tls(settings: ApiSettings, directory: Path) -> ServerTls | None:
    """HTTPS, where the settings want it. Its certificate is copied into the directory, by which our
    own commands know this API. Raises ConfigError where the files cannot be used."""
    if not settings.tls_certificate:
        return None
    try:
        files = TlsFiles(settings.tls_certificate, settings.tls_key, settings.client_ca, settings.client_crl)
        return ServerTls(files, directory / OWN_CERTIFICATE)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ConfigError(
            f"[api] tls_certificate, tls_key, client_ca, client_crl: they cannot be used ({why})"
        ) from None


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """What we offer to who connects. Raises OSError (ssl.SSLError is one)."""
    # Not ssl.create_default_context: that would write session keys to where SSLKEYLOGFILE says.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(files.certificate, files.key or None, password=_no_password)
    if files.client_ca:
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(cafile=files.client_ca)
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
    if files.client_crl:
        context.load_verify_locations(cafile=files.client_crl)
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    return context


def _no_password() -> str:
    raise OSError("the key is protected by a password; store it without one")
