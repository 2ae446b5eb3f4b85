"""Answers a webhook: looks at its signature, and hands on what it says.

Rule 1: a provider hears that an event was taken only when the reconciler has it on disk; else it
        sends it again.
Rule 2: of what is refused nothing is logged but its kind and how often it came.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import msgspec

from provider_adapters.notice import Notice
from provider_adapters.webhook.listener import Answer, HttpRequest
from provider_adapters.webhook.scheme import BadSignature, Scheme, Stale, Unreadable
from tonewall.log import get_logger

log = get_logger(__name__)
_LOG_EVERY = 10.0  # seconds between two lines about refusals of one kind
_REFUSALS = {BadSignature: (401, "bad_signature"), Stale: (400, "stale"), Unreadable: (400, "unreadable")}


@dataclass(slots=True)
class Refusals:
    """How often what was refused, with a line in the log now and then."""

    counts: dict[str, int] = field(default_factory=dict)
    _logged: dict[str, float] = field(default_factory=dict)

    def note(self, reason: str, now: float) -> None:
        """Count one. `now`: seconds of a monotonic clock."""
        self.counts[reason] = self.counts.get(reason, 0) + 1
        if now - self._logged.get(reason, -_LOG_EVERY) >= _LOG_EVERY:
            self._logged[reason] = now
            log.warning("webhook_refused", reason=reason, count=self.counts[reason])

    def close(self) -> None:
        """Log what was counted in all."""
        for reason, count in self.counts.items():
            log.warning("webhook_refused", reason=reason, count=count)


class Reception:
    """The webhooks of one provider, by the name of its section. `deliver` hands notices on, and
    says whether they are kept."""

    def __init__(
        self,
        adapter: str,
        provider: str,
        scheme: Scheme,
        secret: str,
        deliver: Callable[[tuple[Notice, ...]], Awaitable[bool]],
    ) -> None:
        self._path, self._scheme, self._secret = webhook_path(adapter), scheme, secret
        self._provider, self._deliver = provider, deliver
        self.refusals = Refusals()

    async def respond(self, request: HttpRequest) -> Answer:
        """The answer to one request."""
        if request.path != self._path:
            return self._refuse(404, "unknown_path")
        if request.method != "POST":
            return self._refuse(405, "not_post")
        try:
            notices = self._scheme.read(request.headers, request.body, self._secret, time.time())
        except (BadSignature, Stale, Unreadable) as error:
            return self._refuse(*_REFUSALS[type(error)])
        name = self._provider
        named = [
            msgspec.structs.replace(each, provider=name, event=f"{name}:{each.event}") for each in notices
        ]
        if named and not await self._deliver(tuple(named)):
            return self._refuse(503, "not_kept")
        log.debug("webhook_taken", count=len(notices))
        return Answer(200, self._scheme.ANSWER)

    def _refuse(self, status: int, reason: str) -> Answer:
        self.refusals.note(reason, time.monotonic())
        return Answer(status)


def webhook_path(adapter: str) -> str:
    """The path of the URL that is entered at the provider."""
    return f"/webhooks/{adapter}"
