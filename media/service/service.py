"""Carries out b2bua's commands with the core: sessions, masks and captures.

Rule 1: `Done` to SetMask means that the media thread has applied it; when a mask goes off is
        decided in unmasking.py.
Rule 2: where b2bua is lost, captures are wiped, masks stay, and what is relayed goes on until it
        falls silent.
Rule 3: a command that fails is refused and logged; it never ends the process, which carries
        everybody's calls.
"""

from __future__ import annotations

import asyncio
from typing import cast

from media._core import KEYED, LEAKED, OVERFLOW, PLAYED, Relay
from media.events import (
    AgentKeyed,
    AnyAnswer,
    AnyCommand,
    AnyNews,
    CaptureRequest,
    ClaimSession,
    CloseSession,
    Counted,
    CountSessions,
    Done,
    InfoKeyed,
    KeyWithheld,
    MaskEnd,
    OpenSession,
    PlayPrompt,
    Refused,
    ResolveCharge,
    SendKey,
    SessionClaimed,
    SessionClosed,
    SessionId,
    SessionOpened,
    SetMask,
    SetRemote,
    StartCapture,
    StopPrompt,
    TapRequest,
    WidenSession,
)
from media.peer import Peer
from media.prompts.shelf import PromptShelf
from media.service.capture_driver import CaptureDriver
from media.service.capture_limits import limits
from media.service.counting import count_sessions
from media.service.handing_over import HandingOver
from media.service.kept_sockets import KeptSockets
from media.service.line_watch import LOOK, Watch
from media.service.mask_reports import MaskReports
from media.service.orphans import LOOKS, Orphans
from media.service.passed_keys import news_of_keys, pass_key
from media.service.payers import Payers
from media.service.playback import Playback
from media.service.ports import NoPorts
from media.service.relayed_session import RelayedSession, own
from media.service.session_opening import SessionOpening
from media.service.session_protocol import FinalCounters, SessionProtocol
from media.service.taps import Taps
from media.service.threads import MediaThreads
from media.service.unmasking import Answer, Unmasking
from media.settings import MaskTimes, MediaSettings
from tonewall.frames import BadFrame, FrameConnection
from tonewall.log import get_logger

log = get_logger(__name__)


