"""When a mask goes off: each rule of media/service/unmasking.py, against a session whose keys the
test presses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from media.events import AnyAnswer, Done, KeyingChanged, Refused, SessionId, SetMask
from media.service import unmasking
from media.service.session_protocol import KeyFigures
from media.service.unmasking import Unmasking
from media.settings import MaskTimes
from tests.stack import until

S = SessionId("s")
OFF = SetMask(serial=7, session=S, on=False)
RELEASED = SetMask(serial=8, session=S, on=False, released=True)
GUARD, RELEASE = 0.3, 1.5


class Session:
    """What the rules ask of one."""

    def __init__(self) -> None:
        self.key_at = float("-inf")

        self.figures = KeyFigures()

    def press(self) -> None:
        self.key_at = asyncio.get_running_loop().time()
        self.figures = KeyFigures(events=self.figures.events + 1)

    def key_figures(self) -> KeyFigures:
        return self.figures

    def is_quiet(self, seconds: float) -> bool:
        return asyncio.get_running_loop().time() - self.key_at >= seconds


class Bench:
    """One session with a mask on, for a capture that runs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(unmasking, "KEYING_TIME", 0.6)
        self.session: Session | None = Session()
        self.runs = True
        self.off_at: list[float] = []
        self.answers: list[AnyAnswer] = []
        self.reported: list[bool] = []
        self.counted: list[int] = []
        self.unmasking = Unmasking(
            MaskTimes(guard_time=GUARD, release_time=RELEASE),
            find=lambda _: self.session,  # type: ignore[arg-type,return-value]
            runs=lambda _: self.runs,
            take_off=self._take_off,
            tell=self._tell,
        )
        self.unmasking.went_on(S)

    def _tell(self, news: KeyingChanged) -> None:
        if news.keying is not (self.reported[-1] if self.reported else False):
            self.reported.append(news.keying)
        self.counted.append(news.keys)

    def _take_off(self, command: SetMask, answer: Callable[[AnyAnswer], None]) -> None:
        self.off_at.append(asyncio.get_running_loop().time())
        self.unmasking.went_off(S)
        answer(Done(serial=command.serial))

    def ends(self, *, approved: bool = False) -> float:
        self.runs = False
        self.unmasking.capture_over(S, approved=approved)
        return asyncio.get_running_loop().time()

    def ask(self, command: SetMask = OFF) -> None:
        self.unmasking.give_up(S, "another command came")
        self.unmasking.ask_to_unmask(command, self.answers.append)

    async def off(self) -> float:
        await until(lambda: self.off_at, "the mask to go off")
        return self.off_at[0]


