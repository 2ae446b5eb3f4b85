"""A peer found in a real DNS server, and what odd name servers say."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager

import dns.flags
import dns.message
import dns.rrset
import pytest

from b2bua.sip.hop import Transport
from b2bua.sip.trunk.resolve import Resolver
from b2bua.sip.trunk.targets import MAX_HOPS
from tests.wire.peers import dnsmasq

pytestmark = pytest.mark.skipif(not dnsmasq.available(), reason="dnsmasq is not here")
ALL = list(Transport)
BOTH = {socket.AF_INET, socket.AF_INET6}


@pytest.fixture
async def dns_server():
    server = await dnsmasq.Dnsmasq.start(
        "naptr-record=full.test,20,10,s,SIP+D2U,,_sip._udp.far.test",
        "naptr-record=full.test,10,10,s,SIPS+D2T,,_sips._tcp.far.test",
        "naptr-record=full.test,30,10,s,E2U+sip,,_other.far.test",
        "srv-host=_sips._tcp.far.test,a.far.test,5071,1,1",
        "srv-host=_sip._udp.far.test,a.far.test,5070,10,3",
        "srv-host=_sip._udp.far.test,b.far.test,5080,20,0",
        "host-record=a.far.test,192.0.2.1,2001:db8::1",
        "host-record=b.far.test,192.0.2.2",
        "host-record=full.test,192.0.2.99",
        "srv-host=_sip._tcp.srv.test,c.far.test,5062,1,1",
        "cname=c.far.test,d.far.test",
        "host-record=d.far.test,192.0.2.3",
        "host-record=plain.test,192.0.2.4,30",
        "host-record=plain.test,192.0.2.5,30",
        "srv-host=_sip._udp.gone.test",
        "host-record=gone.test,192.0.2.6",
    )
    yield server
    await server.stop()


def ways(located):
    return [(each.transport.value, each.port, each.addresses) for each in located.targets]


async def test_naptr_says_which_transport_comes_first_and_srv_where(dns_server):
    located = await dns_server.resolver.locate("full.test", 0, ALL, BOTH)
    both = ("192.0.2.1", "2001:db8::1")
    assert ways(located) == [("tls", 5071, both), ("udp", 5070, both), ("udp", 5080, ("192.0.2.2",))]
    assert [each.weight for each in located.targets] == [1, 3, 0]
    assert located.ttl == 1


async def test_a_transport_of_the_configuration_and_the_families_bound_narrow_what_is_found(dns_server):
    located = await dns_server.resolver.locate("full.test", 0, [Transport.UDP], {socket.AF_INET})
    assert ways(located) == [("udp", 5070, ("192.0.2.1",)), ("udp", 5080, ("192.0.2.2",))]


async def test_without_naptr_srv_is_asked_for_each_transport_and_cnames_are_followed(dns_server):
    located = await dns_server.resolver.locate("srv.test", 0, ALL, BOTH)
    assert ways(located) == [("tcp", 5062, ("192.0.2.3",))]


async def test_a_port_of_the_configuration_means_addresses_only(dns_server):
    located = await dns_server.resolver.locate("full.test", 5099, ALL, BOTH)
    assert ways(located) == [("udp", 5099, ("192.0.2.99",))]


async def test_a_name_without_srv_has_its_addresses_at_the_default_port(dns_server):
    located = await dns_server.resolver.locate("plain.test", 0, [Transport.TLS], BOTH)
    assert {address for each in located.targets for address in each.addresses} == {"192.0.2.4", "192.0.2.5"}
    assert located.targets[0].port == 5061


async def test_an_address_asks_nobody():
    nobody = Resolver(["127.0.0.1"], 1)
    assert ways(await nobody.locate("192.0.2.7", 0, ALL, BOTH)) == [("udp", 5060, ("192.0.2.7",))]
    assert ways(await nobody.locate("[2001:db8::7]", 5070, ALL, BOTH)) == [("udp", 5070, ("2001:db8::7",))]


async def test_a_service_that_is_declined_has_no_targets_though_its_host_has_an_address(dns_server):
    assert (await dns_server.resolver.locate("gone.test", 0, [Transport.UDP], BOTH)).targets == ()


async def test_a_name_that_is_not_there_is_a_lookup_error_and_the_hosts_file_is_read(dns_server):
    with pytest.raises(LookupError):
        await dns_server.resolver.locate("nothing.test", 0, ALL, BOTH)
    located = await dns_server.resolver.locate_by_system("localhost", 0, ALL, {socket.AF_INET})
    assert ways(located) == [("udp", 5060, ("127.0.0.1",))]


# --- odd name servers -----------------------------------------------------------------------------


class Odd(asyncio.DatagramProtocol):
    def __init__(self, answer) -> None:
        self._answer = answer

    def connection_made(self, transport) -> None:
        self._transport = transport

    def datagram_received(self, data, addr) -> None:
        self._transport.sendto(self._answer(dns.message.from_wire(data)), addr)


@asynccontextmanager
async def odd_server(answer):
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: Odd(answer), local_addr=("127.0.0.1", 0))
    try:
        yield Resolver(["127.0.0.1"], transport.get_extra_info("sockname")[1])
    finally:
        transport.close()


def reply(query, *rows) -> bytes:
    message = dns.message.make_response(query)
    message.answer = [dns.rrset.from_text(*row) for row in rows]
    return message.to_wire(max_size=65535)


def looping(query) -> bytes:
    name = query.question[0].name
    return reply(query, (name, 60, "IN", "CNAME", "b.test."), ("b.test.", 60, "IN", "CNAME", str(name)))


def failing(query) -> bytes:
    message = dns.message.make_response(query)
    message.set_rcode(2)
    return message.to_wire()


@pytest.mark.parametrize("answer", [looping, failing], ids=["a CNAME loop", "SERVFAIL"])
async def test_a_name_server_that_loops_or_fails_is_a_lookup_error(answer):
    async with odd_server(answer) as resolver:
        with pytest.raises(LookupError):
            await resolver.locate("carrier.test", 0, ALL, BOTH)


async def test_answers_with_hundreds_of_records_give_a_bounded_number_of_hops():
    def huge(query) -> bytes:
        name, kind = query.question[0].name, query.question[0].rdtype
        if kind == dns.rdatatype.SRV:
            return reply(query, (name, 60, "IN", "SRV", *(f"{n} 1 5060 h{n}.test." for n in range(400))))
        if kind == dns.rdatatype.A:
            return reply(query, (name, 60, "IN", "A", *(f"192.0.2.{n}" for n in range(1, 255))))
        if kind == dns.rdatatype.NAPTR:
            rows = (f'{n} 1 "s" "SIP+D2U" "" _sip._udp.x{n}.test.' for n in range(100))
            return reply(query, (name, 60, "IN", "NAPTR", *rows))
        return reply(query)

    async with odd_server(huge) as resolver:
        located = await resolver.locate("carrier.test", 0, ALL, {socket.AF_INET})
    assert sum(len(each.addresses) for each in located.targets) == MAX_HOPS
    assert located.targets[0].name == "h0.test"
