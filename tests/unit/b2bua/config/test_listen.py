"""`[general] listen`: what is bound, and what is no address."""

from __future__ import annotations

import pytest

from b2bua.config.listen import parse_binds
from b2bua.sip.hop import Bind, Transport


def test_without_it_udp_and_tcp_share_bind_and_port():
    assert parse_binds("", "192.0.2.1", 5070, "198.51.100.1") == [
        Bind(transport, "192.0.2.1", 5070, "198.51.100.1") for transport in (Transport.UDP, Transport.TCP)
    ]


def test_each_entry_is_a_transport_an_address_and_what_peers_see_of_it():
    text = (
        "udp:192.0.2.1, tls:192.0.2.1 ,tcp:[2001:DB8::1]:5070, udp:0.0.0.0:5062/198.51.100.7:5080, "
        "udp:[::]:0/[2001:db8::7]"
    )
    assert parse_binds(text, "127.0.0.1", 1, "") == [
        Bind(Transport.UDP, "192.0.2.1", 5060),
        Bind(Transport.TLS, "192.0.2.1", 5061),
        Bind(Transport.TCP, "2001:db8::1", 5070),
        Bind(Transport.UDP, "0.0.0.0", 5062, "198.51.100.7", 5080),
        Bind(Transport.UDP, "::", 0, "2001:db8::7"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "192.0.2.1", "sctp:192.0.2.1", "udp:sip.example", "udp:192.0.2.1:99999", "udp:0.0.0.0:5060",
        "udp:[::]", "udp:999.1.1.1",
        "udp:192.0.2.1:5060, udp:192.0.2.1", "udp:2001:db8::1", "udp:192.0.2.1:5060/", "tcp:[192.0.2.1:5060",
    ],
)  # fmt: skip
def test_what_is_no_address_is_explained(text: str):
    with pytest.raises(ValueError, match="expected"):
        parse_binds(text, "127.0.0.1", 5060, "")
