"""What a capture tells of how keys come: as events, tones or SIP INFO, twice, or not at all while
the customer talks.

Rule 1: notes follow from counts and times. None depends on which keys they are, but that each comes
        twice, which the core decides (media/reference/doubled.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from media.events import CaptureChanged, CaptureState, KeyNote
from media.service.session_protocol import KeyFigures, SessionProtocol

# Tones in speech are classified as keys now and then: so few are none, unless they are captured.
_STRAY_TONES = 1
_MOST_ARE_BOTH = 4  # keys for each that came as a tone, too
_NOT_JOINED = "these keys do not come from media's own relay, and are not joined"


@dataclass(slots=True)
class KeyWatch:
    """The keys of one capture. `before`: the figures as it began. `slow`: two equal keys that come
    within 400 ms are one."""

    session: SessionProtocol
    before: KeyFigures
    by_info: bool = False
    info_keys: int = 0
    slow: bool = False
    notes: tuple[KeyNote, ...] = ()

    @classmethod
    def begin(cls, session: SessionProtocol, *, by_info: bool, slow: bool) -> KeyWatch:
        """Of a capture that begins; its keys are kept already. Raises OSError, ValueError."""
        watch = cls(session, session.key_figures(), by_info)
        watch.set_slow(slow)  # where that cannot be, it is not
        return watch

    def set_slow(self, on: bool) -> str | None:
        """Join equal keys, or do not; why that cannot be done, where it cannot."""
        if on and (self.by_info or not self.session.set_slow(True)):
            return _NOT_JOINED
        if not on:
            self.session.set_slow(False)
        self.slow = on
        return None

    def look_at_keys(self, state: CaptureState) -> bool:
        """Take the figures as they are now; whether the notes have changed."""
        figures, before = self.session.key_figures(), self.notes
        self.notes = (*self._way(figures), *self._trouble(figures, state is CaptureState.COLLECTING))
        return self.notes != before

    def with_notes(self, change: CaptureChanged) -> CaptureChanged:
        """What is told of the capture, with what is told of its keys."""
        over = change.state in (CaptureState.FINISHED, CaptureState.ABORTED)
        notes = () if over else self.notes
        return msgspec.structs.replace(change, session=self.session.id, notes=notes, slow=self.slow)

    def _way(self, figures: KeyFigures) -> tuple[KeyNote, ...]:
        events, tones = figures.events - self.before.events, figures.tones - self.before.tones
        if self.info_keys:
            return (KeyNote.AS_INFO,)
        is_taken = not self.by_info and (events > 0 or figures.tones_taken)
        if not is_taken and tones <= _STRAY_TONES:
            tones = 0
        if not events and not tones:
            return ()
        if not tones or (events and _MOST_ARE_BOTH * tones < events):
            way = KeyNote.AS_EVENTS
        else:
            way = KeyNote.AS_BOTH if events else KeyNote.AS_TONES
        return (way,) if is_taken else (way, KeyNote.NOT_TAKEN)

    def _trouble(self, figures: KeyFigures, collecting: bool) -> tuple[KeyNote, ...]:
        doubled = (KeyNote.DOUBLED,) if figures.doubled else ()
        return (*doubled, KeyNote.TALKS) if figures.talks and collecting else doubled
