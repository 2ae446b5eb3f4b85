"""Media's end of the socket to one payer: wait until it is ready, spend one card or form, learn the
outcome.

Rule 1: the digits go from the caller's memory straight into the socket (sendmsg); no copy of them
        is made here.
Rule 2: what was not handed over completely is `Failed`; what was, and is not answered, is
        `Unknown`.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Coroutine, Mapping
from typing import Any, cast

from provider_adapters.payer.messages import ChargeRequest, FromPayer, Ready, Resolution, Resolved, Result
from provider_adapters.payment import Charge, Failed, Outcome, Unknown
from tonewall.frames import LIMIT, BadFrame, Unpacker, pack

_LENGTH = struct.Struct(">I")


class PayerGone(Exception):
    """The payer ended before it was ready: its configuration is wrong, or it was stopped."""


class PayerPipe:
    """One payer, seen from media. Owns the socket. Every method is to be called from one event
    loop."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._ready: Ready | None = None
        self._spent = False
        # A union of tagged structs is what Unpacker takes, but no `type` for the type checker.
        self._unpacker = Unpacker(cast("type[FromPayer]", FromPayer))

    async def ready(self) -> Ready:
        """Wait until the payer could charge at once. Raises PayerGone."""
        if self._ready is None:
            message = await self._receive()
            if not isinstance(message, Ready):
                self.close()
                raise PayerGone("the payer ended before it was ready")
            self._ready = message
        return self._ready

    def alive(self) -> bool:
        """Whether the payer was still there a moment ago."""
        try:
            return self._sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    async def resolve(self, charge: Charge, submitted_at: float, patience: float) -> Outcome | None:
        """What the journal says of a charge that another payer had, or was to have; None while that
        one may still be at it.

        This one goes on waiting. Raises PayerGone where it does not answer within `patience`
        seconds."""
        request = pack(Resolution(charge=charge, submitted_at=submitted_at))
        try:
            async with asyncio.timeout(patience):
                await asyncio.get_running_loop().sock_sendall(self._sock, request)
                message = await self._receive()
        except (OSError, TimeoutError):
            message = None
        if not isinstance(message, Resolved):
            self.close()
            raise PayerGone("the payer did not say what the journal has")
        return message.outcome

    def spend(self, charge: Charge, digits: Mapping[str, memoryview]) -> Coroutine[Any, Any, Outcome]:
        """Hand over the charge and the digits at once; await the outcome.

        `digits`: ASCII, by the field's name, in the form's order: those of a card
        (provider_adapters/card.py), or, where the operation is `deliver`, none of a card's
        (provider_adapters/keyed.py). They are in the socket when this returns, so the caller may
        wipe them before it awaits. The outcome comes whatever the payer does. Raises RuntimeError
        for a second use, PayerGone where the payer never became ready.
        """
        if self._spent:
            raise RuntimeError("a payer charges once")
        if self._ready is None:
            raise PayerGone("the payer is not ready")
        self._spent = True
        return self._outcome(self._hand_over(charge, digits), self._ready.patience)

    async def _outcome(self, handed_over: bool, patience: float) -> Outcome:
        try:
            if not handed_over:
                return Failed(reason="payer_gone")
            async with asyncio.timeout(patience):
                message = await self._receive()
        except TimeoutError:
            return Unknown(reason="payer_silent")
        finally:
            self.close()
        return message.outcome if isinstance(message, Result) else Unknown(reason="payer_gone")

    def _hand_over(self, charge: Charge, digits: Mapping[str, memoryview]) -> bool:
        fields = tuple((name, len(view)) for name, view in digits.items())
        frame = pack(ChargeRequest(charge=charge, fields=fields))
        whole = len(frame) + sum(length for _, length in fields)
        try:
            # A partial write cannot be completed without slicing secrets about, and cannot happen
            # on an empty socket pair; the payer discards an incomplete block, so closing is safe.
            return self._sock.sendmsg([frame, *digits.values()], [], socket.MSG_NOSIGNAL) == whole
        except OSError:
            return False

    async def _receive(self) -> FromPayer | None:
        head = await self._exactly(_LENGTH.size)
        if head is None:
            return None
        (length,) = _LENGTH.unpack(head)
        body = await self._exactly(length) if length <= LIMIT else None
        try:
            return None if body is None else self._unpacker.decode(body)
        except BadFrame:
            return None

    async def _exactly(self, count: int) -> bytes | None:
        loop = asyncio.get_running_loop()
        parts = bytearray()
        while len(parts) < count:
            try:
                part = await loop.sock_recv(self._sock, count - len(parts))
            except OSError:
                return None
            if not part:
                return None
            parts += part
        return bytes(parts)

    def close(self) -> None:
        """Let go of the payer: one that waits exits, one that charges goes on to its end."""
        self._sock.close()
