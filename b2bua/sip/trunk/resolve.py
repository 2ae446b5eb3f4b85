"""Finding a peer in DNS: NAPTR, SRV, A and AAAA (RFC 3263 section 4).

Rule 1: a numeric host asks nothing; a port in the configuration asks for addresses only (section
        4.2).
Rule 2: no answer, however large, odd or looping, raises out of `locate` but as LookupError; numbers
        of records are bounded.
Rule 3: a name that DNS does not have is asked of the system, for its hosts file.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Container, Sequence
from dataclasses import dataclass

import dns.asyncresolver
import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver
from dns.rdtypes.IN.NAPTR import NAPTR
from dns.rdtypes.IN.SRV import SRV

from b2bua.sip.hop import TRAITS, Transport
from b2bua.sip.trunk.targets import Located, Target, limit_targets, numeric_host

_LIFETIME = 5.0  # seconds for one question, with its repetitions
_MAX_RECORDS = 16  # of one answer
_MAX_SERVICES = 6
_FOREVER = float("inf")
_MAX_TTL = 3600.0  # seconds that an answer is used, whatever DNS says
_SYSTEM_TTL = 60.0  # seconds that an address from the hosts file is used
_SERVICES = {traits.naptr: transport for transport, traits in TRAITS.items()}  # RFC 3263 section 4.1


@dataclass(frozen=True, slots=True)
class Service:
    """An SRV name, the transport it is for, and its rank among those of the peer."""

    name: str
    transport: Transport
    rank: int


class Resolver:
    """Asks the system's name servers, or those of `nameservers` at `port`."""

    def __init__(self, nameservers: Sequence[str] = (), port: int = 53) -> None:
        self._configured = tuple(nameservers)
        self._port = port

    async def locate(
        self, host: str, port: int, transports: Sequence[Transport], families: Container[int]
    ) -> Located:
        """The targets of a host. `port`: 0 for none given; `transports`: what may be used, best
        first; `families`: the address families that can be sent by. Raises LookupError where there
        is nothing of use."""
        numeric = numeric_host(host)
        if numeric is not None:
            return Located((_direct_target(host, port, transports[0], (numeric,)),), _FOREVER)
        query = _Query(self._resolver(), families)
        found: tuple[Target, ...] = ()
        if not port:
            for service in await query.services(host, transports):
                found += await query.servers(service)
        if not found and not query.declined:
            addresses = await query.addresses(host) or await _ask_system(host, families)
            found = (_direct_target(host, port, transports[0], addresses),)
        if not limit_targets(found) and not query.declined:
            raise LookupError(host)
        return Located(limit_targets(found), min(query.ttl, _MAX_TTL))

    async def locate_by_system(
        self, host: str, port: int, transports: Sequence[Transport], families: Container[int]
    ) -> Located:
        """What the system knows of the host without DNS's SRV. Raises LookupError."""
        found = limit_targets([_direct_target(host, port, transports[0], await _ask_system(host, families))])
        if not found:
            raise LookupError(host)
        return Located(found, _SYSTEM_TTL)

    def _resolver(self) -> dns.asyncresolver.Resolver:
        # A new one each time: the system's configuration may have changed.
        try:
            resolver = dns.asyncresolver.Resolver(configure=not self._configured)
        except (dns.exception.DNSException, OSError):
            resolver = dns.asyncresolver.Resolver(configure=False)
        if self._configured:
            resolver.nameservers = list(self._configured)
            resolver.port = self._port
        resolver.lifetime = _LIFETIME
        return resolver


class _Query:
    """The questions about one peer. `ttl`: the least seen; `declined`: SRV says that there is no
    service (target ".")."""

    def __init__(self, resolver: dns.asyncresolver.Resolver, families: Container[int]) -> None:
        self._resolver = resolver
        self._families = families
        self.ttl = _FOREVER
        self.declined = False

    async def services(self, host: str, transports: Sequence[Transport]) -> list[Service]:
        """The SRV names to ask for, best first: those of NAPTR, or else one for each transport
        (section 4.1)."""
        records = [record for record in await self._resolve(host, "NAPTR") if isinstance(record, NAPTR)]
        named: dict[tuple[str, Transport], None] = {}
        for record in sorted(records, key=lambda record: (record.order, record.preference)):
            transport = _SERVICES.get(record.service.decode("ascii", "replace").upper())
            if transport is not None and transport in transports and record.flags.lower() == b"s":
                named[record.replacement.to_text(omit_final_dot=True), transport] = None
        chosen = list(named)[:_MAX_SERVICES] or [(f"{TRAITS[each].srv}.{host}", each) for each in transports]
        return [Service(name, transport, rank) for rank, (name, transport) in enumerate(chosen)]

    async def servers(self, service: Service) -> tuple[Target, ...]:
        records = [record for record in await self._resolve(service.name, "SRV") if isinstance(record, SRV)]
        self.declined = self.declined or (len(records) == 1 and records[0].target == dns.name.root)
        records.sort(key=lambda record: (record.priority, -record.weight))
        usable = [
            record for record in records[:_MAX_RECORDS] if record.target != dns.name.root and record.port
        ]
        names = [record.target.to_text(omit_final_dot=True) for record in usable]
        addresses = await asyncio.gather(*(self.addresses(name) for name in names))
        return tuple(
            Target(name, record.port, service.transport, ips, service.rank, record.priority, record.weight)
            for record, name, ips in zip(usable, names, addresses, strict=True)
        )

    async def addresses(self, name: str) -> tuple[str, ...]:
        kinds = [
            kind
            for kind, family in (("A", socket.AF_INET), ("AAAA", socket.AF_INET6))
            if family in self._families
        ]
        answers = await asyncio.gather(*(self._resolve(name, kind) for kind in kinds))
        return tuple(record.to_text() for records in answers for record in records)

    async def _resolve(self, name: str, kind: str) -> list[dns.rdata.Rdata]:
        """The records of an answer, _MAX_RECORDS at most; none where the name or the kind is not
        there.

        Raises LookupError where the name servers did not say: what was known before is better than
        a part of the truth.
        """
        try:
            answer = await self._resolver.resolve(dns.name.from_text(name), kind)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except dns.resolver.NoNameservers as error:
            if kind == "NAPTR":
                return []  # some name servers know no NAPTR, and say that they failed
            raise LookupError(name) from error
        except (dns.exception.DNSException, OSError, ValueError) as error:
            raise LookupError(name) from error
        self.ttl = min(self.ttl, answer.chaining_result.minimum_ttl)
        return list(answer)[:_MAX_RECORDS] if kind in {"A", "AAAA"} else list(answer)


def _direct_target(host: str, port: int, transport: Transport, addresses: tuple[str, ...]) -> Target:
    return Target(host, port or transport.default_port, transport, addresses)


async def _ask_system(host: str, families: Container[int]) -> tuple[str, ...]:
    """The addresses of a name by the system's own rules; none where it does not know them."""
    try:
        infos = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(str(info[4][0]) for info in infos if info[0] in families))[:_MAX_RECORDS]
