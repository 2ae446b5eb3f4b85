"""Sockets that the supervisor holds: who inherits them, and how long they are bound."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from b2bua.supervise.supervisor import Supervisor
from tests.stack import until
from tests.unit.b2bua.supervise.played_machine import Machine, running, settings


async def test_only_b2bua_inherits_the_sockets_and_they_are_closed_once_it_is_down(
    machine: Machine, tmp_path: Path
):
    async with running(machine, tmp_path):
        [b2bua] = machine.of("b2bua.app")
        table = json.loads(b2bua.environment["TONEWALL_DESCRIPTORS"])
        assert table.pop("turn") > 0
        assert list(table) == ["sip_udp_127.0.0.1_0", "sip_tcp_127.0.0.1_0", "api"]
        for process in machine.started:
            assert process is b2bua or "TONEWALL_DESCRIPTORS" not in process.environment
        api = socket.socket(fileno=os.dup(table["api"])).getsockname()
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
