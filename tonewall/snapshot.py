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
Rule 6: objects are restored without their constructor, because they may refer to each other. One
        that cannot change is written where it stands, each time.
Rule 7: a call is written several times while it is up: what a type takes is found once, and what
        the settings gave (`Kinds.settings`) is encoded once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import types
import typing
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from operator import attrgetter
from typing import Any, Final, Protocol

import msgspec

VERSION = 2
_DIGEST = 16  # bytes
_SCALARS: Final = frozenset({type(None), bool, int, float, str, bytes})
_PLAIN: Final = _SCALARS - {str}  # where a text may hold octets that are no UTF-8
_SEQUENCES: Mapping[str, Callable[[Iterable[Any]], Any]] = {
    "l": list, "t": tuple, "s": set, "f": frozenset,
}  # fmt: skip
_TAGS: Mapping[type, str] = {list: "l", tuple: "t", set: "s", frozenset: "f"}
_MOST_ENCODED: Final = 1_000  # settings that are encoded: more than any installation has
TRANSIENT = {"transient": True}  # metadata of a dataclass field that is not written
_TRUSTED: Final = frozenset({type(None), bool, int, float, str})  # annotations: nothing else is there
_Write = Callable[[Any, "_Writer"], Any]
_Read = Callable[[Any], Iterable[Any]]


class SnapshotError(Exception):
    """A snapshot that cannot be written or read. The text says why, and holds no content."""


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
        self._settings = frozenset(settings)
        self._writers: dict[tuple[tuple[type, ...], bool], _Writers] = {}
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

    def writers(self, named: tuple[type, ...], *, careful: bool) -> _Writers:
        """How each type is written. `named`: types that may be written by a name; `careful`: look
        at every text."""
        key = named, careful
        if key not in self._writers:
            self._writers[key] = _Writers(self, named, self._settings, _PLAIN if careful else _SCALARS)
        return self._writers[key]


def fields(kind: type) -> tuple[str, ...]:
    """List the fields of a dataclass or struct that are written, private ones too."""
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind) if not _is_transient(field))
    return tuple(kind.__struct_fields__)  # type: ignore[attr-defined]


def write(root: object, kinds: Kinds, now: float, names: Names = _NO_NAMES) -> bytes:
    """Serialise an object and all that it refers to. `now`: on the monotonic clock, in seconds.

    Raises SnapshotError for an object that is not plain state.
    """
    try:
        body = _Writer(kinds.writers(names.kinds, careful=False), names).body(root, now)
    except UnicodeEncodeError:  # text of a peer may hold octets that are no UTF-8 (PEP 383)
        body = _Writer(kinds.writers(names.kinds, careful=True), names).body(root, now)
    return hashlib.blake2b(body, digest_size=_DIGEST).digest() + body


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
    """One snapshot being written. `objects`: each once, in the order of discovery; `numbers`: their
    places there."""

    __slots__ = ("names", "numbers", "objects", "writers")

    def __init__(self, writers: _Writers, names: Names) -> None:
        self.writers, self.names = writers, names
        self.numbers: dict[int, list[Any]] = {}
        self.objects: list[list[Any]] = []

    def body(self, root: object, now: float) -> bytes:
        value = self.writers.value(root, self)
        return msgspec.msgpack.encode([VERSION, now, value, self.objects])


