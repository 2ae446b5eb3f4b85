"""The local provider with a card that is never answered, and never settled when it is asked for."""

from __future__ import annotations

import asyncio
from types import MappingProxyType
from typing import Any

from provider_adapters.local import books as local_books
from provider_adapters.local import provider as local_provider

NEVER = "4000000000010076"


def _teach() -> None:
    known = {**local_books.BEHAVIOURS, NEVER: local_books.Behaviour("never_answered", False, "late")}
    local_books.BEHAVIOURS = MappingProxyType(known)  # type: ignore[misc]
    decide = local_books.Books._decide

    async def never(self: Any, record: Any, order: Any, behaviour: Any) -> None:
        if behaviour.name == "never_answered":
            await asyncio.get_running_loop().create_future()
        await decide(self, record, order, behaviour)

    local_books.Books._decide = never  # type: ignore[method-assign]


if __name__ == "__main__":
    _teach()
    local_provider.main()
