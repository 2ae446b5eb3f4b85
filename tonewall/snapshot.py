"""Snapshots: plain objects serialised to bytes, and restored as they were.

Rule 1: only the listed `Kinds` are written or read: dataclasses, msgspec structs and enums of known
        modules, never code.
Rule 2: an object that two others share is shared again. A new field needs no new line here.
Rule 3: a snapshot is whole, of this version and of a schema that is known here, or reading it
        raises SnapshotError and makes nothing.
Rule 4: times are on the system's monotonic clock or since the epoch. They hold for the next
        process, not after a restart of the machine, which is detected.
Rule 5: an object that both processes have, such as a trunk of the settings, is written by its name
        (`Names`). A field marked TRANSIENT is not written; restored, it has its default.
Rule 6: objects are restored without their constructor, because they may refer to each other. One
        that cannot change is written where it stands, each time.
"""

from __future__ import annotations

import hashlib
from typing import Any, Protocol

import msgspec

from tonewall.snapshot_kinds import TRANSIENT, Kinds, SnapshotError, fields
from tonewall.snapshot_reader import Reader, Readers
from tonewall.snapshot_writer import Writer, Writers

__all__ = ["TRANSIENT", "VERSION", "Kinds", "Names", "SnapshotError", "fields", "read", "warm", "write"]
VERSION = 3
_DIGEST = 16  # bytes


class Names(Protocol):
    """Objects that the writing and the reading process both have, by name."""

    @property
    def kinds(self) -> tuple[type, ...]:
        """The types of objects that `name_of` is asked about."""
        ...

    def name_of(self, value: Any) -> Any:
        """Return a name that can be written (a scalar or a tuple); None for any other object.

        Raises SnapshotError for an object that must not be written.
        """
        ...

    def find(self, name: Any) -> object:
        """Find the object of that name here. Raises SnapshotError where there is none."""
        ...


class _NoNames:
    """No object has a name."""

    kinds: tuple[type, ...] = ()

    def name_of(self, value: Any) -> Any:
        del value

    def find(self, name: Any) -> object:
        del name
        raise SnapshotError("it names an object that does not exist here")


_NO_NAMES = _NoNames()


def write(root: object, kinds: Kinds, now: float, names: Names = _NO_NAMES) -> bytes:
    """Serialise an object and all that it refers to. `now`: on the monotonic clock, in seconds.

    Raises SnapshotError for an object that is not plain state.
    """
    try:
        body = _body(root, kinds, now, names, careful=False)
    except UnicodeEncodeError:  # text of a peer may hold octets that are no UTF-8 (PEP 383)
        body = _body(root, kinds, now, names, careful=True)
    return hashlib.blake2b(body, digest_size=_DIGEST).digest() + body


def _body(root: object, kinds: Kinds, now: float, names: Names, *, careful: bool) -> bytes:
    key = names.kinds, careful
    if key not in kinds.writers:
        kinds.writers[key] = Writers(kinds, names.kinds, careful=careful)
    writer = Writer(kinds.writers[key], names)
    value = writer.writers.value(root, writer)
    return msgspec.msgpack.encode([VERSION, kinds.schema, now, value, writer.objects])


def warm(kinds: Kinds) -> None:
    """Find now what takes long at the first object of a kind that is read."""
    _readers(kinds, kinds.schema).warm()


def _readers(kinds: Kinds, schema: int) -> Readers:
    if schema not in kinds.readers:
        kinds.require(schema)
        kinds.readers[schema] = Readers(kinds, schema)
    readers: Readers = kinds.readers[schema]
    return readers


def read(
    data: bytes, kinds: Kinds, now: float, names: Names = _NO_NAMES, made: list[object] | None = None
) -> Any:
    """Restore an object from a snapshot. `now`: as for `write`; `made`: gets every object that was
    restored, and is not written where it stands. Raises SnapshotError."""
    digest, body = data[:_DIGEST], data[_DIGEST:]
    if hashlib.blake2b(body, digest_size=_DIGEST).digest() != digest:
        raise SnapshotError("it is not whole")
    try:
        version, *rest = msgspec.msgpack.decode(body)
        if version != VERSION:
            raise SnapshotError(f"it is of version {version}, this is {VERSION}")
        schema, at, root, objects = rest
        if at > now:
            raise SnapshotError("the machine was started again since it was written")
        reader = Reader(_readers(kinds, schema), objects, names)
        found = reader.value(root)
        if made is not None:
            made.extend(reader.made.values())
        return found
    except SnapshotError:
        raise
    except Exception as error:  # whole, but not of this writer: its text could hold anything
        raise SnapshotError(f"it is not what was written ({type(error).__name__})") from None
