"""Records the packets of calls under way into capture files, for who reads them.

Rule 1: a recording ends with its reader, its call, its time or its size, whichever is first; media
        ends a tap that is not read by itself.
Rule 2: of a call there is one recording at most, and MAX_RECORDINGS at once: each holds the records
        of a second or two.
Rule 3: where media is lost, the file says so and goes on with messages; a session that is opened
        anew is recorded anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Final, Protocol

from b2bua.call.prepared_desk import Desk
from b2bua.call.view import NoSuchCall, NotNow
from b2bua.ladder.recording import SETTLED_US, Recording
from b2bua.ladder.view import LadderDesk, LadderView, NoSuchLadder
from media.events import AnyAnswer, AnyCommand, ReadTap, Refused, SessionId, TappedStream, TapRead, TapSession
from tonewall.log import get_logger

log = get_logger(__name__)
MAX_RECORDINGS: Final = 32
INTERVAL: Final = 0.5  # seconds between two readings
_LAST: Final = 2  # readings after the end of a call: its BYE is answered still
_PULSE: Final = 5.0  # seconds in which something is sent, if only that nothing came
_MICROS: Final = 1_000_000
_TWICE: Final = "The packets of this call are being recorded already."
_TOO_MANY: Final = "Too many calls are being recorded. Try again when one of them has ended."


class AskedMedia(Protocol):
    """The media process, for who waits for its answers."""

    async def ask(self, command: AnyCommand) -> AnyAnswer:
        """Send a command; its answer."""
        ...


class PacketRecordings:
    """All recordings of a process. `now` gives seconds since the epoch; `interval`: as INTERVAL."""

    def __init__(
        self,
        media: AskedMedia,
        desk: Desk,
        ladders: LadderDesk,
        now: Callable[[], float],
        interval: float = INTERVAL,
    ) -> None:
        self._media, self._desk, self._ladders, self._now = media, desk, ladders, now
        self._interval = interval
        self._under_way: set[str] = set()

    async def begin(self, name: str, seconds: float, octets: int) -> AsyncGenerator[bytes]:
        """A recording of the call of this name, so long and so large at most, which whoever asked
        reads or closes. Raises NoSuchCall, NotNow."""
        call = self._desk.find_call(name).id
        if call in self._under_way:
            raise NotNow(_TWICE)
        if len(self._under_way) >= MAX_RECORDINGS:
            raise NotNow(_TOO_MANY)
        self._under_way.add(call)
        try:
            answer = await self._tap(call, on=True)
            if isinstance(answer, Refused):
                raise NotNow(f"The packets of this call cannot be recorded: {answer.reason}.")
            chunks = self._chunks(call, self._now() + seconds, octets)
            await anext(chunks)  # from here on its end is certain to be reached
        except BaseException:
            self._under_way.discard(call)
            raise
        return chunks

    async def _chunks(self, call: str, until: float, room: int) -> AsyncGenerator[bytes]:
        file, why, left, quiet = Recording(), "", _LAST, 0.0
        try:
            yield b""
            chunk = file.begin()
            while not why:
                yield chunk
                room -= len(chunk)
                await asyncio.sleep(self._interval)
                now = self._now()
                view = self._view(call)
                file.add(view, await self._read(call, file))
                chunk = file.take(round(now * _MICROS) - SETTLED_US)
                quiet = 0.0 if chunk else quiet + self._interval
                if quiet >= _PULSE:
                    chunk, quiet = file.pulse(round(now * _MICROS)), 0.0
                if not self._is_up(call):
                    left -= 1
                    why = "" if left else "the call has ended"
                elif now >= until:
                    why = "the time of the recording is over"
                elif room - len(chunk) <= 0:
                    why = "the file has the size that it may have"
            yield chunk + file.end(round(self._now() * _MICROS), why)
        finally:
            self._under_way.discard(call)
            with suppress(asyncio.CancelledError):
                await self._tap(call, on=False)

    async def _tap(self, call: str, *, on: bool) -> AnyAnswer:
        return await self._media.ask(TapSession(session=SessionId(call), on=on))

    async def _read(self, call: str, file: Recording) -> list[TappedStream]:
        """What media has recorded since the last time."""
        streams: list[TappedStream] = []
        while True:
            answer = await self._media.ask(ReadTap(session=SessionId(call)))
            if not isinstance(answer, TapRead):
                if self._is_up(call):
                    file.note("media recorded nothing before this: it was lost, or the session opened anew")
                    await self._tap(call, on=True)
                return streams
            streams += answer.streams
            if answer.whole:
                return streams

    def _view(self, call: str) -> LadderView | None:
        with suppress(NoSuchLadder):
            return self._ladders.ladder_of(call)
        return None

    def _is_up(self, call: str) -> bool:
        with suppress(NoSuchCall, NotNow):
            return bool(self._desk.find_call(call))
        return False
