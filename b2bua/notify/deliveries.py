"""Tries messages until a service takes them: which is due, how often it was tried, and when next.

Rule 1: of one subject, a message is sent only after the one before it was taken or given up.
Rule 2: a message is tried again after a pause that grows; at its time it is given up.
Rule 3: where the last message of a subject waits, those before it that may be lost are tried once
        more at most, and none of them after one that was not taken.
Rule 4: what became of an attempt is noted by `note` before the next message of its subject is sent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec

from b2bua.notify.message import Message
from tonewall.log import get_logger
from tonewall.tasks import BackgroundTasks

log = get_logger(__name__)
Result = Literal["failing", "delivered", "given_up"]
Send = Callable[[Message, float], Awaitable[str]]
_MIN_PAUSE, _MAX_PAUSE = 2.0, 300.0  # seconds between two attempts
_AT_ONCE = 8


class Deliveries:
    """The messages to one service. `send` sends one, and says why it was not taken; `note` gets
    each result with that word; `clock` gives seconds since the epoch and never runs backwards."""

    def __init__(
        self,
        send: Send,
        note: Callable[[Message, Result, str], Awaitable[None]],
        clock: Callable[[], float],
        tasks: BackgroundTasks,
        kept_free: int = 0,
    ) -> None:
        """`kept_free`: how many of the messages that are sent at once are for subjects whose last
        one waits."""
        self._send, self._note, self._clock, self._tasks = send, note, clock, tasks
        self._waiting: dict[str, deque[Message]] = {}
        self._kept_free = kept_free
        self._under_way: set[str] = set()  # subjects
        self._superseded: set[str] = set()  # messages that are not tried again
        self._last: set[str] = set()  # subjects whose last message waits
        self._given_up = 0
        self.reason = ""
        """Why the newest attempt failed; empty where it did not."""

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def count_of(self, subject: str) -> int:
        """How many messages of a subject wait."""
        return len(self._waiting.get(subject, ()))

    def add(self, message: Message, *, only: bool = False, last: bool = False) -> None:
        """A message that is on disk, or may be lost. `only`: those of its subject that wait are not
        sent any more; `last`: it must not wait for them for long."""
        waiting = self._waiting.setdefault(message.subject, deque())
        if last:
            self._hurry(waiting, message.subject)
        if only:
            kept = [waiting[0]] if message.subject in self._under_way else []
            self._superseded |= {each.id for each in kept}
            waiting.clear()
            waiting.extend(kept)
        waiting.append(message)
        self.look()

    def look(self) -> None:
        """Send what is due; every second or so."""
        now = self._clock()
        due = [
            waiting[0]
            for subject, waiting in self._waiting.items()
            if subject not in self._under_way and waiting[0].next_at <= now
        ]
        for each in sorted(due, key=lambda message: (message.subject not in self._last, message.next_at)):
            most = _AT_ONCE if each.subject in self._last else _AT_ONCE - self._kept_free
            if len(self._under_way) >= most:
                break
            self._under_way.add(each.subject)
            self._tasks.start(self._try(each), "notify")

    def health(self) -> dict[str, int | bool]:
        """How many messages wait, for how many seconds the oldest of them has, and how many were
        given up."""
        created = [each.created_at for waiting in self._waiting.values() for each in waiting]
        return {
            "waiting_webhooks": len(created),
            "oldest_waiting_webhook": round(self._clock() - min(created)) if created else 0,
            "given_up_webhooks": self._given_up,
        }

    async def _try(self, message: Message) -> None:
        try:
            reason = await self._send(message, self._clock())
            self.reason, now = reason, self._clock()
            result: Result = "delivered"
            if reason:
                gives_up = message.id in self._superseded or now >= message.until
                result = "given_up" if gives_up else "failing"
                # Of the first failure and of the end: what is between has the health check.
                if gives_up or not message.attempts:
                    log.warning("webhook_not_delivered", kind=message.kind, reason=reason, state=result)
            pause = min(_MIN_PAUSE * 2 ** min(message.attempts, 16), _MAX_PAUSE)
            tried = msgspec.structs.replace(message, attempts=message.attempts + 1, next_at=now + pause)
            await self._note(tried, result, reason)
            self._put_back(tried, result)
        finally:
            self._under_way.discard(message.subject)
        self.look()

    def _put_back(self, message: Message, result: Result) -> None:
        waiting = self._waiting[message.subject]
        # It may have been superseded while the result was noted.
        if result == "failing" and message.id not in self._superseded:
            waiting[0] = message
            return
        self._superseded.discard(message.id)
        self._given_up += result == "given_up"
        waiting.popleft()
        while result == "given_up" and waiting and waiting[0].id in self._superseded:
            self._superseded.discard(waiting.popleft().id)
            self._given_up += 1
        if not waiting:
            del self._waiting[message.subject]
            self._last.discard(message.subject)

    def _hurry(self, waiting: deque[Message], subject: str) -> None:
        """Rule 3."""
        self._last.add(subject)
        under_way = [waiting.popleft()] if subject in self._under_way and waiting else []
        has_failed = any(each.attempts for each in waiting)
        left = [each for each in waiting if each.is_kept or not has_failed]
        self._given_up += len(waiting) - len(left)
        waiting.clear()
        waiting.extend([*under_way, *left])
        self._superseded |= {each.id for each in waiting if not each.is_kept}
