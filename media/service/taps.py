"""Records the headers of a session's packets for who reads them, and for nobody else.

Rule 1: a tap that is not read for PATIENCE seconds ends, and every tap ends with its session:
        nothing records for a reader who has gone, b2bua included.
"""

from __future__ import annotations

import asyncio
from typing import Final

from media.events import (
    AnyAnswer,
    Done,
    ReadTap,
    Refused,
    SessionId,
    TappedStream,
    TapRead,
    TapRequest,
    TapSession,
)
from media.service.relayed_session import RelayedSession
from media.service.session_protocol import SessionProtocol
from tonewall.log import get_logger

log = get_logger(__name__)
PATIENCE: Final = 10.0
_ANSWER: Final = 100_000  # octets of records after which an answer takes no further stream


class Taps:
    """The sessions whose packets are recorded. `patience`: seconds without a reading."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        # With the end that comes where nobody reads.
        self._tapped: dict[SessionId, tuple[RelayedSession, asyncio.TimerHandle]] = {}

    def __len__(self) -> int:
        return len(self._tapped)

    def obey(self, session: SessionProtocol, command: TapRequest) -> AnyAnswer:
        """Carry out a command. Raises OSError."""
        if not isinstance(session, RelayedSession):
            return Refused(serial=command.serial, reason="an rtpengine server relays this call")
        match command:
            case TapSession(on=on):
                self._switch(session, on)
                return Done(serial=command.serial)
            case ReadTap() if session.tapped:
                self._expect_reader(session)
                return self._read(session, command.serial)
        return Refused(serial=command.serial, reason="nothing is recorded of this session")

    def _switch(self, session: RelayedSession, on: bool) -> None:
        session.tap(on)
        log.info("tap", call=session.id, state="on" if on else "off")
        if on:
            self._expect_reader(session)
        else:
            self._forget(session)

    def _expect_reader(self, session: RelayedSession) -> None:
        self._forget(session)
        end = asyncio.get_running_loop().call_later(self._patience, self._switch, session, False)
        self._tapped[session.id] = session, end

    def _forget(self, session: RelayedSession) -> None:
        if session.id in self._tapped:
            self._tapped.pop(session.id)[1].cancel()

    def _read(self, session: RelayedSession, serial: int) -> TapRead:
        streams: list[TappedStream] = []
        octets = 0
        for stream in session.read_tap():
            streams.append(stream)
            octets += len(stream.records)
            if octets > _ANSWER:
                break
        return TapRead(serial=serial, streams=tuple(streams), whole=octets <= _ANSWER)
