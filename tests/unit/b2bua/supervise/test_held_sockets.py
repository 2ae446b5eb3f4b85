"""Sockets that the supervisor holds: who inherits them, and how long they are bound."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from b2bua.supervise.child import channel_pair
from b2bua.supervise.held_sockets import HeldSockets
from b2bua.supervise.kept import KEPT_CALLS, Kept
from b2bua.supervise.service_manager import ServiceManager
from b2bua.supervise.supervisor import Supervisor
from tests.stack import until
from tests.unit.b2bua.supervise.played_machine import Machine, running, settings
from tonewall.keeper import HERE


async def test_only_b2bua_inherits_the_sockets_and_they_are_closed_once_it_is_down(
    machine: Machine, tmp_path: Path
):
    async with running(machine, tmp_path):
        [b2bua] = machine.of("b2bua.app")
        table = json.loads(b2bua.environment["TONEWALL_DESCRIPTORS"])
        assert table.pop("turn") > 0
        assert list(table) == ["calls", "sip_udp_127.0.0.1_0", "sip_tcp_127.0.0.1_0", "api_127.0.0.1_0"]
        for process in machine.started:
            theirs = json.loads(process.environment.get("TONEWALL_DESCRIPTORS", "{}"))
            assert process is b2bua or theirs.keys() <= {"turn", "media_sock", "streams"}
        api = socket.socket(fileno=os.dup(table["api_127.0.0.1_0"])).getsockname()
        socket.create_connection(api).close()
        b2bua.end(-9)
        await until(lambda: len(machine.of("b2bua.app")) == 2, "the next b2bua")
        assert (
            table.items() < json.loads(machine.of("b2bua.app")[1].environment["TONEWALL_DESCRIPTORS"]).items()
        )
    for process in machine.started:
        for number in process.handed:
            os.close(number)
        process.inherited.clear()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(api)


async def test_where_an_address_is_in_use_nothing_is_started(machine: Machine, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        chosen = settings(tmp_path, api_port=other.getsockname()[1])
        with pytest.raises(OSError, match=r"Address already in use: '\[api\] 127.0.0.1:"):
            await Supervisor(chosen).run()
    assert machine.started == []


async def test_of_what_was_kept_what_is_asked_for_is_used_and_the_rest_forgotten(
    machine: Machine, tmp_path: Path
):
    chosen = settings(tmp_path).signalling
    keeper, end = channel_pair()
    end.setblocking(False)
    with keeper:
        manager = ServiceManager(end)
        udp, stream = socket.socket(type=socket.SOCK_DGRAM), socket.create_server(("127.0.0.1", 0))
        udp.bind(("127.0.0.1", 0))
        port, api = udp.getsockname()[1], stream.getsockname()
        stored = {
            "sip_udp_127.0.0.1_0": udp.detach(),
            "api_127.0.0.1_0": stream.detach(),
            "sip_udp_192.0.2.7_5060": socket.socket(type=socket.SOCK_DGRAM).detach(),
            "sip_tcp_127.0.0.1_0": socket.socket(type=socket.SOCK_DGRAM).detach(),  # of another kind
            "what": os.memfd_create("what"),
        }
        calls = os.memfd_create("calls")
        held = HeldSockets.open(chosen, manager, Kept(stored, calls))
        found = {name: os.fstat(number).st_ino for name, number in held.descriptors().items()}
        assert list(found) == ["calls", "sip_udp_127.0.0.1_0", "sip_tcp_127.0.0.1_0", "api_127.0.0.1_0"]
        assert found["calls"] == os.fstat(calls).st_ino
        udp = socket.socket(fileno=os.dup(held.descriptors()["sip_udp_127.0.0.1_0"]))
        tcp = socket.socket(fileno=os.dup(held.descriptors()["sip_tcp_127.0.0.1_0"]))
        # TCP is bound anew, to the port of the socket that was kept.
        assert udp.getsockname()[1] == port == tcp.getsockname()[1]
        udp.close()
        tcp.close()
        assert notified(keeper) == [
            *(f"FDSTOREREMOVE=1\nFDNAME={name}" for name in list(stored)[2:]),
            *(f"FDSTORE=1\nFDNAME={name}\nFDPOLL=0" for name in list(found)[1:]),
        ]
        held.close()
        assert notified(keeper) == [
            *(f"FDSTOREREMOVE=1\nFDNAME={name}" for name in list(found)[1:]),
            f"FDSTOREREMOVE=1\nFDNAME={KEPT_CALLS}\n{HERE.decode()}",
        ]
        manager.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(api)


def notified(keeper: socket.socket) -> list[str]:
    """What the keeper was notified of, with a descriptor where it is to store one."""
    found = []
    try:
        while True:
            text, received, _, _ = socket.recv_fds(keeper, 4096, 4)
            assert len(received) == text.startswith(b"FDSTORE=1")
            for number in received:
                os.close(number)
            found.append(text.decode())
    except BlockingIOError:
        return found
