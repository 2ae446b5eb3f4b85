"""Session timers (RFC 4028): negotiation, refreshes, and the end of a session without them.

Rule 1: each leg has its own; what one side of a call agrees on says nothing about the other.
Rule 2: an interval below our minimum is refused with 422 where the peer knows what that is, and
        raised where it does not.
Rule 3: who refreshes does so at half of the interval; the other gives up a third of the interval,
        32 s at most, before its end (section 10).
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from b2bua.sip.message.message import Received
from b2bua.sip.message.name_addr import parse_parameters, split_quoted

OPTION = "timer"
_MAX_SECONDS = 2**31 - 1


class SessionTimerState(StrEnum):
    """The states of a session timer: who refreshes the session."""

    OFF = "off"
    OURS = "ours"  # we refresh
    THEIRS = "theirs"  # the peer refreshes
    EXPIRED = "expired"


class SessionTimerEvent(StrEnum):
    """What moves it."""

    AGREED_OURS = "2xx: we refresh"
    AGREED_THEIRS = "2xx: the peer refreshes"
    AGREED_NONE = "2xx without Session-Expires"
    HALF = "half of the interval is over"
    LAPSED = "the interval is nearly over"


_AGREED = {
    SessionTimerEvent.AGREED_OURS: SessionTimerState.OURS,
    SessionTimerEvent.AGREED_THEIRS: SessionTimerState.THEIRS,
    SessionTimerEvent.AGREED_NONE: SessionTimerState.OFF,
}
TRANSITIONS: dict[SessionTimerState, dict[SessionTimerEvent, SessionTimerState]] = {
    SessionTimerState.OFF: dict(_AGREED),
    SessionTimerState.OURS: {
        **_AGREED,
        SessionTimerEvent.HALF: SessionTimerState.OURS,
        SessionTimerEvent.LAPSED: SessionTimerState.EXPIRED,
    },
    SessionTimerState.THEIRS: {**_AGREED, SessionTimerEvent.LAPSED: SessionTimerState.EXPIRED},
    SessionTimerState.EXPIRED: dict.fromkeys(
        _AGREED, SessionTimerState.EXPIRED
    ),  # a 2xx that crosses our BYE
}


class TimerAction(StrEnum):
    """What `SessionTimer.expire` asks for."""

    REFRESH = "refresh"
    END = "end"


class SessionTimer(msgspec.Struct):
    """The timer of one leg. Times in seconds, on the caller's clock."""

    state: SessionTimerState = SessionTimerState.OFF
    interval: int = 0
    refresh_at: float | None = None
    end_at: float | None = None

    def agree(self, interval: int, ours: bool, now: float) -> None:
        """A 2xx to an INVITE, re-INVITE or UPDATE was sent or received. `interval` 0: without a
        timer."""
        event = (
            SessionTimerEvent.AGREED_NONE
            if not interval
            else SessionTimerEvent.AGREED_OURS
            if ours
            else SessionTimerEvent.AGREED_THEIRS
        )
        self.state = TRANSITIONS[self.state][event]
        self.interval, self.refresh_at, self.end_at = interval, None, None
        if self.state in {SessionTimerState.OURS, SessionTimerState.THEIRS}:
            self.end_at = now + interval - min(32, interval / 3)
            self.refresh_at = now + interval / 2 if self.state is SessionTimerState.OURS else None

    def postpone(self, seconds: float, now: float) -> None:
        """The refresh could not be made, or failed for now; try again so much later."""
        if self.state is SessionTimerState.OURS:
            self.refresh_at = now + seconds

    def stop(self) -> None:
        """The dialog is over."""
        self.refresh_at = self.end_at = None

    def deadline(self) -> float | None:
        """When `expire` has something to do."""
        return min((at for at in (self.refresh_at, self.end_at) if at is not None), default=None)

    def expire(self, now: float) -> TimerAction | None:
        """The passing of time."""
        if self.end_at is not None and self.end_at <= now:
            self.state = TRANSITIONS[self.state][SessionTimerEvent.LAPSED]
            self.stop()
            return TimerAction.END
        if self.refresh_at is not None and self.refresh_at <= now:
            self.state = TRANSITIONS[self.state][SessionTimerEvent.HALF]
            self.refresh_at = None
            return TimerAction.REFRESH
        return None


# --- headers --------------------------------------------------------------------------------------


class TimerRequest(msgspec.Struct, frozen=True):
    """What a message says of session timers. `interval` 0: nothing; `refresher`: "uac", "uas" or ""
    for no matter whom; `minimum` 0: none named."""

    interval: int = 0
    refresher: str = ""
    minimum: int = 0
    supported: bool = False


def read_session_timer(message: Received) -> TimerRequest:
    """Read Session-Expires, Min-SE and Supported. Raises ValueError where one of them is
    malformed."""
    headers = message.headers
    expires, least = headers.getlist("Session-Expires"), headers.getlist("Min-SE")
    if len(expires) > 1 or len(least) > 1:
        raise ValueError("Session-Expires or Min-SE twice")
    interval, of = _seconds(expires[0]) if expires else (0, {})
    minimum = _seconds(least[0])[0] if least else 0
    refresher = of.get("refresher", "").lower()
    if refresher not in {"", "uac", "uas"} or (expires and not interval):
        raise ValueError("Session-Expires")
    return TimerRequest(interval, refresher, minimum, supports(message, OPTION))


def supports(message: Received, option: str) -> bool:
    """Whether the message's Supported or Require names this option."""
    headers = message.headers
    values = (*headers.getlist("Supported"), *headers.getlist("Require"))
    return any(option == item.strip().lower() for value in values for item in value.split(","))


def _seconds(value: str) -> tuple[int, dict[str, str]]:
    number, *rest = split_quoted(value, ";")
    if not (number.isascii() and number.isdigit() and len(number) <= 10 and int(number) <= _MAX_SECONDS):
        raise ValueError("no number of seconds")
    return int(number), parse_parameters(";".join(rest))


def request_lines(interval: int, minimum: int, refresher: str = "") -> tuple[str, ...]:
    """The lines of a request of ours; none where the trunk has no timers (`interval` 0)."""
    if not interval:
        return ()
    who = f";refresher={refresher}" if refresher else ""
    return f"Session-Expires: {max(interval, minimum)}{who}", f"Min-SE: {minimum}"


def is_too_brief(wish: TimerRequest, minimum: int) -> bool:
    """Whether a request is to be refused with 422: below our minimum, from a peer that knows timers
    (section 9)."""
    return wish.supported and 0 < wish.interval < minimum


def negotiate(wish: TimerRequest, interval: int, minimum: int) -> tuple[int, bool, tuple[str, ...]]:
    """How to answer a request: the interval (0: no timer), whether we refresh, and the lines of the
    2xx (section 9)."""
    if not interval and not wish.interval:
        return 0, False, ()
    agreed = min(interval or wish.interval, wish.interval or interval)
    agreed = max(agreed, minimum, wish.minimum)
    # The peer refreshes where it can and nobody asked for the contrary: its silence is then noticed
    # at once.
    refresher = wish.refresher or ("uac" if wish.supported else "uas")
    if not wish.supported:
        refresher = "uas"
    line = f"Session-Expires: {agreed};refresher={refresher}"
    return agreed, refresher == "uas", (line, f"Require: {OPTION}") if refresher == "uac" else (line,)
