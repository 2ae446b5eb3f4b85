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

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import msgspec

from tonewall.snapshot_kinds import TRANSIENT, Kinds, SnapshotError, Written, fields, slots
from tonewall.snapshot_writer import Writer, Writers

__all__ = ["TRANSIENT", "VERSION", "Kinds", "Names", "SnapshotError", "fields", "read", "write"]
VERSION = 3
_DIGEST = 16  # bytes
_SEQUENCES: Mapping[str, Callable[[Iterable[Any]], Any]] = {
    "l": list,
    "t": tuple,
    "s": set,
    "f": frozenset,
}


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
        kinds.require(schema)
        reader = _Reader(kinds, schema, objects, names)
        found = reader.value(root)
        if made is not None:
            made.extend(reader.made())
        return found
    except SnapshotError:
        raise
    except Exception as error:  # whole, but not of this writer: its text could hold anything
        raise SnapshotError(f"it is not what was written ({type(error).__name__})") from None


class _Reader:
    def __init__(self, kinds: Kinds, schema: int, objects: list[Any], names: Names) -> None:
        self._kinds = kinds
        self._schema = schema
        self._names = names
        self._objects = objects
        self._made: dict[int, Any] = {}

    def made(self) -> list[object]:
        return list(self._made.values())

    def value(self, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        match value:
            case ["o", number]:
                return self._object(number)
            case ["e", form, plain]:
                return self._written(form).kind(plain)
            case ["i", form, *content]:
                return self._frozen(self._written(form), content)
            case ["d", pairs]:
                return {self.value(key): self.value(item) for key, item in pairs}
            case ["-", None]:
                return msgspec.UNSET
            case ["u", octets]:
                return octets.decode("utf-8", "surrogateescape")
            case ["x", name]:
                return self._names.find(self.value(name))
            case [tag, items]:
                return _SEQUENCES[tag](self.value(item) for item in items)
            case _:
                raise SnapshotError("it is not what was written")

    def _written(self, form: object) -> Written:
        return self._kinds.written(form, self._schema)

    def _frozen(self, written: Written, content: list[Any]) -> Any:
        kind = written.kind
        if dataclasses.is_dataclass(kind):
            return self._fill(written, kind.__new__(kind), content)
        return kind(**self._fields(written, content))

    def _object(self, number: int) -> Any:
        if number not in self._made:
            form, *content = self._objects[number]
            written = self._written(form)
            kind = written.kind
            if dataclasses.is_dataclass(kind):
                # Before its fields, which may lead back to it.
                made = self._made[number] = kind.__new__(kind)
                self._fill(written, made, content)
            else:
                self._made[number] = kind(**self._fields(written, content))
        return self._made[number]

    def _fields(self, written: Written, content: list[Any]) -> dict[str, Any]:
        texts, *rest = content
        found = dict(zip(written.plain, map(self.value, texts), strict=True))
        found |= dict(zip(written.others, map(self.value, rest), strict=True))
        if self._schema == self._kinds.schema:
            return found
        known = slots(written.kind)
        return {name: value for name, value in found.items() if name in known}

    def _fill(self, written: Written, made: Any, content: list[Any]) -> Any:
        found = self._fields(written, content)
        for each in dataclasses.fields(written.kind):
            value = found[each.name] if each.name in found else _default(each)
            object.__setattr__(made, each.name, value)  # a frozen one, too
        return made


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    if field.default is dataclasses.MISSING:
        raise SnapshotError(f"it has no {field.name}, which has no default")
    return field.default
