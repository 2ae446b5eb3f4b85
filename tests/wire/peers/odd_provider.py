"""A payment provider for any card: it behaves as the first word of the transaction says, and likes
to quote what it was sent.

    python -m tests.wire.peers.odd_provider --directory DIR

`echo` answers everything with the request itself; `quoting` declines and quotes the card in each
field of the answer; any name of `provider_adapters.local.books.BEHAVIOURS` does that; all else is
approved. It may be slow, too: `--delay`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from provider_adapters.local import provider as local_provider
from provider_adapters.local.books import BEHAVIOURS, Answer, Books
from provider_adapters.local.dialect import Dialect

_NUMBERS = {behaviour.name: number for number, behaviour in BEHAVIOURS.items()}


class OddProvider(local_provider.Provider):
    """The local provider, told by transaction instead of by card number."""

    def __init__(self, books: Books, dialect: Dialect, hold: float = 0.0) -> None:
        super().__init__(books, dialect, hold)
        self._echoes: dict[str, Answer] = {}

    async def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        key = headers.get("idempotency-key", path.rpartition("/")[2])
        if key in self._echoes:
            return self._echoes[key]
        if method != "POST":
            return await super().handle(method, path, headers, body)
        order: dict[str, Any] = msgspec.json.decode(body)
        manner = str(order["transaction_id"]).partition("-")[0]
        if manner not in ("echo", "quoting"):
            order["card"]["number"] = _NUMBERS.get(manner, order["card"]["number"])
            return await super().handle(method, path, headers, msgspec.json.encode(order))
        await super().handle(method, path, headers, body)  # so that the books have it
        number, code = order["card"]["number"], order["card"]["security_code"]
        quote = " ".join((number[:4], number[4:8], number[8:12], number[12:], "code", code))
        declined = {"status": "declined", "reason": f"card_{number}", "message": quote, "reference": number}
        answer = (
            Answer(402, declined) if manner == "quoting" else Answer(200, {"error": number, "request": order})
        )
        self._echoes[key] = answer
        return answer


if __name__ == "__main__":
    local_provider.Provider = OddProvider  # type: ignore[misc]
    local_provider.main()
