"""Ports that are in use by the copies of our own sockets, which systemd has kept."""

from __future__ import annotations

import socket
from pathlib import Path

from b2bua.doctor import startup
from tests.unit.b2bua.doctor.written import settings


def test_a_port_is_no_reason_against_a_start_where_its_socket_is_kept_for_us(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as api, socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        api_port, sip_port = api.getsockname()[1], udp.getsockname()[1]
        given = settings(tmp_path, general={"port": str(sip_port)}, api={"port": str(api_port)})
        assert len(startup.find_refusals(given)) == 2
        stored = {f"api_127.0.0.1_{api_port}", f"sip_udp_127.0.0.1_{sip_port}"}
        assert startup.find_refusals(given, stored) == []