@pytest.fixture
async def at(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


async def test_an_approved_payment_takes_the_mask_off_after_the_guard_time(at: Bench) -> None:
    ended = at.ends(approved=True)
    at.ask()
    assert GUARD <= await at.off() - ended < RELEASE
    assert at.answers == [Done(serial=7)]


async def test_a_key_after_an_approved_payment_restarts_the_wait_and_is_told(at: Bench) -> None:
    at.ends(approved=True)
    at.ask()
    for _ in range(5):
        await asyncio.sleep(GUARD / 2)
        assert at.session is not None
        at.session.press()
    assert at.off_at == []
    assert await at.off() - at.session.key_at >= GUARD
    assert at.reported == [True]


async def test_every_other_end_keeps_the_mask_for_the_release_time_without_a_key(at: Bench) -> None:
    assert at.session is not None
    ended = at.ends()
    at.ask()
    await asyncio.sleep(RELEASE / 2)
    at.session.press()
    await until(lambda: at.reported, "that the customer keys")
    assert await at.off() - at.session.key_at >= RELEASE
    assert at.off_at[0] - ended >= RELEASE * 1.5
    assert at.reported == [True, False]


async def test_a_mask_without_any_capture_waits_as_long(at: Bench) -> None:
    at.runs = False
    began = asyncio.get_running_loop().time()
    at.ask()
    assert await at.off() - began >= RELEASE - 0.05


async def test_a_release_takes_it_off_after_the_guard_time(at: Bench) -> None:
    at.ends()
    at.ask()
    released = asyncio.get_running_loop().time()
    at.ask(RELEASED)
    assert GUARD <= await at.off() - released < RELEASE
    assert at.answers == [Refused(serial=7, reason="another command came"), Done(serial=8)]


async def test_a_release_while_the_customer_keys_is_refused(at: Bench) -> None:
    assert at.session is not None
    at.ends()
    at.session.press()
    at.ask(RELEASED)
    assert isinstance(at.answers[0], Refused)
    assert "still keying" in at.answers[0].reason
    await until(lambda: at.reported == [True, False], "that the customer keys no longer")
    assert at.off_at == []


async def test_a_key_after_the_release_takes_it_back(at: Bench) -> None:
    assert at.session is not None
    at.ends()
    at.ask(RELEASED)
    await asyncio.sleep(GUARD / 3)
    at.session.press()
    await until(lambda: at.answers, "the refusal")
    assert isinstance(at.answers[0], Refused)
    await asyncio.sleep(GUARD * 2)
    assert at.off_at == []


async def test_a_key_that_came_as_the_capture_ended_counts(at: Bench) -> None:
    assert at.session is not None
    at.session.press()
    await asyncio.sleep(0.25)  # no look sees it
    at.ends()
    at.ask(RELEASED)
    assert isinstance(at.answers[0], Refused)
    assert at.reported == [True]


async def test_a_key_by_info_counts(at: Bench) -> None:
    at.ends()
    at.unmasking.key_came(S)
    at.ask(RELEASED)
    assert isinstance(at.answers[0], Refused)


async def test_another_b2bua_begins_the_wait_anew(at: Bench) -> None:
    """Keys by INFO wait in its socket, which it reads after its claim."""
    at.ends()
    at.ask()
    at.unmasking.give_up_all("b2bua is lost")
    await asyncio.sleep(RELEASE)
    began = asyncio.get_running_loop().time()
    at.unmasking.claimed(S)
    at.ask()
    await until(lambda: at.off_at, "the mask to go off")
    assert at.off_at[0] - began >= RELEASE


async def test_no_mask_goes_off_while_a_capture_runs(at: Bench) -> None:
    for command in (OFF, RELEASED):
        at.ask(command)
        assert isinstance(at.answers[-1], Refused)
    assert "capture" in at.answers[0].reason


async def test_another_capture_under_the_mask_forgets_that_one_was_approved(at: Bench) -> None:
    at.ends(approved=True)
    at.unmasking.went_on(S)
    ended = at.ends()
    at.ask()
    assert await at.off() - ended >= RELEASE


async def test_what_is_given_up_is_refused_once_and_never_goes_off(at: Bench) -> None:
    at.ends(approved=True)
    at.ask()
    at.unmasking.give_up_all("b2bua is lost")
    at.unmasking.give_up(S, "again")
    assert at.answers == [Refused(serial=7, reason="b2bua is lost")]
    await asyncio.sleep(GUARD * 2)
    assert at.off_at == []


async def test_a_session_that_is_gone_keeps_nothing(at: Bench) -> None:
    at.ends()
    at.ask()
    at.unmasking.went_off(S)
    assert at.answers == [Refused(serial=7, reason="the session is over")]
    at.session = None
    at.ends()
    at.ask()  # whoever carries it out says that there is none
    assert at.answers[-1] == Done(serial=7)
    assert at.unmasking._masks == {}


# --- before a capture -----------------------------------------------------------------------------


async def test_keys_before_a_capture_are_reported_and_counted_and_those_of_the_capture_are_not(
    at: Bench,
) -> None:
    at.runs = False
    assert at.session is not None
    at.session.press()  # before the mask went on
    at.unmasking.went_on(S, announced=True)
    at.session.press()
    at.session.press()
    await until(lambda: 2 in at.counted, "two keys")
    assert at.reported[-1]
    at.runs = True
    await until(lambda: not at.reported[-1], "the capture's own keys")
    at.session.press()
    at.ends()
    await until(lambda: at.counted[-1] == 0, "a count of its own after the capture")


async def test_a_key_by_info_is_counted_too(at: Bench) -> None:
    at.runs = False
    at.unmasking.went_on(S, announced=True)
    at.unmasking.key_came(S)
    await until(lambda: 1 in at.counted, "the key")


async def test_an_announced_mask_goes_off_as_one_without_a_capture_does(at: Bench) -> None:
    at.runs = False
    at.unmasking.went_on(S, announced=True)
    began = asyncio.get_running_loop().time()
    at.ask(RELEASED)
    assert GUARD <= await at.off() - began < RELEASE
