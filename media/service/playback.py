"""Prompts of all sessions: which is played into which leg, and how each ended.

Rule 1: each PlayPrompt has one PromptEnded, unless its session closes before.
Rule 2: one play a leg; another ends it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from media._core import AGENT, CALLER, DONE, KEY
from media.events import Over, PlayPrompt, PromptEnd, PromptEnded, SessionId, Side, StopPrompt
from media.formats.coding import Coding
from media.prompts.shelf import NoPrompt, PromptShelf
from media.service.relayed_session import RelayedSession
from media.service.session_protocol import SessionProtocol
from media.stream_description import RemoteStream
from tonewall.log import get_logger

log = get_logger(__name__)
_LEGS = {Side.CALLER: CALLER, Side.AGENT: AGENT}
_CAUSES = {DONE: PromptEnd.DONE, KEY: PromptEnd.KEY}
_NOT_HERE = "this engine plays no prompts"
_NO_CODEC = "the leg has a codec into which no prompts are played: G.711 or G.722 is needed"


@dataclass(frozen=True, slots=True)
class _Playing:
    """One play that runs: b2bua's number for it, ours in the core, and the stream."""

    play: int
    number: int
    stream: int
    payload_type: int
    coding: Coding


@dataclass(slots=True)
class Playback:
    """What plays. `tell` is given each end."""

    shelf: PromptShelf
    tell: Callable[[PromptEnded], None]
    _playing: dict[SessionId, dict[Side, _Playing]] = field(default_factory=dict)
    _newest: int = 0

    def obey(self, session: SessionProtocol, command: PlayPrompt | StopPrompt) -> None:
        """Play, or stop what plays."""
        if isinstance(command, PlayPrompt):
            self.play(session, command)
        else:
            self.stop(session, command.play)

    def play(self, session: SessionProtocol, command: PlayPrompt) -> None:
        """Begin to play; where that cannot be, its end is told at once."""
        reason = self._begin(session, command)
        if reason is not None:
            log.warning("prompt_refused", call=session.id, why=reason)
            self._tell(session.id, command.play, PromptEnd.REFUSED, reason)

    def _begin(self, session: SessionProtocol, command: PlayPrompt) -> str | None:
        if not isinstance(session, RelayedSession):
            return _NOT_HERE
        found = _find_stream(session, command.side)
        if found is None:
            return _NO_CODEC
        stream, payload_type, coding = found
        self._newest += 1
        try:
            recordings = self.shelf.recordings(
                command.prompts, coding, prompt_set=command.prompt_set, language=command.language
            )
            leg, ducks = _LEGS[command.side], command.over is Over.DUCK
            session.relay.play(stream, leg, self._newest, payload_type, recordings, ducks, command.barge_in)
        except NoPrompt as error:
            return str(error)
        except (OSError, ValueError) as error:
            log.error("prompt_not_played", call=session.id, exc_info=error)
            return f"{type(error).__name__} in the media process"
        playing = self._playing.setdefault(session.id, {})
        before = playing.pop(command.side, None)
        playing[command.side] = _Playing(command.play, self._newest, stream, payload_type, coding)
        if before is not None:
            if before.stream != stream:
                session.relay.stop_play(before.stream, leg)
            self._tell(session.id, before.play, PromptEnd.STOPPED)
        return None

    def stop(self, session: SessionProtocol, play: int) -> None:
        """End a play, if it runs; that is told as the core announces it."""
        for side, playing in self._playing.get(session.id, {}).items():
            if playing.play == play and isinstance(session, RelayedSession):
                session.relay.stop_play(playing.stream, _LEGS[side])

    def remote_changed(self, session: SessionProtocol, side: Side) -> None:
        """A leg's peer has described itself anew: what plays in a payload type that means something
        else there now ends."""
        playing = self._playing.get(session.id, {}).get(side)
        if playing is None or not isinstance(session, RelayedSession):
            return
        remotes = dict(zip(session.streams, session.remotes.get(side, ()), strict=False))
        remote = remotes.get(playing.stream)
        if remote is None or (
            remote.port and _codings(remote).get(playing.payload_type) is not playing.coding
        ):
            session.relay.stop_play(playing.stream, _LEGS[side])

    def key_came(self, session: SessionProtocol) -> None:
        """The customer pressed a key that did not come as RTP."""
        if session.id in self._playing and isinstance(session, RelayedSession):
            for stream in session.streams:
                session.relay.barge_in(stream)

    def ended(self, session: SessionProtocol) -> None:
        """The core announced that something has ended in this session."""
        running = self._playing.get(session.id, {})
        for side, playing in tuple(running.items()):
            if not isinstance(session, RelayedSession):
                continue
            ended = session.relay.played(playing.stream, _LEGS[side])
            if ended is not None and ended[0] == playing.number:
                del running[side]
                self._tell(session.id, playing.play, _CAUSES.get(ended[1], PromptEnd.STOPPED))
        if not running:
            self._playing.pop(session.id, None)

    def session_gone(self, session: SessionId) -> None:
        """The session closes: nothing plays any more."""
        self._playing.pop(session, None)

    def _tell(self, session: SessionId, play: int, cause: PromptEnd, reason: str | None = None) -> None:
        self.tell(PromptEnded(session=session, play=play, cause=cause, reason=reason))


def _find_stream(session: RelayedSession, side: Side) -> tuple[int, int, Coding] | None:
    """A stream of this leg into which prompts can be played, with the payload type and its coding:
    that of the audio which its peer receives, where it receives any."""
    for number, remote in zip(session.streams, session.remotes.get(side, ()), strict=False):
        codings = _codings(remote)
        newest = session.relay.departed_type(number, _LEGS[side])
        payload_type = next(iter(codings), None) if newest is None else newest
        if payload_type is not None and payload_type in codings:
            return number, payload_type, codings[payload_type]
    return None


def _codings(remote: RemoteStream) -> dict[int, Coding]:
    """The payload types in which prompts are played, as this peer has them."""
    return {
        **dict.fromkeys(remote.mu_types, Coding.MU),
        **dict.fromkeys(remote.a_types, Coding.A),
        **dict.fromkeys(remote.g722_types, Coding.G722),
    }
