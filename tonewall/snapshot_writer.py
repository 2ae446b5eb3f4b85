"""Writes objects of each kind as lists of plain values.

Rule 1: what a type takes is found when the first object of it comes.
Rule 2: an object that may change is written once, in a table; one that cannot, where it stands.
Rule 3: what the settings gave is encoded once: most of a call is the same in each.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from operator import attrgetter
from typing import Any, Final, Protocol

import msgspec

from tonewall.snapshot_kinds import Kinds

_SCALARS: Final = frozenset({type(None), bool, int, float, str, bytes})
_PLAIN: Final = _SCALARS - {str}  # where a text may hold octets that are no UTF-8
_TAGS: Mapping[type, str] = {list: "l", tuple: "t", set: "s", frozenset: "f"}
_MOST_ENCODED: Final = 1_000  # settings that are encoded: more than any installation has
_Write = Callable[[Any, "Writer"], Any]
_Read = Callable[[Any], Iterable[Any]]


class Naming(Protocol):
    """Objects that are written by a name; see `Names`."""

    @property
    def kinds(self) -> tuple[type, ...]: ...
    def name_of(self, value: Any) -> Any: ...


class Writer:
    """One snapshot being written. `objects`: each once, in the order of discovery; `numbers`: their
    places there."""

    __slots__ = ("names", "numbers", "objects", "writers")

    def __init__(self, writers: Writers, names: Naming) -> None:
        self.writers, self.names = writers, names
        self.numbers: dict[int, list[Any]] = {}
        self.objects: list[list[Any]] = []


class Writers(dict[type, _Write]):
    """How the objects of each type are written: found when the first one comes."""

    def __init__(self, kinds: Kinds, named: tuple[type, ...], *, careful: bool) -> None:
        """`named`: types that may be written by a name; `careful`: look at every text."""
        super().__init__()
        self._kinds, self._named = kinds, named
        self._scalars = _PLAIN if careful else _SCALARS
        self.update({each: self._sequence(tag) for each, tag in _TAGS.items()})
        self[dict] = self._dict
        self[msgspec.UnsetType] = lambda _value, _writer: ["-", None]
        self[str] = _text

    def value(self, value: Any, writer: Writer) -> Any:
        """As it is written."""
        kind = value.__class__
        return value if kind in self._scalars else self[kind](value, writer)

    def __missing__(self, kind: type) -> _Write:
        found = self._by_kind(kind) if not issubclass(kind, self._named) else self._by_name(kind)
        self[kind] = found
        return found

    def _by_kind(self, kind: type) -> _Write:
        form = msgspec.Raw(msgspec.msgpack.encode(self._kinds.form(kind)))
        if issubclass(kind, Enum):
            return self._enum(kind, form)
        if not _is_frozen(kind):
            return self._object(kind, form)
        return self._setting(kind, form) if kind in self._kinds.settings else self._frozen(kind, form)

    def _sequence(self, tag: str) -> _Write:
        def write_sequence(value: Any, writer: Writer) -> list[Any]:
            return [tag, [
                each if each.__class__ in scalars else self[each.__class__](each, writer) for each in value
            ]]  # fmt: skip

        scalars = self._scalars
        return write_sequence

    def _dict(self, value: dict[Any, Any], writer: Writer) -> list[Any]:
        return ["d", [[self.value(key, writer), self.value(item, writer)] for key, item in value.items()]]

    def _by_name(self, kind: type) -> _Write:
        def write_name(value: Any, writer: Writer) -> Any:
            name = writer.names.name_of(value)
            return ["x", self.value(name, writer)] if name is not None else unnamed[0](value, writer)

        def find_unnamed(value: Any, writer: Writer) -> Any:
            unnamed[0] = self._by_kind(kind)
            return unnamed[0](value, writer)

        unnamed: list[_Write] = [find_unnamed]
        return write_name

    @staticmethod
    def _enum(kind: type[Enum], form: msgspec.Raw) -> _Write:
        members = {each: msgspec.Raw(msgspec.msgpack.encode(["e", form, each.value])) for each in kind}
        return lambda value, _writer: members[value]

    def _frozen(self, kind: type, form: msgspec.Raw) -> _Write:
        def write_frozen(value: Any, writer: Writer) -> list[Any]:
            return [
                "i", form, plain(value),
                *[
                    each if each.__class__ in scalars else self[each.__class__](each, writer)
                    for each in others(value)
                ],
            ]  # fmt: skip

        scalars, (plain, others) = self._scalars, self._content(kind)
        return write_frozen

    def _setting(self, kind: type, form: msgspec.Raw) -> _Write:
        def write_setting(value: Any, writer: Writer) -> Any:
            found = encoded.get(id(value))
            if found is None:
                alone = Writer(self, writer.names)
                raw = msgspec.Raw(msgspec.msgpack.encode(whole(value, alone)))
                if alone.objects:
                    return whole(value, writer)  # it refers to what changes
                if len(encoded) >= _MOST_ENCODED:
                    encoded.clear()
                found = encoded[id(value)] = value, raw  # kept, so that no other has its id
            return found[1]

        whole, encoded = self._frozen(kind, form), dict[int, tuple[object, msgspec.Raw]]()
        return write_setting

    def _object(self, kind: type, form: msgspec.Raw) -> _Write:
        def write_object(value: Any, writer: Writer) -> list[Any]:
            number = writer.numbers.get(id(value))
            if number is None:
                number = writer.numbers[id(value)] = ["o", len(writer.objects)]
                row: list[Any] = [form, plain(value)]
                writer.objects.append(row)
                row += [
                    each if each.__class__ in scalars else self[each.__class__](each, writer)
                    for each in others(value)
                ]
            return number

        scalars, (plain, others) = self._scalars, self._content(kind)
        return write_object

    def _content(self, kind: type) -> tuple[_Read, _Read]:
        """What reads the fields that can be written as they are, and the others."""
        plain, others = (_reading(names) for names in self._kinds.parts(kind))
        if str in self._scalars:
            return plain, others
        return lambda value: [_text(each) for each in plain(value)], others


def _text(value: Any, writer: Writer | None = None) -> Any:
    """A text of any octets, or a number as it is."""
    del writer
    if not isinstance(value, str) or value.isascii() or value.isprintable():
        return value
    return ["u", value.encode("utf-8", "surrogateescape")]


def _reading(names: tuple[str, ...]) -> _Read:
    match names:
        case ():
            return lambda _: ()
        case (one,):
            return lambda value: (getattr(value, one),)
        case several:
            return attrgetter(*several)


def _is_frozen(kind: Any) -> bool:
    if issubclass(kind, tuple):
        return True
    if dataclasses.is_dataclass(kind):
        return bool(vars(kind)["__dataclass_params__"].frozen)
    return bool(kind.__struct_config__.frozen)
