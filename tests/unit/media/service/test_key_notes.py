"""What a capture tells of how its keys come."""

from __future__ import annotations

import pytest

from media.events import CaptureChanged, CaptureId, CaptureState, KeyNote, SessionId
from media.service.key_notes import KeyWatch
from media.service.session_protocol import KeyFigures

COLLECTING, READY = CaptureState.COLLECTING, CaptureState.READY


class Session:
    """What a watch asks of one."""

    id = SessionId("s")

    def __init__(self, **figures: int) -> None:
        self.figures = KeyFigures(**figures)
        self.slow = False

    def key_figures(self) -> KeyFigures:
        return self.figures

    def set_slow(self, on: bool) -> bool:
        self.slow = on
        return True


def notes(before: KeyFigures, after: KeyFigures, *, by_info: bool = False, info: int = 0) -> list[str]:
    session = Session()
    session.figures = before
    watch = KeyWatch.begin(session, by_info=by_info, slow=False)  # type: ignore[arg-type]
    watch.info_keys, session.figures = info, after
    watch.look_at_keys(COLLECTING)
    return [note.value for note in watch.notes]


@pytest.mark.parametrize(
    ("figures", "told"),
    [
        (KeyFigures(), []),
        (KeyFigures(events=1), ["keys_as_events"]),
        (KeyFigures(tones=1, tones_taken=True), ["keys_as_tones"]),
        (KeyFigures(events=3, tones=3, both=3), ["keys_as_both"]),
        (KeyFigures(events=2, tones=2, both=0, tones_taken=True), ["keys_as_both"]),
        (KeyFigures(events=16, tones=1, both=0), ["keys_as_events"]),  # speech, now and then
        (KeyFigures(tones=1), []),
        (KeyFigures(tones=2), ["keys_as_tones", "keys_not_taken"]),
        (KeyFigures(events=1, doubled=True), ["keys_as_events", "keys_doubled"]),
        (KeyFigures(talks=True), ["customer_talks"]),
    ],
)
def test_the_form_of_the_keys_follows_from_the_counts(figures: KeyFigures, told: list[str]) -> None:
    assert notes(KeyFigures(), figures) == told


def test_what_came_before_the_capture_is_not_told_of_it() -> None:
    assert notes(KeyFigures(events=5, tones=2), KeyFigures(events=5, tones=2)) == []
    assert notes(KeyFigures(events=5), KeyFigures(events=6)) == ["keys_as_events"]


def test_keys_that_come_as_sip_info_are_told_as_such_and_events_beside_them_are_not_taken() -> None:
    assert notes(KeyFigures(), KeyFigures(events=2), by_info=True, info=2) == ["keys_as_info"]
    told = notes(KeyFigures(), KeyFigures(events=2), by_info=True)
    assert told == ["keys_as_events", "keys_not_taken"]


def test_nothing_is_told_of_a_capture_that_is_over_and_no_talk_where_nothing_is_to_be_keyed() -> None:
    session = Session(talks=True)
    watch = KeyWatch.begin(session, by_info=False, slow=True)  # type: ignore[arg-type]
    assert watch.look_at_keys(COLLECTING)
    assert not watch.look_at_keys(COLLECTING), "nothing has changed"
    changed = CaptureChanged(session=SessionId(""), capture=CaptureId("c"), state=COLLECTING)
    told = watch.with_notes(changed)
    assert (told.session, told.notes, told.slow) == (SessionId("s"), (KeyNote.TALKS,), True)
    over = CaptureChanged(session=SessionId(""), capture=CaptureId("c"), state=CaptureState.ABORTED)
    assert watch.with_notes(over).notes == ()
    assert watch.look_at_keys(READY)
    assert watch.notes == ()


def test_keys_from_sip_info_are_not_joined() -> None:
    session = Session()
    watch = KeyWatch.begin(session, by_info=True, slow=True)  # type: ignore[arg-type]
    assert not watch.slow
    assert watch.set_slow(True) is not None
    assert not session.slow
    assert watch.set_slow(False) is None
