"""Media leaves its sessions to the next process: only where nothing would be lost with it."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any, cast

import pytest

from media.kept_streams import HandOverRefused, decode
from media.service.handing_over import HandingOver
from media.service.relayed_session import RelayedSession
from tonewall.turn import HANDED_OVER


class Kept(RelayedSession):
    """A session, as far as it is asked about. `is_kept`: whether copies of all its sockets are."""

    def __init__(self, *, kept: bool) -> None:
        self._slots = [0, 3 if kept else -1]


class Service(HandingOver):
    """One that has so many captures, and these sessions. `unsent`: messages that wait."""

    def __init__(self, captures: int, *sessions: object, unsent: int = 0) -> None:
        self.said: list[bytes] = []
        self._captures = cast("Any", range(captures))
        self._sessions = cast("Any", dict(enumerate(sessions)))
        self._payers = cast("Any", SimpleNamespace(unsent=unsent, tell_supervisor=self.said.append))


@pytest.mark.parametrize(
    ("service", "refused"),
    [
        (Service(2, Kept(kept=True)), HandOverRefused(captures=2)),
        (Service(0, Kept(kept=True), Kept(kept=False)), HandOverRefused(sessions=1)),
        (Service(0, object()), HandOverRefused(sessions=1)),  # an rtpengine server's
        (Service(0, unsent=1), HandOverRefused()),
    ],
)
def test_it_goes_on_where_something_would_be_lost(
    service: Service, refused: HandOverRefused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "_exit", lambda _: pytest.fail("it has ended"))
    service.hand_over()
    assert [decode(each) for each in service.said] == [refused]


def test_it_ends_at_once_where_all_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    service = Service(0, Kept(kept=True), Kept(kept=True))
    service.hand_over()
    assert (ended, service.said) == ([HANDED_OVER], [])
