"""The media service where rtpengine servers relay: the same commands and answers, carried out over
the ng protocol.

Rule 1: a session's commands are carried out one after another; those of different sessions do not
        wait for each other.
Rule 2: what a server does not confirm is refused; what it might have done stays in doubt, and a
        doubtful mask is none.
Rule 3: a capture begins only where the session's server has just been proven
        (media/rtpengine/self_test.py), and ends as soon as its mask is in doubt.
Rule 4: a server that dies takes its sessions with it, and b2bua gets a `SessionLost` for each.
"""

from __future__ import annotations

import asyncio
import weakref

from media.events import (
    AnyAnswer,
    AnyCommand,
    CloseSession,
    Done,
    MaskEnd,
    OpenSession,
    Refused,
    ResolveCharge,
    SessionId,
    SessionLost,
    SessionOpened,
    SetMask,
    SetRemote,
    StartCapture,
    WidenSession,
)
from media.prompts.shelf import PromptShelf
from media.rtpengine.digit_socket import DigitSocket
from media.rtpengine.ng import NgError
from media.rtpengine.sdp import NotDescribed
from media.rtpengine.self_test import NotProven, prove
from media.rtpengine.servers import NoAnswer, NoServer, Server, Servers
from media.rtpengine.session import NotMasked, RtpengineSession
from media.service.kept_sockets import KeptSockets
from media.service.payers import Payers
from media.service.service import MediaService
from media.service.session_protocol import FinalCounters
from media.service.unmasking import Answer
from media.settings import MaskTimes, MediaSettings
from tonewall.frames import FrameConnection
from tonewall.log import get_logger
from tonewall.tasks import BackgroundTasks

log = get_logger(__name__)
_ROUND = 30  # pings in which each session is looked at once


