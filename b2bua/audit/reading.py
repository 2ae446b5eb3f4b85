"""Opens what is sealed in entries of an audit log, where its key is there."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

from b2bua.audit.entry import Entry
from b2bua.audit.record_keys import FILE, RecordKeys
from b2bua.audit.sealing import unseal

UNREADABLE = "not readable"


class Unsealer:
    """Opens entries of the log in a directory. Raises OSError where its keys cannot be used."""

    def __init__(self, directory: Path) -> None:
        self._keys = RecordKeys(directory) if (directory / FILE).exists() else None

    def __call__(self, entry: Entry) -> Entry:
        """The entry as it was noted, or with `erased` for its name or call."""
        if not entry.sealed and not entry.sealed_call:
            return entry
        with contextlib.suppress(ValueError):
            return unseal(entry, self._find(entry.key), self._find(entry.call_key))
        return msgspec.structs.replace(entry, who=UNREADABLE, sealed="", key=0, sealed_call="", call_key=0)

    def _find(self, number: int) -> bytes | None:
        return self._keys.find(number) if self._keys is not None and number else None

    def close(self) -> None:
        """Close the file of keys."""
        if self._keys is not None:
            self._keys.close()
