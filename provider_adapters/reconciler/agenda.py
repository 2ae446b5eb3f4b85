"""Keeps what is to be asked, and when: every charge of which nobody knows what became of it.

Rule 1: a charge under way is left to its sender until `patience` is over.
Rule 2: pauses grow from MIN_PAUSE to MAX_PAUSE; after `limit` a charge is given up, and a person is
        told.
Rule 3: it is made of the journal's lines alone, so a restart loses nothing.

No I/O; times are seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from provider_adapters.payer.entry import Entry

MIN_PAUSE, MAX_PAUSE = 2.0, 600.0  # seconds between two inquiries about one charge


@dataclass(slots=True)
class Item:
    """One open charge. `sent_at`: when it was first noted as being sent; `notes`: of all its
    steps."""

    entry: Entry
    sent_at: float
    next_at: float
    pause: float = MIN_PAUSE
    asking: bool = False


class Agenda:
    """The open charges by key. `patience`: seconds that a sender may take; `limit`: seconds after
    the sending after which nobody asks any more."""

    def __init__(self, patience: float, limit: float) -> None:
        self._patience, self._limit = patience, limit
        self._items: dict[str, Item] = {}

    def __len__(self) -> int:
        return len(self._items)

    def observe(self, entry: Entry) -> None:
        """Follow one line of the journal."""
        if not entry.key or entry.kind == "link":
            return
        item = self._items.get(entry.key)
        at = datetime.fromisoformat(entry.at).timestamp()
        if not entry.is_open:
            self._items.pop(entry.key, None)
        elif item is None:
            patience = self._patience if entry.state == "sending" else 0.0
            self._items[entry.key] = Item(entry, at, at + patience)
        else:
            # A payer that ends with an unknown outcome leaves the notes to its steps.
            item.entry = entry.after(item.entry)
            if entry.state == "finished":
                item.next_at = min(item.next_at, at)

    def due(self, now: float, most: int) -> list[Item]:
        """At most so many that are to be asked about now, the longest waiting first; they count as
        being asked about until `asked`."""
        waiting = sorted(
            (item for item in self._items.values() if not item.asking and item.next_at <= now),
            key=lambda item: item.next_at,
        )
        for item in waiting[:most]:
            item.asking = True
        return waiting[:most]

    def asked(self, key: str, now: float) -> None:
        """The answer left it open: ask again later."""
        item = self._items.get(key)
        if item is not None:
            item.asking, item.next_at = False, now + item.pause
            item.pause = min(2 * item.pause, MAX_PAUSE)

    def ask_now(self, keys: Iterable[str], now: float) -> int:
        """Ask about these at the next occasion, or about all where none is named; how many."""
        named = set(keys)
        chosen = [item for key, item in self._items.items() if not named or key in named]
        for item in chosen:
            item.next_at, item.pause = min(item.next_at, now), MIN_PAUSE
        return len(chosen)

    def is_late(self, item: Item, now: float) -> bool:
        """Whether it has been asked about for long enough."""
        return now - item.sent_at > self._limit

    def next_times(self, keys: Iterable[str]) -> dict[str, float]:
        """When each of these is asked about next, of those that are open."""
        return {key: self._items[key].next_at for key in keys if key in self._items}

    def oldest(self) -> float | None:
        """When the oldest of them was sent."""
        return min((item.sent_at for item in self._items.values()), default=None)
