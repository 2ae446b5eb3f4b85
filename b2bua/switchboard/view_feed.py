"""The live feed: one publisher of call views, any number of followers, none of whom can hold up the
calls.

A `CallDesk` keeps one Feed, calls `publish` with every new state of a call, and hands out `calls()`
and `follow()`:

    class Desk:
        def __init__(self) -> None: self._feed = Feed()
        def calls(self) -> list[CallView]: return self._feed.calls()
        def follow(self) -> AsyncIterator[CallView]: return self._feed.follow()

Rule 1: `follow` registers at once: no change falls between the current calls, which come first, and
        what follows.
Rule 2: a follower that is `backlog` views behind is dropped: its iteration ends. It never makes
        `publish` wait.
Rule 3: a call is remembered until it has ended; one that ends while it is being charged, until the
        outcome is known.
Rule 4: each view has a number. Who names the number that was read last goes on behind it, as long
        as all that followed is among the newest REMEMBERED; else with the current calls again.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Iterable
from itertools import islice
from typing import Final

from b2bua.call.service_view import ServiceView
from b2bua.call.view import CallState, CallView, CaptureStage, PaymentView

REMEMBERED: Final = 1000
_MAX_DIGITS: Final = 18
View = CallView | PaymentView | ServiceView


class Follower(AsyncIterator[View]):
    """One reader of a Feed. For one task at a time; ends when it was dropped, closed, or the feed
    is closed. `position`: the id of the view that was read last; empty before the last of those
    that it begins with. `resumed`: it goes on behind an earlier one, with nothing left out."""

    def __init__(
        self, feed: Feed, now: Iterable[tuple[str, View]], position: str, backlog: int, *, resumed: bool
    ) -> None:
        self._feed = feed
        self.resumed = resumed
        self._waiting = deque(now)
        self.position = "" if self._waiting else position
        self._limit = len(self._waiting) + backlog
        self._wake = asyncio.Event()
        self._over = False
        self.dropped = False

    def _push(self, position: str, view: View) -> None:
        if len(self._waiting) >= self._limit:
            self.dropped = True
            self._waiting.clear()
            self._end()
            return
        self._waiting.append((position, view))
        self._wake.set()

    def _end(self) -> None:
        self._over = True
        self._feed._followers.discard(self)
        self._wake.set()

    async def __anext__(self) -> View:
        while not self._waiting:
            if self._over:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        position, view = self._waiting.popleft()
        self.position = position or self.position
        return view

    async def aclose(self) -> None:
        """Stop following; what was not read yet is forgotten."""
        self._waiting.clear()
        self._end()


class Feed:
    """The current calls and payments, and their followers."""

    def __init__(self, *, backlog: int = 256) -> None:
        """`backlog`: how many views a follower may be behind before it is dropped."""
        self._backlog = backlog
        self._calls: dict[str, CallView] = {}
        self._payments: dict[str, PaymentView] = {}
        self._service = ServiceView()
        self._followers: set[Follower] = set()
        self._epoch = secrets.token_hex(4)  # of this process: its numbers are no other's
        self._number = 0  # of the newest view
        self._remembered: deque[View] = deque(maxlen=REMEMBERED)

    def publish(self, view: CallView) -> None:
        """Tell every follower the new state of one call. Never waits."""
        if _is_over(view):
            self._calls.pop(view.id, None)
        else:
            self._calls[view.id] = view
        self._push(view)

    def publish_payment(self, view: PaymentView) -> None:
        """Tell every follower the new state of one payment. Never waits."""
        if view.settled_at is None:
            self._payments[view.id] = view
        else:
            self._payments.pop(view.id, None)
        self._push(view)

    def _push(self, view: View) -> None:
        self._number += 1
        self._remembered.append(view)
        for follower in tuple(self._followers):
            follower._push(self._position(self._number), view)

    def publish_service(self, view: ServiceView) -> None:
        """Tell every follower what is wrong, where that has changed. Never waits."""
        if view == self._service:
            return
        self._service = view
        self._push(view)

    def calls(self) -> list[CallView]:
        """The newest view of each call that is not over, oldest call first."""
        return list(self._calls.values())

    def follow(self, after: str = "") -> Follower:
        """What is wrong, where anything is; the current calls and the payments that are not final;
        then every view that is published from now on. `after`: the position of an earlier follower,
        behind which this one goes on, where that can be."""
        first = (self._service,) if self._service.faults else ()
        missed, newest = self._since(after), self._number
        views = [*first, *((*self._calls.values(), *self._payments.values()) if missed is None else missed)]
        ids = [""] * len(views)
        if missed:
            ids[-len(missed) :] = map(self._position, range(newest - len(missed) + 1, newest + 1))
        ids[-1:] = [self._position(newest)] if views else []
        follower = Follower(
            self,
            zip(ids, views, strict=True),
            self._position(newest),
            self._backlog,
            resumed=missed is not None,
        )
        self._followers.add(follower)
        return follower

    def _since(self, position: str) -> list[View] | None:
        """What was published since then; None where that is not remembered."""
        epoch, _, number = position.partition("-")
        if epoch != self._epoch or not (number.isascii() and number.isdecimal()) or len(number) > _MAX_DIGITS:
            return None
        missed = self._number - int(number)
        if not 0 <= missed <= len(self._remembered):
            return None
        return list(islice(self._remembered, len(self._remembered) - missed, None))

    def _position(self, number: int) -> str:
        return f"{self._epoch}-{number}"

    def close(self) -> None:
        """End every follower once it has read what waits for it."""
        for follower in tuple(self._followers):
            follower._end()

    def __len__(self) -> int:
        """How many follow now."""
        return len(self._followers)


def _is_over(view: CallView) -> bool:
    charging = view.capture is not None and view.capture.stage is CaptureStage.CHARGING
    return view.state is CallState.ENDED and not charging
