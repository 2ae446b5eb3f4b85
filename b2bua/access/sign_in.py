"""Signs people in by name, password and the code of an app.

Rule 1: a name that nobody has is answered as late, as often and in the same words as one whose
        password is wrong.
Rule 2: at most HASHING passwords are checked at once, by threads that give way to calls, and
        MAX_WAITING wait; further tries are refused unread.
Rule 3: of who tries, a name stands in logs only if somebody has it: people type passwords, and
        anything, into the wrong field.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar

from b2bua.access import authenticator_app, passwords
from b2bua.access.roles import Role
from b2bua.access.sign_in_alarm import SignInAlarm
from b2bua.access.tries import OF_NAMES, OF_SOURCES, Tries, network_of
from b2bua.access.users import User, UserFile

HASHING: Final = 2
MAX_WAITING: Final = 16
_NICE: Final = 10  # of the threads that hash: the loop that carries calls goes first
_ONE: Final = 1.0  # seconds until another try, where too many wait
NOBODY: Final = "unknown"
_T = TypeVar("_T")


class SignInResult(StrEnum):
    """What became of a try: a label of the metric."""

    OPENED = "opened"
    WRONG = "wrong"
    WAITS = "waits"  # too many wrong ones before
    BUSY = "busy"  # too many at once


class Refused(Exception):
    """The name, the password or the code is wrong; it is not said which."""


class MustWait(Exception):
    """Nothing was looked at; `seconds` until the next try."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"Too many tries to sign in. Try again in {_words(seconds)}.")
        self.seconds = seconds


class NeedsChange(Exception):
    """All is right, but a new password is needed; `str(error)` says why, fit for their eyes."""


class NeedsApp(Exception):
    """All is right, but their role needs an authenticator app, and they have none."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What somebody typed. `new_password`: instead of the one that they must change."""

    name: str
    password: str
    code: str = ""
    new_password: str = ""

    def __repr__(self) -> str:
        return "<Attempt>"


class SignIn:
    """The people of a directory, as they sign in. `now`: seconds since the epoch; `needs_app`: the
    roles that need an authenticator app; `count`: counts each result."""

    def __init__(
        self,
        directory: Path,
        now: Callable[[], float] = time.time,
        needs_app: frozenset[Role] = frozenset(Role),
        count: Callable[[SignInResult], None] = lambda _: None,
    ) -> None:
        """Raises OSError and sqlite3.Error where the file cannot be used."""
        self._people = UserFile(directory, now)
        self._directory, self._now, self._needs_app, self._count = directory, now, needs_app, count
        self._threads = ThreadPoolExecutor(HASHING, "sign-in", initializer=_give_way)
        self._waiting = 0
        self._by_name, self._by_source = Tries(OF_NAMES), Tries(OF_SOURCES)
        self.alarm = SignInAlarm(now)

    def is_offered(self) -> bool:
        """Whether there is anybody who may sign in."""
        return self._people.any()

    def known(self, name: str) -> str:
        """A name as it may stand in logs."""
        return name if self._people.find(name) is not None else NOBODY

    async def check(self, attempt: Attempt, source: str) -> User:
        """Who that is. Raises Refused, MustWait, NeedsChange and NeedsApp; OSError and
        sqlite3.Error where the file cannot be used."""
        now, network, key = self._now(), network_of(source), attempt.name.casefold()
        wait = max(self._by_name.wait(key, now), self._by_source.wait(network, now))
        if wait or self._waiting >= MAX_WAITING:
            self._count(SignInResult.WAITS if wait else SignInResult.BUSY)
            self.alarm.count(self.known(attempt.name), source)
            raise MustWait(wait or _ONE)
        self._by_name.begin(key, now)
        self._by_source.begin(network, now)
        self._waiting += 1
        try:
            user = await self._in_thread(lambda: self._check(attempt))
        except Refused:
            self._count(SignInResult.WRONG)
            self.alarm.count(self.known(attempt.name), source)
            raise
        except (NeedsChange, NeedsApp):  # whoever has the right password guesses none
            self._by_name.take_back(key)
            self._by_source.take_back(network)
            raise
        finally:
            self._waiting -= 1
        self._by_name.forgive(key)
        self._by_source.take_back(network)
        self._count(SignInResult.OPENED)
        return user

    async def change_password(self, name: str, old: str, new: str, source: str) -> None:
        """Another password, of somebody who is signed in; it ends their sessions. Raises as `check`
        does."""
        now, key = self._now(), name.casefold()
        wait = self._by_name.wait(key, now)
        if wait or self._waiting >= MAX_WAITING:
            raise MustWait(wait or _ONE)
        self._by_name.begin(key, now)
        self._waiting += 1
        try:
            await self._in_thread(lambda: self._change(name, old, new))
        except Refused:
            self.alarm.count(name, source)
            raise
        except NeedsChange:
            self._by_name.take_back(key)
            raise
        finally:
            self._waiting -= 1
        self._by_name.forgive(key)

    def is_unchanged(self, user: User) -> bool:
        """Whether somebody may still sign in as they could when they were checked: a command may
        have disabled them since."""
        found = self._people.find(user.name)
        return (
            found is not None
            and not found.disabled
            and (found.roles, found.teams) == (user.roles, user.teams)
        )

    def close(self) -> None:
        """Wait for those who are checked, and close the file."""
        self._threads.shutdown(cancel_futures=True)
        self._people.close()

    async def _in_thread(self, action: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, action)

    def _check(self, attempt: Attempt) -> User:
        with closing(UserFile(self._directory, self._now)) as people:
            user = people.find(attempt.name)
            hashed = user.password if user is not None else passwords.NOBODYS
            is_right = passwords.is_password(hashed, attempt.password)
            if user is None or user.disabled or not is_right:
                raise Refused
            if user.totp is None and user.roles & self._needs_app:
                raise NeedsApp
            step = self._find_step(user, attempt.code)
            if user.must_change:
                _require_other(user, attempt.password, attempt.new_password)
            if user.totp is not None and not people.take_step(user.name, step):
                raise Refused
            if user.must_change:
                hashed = passwords.hash_password(attempt.new_password)
                people.set_password(user.name, hashed, must_change=False)
            elif passwords.is_outdated(user.password):
                people.rehash(user.name, user.password, passwords.hash_password(attempt.password))
            people.note_sign_in(user.name)
            return user

    def _find_step(self, user: User, code: str) -> int:
        """The step of a code. Raises Refused where it is none of theirs."""
        if user.totp is None:
            return 0
        secret = authenticator_app.decrypt(self._directory, user.name, user.totp)
        step = authenticator_app.find_step(secret, code, self._now(), user.totp_step)
        if step is None:
            raise Refused
        return step

    def _change(self, name: str, old: str, new: str) -> None:
        with closing(UserFile(self._directory, self._now)) as people:
            user = people.find(name)
            if user is None or not passwords.is_password(user.password, old):
                raise Refused
            _require_other(user, old, new)
            people.set_password(name, passwords.hash_password(new), must_change=False)


def _require_other(user: User, old: str, new: str) -> None:
    if not new:
        raise NeedsChange("Choose a password of your own.")
    if new == old:
        raise NeedsChange("Choose another password than the one before.")
    if (weakness := passwords.find_weakness(new, user.name)) is not None:
        raise NeedsChange(weakness)


def _give_way() -> None:
    """On Linux, of this thread alone (setpriority(2), notes)."""
    os.setpriority(os.PRIO_PROCESS, 0, _NICE)


def _words(seconds: float) -> str:
    whole = max(1, round(seconds + 0.5))
    return f"{whole} s" if whole < 120 else f"{round(whole / 60)} minutes"