class MediaService(HandingOver):
    """Everything of the media process but its sockets to others."""

    def __init__(
        self,
        settings: MediaSettings,
        payers: Payers,
        times: MaskTimes | None = None,
        shelf: PromptShelf | None = None,
        kept: KeptSockets | None = None,
    ) -> None:
        self._threads = MediaThreads(settings.threads)
        self.take_decoder = self._threads.take_decoder
        self._realtime, self._quiet_time = settings.realtime, settings.quiet_time
        self._coalescing, self._masked_coalescing = settings.coalescing, settings.masked_coalescing
        self._orphans, self._watch = Orphans(), Watch(settings.media_timeout)
        self._kept = KeptSockets() if kept is None else kept
        self._opening = SessionOpening(settings, self._threads, self._kept)
        self._payers = payers
        self._sessions: dict[SessionId, SessionProtocol] = {}
        self._unmasking = Unmasking(
            times or MaskTimes(),
            find=self._sessions.get,
            runs=lambda session: self._captures.runs(session),  # noqa: PLW0108 - made below
            take_off=self._take_off,
            tell=self._tell,
        )
        over = self._unmasking.capture_over
        self._captures = CaptureDriver(payers, limits(settings), self._tell, over)
        self._masks = MaskReports(self._tell, lambda: self._b2bua is not None)
        self._playback, self._taps = Playback(shelf or PromptShelf(), self._tell), Taps()
        self._of_stream: dict[int, SessionProtocol] = {}
        self._leaks = 0  # that the canary stopped
        self._b2bua: FrameConnection[AnyCommand] | None = None
        self.peer = Peer()

    async def start(self) -> None:
        """Start the media threads and listen to what they report."""
        self._threads.start(
            realtime=self._realtime, coalescing=self._coalescing, masked_coalescing=self._masked_coalescing
        )
        for relay in self._threads:
            asyncio.get_running_loop().add_reader(relay.fileno(), self._relay_reports, relay)

    async def stop(self) -> None:
        """Close all sessions, end the threads."""
        for relay in self._threads:
            asyncio.get_running_loop().remove_reader(relay.fileno())
        for session in tuple(self._sessions):
            self._close(session, MaskEnd.MEDIA_STOPPED)
        self._threads.stop()

    # --- b2bua ------------------------------------------------------------------------------------

    def accept(self) -> FrameConnection[AnyCommand]:
        """A connection that `peer` may admit as b2bua's."""
        connection: FrameConnection[AnyCommand] = FrameConnection(
            cast("type[AnyCommand]", AnyCommand), lambda command: self._on_command(connection, command)
        )
        connection.made = lambda end: self.peer.admits(end) and self._take_over(connection)
        connection.lost = lambda error: self._on_connection_lost(connection, error)
        return connection

    def _take_over(self, connection: FrameConnection[AnyCommand]) -> bool:
        """A newer connection of b2bua's; the older is closed."""
        if self._b2bua is not None:
            self._b2bua.close()
            self._lose_b2bua()
        self._b2bua = connection
        log.info("b2bua_connected", sessions=len(self._sessions))
        self._masks.tell_waiting()
        self._kept.expect_claims()
        return True

    def _on_connection_lost(self, connection: FrameConnection[AnyCommand], error: Exception | None) -> None:
        if isinstance(error, BadFrame):
            log.error("bad_frame_from_b2bua", exc_info=error)
        if self._b2bua is connection:
            self._b2bua = None
            self._lose_b2bua()

    def _lose_b2bua(self) -> None:
        if self._sessions:  # else it may be an end in good order
            log.warning("b2bua_lost", sessions=len(self._sessions), why="what is masked stays masked")
        self._captures.b2bua_gone()
        self._unmasking.give_up_all("b2bua is lost")
        self._orphans.add(self._sessions.values())

    async def end_quiet_orphans(self) -> None:
        """Close, for ever, what has lost its b2bua and has fallen silent."""
        while True:
            await asyncio.sleep(self._quiet_time / LOOKS)
            for session_id in self._orphans.silent(self._sessions.get):
                log.info("orphan_closed", call=session_id)
                try:
                    self._close(session_id, MaskEnd.B2BUA_LOST)
                except Exception as error:  # the others are still to be closed
                    log.error("orphan_not_closed", call=session_id, exc_info=error)

    async def watch_lines(self) -> None:
        """Say, for ever, who is not heard."""
        while True:
            await asyncio.sleep(LOOK)
            keying = [each for each in self._captures.keying() if isinstance(each, RelayedSession)]
            relayed = [each for each in self._sessions.values() if isinstance(each, RelayedSession)]
            for news in self._watch.look_at_sessions(keying, relayed, asyncio.get_running_loop().time()):
                self._tell(news)
            self._captures.look_at_keys()

    def _on_command(self, connection: FrameConnection[AnyCommand], command: AnyCommand) -> None:
        if isinstance(command, ResolveCharge):
            self._captures.resolve_charge(command, connection.send)
            return
        if isinstance(command, SetMask | CloseSession):
            self._unmasking.give_up(command.session, "another command came")
        if isinstance(command, SetMask) and not command.on:
            self._unmasking.ask_to_unmask(command, connection.send)
            return
        answer = self._obey(command)
        # That a peer's address was taken is no news to anybody, unless an answer waits for it; that
        # it was not, is.
        quiet = isinstance(command, SetRemote) and not command.mark and isinstance(answer, Done)
        connection.send(answer, urgent=not quiet)

    def _take_off(self, command: SetMask, answer: Answer) -> None:
        answer(self._obey(command))

    def _obey(self, command: AnyCommand) -> AnyAnswer:
        try:
            return self._carry_out(command)
        except NoPorts as error:
            reason = str(error)
        except (OSError, ValueError, KeyError, OverflowError) as error:
            log.error("command_failed", kind=type(command).__name__, call=command.session, exc_info=error)
            reason = f"{type(error).__name__} in the media process"
        return Refused(serial=command.serial, reason=reason)

    def _carry_out(self, command: AnyCommand) -> AnyAnswer:
        serial = command.serial
        if isinstance(command, OpenSession):
            return self._open(command)
        if isinstance(command, CountSessions):
            return self._count(serial)
        session = self._sessions.get(command.session)
        if session is None:
            return self._restore(command)
        if isinstance(command, WidenSession):
            return self._widen(session, command)
        if isinstance(command, ClaimSession):
            self._orphans.forget(session.id)
            self._unmasking.claimed(session.id)
            runs = self._captures.runs(session.id)
            return SessionClaimed(serial=serial, masked=session.masked, capturing=runs)
        reason: str | None = None
        match command:
            case SetRemote(side=side, streams=streams, codes=codes):
                own(session).set_remote(side, streams, codes=codes)
                self._playback.remote_changed(session, side)
            case SetMask(on=True, masking=masking, announced=announced):
                self._unmasking.went_on(session.id, announced=announced)  # or will have, at least in part
                own(session).set_mask(True, masking)
                self._masks.went_on(session)
            case SetMask(masking=masking):
                own(session).set_mask(False, masking)
                self._masks.went_off(session, self._unmasking.unmasked(command))
            case StartCapture(capture=capture, by_info=by_info, form=form, slow=slow, wishes=wishes):
                reason = self._captures.start(
                    session, capture, form, by_info=by_info, slow=slow, wishes=wishes
                )
            case InfoKeyed(body=body):
                self._playback.key_came(session)
                reason = self._captures.info_keyed(session.id, body)
            case KeyWithheld():
                self._playback.key_came(session)
                self._unmasking.key_came(session.id)
            case PlayPrompt() | StopPrompt():
                self._playback.obey(session, command)
            case SendKey() | AgentKeyed():
                reason = pass_key(session, command)
            case TapRequest():
                return self._taps.obey(session, command)
            case CloseSession():
                caller, agent = self._close(session.id)
                came = session.came if isinstance(session, RelayedSession) else ({}, {})
                types = {"caller_types": came[0], "agent_types": came[1]}
                return SessionClosed(serial=serial, caller=caller, agent=agent, **types)
            case CaptureRequest():
                reason = self._captures.obey(command)
        return Done(serial=serial) if reason is None else Refused(serial=serial, reason=reason)

    def _open(self, command: OpenSession) -> AnyAnswer:
        if command.session in self._sessions:
            if not command.again or self._sessions[command.session].mask_confirmed:
                return Refused(serial=command.serial, reason="the session exists")
            self._close(command.session)
        self._kept.let_go(command.session)
        session = self._opening.open(command)
        self._add(session)
        caller, agent = session.local.values()
        return SessionOpened(serial=command.serial, caller=caller, agent=agent)

    def _restore(self, command: AnyCommand) -> AnyAnswer:
        """Have a session that another media process had, where the command claims it."""
        session = self._opening.restore(command)
        if session is None:
            return Refused(serial=command.serial, reason="no such session")
        self._add(session)
        if session.masked:
            self._unmasking.capture_over(session.id, approved=False)
            self._masks.went_on(session)
        return SessionClaimed(serial=command.serial, masked=session.masked, restored=True)

    def _add(self, session: RelayedSession) -> None:
        self._sessions[session.id] = session
        self._of_stream.update(dict.fromkeys(session.streams, session))

    def _widen(self, session: SessionProtocol, command: WidenSession) -> AnyAnswer:
        if not isinstance(session, RelayedSession):
            return Refused(serial=command.serial, reason="another engine opens no more streams")
        if session.masked:
            return Refused(serial=command.serial, reason="the session is masked")
        self._of_stream.update(dict.fromkeys(session.widen(command.streams), session))
        caller, agent = session.local.values()
        return SessionOpened(serial=command.serial, caller=caller, agent=agent)

    def _close(self, session_id: SessionId, why: MaskEnd = MaskEnd.CALL_ENDED) -> FinalCounters:
        session = self._sessions.pop(session_id)
        self._masks.went_off(session, why)
        self._captures.call_gone(session_id)
        self._unmasking.went_off(session_id)
        self._playback.session_gone(session_id)
        for stream in session.streams:
            self._of_stream.pop(stream, None)
        if isinstance(session, RelayedSession):
            self._threads.remove_session(session.relay)
        return session.close()

    def _count(self, serial: int) -> Counted:
        parts = self._captures, self._payers, self._servers_up()
        return count_sessions(serial, len(self._sessions), *parts, self._leaks)

    def _servers_up(self) -> int | None:
        return None

    # --- what happens by itself -------------------------------------------------------------------

    def _relay_reports(self, relay: Relay) -> None:
        for stream, kind in relay.take_events():
            try:
                self._happened(stream, kind)
            except Exception as error:  # the other streams have events too
                log.error("core_event_failed", stream=stream, exc_info=error)

    def _happened(self, stream: int, kind: int) -> None:
        session = self._of_stream.get(stream)
        if session is None:
            return
        if kind == KEYED:
            self._captures.keys_waiting(session.id, stream)
        elif kind == OVERFLOW:
            self._captures.key_lost(session.id)
        elif kind == PLAYED:
            self._playback.ended(session)
        elif (news := news_of_keys(session, stream, kind)) is not None:
            self._tell(news)
        elif kind == LEAKED:
            self._leaks += 1
            log.error(
                "key_got_through_the_mask",
                call=session.id,
                why="the canary cut the audio off; report this as a bug",
            )
            self._captures.key_leaked(session.id)

    def _tell(self, news: AnyNews) -> None:
        if self._b2bua is not None:
            self._b2bua.send(news)
