"""State on paper: plain objects written out as bytes, and read back as they were.

Rule 1: only the kinds that were named are written or read: dataclasses, msgspec structs and enums
        of known modules, never code.
Rule 2: what two objects share is one object again. New fields are carried without a new line here.
Rule 3: what is read is whole and of this version, or it is a WrittenError and nothing has been
        made.
Rule 4: times are on the system's monotonic clock or since the epoch: they hold for the next
        process, but not after a restart of the machine, which is found out.
Rule 5: what stands in either process, such as a trunk of the settings, is written by its name
        (`Standing`). A field with PASSING is not written: it is as new in what is read.
Rule 6: what is read is put together without its constructor: objects may know each other.
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
PASSING = {"passing": True}  # the metadata of a dataclass's field that is not written


class WrittenError(Exception):
    """It cannot be written, or is not to be read; the text says why, never what."""


class Kinds:
    """The types that may be written: all that these modules define, but `never`, and `also`
    these."""

    def __init__(
        self, modules: Iterable[ModuleType], never: Iterable[type] = (), also: Iterable[type] = ()
    ) -> None:
        self._types = {
            _name(each): each
            for module in modules
            for each in vars(module).values()
            if isinstance(each, type)
            and each.__module__ == module.__name__
            and _plain(each)
            and each not in set(never)
        } | {_name(each): each for each in also}

    def __iter__(self) -> Iterator[type]:
        return iter(self._types.values())

    def name(self, kind: type) -> str:
        """Raises WrittenError for a type that is none of them."""
        if self._types.get(_name(kind)) is not kind:
            raise WrittenError(f"{kind.__module__}.{kind.__qualname__} is not written out")
        return _name(kind)

    def kind(self, name: object) -> type:
        """Raises WrittenError for a name that is none of theirs."""
        found = self._types.get(name) if isinstance(name, str) else None
        if found is None:
            raise WrittenError("it has a kind that is not known here")
        return found


class Standing(Protocol):
    """Who knows by name what stands in the process that writes and in the one that reads."""

    def name(self, value: object) -> Any:
        """A scalar or a tuple of what can be written; None for what does not stand. Raises
        WrittenError."""
        ...

    def named(self, name: Any) -> object:
        """Raises WrittenError where there is nothing of that name here."""
        ...


class _Alone:
    """Nothing stands."""

    def name(self, value: object) -> Any:
        del value

    def named(self, name: Any) -> object:
        del name
        raise WrittenError("it is of something that does not stand here")


_ALONE = _Alone()


def fields(kind: type) -> tuple[str, ...]:
    """The fields of a dataclass or struct that are written, private ones too."""
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind) if not _passes(field))
    return tuple(kind.__struct_fields__)  # type: ignore[attr-defined]


def write(root: object, kinds: Kinds, now: float, standing: Standing = _ALONE) -> bytes:
    """`now`: on the monotonic clock. Raises WrittenError for what is not plain state."""
    writer = _Writer(kinds, standing)
    body = msgspec.msgpack.encode([VERSION, now, writer.value(root), writer.objects])
    return hashlib.blake2b(body, digest_size=_DIGEST).digest() + body


def read(data: bytes, kinds: Kinds, now: float, standing: Standing = _ALONE) -> Any:
    """What was written. Raises WrittenError."""
    digest, body = data[:_DIGEST], data[_DIGEST:]
    if hashlib.blake2b(body, digest_size=_DIGEST).digest() != digest:
        raise WrittenError("it is not whole")
    try:
        version, *rest = msgspec.msgpack.decode(body)
        if version != VERSION:
            raise WrittenError(f"it is of version {version}, this is {VERSION}")
        at, root, objects = rest
        if at > now:
            raise WrittenError("the machine was started again since it was written")
        return _Reader(kinds, objects, standing).value(root)
    except WrittenError:
        raise
    except Exception as error:  # whole, and yet not what this writes: its text could be anything
        raise WrittenError(f"it is not what was written ({type(error).__name__})") from None


class _Writer:
    """One writing. `objects`: each once, by the order in which they were met."""

    def __init__(self, kinds: Kinds, standing: Standing) -> None:
        self._kinds = kinds
        self._standing = standing
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
        if type(value) in _TAGS:
            items = [self.value(item) for item in value]
            return [
                _TAGS[type(value)],
                sorted(items, key=repr) if isinstance(value, set | frozenset) else items,
            ]
        if type(value) is dict:
            return ["d", [[self.value(key), self.value(item)] for key, item in value.items()]]
        name = self._standing.name(value)
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
    def __init__(self, kinds: Kinds, objects: list[Any], standing: Standing) -> None:
        self._kinds = kinds
        self._standing = standing
        self._objects = objects
        self._made: dict[int, Any] = {}

    def value(self, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        match value:
            case ["e", name, plain]:
                return self._kinds.kind(name)(plain)
            case ["d", pairs]:
                return {self.value(key): self.value(item) for key, item in pairs}
            case ["u", octets]:
                return octets.decode("utf-8", "surrogateescape")
            case ["n", name, items]:
                return self._kinds.kind(name)(*(self.value(item) for item in items))
            case ["o", number]:
                return self._object(number)
            case ["x", name]:
                return self._standing.named(self.value(name))
            case [tag, items]:
                return _SEQUENCES[tag](self.value(item) for item in items)
            case _:
                raise WrittenError("it is not what was written")

    def _object(self, number: int) -> Any:
        if number not in self._made:
            name, content = self._objects[number]
            kind = self._kinds.kind(name)
            if set(content) != set(fields(kind)):
                raise WrittenError(f"{name} has other fields here")
            if not dataclasses.is_dataclass(kind):
                self._made[number] = kind(**{field: self.value(item) for field, item in content.items()})
                return self._made[number]
            # Before its fields, which may lead back to it.
            made = self._made[number] = kind.__new__(kind)
            for each in dataclasses.fields(kind):
                value = _anew(each) if _passes(each) else self.value(content[each.name])
                object.__setattr__(made, each.name, value)  # a frozen one, too
        return self._made[number]


def _passes(field: dataclasses.Field[Any]) -> bool:
    return "passing" in field.metadata


def _anew(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _plain(kind: type) -> bool:
    named_tuple = issubclass(kind, tuple) and hasattr(kind, "_fields")
    return dataclasses.is_dataclass(kind) or issubclass(kind, Enum | msgspec.Struct) or named_tuple
