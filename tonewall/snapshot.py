"""Snapshots: plain objects serialised to bytes, and restored as they were.

Rule 1: only the listed `Kinds` are written or read: dataclasses, msgspec structs and enums of known
        modules, never code.
Rule 2: an object that two others share is shared again. A new field needs no new line here.
Rule 3: a snapshot is whole and of this version, or reading it raises SnapshotError and makes
        nothing.
Rule 4: times are on the system's monotonic clock or since the epoch. They hold for the next
        process, not after a restart of the machine, which is detected.
Rule 5: an object that both processes have, such as a trunk of the settings, is written by its name
        (`Names`). A field marked TRANSIENT is not written; restored, it has its default.
Rule 6: objects are restored without their constructor, because they may refer to each other.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from types import ModuleType
from typing import Any, Protocol

import msgspec

VERSION = 1
_DIGEST = 16  # bytes
_SCALARS = (type(None), bool, int, float, str, bytes)
_SEQUENCES: dict[str, Callable[[Iterable[Any]], Any]] = {"l": list, "t": tuple, "s": set, "f": frozenset}
_TAGS: dict[type, str] = {list: "l", tuple: "t", set: "s", frozenset: "f"}
TRANSIENT = {"transient": True}  # metadata of a dataclass field that is not written


class SnapshotError(Exception):
    """A snapshot that cannot be written or read. The text says why, and holds no content."""


class Kinds:
    """The types of a snapshot: those that these modules define, without `never`, with `also`."""

    def __init__(
        self, modules: Iterable[ModuleType], never: Iterable[type] = (), also: Iterable[type] = ()
    ) -> None:
        self._types = {
            _name(each): each
            for module in modules
            for each in vars(module).values()
            if isinstance(each, type)
            and each.__module__ == module.__name__
            and _is_plain(each)
            and each not in set(never)
        } | {_name(each): each for each in also}

    def __iter__(self) -> Iterator[type]:
        return iter(self._types.values())

    def name(self, kind: type) -> str:
        """Name a type. Raises SnapshotError for one that is not listed."""
        if self._types.get(_name(kind)) is not kind:
            raise SnapshotError(f"{kind.__module__}.{kind.__qualname__} is not written out")
        return _name(kind)

    def kind(self, name: object) -> type:
        """Find a type by its name. Raises SnapshotError for one that is not listed."""
        found = self._types.get(name) if isinstance(name, str) else None
        if found is None:
            raise SnapshotError("it has a kind that is not known here")
        return found


class Names(Protocol):
    """Objects that the writing and the reading process both have, by name."""

    def name_of(self, value: object) -> Any:
        """Return a name that can be written (a scalar or a tuple); None for any other object.

        Raises SnapshotError for an object that must not be written.
        """
        ...

    def find(self, name: Any) -> object:
        """Find the object of that name here. Raises SnapshotError where there is none."""
        ...


class _NoNames:
    """No object has a name."""

    def name_of(self, value: object) -> Any:
        del value

    def find(self, name: Any) -> object:
        del name
        raise SnapshotError("it names an object that does not exist here")


_NO_NAMES = _NoNames()


def fields(kind: type) -> tuple[str, ...]:
    """List the fields of a dataclass or struct that are written, private ones too."""
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind) if not _is_transient(field))
    return tuple(kind.__struct_fields__)  # type: ignore[attr-defined]


def write(root: object, kinds: Kinds, now: float, names: Names = _NO_NAMES) -> bytes:
    """Serialise an object and all that it refers to. `now`: on the monotonic clock, in seconds.

    Raises SnapshotError for an object that is not plain state.
    """
    writer = _Writer(kinds, names)
    body = msgspec.msgpack.encode([VERSION, now, writer.value(root), writer.objects])
    return hashlib.blake2b(body, digest_size=_DIGEST).digest() + body


def read(
    data: bytes, kinds: Kinds, now: float, names: Names = _NO_NAMES, made: list[object] | None = None
) -> Any:
    """Restore an object from a snapshot. `now`: as for `write`; `made`: gets every object that was
    restored. Raises SnapshotError."""
    digest, body = data[:_DIGEST], data[_DIGEST:]
    if hashlib.blake2b(body, digest_size=_DIGEST).digest() != digest:
        raise SnapshotError("it is not whole")
    try:
        version, *rest = msgspec.msgpack.decode(body)
        if version != VERSION:
            raise SnapshotError(f"it is of version {version}, this is {VERSION}")
        at, root, objects = rest
        if at > now:
            raise SnapshotError("the machine was started again since it was written")
        reader = _Reader(kinds, objects, names)
        found = reader.value(root)
        if made is not None:
            made.extend(reader.made())
        return found
    except SnapshotError:
        raise
    except Exception as error:  # whole, but not of this writer: its text could hold anything
        raise SnapshotError(f"it is not what was written ({type(error).__name__})") from None


class _Writer:
    """One snapshot being written. `objects`: each once, in the order of discovery."""

    def __init__(self, kinds: Kinds, names: Names) -> None:
        self._kinds = kinds
        self._names = names
        self._numbers: dict[int, int] = {}
        self.objects: list[Any] = []

    def value(self, value: Any) -> Any:
        if isinstance(value, Enum):
            return ["e", self._kinds.name(type(value)), value.value]
        if type(value) is str and not value.isascii():
            # Text of a peer may hold octets that are no UTF-8 (PEP 383).
            return value if value.isprintable() else ["u", value.encode("utf-8", "surrogateescape")]
        if type(value) in _SCALARS:
            return value
        if value is msgspec.UNSET:
            return ["-", None]
        if type(value) in _TAGS:
            items = [self.value(item) for item in value]
            return [
                _TAGS[type(value)],
                sorted(items, key=repr) if isinstance(value, set | frozenset) else items,
            ]
        if type(value) is dict:
            return ["d", [[self.value(key), self.value(item)] for key, item in value.items()]]
        name = self._names.name_of(value)
        if name is not None:
            return ["x", self.value(name)]
        if isinstance(value, tuple):  # a NamedTuple
            return ["n", self._kinds.name(type(value)), [self.value(item) for item in value]]
        return ["o", self._object(value)]

    def _object(self, value: Any) -> int:
        number = self._numbers.get(id(value))
        if number is None:
            name = self._kinds.name(type(value))
            number = self._numbers[id(value)] = len(self.objects)
            self.objects.append(None)
            content = {field: self.value(getattr(value, field)) for field in fields(type(value))}
            self.objects[number] = [name, content]
        return number


class _Reader:
    def __init__(self, kinds: Kinds, objects: list[Any], names: Names) -> None:
        self._kinds = kinds
        self._names = names
        self._objects = objects
        self._made: dict[int, Any] = {}

    def made(self) -> list[object]:
        return list(self._made.values())

    def value(self, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        match value:
            case ["e", name, plain]:
                return self._kinds.kind(name)(plain)
            case ["d", pairs]:
                return {self.value(key): self.value(item) for key, item in pairs}
            case ["-", None]:
                return msgspec.UNSET
            case ["u", octets]:
                return octets.decode("utf-8", "surrogateescape")
            case ["n", name, items]:
                return self._kinds.kind(name)(*(self.value(item) for item in items))
            case ["o", number]:
                return self._object(number)
            case ["x", name]:
                return self._names.find(self.value(name))
            case [tag, items]:
                return _SEQUENCES[tag](self.value(item) for item in items)
            case _:
                raise SnapshotError("it is not what was written")

    def _object(self, number: int) -> Any:
        if number not in self._made:
            name, content = self._objects[number]
            kind = self._kinds.kind(name)
            if set(content) != set(fields(kind)):
                raise SnapshotError(f"{name} has other fields here")
            if not dataclasses.is_dataclass(kind):
                self._made[number] = kind(**{field: self.value(item) for field, item in content.items()})
                return self._made[number]
            # Before its fields, which may lead back to it.
            made = self._made[number] = kind.__new__(kind)
            for each in dataclasses.fields(kind):
                value = _default(each) if _is_transient(each) else self.value(content[each.name])
                object.__setattr__(made, each.name, value)  # a frozen one, too
        return self._made[number]


def _is_transient(field: dataclasses.Field[Any]) -> bool:
    return "transient" in field.metadata


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _is_plain(kind: type) -> bool:
    named_tuple = issubclass(kind, tuple) and hasattr(kind, "_fields")
    return dataclasses.is_dataclass(kind) or issubclass(kind, Enum | msgspec.Struct) or named_tuple