class DistributedMedia(MediaService):
    """The media process over rtpengine servers. The digits come to this process, as ever."""

    def __init__(
        self,
        settings: MediaSettings,
        payers: Payers,
        times: MaskTimes | None = None,
        shelf: PromptShelf | None = None,
        kept: KeptSockets | None = None,
    ) -> None:
        """Raises OSError where the digit socket cannot be bound."""
        super().__init__(settings, payers, times, shelf, kept)
        addresses = settings.servers()
        self._here = settings.address
        self._digits = DigitSocket(
            settings.digits_address(), [each.host for each in addresses], self._happened
        )
        self._servers = Servers([Server(each) for each in addresses], self._lost_server, self._look_at_server)
        self._there: dict[SessionId, RtpengineSession] = {}
        self._turns: weakref.WeakValueDictionary[SessionId, asyncio.Lock] = weakref.WeakValueDictionary()
        self._carrying = BackgroundTasks()

    async def start(self) -> None:
        """Listen for digits, and meet the servers. Raises OSError."""
        self._digits.start()
        await self._servers.start()

    async def stop(self) -> None:
        """End all sessions at their servers, then the servers."""
        self._digits.stop()
        sessions = list(self._there.values())
        for session in tuple(self._sessions):
            self._close(session, MaskEnd.MEDIA_STOPPED)
        await asyncio.gather(*(session.end_call() for session in sessions))
        await self._servers.stop()

    # --- commands ---------------------------------------------------------------------------------

    def _on_command(self, connection: FrameConnection[AnyCommand], command: AnyCommand) -> None:
        if isinstance(command, SetMask | CloseSession):
            self._unmasking.give_up(command.session, "another command came")
        if isinstance(command, ResolveCharge):
            self._captures.resolve_charge(command, connection.send)
            return
        if isinstance(command, SetMask) and not command.on:
            self._unmasking.ask_to_unmask(command, connection.send)
            return
        failed = Refused(serial=command.serial, reason="an error in the media process")
        self._carrying.start(self._in_turn(connection, command), "command", lambda: connection.send(failed))

    async def _in_turn(self, connection: FrameConnection[AnyCommand], command: AnyCommand) -> None:
        async with self._turns.setdefault(command.session, asyncio.Lock()):
            connection.send(await self._carried_out(command))
        if self._b2bua is not connection and command.session in self._sessions:
            self._orphans.add([self._sessions[command.session]])  # its b2bua was lost meanwhile

    def _take_off(self, command: SetMask, answer: Answer) -> None:
        failed = Refused(serial=command.serial, reason="an error in the media process")
        self._carrying.start(self._taken_off(command, answer), "command", lambda: answer(failed))

    async def _taken_off(self, command: SetMask, answer: Answer) -> None:
        async with self._turns.setdefault(command.session, asyncio.Lock()):
            answer(await self._carried_out(command))

    async def _carried_out(self, command: AnyCommand) -> AnyAnswer:
        session = self._there.get(command.session)
        try:
            return await self._over_ng(command)
        except NoAnswer as error:
            reason = str(error)
            if session is not None:
                self._servers.doubt(session.server)
        except (NoServer, NotMasked, NotProven) as error:
            reason = str(error)
        except (NgError, NotDescribed, OSError, ValueError) as error:
            log.error("command_failed", kind=type(command).__name__, call=command.session, exc_info=error)
            reason = f"{type(error).__name__} at the rtpengine server"
        if session is not None and not session.mask_confirmed:
            self._captures.unmasked(session.id)
            self._masks.doubt(session)
        log.warning("command_refused", kind=type(command).__name__, call=command.session, reason=reason)
        return Refused(serial=command.serial, reason=reason)

    async def _over_ng(self, command: AnyCommand) -> AnyAnswer:
        """Raises NgError, NotDescribed, NoServer, NotMasked, NotProven, OSError, ValueError."""
        session = self._there.get(command.session)
        match command:
            case OpenSession(again=again) if session is None or (again and not session.mask_confirmed):
                if session is not None:
                    await session.end_call()
                    self._close(session.id)
                return await self._open_there(command)
            case WidenSession(streams=count) if session is not None and not session.masked:
                await session.widen(count)
                caller, agent = session.local.values()
                return SessionOpened(serial=command.serial, caller=caller, agent=agent)
            case WidenSession() if session is not None:
                return Refused(serial=command.serial, reason="the session is masked")
            case SetRemote(side=side, streams=streams) if session is not None:
                await session.set_remote(side, streams)
                return Done(serial=command.serial)
            case SetMask(on=True, masking=masking, announced=announced) if session is not None:
                self._unmasking.went_on(session.id, announced=announced)
                await session.set_mask(True, masking)
                self._masks.went_on(session)
                return Done(serial=command.serial)
            case SetMask(masking=masking) if session is not None:
                await session.set_mask(False, masking)
                self._masks.went_off(session, self._unmasking.unmasked(command))
                return Done(serial=command.serial)
            case StartCapture() if session is not None and session.mask_confirmed:
                await prove(session.server, self._digits, self._here, self._opening.next_number)
            case CloseSession() if session is not None:
                await session.end_call()
        return self._obey(command)

    async def _open_there(self, command: OpenSession) -> SessionOpened:
        for server in self._servers.candidates():
            session = RtpengineSession(
                command.session, server, self._digits, self._here, self._opening.next_number, command.streams
            )
            try:
                await session.open()
            except NoAnswer:
                session.mark_lost()
                self._servers.doubt(server)
                continue
            except (NgError, NotDescribed) as error:
                log.error(
                    "rtpengine_took_no_session",
                    peer=server.address.host,
                    port=server.address.port,
                    exc_info=error,
                )
                await session.end_call()
                continue
            self._sessions[session.id] = self._there[session.id] = session
            self._of_stream.update(dict.fromkeys(session.streams, session))
            caller, agent = session.local.values()
            return SessionOpened(serial=command.serial, caller=caller, agent=agent)
        raise NoServer("no rtpengine server could take the call")

    def _close(self, session_id: SessionId, why: MaskEnd = MaskEnd.CALL_ENDED) -> FinalCounters:
        self._there.pop(session_id, None)
        return super()._close(session_id, why)

    def _servers_up(self) -> int:
        return len(self._servers.candidates())

    def _happened(self, stream: int, kind: int) -> None:
        session = self._of_stream.get(stream)
        if isinstance(session, RtpengineSession):
            session.notice_key()
        super()._happened(stream, kind)

    # --- servers ----------------------------------------------------------------------------------

    def _lost_server(self, server: Server) -> None:
        for session in [each for each in self._there.values() if each.server is server]:
            self._lose(session)

    async def _look_at_server(self, server: Server) -> None:
        """A server that was started again, or found a call silent for too long, has forgotten
        sessions."""
        there = [each for each in self._there.values() if each.server is server]
        left = len(there) // _ROUND + 1
        for session in there:
            if left == 0:
                return
            try:
                if not await session.there():
                    self._lose(session)
                    continue  # and so may have been all others
            except NgError:
                return
            left -= 1
            if session.id in self._there:
                # Its turn comes again after all others.
                self._there[session.id] = self._there.pop(session.id)

    def _lose(self, session: RtpengineSession) -> None:
        if self._there.get(session.id) is session:
            log.error("session_lost", call=session.id, peer=session.server.address.host)
            session.mark_lost()
            self._close(session.id, MaskEnd.SERVER_LOST)
            self._tell(SessionLost(session=session.id))