class _Writers(dict[type, _Write]):
    """How the objects of each type are written: found when the first one comes."""

    def __init__(
        self, kinds: Kinds, named: tuple[type, ...], settings: frozenset[type], scalars: frozenset[type]
    ) -> None:
        super().__init__()
        self._kinds, self._named, self._settings, self._scalars = kinds, named, settings, scalars
        self.update({each: self._sequence(tag) for each, tag in _TAGS.items()})
        self[dict] = self._dict
        self[msgspec.UnsetType] = lambda _value, _writer: ["-", None]
        self[str] = _text

    def value(self, value: Any, writer: _Writer) -> Any:
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
        return self._setting(kind, form) if kind in self._settings else self._frozen(kind, form)

    def _sequence(self, tag: str) -> _Write:
        def write_sequence(value: Any, writer: _Writer) -> list[Any]:
            return [tag, [
                each if each.__class__ in scalars else self[each.__class__](each, writer) for each in value
            ]]  # fmt: skip

        scalars = self._scalars
        return write_sequence

    def _dict(self, value: dict[Any, Any], writer: _Writer) -> list[Any]:
        return ["d", [[self.value(key, writer), self.value(item, writer)] for key, item in value.items()]]

    def _by_name(self, kind: type) -> _Write:
        def write_name(value: Any, writer: _Writer) -> Any:
            name = writer.names.name_of(value)
            return ["x", self.value(name, writer)] if name is not None else unnamed[0](value, writer)

        def find_unnamed(value: Any, writer: _Writer) -> Any:
            unnamed[0] = self._by_kind(kind)
            return unnamed[0](value, writer)

        unnamed: list[_Write] = [find_unnamed]
        return write_name

    @staticmethod
    def _enum(kind: type[Enum], form: msgspec.Raw) -> _Write:
        members = {each: msgspec.Raw(msgspec.msgpack.encode(["e", form, each.value])) for each in kind}
        return lambda value, _writer: members[value]

    def _frozen(self, kind: type, form: msgspec.Raw) -> _Write:
        def write_frozen(value: Any, writer: _Writer) -> list[Any]:
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
        def write_setting(value: Any, writer: _Writer) -> Any:
            found = encoded.get(id(value))
            if found is None:
                alone = _Writer(self, writer.names)
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
        def write_object(value: Any, writer: _Writer) -> list[Any]:
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


def _text(value: Any, writer: _Writer | None = None) -> Any:
    """A text of any octets, or a number as it is."""
    del writer
    if not isinstance(value, str) or value.isascii() or value.isprintable():
        return value
    return ["u", value.encode("utf-8", "surrogateescape")]


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
            case ["o", number]:
                return self._object(number)
            case ["e", form, plain]:
                return self._kinds.kind(form)(plain)
            case ["i", form, *content]:
                return self._frozen(self._kinds.kind(form), content)
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

    def _frozen(self, kind: type, content: list[Any]) -> Any:
        if dataclasses.is_dataclass(kind):
            return self._fill(kind, kind.__new__(kind), content)
        return kind(**self._fields(kind, content))

    def _object(self, number: int) -> Any:
        if number not in self._made:
            form, *content = self._objects[number]
            kind = self._kinds.kind(form)
            if dataclasses.is_dataclass(kind):
                # Before its fields, which may lead back to it.
                made = self._made[number] = kind.__new__(kind)
                self._fill(kind, made, content)
            else:
                self._made[number] = kind(**self._fields(kind, content))
        return self._made[number]

    def _fields(self, kind: type, content: list[Any]) -> dict[str, Any]:
        plain, others = self._kinds.parts(kind)
        texts, *rest = content
        found = dict(zip(plain, map(self.value, texts), strict=True))
        return found | dict(zip(others, map(self.value, rest), strict=True))

    def _fill(self, kind: Any, made: Any, content: list[Any]) -> Any:
        for name, value in self._fields(kind, content).items():
            object.__setattr__(made, name, value)  # a frozen one, too
        for each in dataclasses.fields(kind):
            if _is_transient(each):
                object.__setattr__(made, each.name, _default(each))
        return made


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


def _is_transient(field: dataclasses.Field[Any]) -> bool:
    return "transient" in field.metadata


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _is_plain(kind: type) -> bool:
    named_tuple = issubclass(kind, tuple) and hasattr(kind, "_fields")
    return dataclasses.is_dataclass(kind) or issubclass(kind, Enum | msgspec.Struct) or named_tuple
