"""Shapes of the types of a snapshot, as a schema had them: by them a snapshot of an earlier version
is read.

Rule 1: a schema is a number and a file of its shapes. A shape that changes has another file.
Rule 2: what an earlier schema did not have gets its default; what is gone since is dropped. A type
        that is gone, or a new field without a default, makes an earlier schema unreadable.
"""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec

from tonewall.snapshot_kinds import Kinds, SnapshotError, slots


class Shape(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a snapshot has of one type. `form`: its number there; `plain` and `others`: its fields,
    as they are written; `types`: their annotations, in the order of declaration; `values`: of an
    enumeration."""

    form: int
    plain: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    values: tuple[str, ...] = ()


Shapes = Mapping[str, Shape]


def shapes_of(kinds: Kinds) -> dict[str, Shape]:
    """The shapes of all types, by name."""
    return {kinds.name(kind): _shape(kinds, kind) for kind in kinds}


def encode(shapes: Shapes) -> str:
    """As text: a line a type, in the order of their names."""
    rows = (
        f"{msgspec.json.encode(name).decode()}: {msgspec.json.encode(shapes[name]).decode()}"
        for name in sorted(shapes)
    )
    return "{\n" + ",\n".join(rows) + "\n}\n"


def earlier(folder: Path) -> typing.Callable[[int], Shapes]:
    """Finds the shapes of a schema in this folder, `1.json` of the first. That raises SnapshotError
    where there is none."""

    @functools.cache
    def find(schema: int) -> Shapes:
        try:
            return msgspec.json.decode((folder / f"{schema}.json").read_bytes(), type=dict[str, Shape])
        except (OSError, msgspec.MsgspecError) as error:
            raise SnapshotError(f"schema {schema} is not known here ({type(error).__name__})") from None

    return find


def differences(before: Shapes, kinds: Kinds) -> list[str]:
    """Why snapshots of these shapes cannot be read with these types, a sentence each; [] where they
    can be."""
    known = {kinds.name(kind): kind for kind in kinds}
    found = []
    for name, shape in before.items():
        kind = known.get(name)
        if kind is None:
            found.append(f"{name} is gone")
        elif issubclass(kind, Enum):
            values = {repr(each.value) for each in kind}
            found += [f"{name} has no {each} any more" for each in shape.values if each not in values]
        else:
            had = {*shape.plain, *shape.others}
            new = [each for each in slots(kind) if each not in had]
            found += [f"{name}.{each} has no default" for each in new if not _has_default(kind, each)]
    return found


def _shape(kinds: Kinds, kind: type) -> Shape:
    if issubclass(kind, Enum):
        return Shape(kinds.form(kind), values=tuple(repr(each.value) for each in kind))
    plain, others = kinds.parts(kind)
    types = tuple(_annotation(kind, name) for name in slots(kind))
    return Shape(kinds.form(kind), plain, others, types)


def _annotation(kind: type, name: str) -> str:
    for each in kind.__mro__:
        found = vars(each).get("__annotations__", {}).get(name)
        if found is not None:
            return str(found.__forward_arg__ if isinstance(found, typing.ForwardRef) else found)
    return ""


def _has_default(kind: Any, name: str) -> bool:
    if dataclasses.is_dataclass(kind):
        field = next(each for each in dataclasses.fields(kind) if each.name == name)
        return not (field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING)
    if issubclass(kind, msgspec.Struct):
        fields = {each.name: each for each in msgspec.structs.fields(kind)}
        return not fields[name].required
    return name in kind._field_defaults
