"""Restores objects of each kind from lists of plain values.

Rule 1: what a type takes is found when the first object of it comes, or before, by `Readers.warm`.
Rule 2: an object that may change is made before its fields, which may lead back to it.
Rule 3: what the settings gave is made once, where it refers to nothing else: most of a call is the
        same in each.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, Final, Protocol

import msgspec

from tonewall.snapshot_kinds import Kinds, SnapshotError, Written, slots

_MOST_MADE: Final = 1_000  # settings that are kept: more than any installation has
_Make = Callable[[list[Any], "Reader"], Any]
_set = object.__setattr__  # of a frozen one, too


class Finding(Protocol):
    """Objects that are written by a name; see `Names`."""

    def find(self, name: Any) -> object: ...


class Readers(dict[object, _Make]):
    """How the objects of each form are made, in one schema that was required: found when the first
    one comes."""

    def __init__(self, kinds: Kinds, schema: int) -> None:
        super().__init__()
        self._kinds, self._schema = kinds, schema

    def warm(self) -> None:
        """Find all of them now."""
        for each in self._kinds:
            self[self._kinds.form(each)]

    def __missing__(self, form: object) -> _Make:
        written = self._kinds.written(form, self._schema)
        if issubclass(written.kind, Enum):
            found = _enum(written.kind)
        elif not dataclasses.is_dataclass(written.kind):
            found = self._struct(written)
        else:
            found = _dataclass(written)
        if written.kind in self._kinds.settings:
            found = _setting(found)
        self[form] = found
        return found

    def _struct(self, written: Written) -> _Make:
        """Of a struct or a named tuple."""
        kind, names = written.kind, (*written.plain, *written.others)
        known = frozenset(slots(kind))
        gone = [name for name in names if name not in known]

        def make_struct(content: list[Any], reader: Reader) -> Any:
            found = dict(zip(names, reader.content(content, written), strict=True))
            for name in gone:
                del found[name]
            return kind(**found)

        return make_struct


class Reader:
    """One snapshot being read. `made`: what may change, by its place in the table."""

    __slots__ = ("_names", "_objects", "_readers", "made", "refers")

    def __init__(self, readers: Readers, objects: list[Any], names: Finding) -> None:
        self._readers, self._objects, self._names = readers, objects, names
        self.made: dict[int, Any] = {}
        self.refers = False  # whether what was read refers to an object beside it

    def value(self, value: Any) -> Any:
        """What was written so. Raises SnapshotError, and any error for what was never written."""
        if value.__class__ is not list:
            return value
        tag = value[0]
        if tag == "i" or tag == "e":  # noqa: PLR1714 - twice as fast as a tuple
            return self._readers[value[1]](value, self)
        if tag == "o":
            return self._object(value[1])
        return _TAGS[tag](value[1], self)

    def content(self, content: list[Any], written: Written) -> list[Any]:
        """The values of all fields, those that are texts and numbers first."""
        texts = content[2]
        if len(texts) != len(written.plain) or len(content) - 3 != len(written.others):
            raise SnapshotError("it has more or fewer fields than were written")
        value = self.value
        found = [each if each.__class__ is not list else value(each) for each in texts]
        found += [each if each.__class__ is not list else value(each) for each in content[3:]]
        return found

    def dict(self, pairs: list[Any]) -> dict[Any, Any]:
        """A mapping."""
        return {self.value(key): self.value(item) for key, item in pairs}

    def named(self, name: Any) -> object:
        """What both processes have."""
        self.refers = True
        return self._names.find(self.value(name))

    def _object(self, number: int) -> Any:
        self.refers = True
        if number in self.made:
            return self.made[number]
        form, *content = self._objects[number]
        made = self._readers[form](["o", number, *content], self)
        self.made[number] = made
        return made


def _enum(kind: type[Enum]) -> _Make:
    members = {each.value: each for each in kind}

    def find_member(content: list[Any], reader: Reader) -> Any:
        del reader
        return members[content[2]]

    return find_member


def _dataclass(written: Written) -> _Make:
    kind, names = written.kind, (*written.plain, *written.others)
    known = {each.name for each in dataclasses.fields(kind)}
    places = [(place, name) for place, name in enumerate(names) if name in known]
    defaults = [each for each in dataclasses.fields(kind) if each.name not in names]

    def make_dataclass(content: list[Any], reader: Reader) -> Any:
        made: Any = object.__new__(kind)
        if content[0] == "o":
            reader.made[content[1]] = made
        found = reader.content(content, written)
        for place, name in places:
            _set(made, name, found[place])
        for each in defaults:
            _set(made, each.name, _default(each))
        return made

    return make_dataclass


def _setting(make: _Make) -> _Make:
    kept = dict[bytes, Any]()

    def make_setting(content: list[Any], reader: Reader) -> Any:
        written = msgspec.msgpack.encode(content)
        if written in kept:
            return kept[written]
        before, reader.refers = reader.refers, False
        made = make(content, reader)
        if not reader.refers:
            if len(kept) >= _MOST_MADE:
                kept.clear()
            kept[written] = made
        reader.refers |= before
        return made

    return make_setting


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    if field.default is dataclasses.MISSING:
        raise SnapshotError(f"it has no {field.name}, which has no default")
    return field.default


def _sequence(make: Callable[[Iterable[Any]], Any]) -> Callable[[Any, Reader], Any]:
    def make_sequence(items: list[Any], reader: Reader) -> Any:
        value = reader.value
        return make([each if each.__class__ is not list else value(each) for each in items])

    return make_sequence


_TAGS: Final[dict[str, Callable[[Any, Reader], Any]]] = {
    "l": _sequence(list),
    "t": _sequence(tuple),
    "s": _sequence(set),
    "f": _sequence(frozenset),
    "d": lambda pairs, reader: reader.dict(pairs),
    "-": lambda _, __: msgspec.UNSET,
    "u": lambda octets, _: octets.decode("utf-8", "surrogateescape"),
    "x": lambda name, reader: reader.named(name),
}
