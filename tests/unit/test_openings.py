"""Masks that wait to be opened: each is answered once, opened when it is quiet, and never while a key sounds."""

from __future__ import annotations

import pytest

from media import openings
from media.events import AnyAnswer, Done, Refused, SessionId, SetMask
from media.openings import Openings
from tests.stack import until

OPEN = SetMask(serial=7, session=SessionId("s"), on=False, guard=1.0)


class Bench:
    """A session in which a key sounds until the test says otherwise."""

    def __init__(self) -> None:
        self.sounds, self.looks = True, 0
        self.opened: list[SetMask] = []
        self.answers: list[AnyAnswer] = []
        self.openings = Openings(self._sounds, self._obey)

    def _sounds(self, command: SetMask) -> bool:
        self.looks += 1
        return self.sounds

    def _obey(self, command: SetMask) -> AnyAnswer:
        self.opened.append(command)
        return Done(serial=command.serial)

    async def asked(self) -> None:
        """Once it has been looked at more than once."""
        self.openings.ask(OPEN, self.answers.append)
        await until(lambda: self.looks > 2, "another look")
        assert self.answers == []


async def test_a_mask_is_opened_and_confirmed_once_it_is_quiet() -> None:
    at = Bench()
    await at.asked()
    at.sounds = False
    await until(lambda: at.answers, "the answer")
    assert (at.answers, at.opened) == ([Done(serial=7)], [OPEN])


async def test_where_nothing_sounds_it_is_opened_at_once() -> None:
    at = Bench()
    at.sounds = False
    at.openings.ask(OPEN, at.answers.append)
    assert at.answers == [Done(serial=7)]


async def test_what_goes_on_sounding_is_refused_and_stays_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openings, "PATIENCE", 0.2)
    at = Bench()
    at.openings.ask(OPEN, at.answers.append)
    await until(lambda: at.answers, "the answer")
    assert (at.answers, at.opened) == ([Refused(serial=7, reason="a key still sounds")], [])


async def test_what_is_given_up_is_refused_once_and_never_opened() -> None:
    at = Bench()
    await at.asked()
    at.openings.give_up_all("another command came")
    at.openings.give_up(OPEN.session, "again")
    at.sounds, looks = False, at.looks
    assert at.answers == [Refused(serial=7, reason="another command came")]
    other = Bench()
    await other.asked()  # so long a time that the first would have been looked at again
    assert (at.looks, at.opened) == (looks, [])
