"""TLS for SIP: contexts of a trunk, and verification of its certificate (RFC 5922).

Rule 1: TLS 1.2 or newer; a certificate that we ask for is verified against the trunk's authorities,
        or there is no connection.
Rule 2: names are compared whole (RFC 5922 section 7.2): a wildcard stands for nothing but itself,
        so whoever has a carrier with a wildcard certificate writes that wildcard into `tls_name`.
Rule 3: certificates that were renewed on disk are used for the next connection; if they cannot be
        read, the old ones stay.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Mapping
from typing import Any

from b2bua.call.routing.trunk import Trunk
from b2bua.sip.message.uri import Uri
from b2bua.sip.transport.framer import Framer
from tonewall.log import get_logger

log = get_logger(__name__)
_Stamp = tuple[tuple[tuple[str, int], ...], bool]  # paths and their times; whether it shows a certificate


class TlsContexts:
    """The contexts of an engine. `certificate`, `key`: our own where a trunk has none of its own;
    paths, or empty."""

    def __init__(self, certificate: str = "", key: str = "") -> None:
        self._certificate = certificate
        self._key = key
        self._made: dict[tuple[str, bool], tuple[_Stamp, ssl.SSLContext]] = {}

    def check(self, trunk: Trunk, *, listens: bool) -> None:
        """Load what a trunk over TLS needs, and keep nothing of it. Raises OSError."""
        fresh = TlsContexts(self._certificate, self._key)
        fresh.client(trunk)
        if listens:
            fresh.server(trunk)

    def client(self, trunk: Trunk) -> ssl.SSLContext:
        """For a connection that we open. Raises OSError (ssl.SSLError among them) where a file is
        of no use."""
        return self._fresh(trunk, server=False)

    def server(self, trunk: Trunk) -> ssl.SSLContext:
        """For a connection that the trunk opened. Raises as `client` does."""
        return self._fresh(trunk, server=True)

    def _fresh(self, trunk: Trunk, *, server: bool) -> ssl.SSLContext:
        known = self._made.get((trunk.name, server))
        own = (
            (trunk.tls_certificate, trunk.tls_key)
            if trunk.tls_certificate
            else (self._certificate, self._key)
        )
        try:
            files = tuple((path, os.stat(path).st_mtime_ns) for path in (*own, trunk.tls_ca) if path)
            stamp = files, trunk.tls_verify_client
            if known is not None and known[0] == stamp:
                return known[1]
            made = _context(trunk, own, server=server)
        except OSError as error:
            if known is None:
                raise
            log.error("tls_files_unusable", trunk=trunk.name, exc_info=error)
            return known[1]
        self._made[trunk.name, server] = stamp, made
        return made


class TlsStreams:
    """The stream kind of TLS."""

    is_shared = False

    def __init__(self, contexts: TlsContexts) -> None:
        self._contexts = contexts

    def prepare(self, trunk: Trunk, *, listens: bool) -> None:
        """Load the certificates of a trunk. Raises OSError for a file of no use."""
        self._contexts.client(trunk)
        if listens:
            self._contexts.server(trunk)

    def client_arguments(self, trunk: Trunk | None) -> dict[str, Any]:
        """Return context and SNI. Raises OSError."""
        if trunk is None:
            raise OSError("no trunk to verify")
        return {"ssl": self._contexts.client(trunk), "server_hostname": server_name(trunk)}

    def server_context(self, trunk: Trunk | None) -> ssl.SSLContext:
        """Return the context for a connection of the trunk's. Raises OSError."""
        if trunk is None:
            raise OSError("no trunk to verify")
        return self._contexts.server(trunk)

    def identities(self, certificate: Mapping[str, Any] | None) -> frozenset[str]:
        """Read the names of a verified certificate."""
        return names(certificate)

    def accepts(self, identities: frozenset[str], trunk: Trunk | None, *, inbound: bool) -> bool:
        """Accept a peer whose certificate names the trunk, or one that need not show any."""
        if trunk is None:
            return False
        is_asked = not inbound or trunk.tls_verify_client
        return not is_asked or matches(trunk, identities)

    def new_framer(self) -> Framer:
        """Frame by Content-Length (RFC 3261 section 18.3)."""
        return Framer()


def _context(trunk: Trunk, own: tuple[str, str], *, server: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False  # `matches` does it, by RFC 5922's rules
    if not server or trunk.tls_verify_client:  # else a server context asks for none
        context.verify_mode = ssl.CERT_REQUIRED
        if trunk.tls_ca:
            context.load_verify_locations(cafile=trunk.tls_ca)
        else:
            context.load_default_certs(ssl.Purpose.CLIENT_AUTH if server else ssl.Purpose.SERVER_AUTH)
    if own[0]:
        context.load_cert_chain(own[0], own[1] or None)
    elif server:
        raise OSError("tls_certificate: none is configured")
    return context


def names(certificate: Mapping[str, Any] | None) -> frozenset[str]:
    """Whom a verified certificate (as `getpeercert` gives it) is for, in lower case (RFC 5922
    section 7.1)."""
    if not certificate:
        return frozenset()
    found: set[str] = set()
    alternatives = certificate.get("subjectAltName", ())
    for kind, value in alternatives:
        if kind == "DNS":
            found.add(value.lower())
        elif kind == "IP Address":
            found.add(_numeric(value))
        elif kind == "URI" and value.lower().startswith("sip:"):
            try:
                uri = Uri.parse(value)
            except ValueError:
                continue
            if not uri.user:  # one with a user is that user's, not the domain's
                found.add(_numeric(uri.host))
    if not alternatives:
        for part in certificate.get("subject", ()):
            found |= {value.lower() for key, value in part if key == "commonName"}
    return frozenset(found)


def matches(trunk: Trunk, identities: frozenset[str]) -> bool:
    """Whether one of the names is the trunk's: `tls_name`, or else its domain or host."""
    wanted = (trunk.tls_name,) if trunk.tls_name else (trunk.domain, trunk.host)
    return not identities.isdisjoint(_numeric(name) for name in wanted if name)


def server_name(trunk: Trunk) -> str:
    """The name to ask for when we connect (SNI); "" where the trunk has none but an address."""
    for name in (trunk.tls_name, trunk.domain, trunk.host):
        if name and "*" not in name and not _is_address(name):
            return name
    return ""


def _numeric(name: str) -> str:
    """A name in lower case; an address in the one way to write it."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name.lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
