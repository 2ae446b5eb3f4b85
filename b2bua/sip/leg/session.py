"""Negotiated session of a leg: its descriptions, support of UPDATE, and the session timer.

Rule 1: every 2xx to an INVITE or UPDATE, ours or theirs, settles the timer anew (RFC 4028).
"""

from __future__ import annotations

from dataclasses import dataclass

from b2bua.sip.leg.leg_protocol import LegOwner
from b2bua.sip.leg.session_timer import (
    SessionTimer,
    SessionTimerState,
    TimerAction,
    TimerRequest,
    is_too_brief,
    negotiate,
    read_session_timer,
    request_lines,
)
from b2bua.sip.message.message import Received, Request, Response


@dataclass(slots=True, init=False, repr=False, eq=False)
class NegotiatedSession:
    """The session of one leg."""

    _leg: LegOwner
    timer: SessionTimer
    min_se: int  # seconds; a 422 of the peer's raises it
    peer_allows_update: bool  # whether the peer's Allow names UPDATE
    local: bytes  # the session descriptions that hold
    remote: bytes
    remote_updated: bool  # whether the peer has made an offer in an UPDATE before the call was answered

    def __init__(self, leg: LegOwner) -> None:
        self._leg = leg
        self.timer = SessionTimer()
        self.min_se = leg.peer.trunk.session_minimum
        self.peer_allows_update = self.remote_updated = False
        self.local = self.remote = b""

    def timer_lines(self) -> tuple[str, ...]:
        """What a request of ours asks for; whoever refreshes goes on doing so."""
        refresher = {SessionTimerState.OURS: "uac", SessionTimerState.THEIRS: "uas"}.get(self.timer.state, "")
        return request_lines(self._leg.peer.trunk.session_expires, self.min_se, refresher)

    def check_timer(self, request: Request) -> tuple[int, tuple[str, ...]] | None:
        """The code and lines with which a request is refused for its session timer; None where it
        is not."""
        least = self._leg.peer.trunk.session_minimum
        try:
            brief = is_too_brief(read_session_timer(request), least)
        except ValueError:
            return 400, ()
        return (422, (f"Min-SE: {least}",)) if brief else None

    def accept_timer(self, request: Request) -> tuple[str, ...]:
        """The lines of our 2xx to a request that `check_timer` let pass; the timer runs from now
        on."""
        self._note_allow(request)
        trunk = self._leg.peer.trunk
        interval, ours, lines = negotiate(
            read_session_timer(request), trunk.session_expires, trunk.session_minimum
        )
        self._agree(interval, ours)
        return lines

    def on_success(self, reply: Response) -> None:
        """A 2xx came to a request of ours that had `lines`."""
        self._note_allow(reply)
        try:
            wish = read_session_timer(reply)
        except ValueError:
            wish = TimerRequest()
        wanted = self._leg.peer.trunk.session_expires
        self._agree(wish.interval if wanted else 0, wish.refresher != "uas")

    def raise_min_se(self, reply: Response) -> bool:
        """A 422 came: ask for no less than it names from now on. False: it names nothing more than
        what we asked for."""
        before = self.min_se
        try:
            self.min_se = max(before, read_session_timer(reply).minimum)
        except ValueError:
            return False
        return self.min_se > before

    def deadline(self) -> float | None:
        """Return when `expire` has something to do; None for never."""
        return self.timer.deadline()

    def expire(self, now: float) -> None:
        """Do what is due at `now`; too early, nothing."""
        due = self.timer.expire(now)
        if due is TimerAction.END:
            self._leg.lose("session expired")
        elif due is TimerAction.REFRESH:
            self._leg.refresh_session()

    def postpone(self, seconds: float) -> None:
        """The refresh could not be made, or was refused for now."""
        self.timer.postpone(seconds, self._leg.context.scheduler.now())
        self._leg.context.scheduler.watch(self._leg)

    def _agree(self, interval: int, ours: bool) -> None:
        self.timer.agree(interval, ours, self._leg.context.scheduler.now())
        self._leg.context.scheduler.watch(self._leg)

    def _note_allow(self, message: Received) -> None:
        allowed = message.headers.getlist("Allow")
        if allowed:
            self.peer_allows_update = "UPDATE" in {
                each.strip() for value in allowed for each in value.split(",")
            }
