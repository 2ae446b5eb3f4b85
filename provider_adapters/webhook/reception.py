"""Answers a webhook: looks at its signature, and hands on what it says.

Rule 1: a provider hears that an event was taken only when the reconciler has it on disk; else it
        sends it again.
Rule 2: what looks like a card number goes no further, whoever signed it.
Rule 3: of what is refused nothing is logged or counted but its kind and how often it came.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import msgspec

from provider_adapters.notice import Notice
from provider_adapters.reconciler.messages import WebhookRefusal
from provider_adapters.reconciler.withholding import withhold_from_notice
from provider_adapters.webhook.listener import Answer, HttpRequest
from provider_adapters.webhook.scheme import BadSignature, Challenged, Scheme, Stale, Unreadable
from tonewall.log import get_logger

log = get_logger(__name__)
_LOG_EVERY = 10.0  # seconds between two lines about refusals of one kind
_REFUSALS = {
    BadSignature: (401, WebhookRefusal.BAD_SIGNATURE),
    Stale: (400, WebhookRefusal.STALE),
    Unreadable: (400, WebhookRefusal.UNREADABLE),
}


@dataclass(slots=True)
class Refusals:
    """How often what was refused, with a line in the log now and then."""

    counts: dict[WebhookRefusal, int] = field(default_factory=dict)
    _reported: dict[WebhookRefusal, int] = field(default_factory=dict)
    _logged: dict[WebhookRefusal, float] = field(default_factory=dict)

    def note(self, reason: WebhookRefusal, now: float | None = None) -> None:
        """Count one. `now`: seconds of a monotonic clock."""
        now = time.monotonic() if now is None else now
        self.counts[reason] = self.counts.get(reason, 0) + 1
        if now - self._logged.get(reason, -_LOG_EVERY) >= _LOG_EVERY:
            self._logged[reason] = now
            log.warning("webhook_refused", reason=reason, count=self.counts[reason])

    async def report(self, tell: Callable[[dict[WebhookRefusal, int]], Awaitable[bool]]) -> None:
        """Tell what was counted since the last time that it was taken."""
        now = dict(self.counts)
        new = {reason: count - self._reported.get(reason, 0) for reason, count in now.items()}
        new = {reason: count for reason, count in new.items() if count}
        if new and await tell(new):
            self._reported = now

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
            return self._refuse(404, WebhookRefusal.UNKNOWN_PATH)
        if request.method == "GET" and isinstance(self._scheme, Challenged):
            proof = self._scheme.answer_challenge(request.query, self._secret)
            return self._refuse(400, WebhookRefusal.UNREADABLE) if proof is None else Answer(200, proof)
        if request.method != "POST":
            return self._refuse(405, WebhookRefusal.NOT_POST)
        try:
            notices = self._scheme.read(request.headers, request.body, self._secret, time.time())
        except (BadSignature, Stale, Unreadable) as error:
            return self._refuse(*_REFUSALS[type(error)])
        name = self._provider
        named = [
            msgspec.structs.replace(each, provider=name, event=f"{name}:{each.event}")
            for each in (withhold_from_notice(each, self._secret) for each in notices)
        ]
        if named and not await self._deliver(tuple(named)):
            return self._refuse(503, WebhookRefusal.NOT_KEPT)
        log.debug("webhook_taken", count=len(notices))
        return Answer(200, self._scheme.ANSWER)

    def _refuse(self, status: int, reason: WebhookRefusal) -> Answer:
        self.refusals.note(reason)
        return Answer(status)


def webhook_path(adapter: str) -> str:
    """The path of the URL that is entered at the provider."""
    return f"/webhooks/{adapter}"
