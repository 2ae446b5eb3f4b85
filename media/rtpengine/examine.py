"""What `tonewall doctor` asks of rtpengine servers: whether each answers, masks by the recipe, and
reports keys to us."""

from __future__ import annotations

import errno
import itertools
from dataclasses import dataclass

from media.rtpengine.digit_socket import DigitSocket
from media.rtpengine.self_test import NotProven, prove
from media.rtpengine.servers import Server, Servers
from media.settings import MediaSettings, ServerAddress


@dataclass(frozen=True, slots=True)
class Examined:
    """One server: whether all is well, and what to say of it. `good` None: it could not be
    tried."""

    address: ServerAddress
    good: bool | None
    says: str


async def examine(settings: MediaSettings) -> list[Examined]:
    """Every server, in its order: the proof that media makes before each capture
    (media/rtpengine/self_test.py)."""
    servers = [Server(address) for address in settings.servers()]
    try:
        digits = DigitSocket(
            settings.digits_address(),
            [server.address.host for server in servers],
            lambda _stream, _kind: None,
        )
    except OSError as error:
        digits = None
        why = "in use, as it is where media runs" if error.errno == errno.EADDRINUSE else error.strerror
    watched = Servers(servers, lambda _server: None, _no_look)
    if digits is not None:
        digits.start()
    try:
        await watched.start()
        found = []
        for server in servers:
            if not server.up:
                found.append(
                    Examined(server.address, False, "no answer to ping; is it running, is a firewall shut?")
                )
            elif digits is None:
                found.append(
                    Examined(
                        server.address, None, f"answers; not tried, since [media] rtpengine_digits is {why}"
                    )
                )
            else:
                found.append(await _proven(server, digits, settings.address))
        return found
    finally:
        if digits is not None:
            digits.stop()
        await watched.stop()


async def _proven(server: Server, digits: DigitSocket, here: str) -> Examined:
    try:
        await prove(server, digits, here, itertools.count(1).__next__)
    except NotProven as error:
        return Examined(server.address, False, f"{error}; see docs/rtpengine.md for how it is started")
    return Examined(server.address, True, "answers, masks a key and reports it to us")


async def _no_look(_server: Server) -> None:
    """There are no sessions to look at."""
