"""The client that waits for answers.

    with Client("https://tonewall.example", "the-token") as tonewall:
        for call in tonewall.list_calls(mine=True):
            tonewall.start_payment(call["id"], transaction_id="INV-1", amount=4990, currency="EUR")

Rule 1: a connection follows no redirect, and the token goes to one address alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final, Self

import httpx

from tonewall.client.errors import ApiError, ConnectionFailed, TonewallError, TooMany, Unavailable, error_for
from tonewall.client.feed import FeedEvent, FeedReader
from tonewall.client.requests import MAX_PAUSE, Request, checked_address
from tonewall.client.sync_calls import SyncCalls
from tonewall.client.sync_payments import SyncPayments
from tonewall.client.sync_service import SyncService

FEED: Final = "/v1/feed"
SILENCE: Final = 45.0  # seconds without an octet, where a comment comes every 15


class Client(SyncCalls, SyncPayments, SyncService):
    """The API of a Tonewall, as a program uses it. One of its methods is there for each operation
    of b2bua/api/openapi.json, by its name."""

    def __init__(
        self,
        address: str,
        token: str,
        *,
        retries: int = 2,
        timeout: float = 10.0,
        plain_http: bool = False,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """`retries`: how often a request is sent again where that is harmless; `timeout`: seconds
        for an answer; `plain_http`: whether the token may pass in the clear. Raises ValueError."""
        self._retries = retries
        self._http = httpx.Client(
            base_url=checked_address(address, plain_http=plain_http),
            headers={"Authorization": f"Bearer {token}"},
            timeout=timeout,
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def follow_calls(self, last_event_id: str = "") -> Iterator[FeedEvent]:
        """The events of the feed, over as many connections as it takes. Raises ApiError where the
        token may not read it."""
        reader, pause = FeedReader(last_event_id), 0.0
        while True:
            try:
                for event in self._read_feed(reader):
                    pause = 0.0
                    yield event
            except (TooMany, Unavailable, httpx.TransportError):
                pause = min(max(2 * pause, reader.retry), MAX_PAUSE)
            time.sleep(pause or reader.retry)

    def _read_feed(self, reader: FeedReader) -> Iterator[FeedEvent]:
        limits = httpx.Timeout(10.0, read=SILENCE)
        with self._http.stream("GET", FEED, headers=reader.begin(), timeout=limits) as answer:
            if answer.status_code != 200:
                content = answer.read()
                raise error_for(answer.status_code, answer.headers.get("content-type", ""), content)
            for octets in answer.iter_bytes():
                yield from reader.read(octets)

    def _send(self, request: Request) -> Any:
        for tries in range(1, self._retries + 2):
            error: ApiError | None = None
            failure: TonewallError
            try:
                answer = self._http.request(
                    request.method,
                    request.path,
                    params=request.query,
                    headers=request.headers,
                    content=request.content,
                )
                kind, wait = (answer.headers.get(name, "") for name in ("content-type", "retry-after"))
                return request.read(answer.status_code, kind, answer.content, wait)
            except ApiError as caught:
                error, failure = caught, caught
            except httpx.TransportError as caught:
                failure = ConnectionFailed(f"No answer: {type(caught).__name__}.")
            pause = request.pause(error, tries)
            if pause is None or tries > self._retries:
                raise failure
            time.sleep(pause)
        raise AssertionError
