"""What `tonewall doctor` says of an address and a port of ours."""

from __future__ import annotations

import socket

from b2bua.doctor.machine import check_bind


def said(port: int) -> str:
    return check_bind("media address", "127.0.0.1", port, socket.SOCK_DGRAM, "[media] address").text


def test_an_address_without_a_port_is_said_to_be_ours_and_a_port_to_be_free_or_taken() -> None:
    assert said(0) == "127.0.0.1 is an address of this machine"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        assert f"127.0.0.1 port {port}: " in said(port)
    assert said(port) == f"127.0.0.1 port {port} is free"
