"""Datagrams that waited in a socket before anybody read it."""

from __future__ import annotations

import socket
import time

from b2bua.sip.hop import Hop
from b2bua.sip.transport.bound_sockets import bind_datagrams
from b2bua.sip.transport.udp import UdpSocket
from tests.stack import until


async def test_what_waited_is_received_in_order_unless_its_sender_has_given_up() -> None:
    bound = bind_datagrams("127.0.0.1", 0)
    received: list[bytes] = []

    def receive(data: bytes, source: Hop) -> None:
        assert (source.host, source.port, source.flow) == (*sender.getsockname(), 7)
        received.append(data)

    ahead = 0.0
    opened = UdpSocket(7, receive, lambda: time.time() + ahead)
    with socket.socket(type=socket.SOCK_DGRAM) as sender:
        sender.bind(("127.0.0.1", 0))
        for number in range(200):  # more than are read at once
            sender.sendto(b"%d" % number, bound.getsockname())
        opened.adopt(bound)
        opened.start()
        await until(lambda: len(received) == 200, "what waited")
        assert received == [b"%d" % number for number in range(200)]
        opened.close()

        late = bind_datagrams("127.0.0.1", 0)
        sender.sendto(b"late", late.getsockname())
        received.clear()
        ahead = 33.0
        opened = UdpSocket(7, receive, lambda: time.time() + ahead)
        opened.adopt(late)
        opened.start()
        await until(lambda: opened.dropped == 1, "what was too late")
        sender.sendto(b"new", late.getsockname())  # read without a look at its time
        await until(lambda: received, "what came later")
        assert received == [b"new"]
        opened.close()
