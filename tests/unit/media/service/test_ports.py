"""Port pairs: even and next, bound before they are promised, the one just freed used last."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from media.service.ports import NoPorts, PortPairs

LOW, HIGH = 40000, 40007  # four pairs


@pytest.fixture
def address() -> str:
    """An address of this machine that no other test uses at the same time."""
    return f"127.{random.randint(1, 254)}.{random.randint(0, 255)}.{random.randint(1, 254)}"


def numbers(pair: tuple[socket.socket, socket.socket]) -> tuple[int, int]:
    return pair[0].getsockname()[1], pair[1].getsockname()[1]


def test_a_pair_is_an_even_port_and_the_next_bound_and_not_blocking(address: str):
    with ExitStack() as sockets:
        pairs = PortPairs(address, LOW, HIGH)
        for expected in range(LOW, HIGH, 2):
            pair = pairs.bind()
            for sock in pair:
                sockets.enter_context(sock)
                assert not sock.getblocking()
                assert sock.getsockname()[0] == address
            assert numbers(pair) == (expected, expected + 1)


def test_a_used_up_range_says_so_and_a_freed_pair_can_be_had_again(address: str):
    with ExitStack() as sockets:
        pairs = PortPairs(address, LOW, HIGH)
        bound = [pairs.bind() for _ in range(4)]
        for pair in bound:
            for sock in pair:
                sockets.enter_context(sock)
        with pytest.raises(NoPorts, match="all 4 port pairs"):
            pairs.bind()
        for sock in bound[2]:
            sock.close()
        again = pairs.bind()
        for sock in again:
            sockets.enter_context(sock)
        assert numbers(again) == (LOW + 4, LOW + 5)


def test_a_pair_that_was_just_freed_is_the_last_to_be_used_again(address: str):
    pairs = PortPairs(address, LOW, HIGH)
    seen = []
    for _ in range(8):
        pair = pairs.bind()
        seen.append(numbers(pair)[0])
        for sock in pair:
            sock.close()
    assert seen == [40000, 40002, 40004, 40006] * 2


@pytest.mark.parametrize("taken", [LOW, LOW + 1], ids=["rtp", "rtcp"])
def test_a_port_that_somebody_else_has_is_passed_over_and_nothing_of_its_pair_kept(address: str, taken: int):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other, ExitStack() as sockets:
        other.bind((address, taken))
        pair = PortPairs(address, LOW, HIGH).bind()
        for sock in pair:
            sockets.enter_context(sock)
        assert numbers(pair) == (LOW + 2, LOW + 3)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((address, LOW + 1 if taken == LOW else LOW))  # the pair's other half is free


def test_an_odd_rest_of_the_range_is_no_pair(address: str):
    with ExitStack() as sockets:
        pairs = PortPairs(address, LOW, LOW + 2)
        for sock in pairs.bind():
            sockets.enter_context(sock)
        with pytest.raises(NoPorts):
            pairs.bind()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_what_is_sent_carries_the_code_point_that_was_asked_for(host: str):
    v6 = ":" in host
    with (
        socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM) as phone,
        ExitStack() as sockets,
    ):
        if v6:
            phone.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
        else:
            phone.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
        phone.bind((host, 0))
        phone.settimeout(10)
        for dscp in (46, 0):
            for sock in PortPairs(host, LOW, HIGH, dscp).bind():
                sockets.enter_context(sock).sendto(b"voice", phone.getsockname())
                _, [(_, _, received)], _, _ = phone.recvmsg(100, 100)
                assert received[0] == dscp << 2


def test_an_address_that_is_not_ours_is_an_error_not_a_used_up_range():
    with pytest.raises(OSError, match="assign"):
        PortPairs("192.0.2.1", LOW, HIGH).bind()


def test_a_port_that_nobody_reads_for_a_while_keeps_what_comes_as_far_as_the_kernel_allows(address: str):
    most = int(Path("/proc/sys/net/core/rmem_max").read_text())
    rtp, rtcp = PortPairs(address, LOW, HIGH).bind()
    with rtp, rtcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        room = rtp.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        # The kernel counts its own upkeep, and doubles what is asked for.
        assert room == 2 * min(256 * 1024, most)
        packets = min(400, room // 1024)  # eight seconds of audio
        for _ in range(packets):
            sender.sendto(bytes(172), rtp.getsockname())
        kept = 0
        with suppress(BlockingIOError):
            while rtp.recv(2048):
                kept += 1
        assert kept == packets
