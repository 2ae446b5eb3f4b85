"""Types of objects that a snapshot may hold, by name, and what it has of each."""

from __future__ import annotations

import dataclasses
import types
import typing
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, Final, NamedTuple, Protocol

import msgspec

_TRUSTED: Final = frozenset({type(None), bool, int, float, str})  # annotations: nothing else is there
TRANSIENT = {"transient": True}  # metadata of a dataclass field that is not written


class SnapshotError(Exception):
    """A snapshot that cannot be written or read. The text says why, and holds no content."""


class _Shape(Protocol):
    """See `tonewall.snapshot_shapes.Shape`."""

    @property
    def form(self) -> int: ...
    @property
    def plain(self) -> tuple[str, ...]: ...
    @property
    def others(self) -> tuple[str, ...]: ...


class Written(NamedTuple):
    """A type, and the fields that a snapshot has of it."""

    kind: type
    plain: tuple[str, ...]
    others: tuple[str, ...]


def _unknown(schema: int) -> Mapping[str, _Shape]:
    raise SnapshotError(f"it is of schema {schema}, which is not known here")


class Kinds:
    """The types of a snapshot: those that these modules define, without `never`, with `also`.
    `settings`: types whose objects are of the settings, and as good as never change; `schema`: the
    number of their shapes; `earlier`: finds the shapes of another, and raises SnapshotError where
    they are not known."""

    def __init__(
        self,
        modules: Iterable[types.ModuleType],
        never: Iterable[type] = (),
        also: Iterable[type] = (),
        settings: Iterable[type] = (),
        schema: int = 0,
        earlier: Callable[[int], Mapping[str, _Shape]] = _unknown,
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
        self.schema = schema
        self._earlier = earlier
        self._by_schema: dict[int, Mapping[int, Written]] = {}
        self.writers: dict[Any, Any] = {}  # those of `tonewall.snapshot_writer`
        self.readers: dict[int, Any] = {}  # those of `tonewall.snapshot_reader`, by schema
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
        return zlib.crc32(" ".join((self.name(kind), *slots(kind))).encode())

    def kind(self, form: object) -> type:
        """Find a type by its form. Raises SnapshotError for one that is not listed, or has other
        fields here."""
        if not self._by_form:
            self._by_form = {self.form(each): each for each in self._types.values()}
        if not isinstance(form, int) or form not in self._by_form:
            raise SnapshotError("it has a kind that is not known here, or has other fields")
        return self._by_form[form]

    def require(self, schema: int) -> None:
        """Find the shapes of a schema. Raises SnapshotError where they are not known."""
        if schema != self.schema and schema not in self._by_schema:
            self._by_schema[schema] = {
                shape.form: Written(self._types[name], shape.plain, shape.others)
                for name, shape in self._earlier(schema).items()
                if name in self._types
            }

    def written(self, form: object, schema: int) -> Written:
        """Find a type by its form in a schema that was required. Raises as `kind`."""
        if schema == self.schema:
            kind = self.kind(form)
            return Written(kind, *self.parts(kind))
        found = self._by_schema[schema].get(form) if isinstance(form, int) else None
        if found is None:
            raise SnapshotError(f"it has a kind of schema {schema} that is not known here")
        return found

    def parts(self, kind: type) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The fields of a kind that hold texts and numbers alone, and its others: so they are
        written."""
        if kind not in self._parts:
            hints, names = typing.get_type_hints(kind), slots(kind)
            plain = tuple(each for each in names if _leaves(hints.get(each)) <= _TRUSTED)
            self._parts[kind] = plain, tuple(each for each in names if each not in plain)
        return self._parts[kind]


def fields(kind: type) -> tuple[str, ...]:
    """List the fields of a dataclass or struct that are written, private ones too."""
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind) if not is_transient(field))
    return tuple(kind.__struct_fields__)  # type: ignore[attr-defined]


def slots(kind: type) -> tuple[str, ...]:
    """List the fields of any kind that are written, in the order of declaration."""
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
