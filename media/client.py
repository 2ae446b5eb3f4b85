"""The façade of media that b2bua sees: commands go down one unix socket, answers and news come up.

Rule 1: a command is answered once, or the connection is lost; then every unanswered command is lost
        with it. Who waits for an answer (`ask`) gets `Refused` then.
Rule 2: no answer is invented here: what media did not confirm is not confirmed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import cast

import msgspec

from media.events import AnyAnswer, AnyCommand, AnyNews, Refused
from tonewall.frames import BadFrame, FrameConnection
from tonewall.log import get_logger

log = get_logger(__name__)
_FromMedia = AnyAnswer | AnyNews
_AWAY = "the media process is not reachable"


class MediaClient:
    """A connection to the media process that comes back by itself.

    `on_answer` gets each answer with the command it belongs to, `on_news` what happens by itself,
    `on_state` True when media is reachable and False when it was lost, with all of its sessions.
    """

    def __init__(
        self,
        path: str,
        on_answer: Callable[[AnyCommand, AnyAnswer], None],
        on_news: Callable[[AnyNews], None],
        on_state: Callable[[bool], None],
    ) -> None:
        self._path = path
        self._on_answer, self._on_news, self._on_state = on_answer, on_news, on_state
        self._connection: FrameConnection[_FromMedia] | None = None
        self._waiting: dict[int, AnyCommand] = {}
        self._asked: dict[int, asyncio.Future[AnyAnswer]] = {}
        self._serial = 0
        self._reached = asyncio.Event()  # once

    @property
    def connected(self) -> bool:
        """Whether commands would reach media now."""
        return self._connection is not None

    def send(self, command: AnyCommand) -> None:
        """Send one command. While media is away it is refused at once, through `on_answer`."""
        self._serial += 1
        numbered = msgspec.structs.replace(command, serial=self._serial)
        if self._connection is None:
            self._on_answer(numbered, Refused(serial=self._serial, reason=_AWAY))
            return
        self._waiting[self._serial] = numbered
        self._connection.send(numbered)

    async def ask(self, command: AnyCommand) -> AnyAnswer:
        """Send one command; its answer, which does not come to `on_answer`."""
        self._serial += 1
        serial = self._serial
        if self._connection is None:
            return Refused(serial=serial, reason=_AWAY)
        answered: asyncio.Future[AnyAnswer] = asyncio.get_running_loop().create_future()
        self._asked[serial] = answered
        self._connection.send(msgspec.structs.replace(command, serial=serial))
        return await answered

    async def run(self, retry: float = 0.2) -> None:
        """Connect, read until the connection is lost, connect again; for ever. `retry` in
        seconds."""
        loop = asyncio.get_running_loop()
        kind = cast("type[_FromMedia]", _FromMedia)
        while True:
            lost: asyncio.Future[Exception | None] = loop.create_future()
            connection = FrameConnection(kind, self._on_message, lost.set_result)
            try:
                # Called before it returns.
                await loop.create_unix_connection(lambda: connection, self._path)  # noqa: B023
            except OSError:
                await asyncio.sleep(retry)
                continue
            self._connection = connection
            self._on_state(True)
            self._reached.set()
            try:
                error = await lost
                if isinstance(error, BadFrame):
                    log.error("bad_frame_from_media", exc_info=error)
            finally:  # also where we are cancelled, which is no loss of media
                self._connection = connection.lost = None
                self._waiting.clear()
                self._refuse_asked()
                connection.close()
            self._on_state(False)

    async def wait_connected(self, seconds: float) -> None:
        """Wait for the first connection of `run`, so many seconds at most."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._reached.wait(), seconds)

    def _on_message(self, message: _FromMedia) -> None:
        if isinstance(message, AnyNews):
            self._on_news(message)
            return
        if (asked := self._asked.pop(message.serial, None)) is not None:
            if not asked.done():  # who asked may have gone
                asked.set_result(message)
            return
        command = self._waiting.pop(message.serial, None)
        if command is None:
            log.error("unexpected_answer_of_media", kind=type(message).__name__)
        else:
            self._on_answer(command, message)

    def _refuse_asked(self) -> None:
        for serial, asked in self._asked.items():
            if not asked.done():
                asked.set_result(Refused(serial=serial, reason=_AWAY))
        self._asked.clear()
