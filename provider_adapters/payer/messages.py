"""Defines the messages between media and one payer, on the socket pair that they share.

    payer                           media
    | -- Ready -----------------------> |  it could charge at once
    | <---------------- Resolution ---- |  any number of times: of another payer's charge
    | -- Resolved --------------------> |  by the journal
    | <------------- ChargeRequest ---- |  a frame, and directly behind it, unframed,
    | <--------------- digit block ---- |  ASCII digits, field by field, nothing between or behind
    | -- Result ----------------------> |  then the payer closes and exits

Rule 1: a message has no field for a digit; digits travel in the digit block only, which goes from
        locked memory into the socket and from the socket into locked memory, and is never a Python
        object on the way.
Rule 2: one charge a payer, and nothing after it. Whatever else arrives, or an end, closes the
        connection.
"""

from __future__ import annotations

import socket
import struct
from typing import cast

import msgspec

from provider_adapters.payment import Charge, Outcome
from tonewall.frames import LIMIT, BadFrame, Unpacker

_LENGTH = struct.Struct(">I")


class Ready(msgspec.Struct, frozen=True, kw_only=True, tag="ready"):
    """The payer waits for a charge. It will have answered `patience` seconds after it got one, or
    it never will."""

    pid: int
    patience: float


class ChargeRequest(msgspec.Struct, frozen=True, kw_only=True, tag="charge"):
    """Charge, or deliver, the digits that follow. `fields`: name and number of digits of each, in
    the order of the block."""

    charge: Charge
    fields: tuple[tuple[str, int], ...]


class Resolution(msgspec.Struct, frozen=True, kw_only=True, tag="resolve"):
    """Ask the journal what became of this charge, which was submitted then (seconds since the
    epoch)."""

    charge: Charge
    submitted_at: float


class Resolved(msgspec.Struct, frozen=True, kw_only=True, tag="resolved"):
    """What became of it; None while a payer may still be at it."""

    outcome: Outcome | None = None


class Result(msgspec.Struct, frozen=True, kw_only=True, tag="result"):
    """What became of the charge."""

    outcome: Outcome


FromPayer = Ready | Resolved | Result
ToPayer = ChargeRequest | Resolution
_REQUEST = Unpacker(cast("type[ToPayer]", ToPayer))


def receive_request(sock: socket.socket) -> ToPayer | None:
    """The next request, read to its last byte and no further; None where media closed. Blocks.
    Raises BadFrame."""
    head = bytearray(_LENGTH.size)
    if not receive_exactly(sock, memoryview(head)):
        return None
    (length,) = _LENGTH.unpack(head)
    if length > LIMIT:
        raise BadFrame(f"a frame of {length} bytes, limit {LIMIT}")
    body = bytearray(length)
    if not receive_exactly(sock, memoryview(body)):
        return None
    return _REQUEST.decode(bytes(body))


def receive_exactly(sock: socket.socket, space: memoryview) -> bool:
    """Fill `space` from the socket without any other copy; False where it ends before. Blocks."""
    filled = 0
    while filled < len(space):
        try:
            count = sock.recv_into(space[filled:])
        except ConnectionResetError:  # the other end closed before it read what we had said
            return False
        if count == 0:
            return False
        filled += count
    return True
