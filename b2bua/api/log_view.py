"""How this Tonewall logs, as the API shows it."""

from __future__ import annotations

import msgspec

from tonewall.log_settings import LogSettings, seconds_left


class LogLevelView(msgspec.Struct, frozen=True, kw_only=True):
    """How it is logged. `configured`: the level of sip.conf; `level`: another one for a while, or
    None; `module`: of these modules alone, or empty; `seconds`: until that is over."""

    configured: str
    level: str | None = None
    module: str = ""
    seconds: int = 0

    @classmethod
    def of(cls, settings: LogSettings) -> LogLevelView:
        """The view of what holds now."""
        change = settings.change
        if change is None or not (left := round(seconds_left(change))):
            return cls(configured=settings.level)
        return cls(configured=settings.level, level=change.level, module=change.module, seconds=left)
