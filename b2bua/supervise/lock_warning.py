"""Warns where the limit of locked memory bounds how many cards are taken at once."""

from __future__ import annotations

from b2bua.call.sdp.codecs import OtherAudio
from b2bua.config.settings import Settings
from media.lock_limit import captures_carried
from tonewall.log import get_logger
from tonewall.process import lock_limit

log = get_logger(__name__)


def warn_of_lock_limit(settings: Settings) -> None:
    """Log it, where there is such a limit."""
    limit = lock_limit()
    if limit is None:
        return
    decoded = settings.signalling.general.other_audio is OtherAudio.DECODE
    captures = captures_carried(limit, settings.media.threads, decoded=decoded)
    if captures:
        log.warning(
            "payments_at_once_limited",
            why="the memory lock limit",
            count=captures,
            hint="see `tonewall doctor`",
        )
    else:
        log.error(
            "no_card_can_be_taken", why="the memory lock limit is too low", hint="see `tonewall doctor`"
        )
