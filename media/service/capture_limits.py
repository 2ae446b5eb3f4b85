"""How long a capture waits for what: the settings, and the form's own times."""

from __future__ import annotations

from dataclasses import replace

from media.capture.messages import Limits
from media.events import CaptureForm
from media.settings import MediaSettings


def limits(settings: MediaSettings) -> Limits:
    """How long a capture waits for what, as it is set."""
    return Limits(
        inactivity=settings.key_timeout,
        total=settings.capture_timeout,
        ready=settings.ready_timeout,
        number_pause=settings.number_pause,
        field_pause=settings.field_pause,
        refusal_pause=settings.refusal_pause,
    )


def limits_of(form: CaptureForm, usual: Limits) -> Limits:
    """The same with what the form says."""
    return replace(
        usual,
        inactivity=usual.inactivity if form.key_timeout is None else form.key_timeout,
        total=usual.total if form.capture_timeout is None else form.capture_timeout,
        tries=form.tries,
    )
