"""Snapshots of an earlier schema: what is new has its default, what is gone is dropped, and what
does not fit is refused beforehand."""

from __future__ import annotations

import dataclasses
import types
import typing
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from tonewall.snapshot import TRANSIENT, Kinds, SnapshotError, read, write
from tonewall.snapshot_shapes import Shapes, differences, earlier, encode, shapes_of


def kinds(schema: int, before: dict[int, Shapes] | None = None, **made: Any) -> Kinds:
    module = types.ModuleType("made")
    for name, kind in made.items():
        if kind.__module__ != "made":
            kind.__annotations__ = typing.get_type_hints(kind)
            kind.__module__, kind.__qualname__ = "made", name
        setattr(module, name, kind)
    return Kinds((module,), schema=schema, earlier=(before or {}).__getitem__)


class OldColour(Enum):
    RED, GREEN = "red", "green"


class NewColour(Enum):
    RED, GREEN, BLUE = "red", "green", "blue"


class OldPlace(NamedTuple):
    x: int
    y: int


class NewPlace(NamedTuple):
    y: int
    x: int
    z: int = 7


@dataclasses.dataclass
class OldCall:
    id: str
    colour: OldColour
    gone: str
    places: list[OldPlace]


@dataclasses.dataclass
class NewCall:
    id: str
    places: list[NewPlace]
    colour: NewColour
    notes: list[str] = dataclasses.field(default_factory=list)
    count: int = 3
    timer: int = dataclasses.field(default=9, metadata=TRANSIENT)


class OldView(msgspec.Struct):
    a: int
    gone: str = ""


class NewView(msgspec.Struct):
    a: int
    b: str = "new"


OLD = kinds(1, Call=OldCall, Colour=OldColour, Place=OldPlace, View=OldView)


def test_a_later_schema_reads_the_one_before() -> None:
    new = kinds(2, {1: shapes_of(OLD)}, Call=NewCall, Colour=NewColour, Place=NewPlace, View=NewView)
    assert differences(shapes_of(OLD), new) == []
    data = write([OldCall("1", OldColour.GREEN, "x", [OldPlace(1, 2)]), OldView(4, "y")], OLD, 1.0)
    call, view = read(data, new, 2.0)
    assert call == NewCall("1", [NewPlace(2, 1)], NewColour.GREEN)
    assert (call.notes, call.count, call.timer, view.a, view.b) == ([], 3, 9, 4, "new")
    assert read(write([call, view], new, 1.0), new, 2.0) == [call, view]


def test_a_field_without_a_default_a_type_and_a_value_that_are_gone_make_a_schema_unreadable() -> None:
    @dataclasses.dataclass
    class Demanding:
        id: str
        wanted: str

    class Less(Enum):
        RED = "red"

    class More(msgspec.Struct):
        a: int
        b: int

    new = kinds(2, {1: shapes_of(OLD)}, Call=Demanding, Colour=Less, View=More)
    assert sorted(differences(shapes_of(OLD), new)) == [
        "made.Call.wanted has no default",
        "made.Colour has no 'green' any more",
        "made.Place is gone",
        "made.View.b has no default",
    ]
    for value in (OldCall("1", OldColour.RED, "", []), OldView(1), OldPlace(1, 2), OldColour.GREEN):
        with pytest.raises(SnapshotError):
            read(write(value, OLD, 1.0), new, 2.0)


def test_a_schema_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "1.json").write_text(encode(shapes_of(OLD)))
    find = earlier(tmp_path)
    assert find(1) == shapes_of(OLD)
    with pytest.raises(SnapshotError, match="schema 2 is not known here"):
        find(2)
    with pytest.raises(SnapshotError, match="schema 1"):
        read(write(OldView(1), OLD, 1.0), Kinds((), schema=3), 2.0)


def test_another_type_of_a_field_is_another_shape() -> None:
    class View(msgspec.Struct):
        a: float
        gone: str = ""

    other = kinds(1, Call=OldCall, Colour=OldColour, Place=OldPlace, View=View)
    assert encode(shapes_of(other)) != encode(shapes_of(OLD))
