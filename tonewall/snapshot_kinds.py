"""Types of objects that a snapshot may hold, by name, and what it has of each."""

from __future__ import annotations

import dataclasses
import types
import typing
import zlib
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any, Final

import msgspec

_TRUSTED: Final = frozenset({type(None), bool, int, float, str})  # annotations: nothing else is there
TRANSIENT = {"transient": True}  # metadata of a dataclass field that is not written


class SnapshotError(Exception):
    """A snapshot that cannot be written or read. The text says why, and holds no content."""


class Kinds:
    """The types of a snapshot: those that these modules define, without `never`, with `also`.
    `settings`: types whose objects are of the settings, and as good as never change."""

    def __init__(
        self,
        modules: Iterable[types.ModuleType],
        never: Iterable[type] = (),
        also: Iterable[type] = (),
        settings: Iterable[type] = (),
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
        self.settings = frozenset(settings)
        self.writers: dict[Any, Any] = {}  # those of `tonewall.snapshot_writer`
        self._by_form: dict[int, type] = {}
        self._parts: dict[type, tuple[tuple[str, ...], tuple[str, ...]]] = {}

    def __iter__(self) -> Iterator[type]:
        return iter(self._types.values())

    def name(self, kind: type) -> str:
        """Name a type. Raises SnapshotError for one that is not listed."""
        if self._types.get(_name(kind)) is not kind:
            raise SnapshotError(f"{kind.__module__}.{kind.__qualname__} is not written out")
        return _name(kind)

    def form(self, kind: type) -> int:
        """A number for a type with the fields that it has, the same in each process. Raises
        SnapshotError for one that is not listed."""
        return zlib.crc32(" ".join((self.name(kind), *_slots(kind))).encode())

    def kind(self, form: object) -> type:
        """Find a type by its form. Raises SnapshotError for one that is not listed, or has other
        fields here."""
        if not self._by_form:
            self._by_form = {self.form(each): each for each in self._types.values()}
        if not isinstance(form, int) or form not in self._by_form:
            raise SnapshotError("it has a kind that is not known here, or has other fields")
        return self._by_form[form]

    def parts(self, kind: type) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The fields of a kind that hold texts and numbers alone, and its others: so they are
        written."""
        if kind not in self._parts:
            hints, names = typing.get_type_hints(kind), _slots(kind)
            plain = tuple(each for each in names if _leaves(hints.get(each)) <= _TRUSTED)
            self._parts[kind] = plain, tuple(each for each in names if each not in plain)
        return self._parts[kind]


def fields(kind: type) -> tuple[str, ...]:
    """List the fields of a dataclass or struct that are written, private ones too."""
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind) if not is_transient(field))
    return tuple(kind.__struct_fields__)  # type: ignore[attr-defined]


def _slots(kind: type) -> tuple[str, ...]:
    """The fields of any kind, in the order in which they are written."""
    if issubclass(kind, Enum):
        return ()
    return tuple(kind._fields) if issubclass(kind, tuple) else fields(kind)  # type: ignore[attr-defined]


def _leaves(hint: Any) -> set[Any]:
    """The types that an annotation is made of, as far as it is one of several."""
    if isinstance(hint, typing.NewType):
        return _leaves(hint.__supertype__)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return {leaf for each in typing.get_args(hint) for leaf in _leaves(each)}
    return {hint}


def is_transient(field: dataclasses.Field[Any]) -> bool:
    return "transient" in field.metadata


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _is_plain(kind: type) -> bool:
    named_tuple = issubclass(kind, tuple) and hasattr(kind, "_fields")
    return dataclasses.is_dataclass(kind) or issubclass(kind, Enum | msgspec.Struct) or named_tuple
