"""Who is not heard: customers of whom nothing was accepted since their capture began, and sessions
in which nothing comes at all.

Rule 1: time and counters are given; nothing here reads a clock or a socket.
Rule 2: a line is deaf when `DEAF_AFTER` seconds of a capture have brought nothing, and no more as
        soon as something is accepted.
Rule 3: who was heard in a capture may fall silent (silence is not sent by every phone); it is deaf
        again only where others' packets, or such that SRTP does not prove, come in the place of the
        customer's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from media.events import AnyNews, Deaf, DeafReason, LineChanged, SessionId, SessionSilent
from tonewall.log import get_logger

log = get_logger(__name__)
T = TypeVar("T")
DEAF_AFTER = 3.0
LOOK = 0.5  # seconds between two looks
_MANY = 25  # packets: half a second of audio, and more than a stray one


@dataclass(frozen=True, slots=True)
class LineArrivals:
    """What has come from a customer since the session opened. `refused`: from others, `address` the
    newest of them; `unproved`: what SRTP does not prove."""

    accepted: int = 0
    refused: int = 0
    unproved: int = 0
    address: str | None = None


@dataclass(slots=True)
class LineWatch:
    """The customers of captures that collect."""

    # When something was accepted, and all by then.
    _last: dict[SessionId, tuple[float, LineArrivals]] = field(default_factory=dict)
    _spoke: set[SessionId] = field(default_factory=set)
    _deaf: dict[SessionId, Deaf] = field(default_factory=dict)

    def look_at_lines(
        self, collecting: Iterable[tuple[SessionId, LineArrivals]], now: float
    ) -> list[AnyNews]:
        """All sessions in which a card is being keyed, and what has come in each."""
        news: list[AnyNews] = []
        present = dict(collecting)
        for gone in self._last.keys() - present.keys():
            del self._last[gone]
            self._spoke.discard(gone)
            if self._deaf.pop(gone, None) is not None:
                news.append(LineChanged(session=gone))
        for session, heard in present.items():
            since, before = self._last.setdefault(session, (now, heard))
            if heard.accepted != before.accepted:
                self._spoke.add(session)
                since, before = self._last[session] = (now, heard)
            deaf = _deaf(before, heard) if now - since >= DEAF_AFTER else None
            if deaf is not None and deaf.packets < _MANY and session in self._spoke:
                deaf = None
            known = self._deaf.get(session)
            if deaf is None and known is not None:
                del self._deaf[session]
                news.append(LineChanged(session=session))
            elif deaf is not None and (known is None or known.reason is not deaf.reason):
                self._deaf[session] = deaf
                news.append(LineChanged(session=session, deaf=deaf))
        return news


def _deaf(before: LineArrivals, heard: LineArrivals) -> Deaf:
    unproved, refused = heard.unproved - before.unproved, heard.refused - before.refused
    if unproved:
        return Deaf(reason=DeafReason.NOT_AUTHENTIC, packets=unproved)
    if refused:
        return Deaf(reason=DeafReason.OTHER_SOURCE, packets=refused, address=heard.address)
    return Deaf(reason=DeafReason.NO_PACKET)


@dataclass(slots=True)
class SilenceWatch:
    """All sessions. `timeout` in seconds; 0: none is ever silent."""

    timeout: float
    _since: dict[SessionId, tuple[float, int]] = field(default_factory=dict)

    def look_at_sessions(self, sessions: Iterable[tuple[SessionId, int]], now: float) -> list[AnyNews]:
        """Each session, and how many packets have come in it from either side."""
        before, self._since = self._since, {}
        news: list[AnyNews] = []
        for session, received in sessions:
            since, count = before.get(session, (now, received))
            if received != count:
                since = now
            elif now - since >= self.timeout:
                news.append(SessionSilent(session=session, seconds=self.timeout))
                since = now
            self._since[session] = (since, received)
        return news


class Receives(Protocol):
    """A session that is relayed here."""

    id: SessionId

    def line_arrivals(self) -> LineArrivals:
        """What has come from the customer, and to its ports from others."""

    def count_packets(self) -> int:
        """Packets received on either leg since the session opened."""


class Watch:
    """Both, over all sessions. `timeout`: as of SilenceWatch."""

    def __init__(self, timeout: float) -> None:
        self._lines, self._silence = LineWatch(), SilenceWatch(timeout)
        self._due = 0.0

    def look_at_sessions(
        self, keying: Iterable[Receives], relayed: Iterable[Receives], now: float
    ) -> list[AnyNews]:
        """`keying`: those in which a card is being keyed. Counting all sessions takes time, so that
        is done more rarely."""
        news = self._lines.look_at_lines(_looked_at(keying, lambda session: session.line_arrivals()), now)
        if self._silence.timeout and now >= self._due:
            self._due = now + max(1.0, self._silence.timeout / 10)
            news += self._silence.look_at_sessions(
                _looked_at(relayed, lambda session: session.count_packets()), now
            )
        return news


def _looked_at(sessions: Iterable[Receives], read: Callable[[Receives], T]) -> list[tuple[SessionId, T]]:
    """What each says; one that cannot be read keeps no other from being watched."""
    found = []
    for session in sessions:
        try:
            found.append((session.id, read(session)))
        except Exception as error:
            log.error("line_watch_failed", call=session.id, exc_info=error)
    return found
