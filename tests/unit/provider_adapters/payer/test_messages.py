"""What a payer receives of a media process that ends."""

from __future__ import annotations

import socket

from provider_adapters.payer.messages import receive_exactly, receive_request


def test_media_that_ends_before_it_read_what_we_said_has_ended_and_is_no_error() -> None:
    media, payer = socket.socketpair()
    with payer:
        payer.sendall(b"ready")  # never read: the kernel resets the connection
        media.close()
        assert receive_request(payer) is None
        assert not receive_exactly(payer, memoryview(bytearray(4)))


def test_a_request_that_breaks_off_is_none() -> None:
    media, payer = socket.socketpair()
    with payer:
        media.sendall(b"\0\0")
        media.close()
        assert receive_request(payer) is None
