"""Tells programs by the certificate of their connection (mutual TLS).

Rule 1: the certificate was verified in the handshake, against [api] client_ca; here its dates are
        looked at for each request, since a connection may outlive them.
Rule 2: a request with credentials of its own is known by those alone: where they are wrong, no
        certificate makes up for it.
Rule 3: a program is named by a fingerprint, a name of the certificate or its whole subject; one
        that no section names is nobody.
"""

from __future__ import annotations

import functools
import hashlib
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography import x509

from b2bua.access.principal import Principal
from b2bua.access.roles import Role, Scope

STATE: Final = "certificate"  # under which a request has its octets
_FINGERPRINT = re.compile(r"sha256:[0-9a-f]{64}")
_KINDS: Final = ("dns:", "uri:", "subject:")


@dataclass(frozen=True, slots=True)
class Client:
    """A program, and by which `mark` its certificate is known (see `parse_mark`)."""

    name: str
    mark: str
    roles: frozenset[Role]
    scopes: frozenset[Scope]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What matters of a certificate. Times in seconds since the epoch."""

    marks: frozenset[str]
    begins_at: float
    ends_at: float


class CertificateAuthenticator:
    """Authenticates by the clients of the settings."""

    def __init__(self, clients: Mapping[str, Client], now: Callable[[], float] = time.time) -> None:
        """`clients`: by their marks."""
        self._clients, self._now = dict(clients), now

    async def authenticate(self, scope: Mapping[str, Any]) -> Principal | None:
        """See Authenticator."""
        certificate = scope.get("state", {}).get(STATE)
        if not certificate or any(name == b"authorization" for name, _ in scope["headers"]):
            return None
        seen = _read(certificate)
        if seen is None or not seen.begins_at <= self._now() < seen.ends_at:
            return None
        found = [client for mark, client in self._clients.items() if mark in seen.marks]
        if len(found) != 1:  # of two programs, it is neither
            return None
        return Principal(
            name=found[0].name,
            roles=found[0].roles,
            scopes=found[0].scopes,
            method="certificate",
            credential=f"certificate:{hashlib.sha256(certificate).hexdigest()[:16]}",
            expires_at=seen.ends_at,
        )

    def holds(self, principal: Principal) -> bool:
        """See Authenticator."""
        if principal.method != "certificate" or principal.expires_at is None:
            return True
        return self._now() < principal.expires_at


def parse_mark(text: str) -> str:
    """How a certificate is known: `sha256:HEX` (colons in it do not matter), `dns:NAME` or
    `uri:URI` of its alternative names, or `subject:` and all of its subject as RFC 4514 writes it.
    Raises ValueError."""
    text = text.strip()
    kind, _, rest = text.partition(":")
    fingerprint = f"sha256:{rest.replace(':', '').lower()}"
    if kind == "sha256" and _FINGERPRINT.fullmatch(fingerprint):
        return fingerprint
    if text.startswith(_KINDS) and rest:
        return f"dns:{rest.lower()}" if kind == "dns" else text
    raise ValueError(
        "expected sha256:FINGERPRINT, dns:NAME, uri:URI or subject:CN=crm,O=Company of the certificate"
    )


@functools.lru_cache(maxsize=256)
def _read(certificate: bytes) -> _Seen | None:
    try:
        parsed = x509.load_der_x509_certificate(certificate)
        marks = {
            f"sha256:{hashlib.sha256(certificate).hexdigest()}",
            f"subject:{parsed.subject.rfc4514_string()}",
        }
        try:
            names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            pass
        else:
            marks |= {f"dns:{each.lower()}" for each in names.get_values_for_type(x509.DNSName)}
            marks |= {f"uri:{each}" for each in names.get_values_for_type(x509.UniformResourceIdentifier)}
    except ValueError:
        return None
    begins, ends = parsed.not_valid_before_utc, parsed.not_valid_after_utc
    return _Seen(frozenset(marks), begins.timestamp(), ends.timestamp())
