"""The façade of media that b2bua sees: commands go down one unix socket, answers and news come up.

Rule 1: a command is answered once: by media, or by `Unanswered` where the connection is lost, once
        `on_state` has said so. Who waits for an answer (`ask`) gets `Refused` then.
Rule 2: no other answer is invented here: what media did not confirm is not confirmed.
Rule 3: media is connected once it has answered: its listener outlives it, and takes a connection
        before there is anybody who reads it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final, cast

import msgspec

from media.events import AnyAnswer, AnyCommand, AnyNews, CountSessions, Refused, Unanswered
from tonewall.frames import BadFrame, FrameConnection
from tonewall.log import get_logger

log = get_logger(__name__)
_FromMedia = AnyAnswer | AnyNews
_AWAY = "the media process is not reachable"
_SOON: Final = 0.005
"""Seconds between two attempts where media was there, or should be, a moment ago."""
_SOON_FOR: Final = 2.0


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
        self._greeting: asyncio.Future[None] | None = None  # until media has answered the first command
        self._reached = asyncio.Event()  # once

    @property
    def connected(self) -> bool:
        """Whether commands would reach media now."""
        return self._connection is not None

    @property
    def is_waiting(self) -> bool:
        """Whether an answer of media is awaited."""
        return bool(self._waiting or self._asked)

    def send(self, command: AnyCommand) -> None:
        """Send one command. While media is away it is refused at once, through `on_answer`."""
        self._serial += 1
        numbered = msgspec.structs.replace(command, serial=self._serial)
        if self._connection is None:
            self._on_answer(numbered, Unanswered(serial=self._serial, reason=_AWAY))
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
        """Connect, read until the connection is lost, connect again; for ever. `retry`: seconds
        between two attempts, once the first have failed."""
        loop = asyncio.get_running_loop()
        kind = cast("type[_FromMedia]", _FromMedia)
        since = loop.time()
        while True:
            lost: asyncio.Future[Exception | None] = loop.create_future()
            connection = FrameConnection(kind, self._on_message, lost.set_result)
            try:
                # Called before it returns.
                await loop.create_unix_connection(lambda: connection, self._path)  # noqa: B023
            except OSError:
                await _pause(since, retry)
                continue
            try:
                error = await self._serve(connection, lost)
            finally:  # also where we are cancelled, which is no loss of media
                was_there, self._connection, connection.lost = self.connected, None, None
                waiting, self._waiting = self._waiting, {}
                self._refuse_asked()
                connection.close()
            if isinstance(error, BadFrame):
                log.error("bad_frame_from_media", exc_info=error)
            if not was_there:
                await _pause(since, retry)
                continue
            since = loop.time()
            self._on_state(False)
            for command in waiting.values():
                self._on_answer(command, Unanswered(serial=command.serial, reason=_AWAY))

    async def _serve(
        self, connection: FrameConnection[_FromMedia], lost: asyncio.Future[Exception | None]
    ) -> Exception | None:
        """Greet media, then read until the connection is lost; why it was."""
        self._greeting = asyncio.get_running_loop().create_future()
        connection.send(CountSessions())
        await asyncio.wait((lost, self._greeting), return_when=asyncio.FIRST_COMPLETED)
        if lost.done():
            return lost.result()
        self._connection = connection
        self._on_state(True)
        self._reached.set()
        return await lost

    async def wait_connected(self, seconds: float) -> None:
        """Wait for the first connection of `run`, so many seconds at most."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._reached.wait(), seconds)

    def _on_message(self, message: _FromMedia) -> None:
        if isinstance(message, AnyNews):
            self._on_news(message)
            return
        if self._greeting is not None and message.serial == 0:
            if not self._greeting.done():
                self._greeting.set_result(None)
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


async def _pause(since: float, retry: float) -> None:
    """Wait for the next attempt. `since`: when media was there last, or should have been."""
    soon = asyncio.get_running_loop().time() - since < _SOON_FOR
    await asyncio.sleep(min(_SOON, retry) if soon else retry)
