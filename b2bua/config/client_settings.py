"""Model of `[client NAME]`: a program that is known by its certificate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field, field_validator

from b2bua.access.certificates import Client, parse_mark
from b2bua.access.roles import Role, parse_roles, parse_scopes
from tonewall.ini import Section


class ClientSettings(Section):
    """`[client NAME]` of sip.conf."""

    section: ClassVar[str] = "client"

    certificate: str = Field(
        "", description="its certificate: sha256:FINGERPRINT, dns:NAME, uri:URI or subject:CN=crm,O=Company"
    )
    role: str = Field("integration", description="what it is, as in [api] roles; several joined by +")
    scopes: str = Field("", description="what an integration may do, with spaces between; or all")

    @field_validator("certificate")
    @classmethod
    def _is_mark(cls, value: str) -> str:
        return parse_mark(value) if value else value

    @field_validator("role")
    @classmethod
    def _is_role(cls, value: str) -> str:
        parse_roles(value)
        return value

    @field_validator("scopes")
    @classmethod
    def _are_scopes(cls, value: str) -> str:
        parse_scopes(value)
        return value

    def client(self, name: str) -> Client:
        """The program, under its name in records."""
        return Client(name, self.certificate, parse_roles(self.role), parse_scopes(self.scopes))


def find_client_faults(clients: Mapping[str, ClientSettings], client_ca: str) -> list[str]:
    """What does not fit together, a line each. `client_ca`: of `[api]`."""
    faults, known = [], dict[str, str]()
    for header, each in clients.items():
        if header == ClientSettings.section and not each.certificate:
            continue  # nobody
        if header == ClientSettings.section:
            faults.append(f"[{header}]: expected a name, as [client crm]")
        if not each.certificate:
            faults.append(f"[{header}] certificate: expected, since nothing else tells who it is")
        if not client_ca:
            faults.append(f"[{header}] certificate: expected [api] client_ca as well, which verifies it")
        if (Role.INTEGRATION in parse_roles(each.role)) is not bool(each.scopes):
            faults.append(f"[{header}] scopes: expected for the role integration, and for it alone")
        first = known.setdefault(each.certificate, header)
        if first != header:
            faults.append(f"[{header}] certificate: that is [{first}] already")
    return faults
