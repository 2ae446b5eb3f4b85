"""Sockets of SIP: bound all or none, and taken again by name."""

from __future__ import annotations

import socket

import pytest

from b2bua.sip.hop import Bind, Transport
from b2bua.sip.transport.bound_sockets import open_sockets, socket_name, take_sockets
from tests.stack import free_port

HOST = "127.0.0.1"


def test_udp_and_tcp_get_one_free_port_and_tls_one_of_its_own() -> None:
    binds = [Bind(transport, HOST, 0, "198.51.100.1") for transport in Transport]
    opened = open_sockets(binds)
    udp, tcp, tls = (each.bind for each in opened)
    assert udp.port == tcp.port != tls.port
    assert udp == Bind(Transport.UDP, HOST, udp.port, "198.51.100.1")
    assert [each.socket.getsockname()[1] for each in opened] == [udp.port, tcp.port, tls.port]
    assert not any(each.socket.getblocking() for each in opened)
    for each in opened:
        each.socket.close()


def test_where_one_address_is_in_use_it_is_named_and_none_is_bound() -> None:
    port = free_port()
    with socket.create_server((HOST, 0)) as other:
        taken = other.getsockname()[1]
        with pytest.raises(OSError, match=f"Address already in use: 'tcp:{HOST}:{taken}'"):
            open_sockets([Bind(Transport.UDP, HOST, port), Bind(Transport.TCP, HOST, taken)])
    [again] = open_sockets([Bind(Transport.UDP, HOST, port)])
    again.socket.close()


def test_a_process_takes_all_of_them_by_their_names_or_none() -> None:
    binds = [Bind(Transport.UDP, HOST, 0), Bind(Transport.TLS, "::1", 0)]
    opened = open_sockets(binds)
    assert [socket_name(bind) for bind in binds] == ["sip_udp_127.0.0.1_0", "sip_tls_--1_0"]
    table = {socket_name(bind): each.socket.detach() for bind, each in zip(binds, opened, strict=True)}
    assert take_sockets([*binds, Bind(Transport.TCP, HOST, 0)], table) == []
    taken = take_sockets(binds, table)
    assert [each.bind for each in taken] == [each.bind for each in opened]
    assert [each.socket.fileno() for each in taken] == list(table.values())
    for each in taken:
        each.socket.close()
