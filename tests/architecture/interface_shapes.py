"""Writes what processes of one Tonewall say to each other, as the number of the interface has it
(tonewall/interface.py): `python -m tests.architecture.interface_shapes [--check]`.

Rule 1: a process of that number reads what another of that number writes. What breaks this raises
        `INTERFACE`: a field that is gone, or of another type, or new without a default; another tag
        of a message; another layout of the recovery page.
Rule 2: not here are arguments, variables and descriptors: no type declares them.
"""

from __future__ import annotations

import re
import sys
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Final

import msgspec

from b2bua.supervise.control import ControlProgress, ControlRequest
from b2bua.supervise.reloads import ReloadResult
from b2bua.supervise.trial_report import TrialReport
from b2bua.supervise.upgrades import UpgradeResult
from b2bua.switchboard.pulse import Pulse
from b2bua.switchboard.supervised import Answer, Request
from media.events import AnyAnswer, AnyCommand, AnyNews
from media.kept_streams import StreamMessage
from provider_adapters.payer.messages import FromPayer, ToPayer
from provider_adapters.reconciler.messages import FromReconciler, ToReconciler
from tonewall.interface import INTERFACE
from tonewall.turn import Loaded

_ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = _ROOT / "tests" / "fixtures" / "interface"
_CORE: Final = _ROOT / "media" / "core"
_SPOKEN: Final = (
    AnyCommand, AnyAnswer, AnyNews, StreamMessage, ToPayer, FromPayer, ToReconciler, FromReconciler,
    Pulse, Answer, Request, ControlRequest, ControlProgress, ReloadResult, UpgradeResult, TrialReport,
    Loaded,
)  # fmt: skip
_STRUCT = re.compile(r"^struct (\w+) \{\n([^}]*)\};", re.MULTILINE)
_COMMENT = re.compile(r"/\*[^*]*\*+(?:[^/*][^*]*\*+)*/")
_OF_STRUCT = re.compile(r"\bstruct (\w+)")
_LENGTH = re.compile(r"\[([A-Z_]+)\]")


class Said(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is said of one type. `tag`: how it is recognised; `needs`: fields without a default, and
    `may`: those with one, each with its type; `values`: of an enumeration; `lines`: a struct of the
    recovery page."""

    tag: str = ""
    needs: Mapping[str, str] = msgspec.field(default_factory=dict)
    may: Mapping[str, str] = msgspec.field(default_factory=dict)
    values: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


def shapes() -> dict[str, Said]:
    """Those of this code, by the type's name."""
    found = {f"{kind.__module__}.{kind.__name__}": _said(kind) for kind in _reachable(_SPOKEN)}
    return found | {f"struct {name}": Said(lines=lines) for name, lines in _page().items()}


def kept(number: int, folder: Path = FOLDER) -> dict[str, Said]:
    """Those of a number. Raises OSError where there are none."""
    return msgspec.json.decode((folder / f"{number}.json").read_bytes(), type=dict[str, Said])


def differences(before: Mapping[str, Said], now: Mapping[str, Said]) -> list[str]:
    """Why processes of the two would misread each other, a sentence each."""
    found = []
    for name, had in before.items():
        has = now.get(name)
        if has is None:
            found.append(f"{name} is gone")
            continue
        if had.tag != has.tag:
            found.append(f"{name} has another tag")
        if had.lines != has.lines:
            found.append(f"{name} has another layout")
        fields = {**has.needs, **has.may}
        for field, kind in {**had.needs, **had.may}.items():
            if field not in fields:
                found.append(f"{name}.{field} is gone")
            elif fields[field] != kind:
                found.append(f"{name}.{field} is of another type")
            elif (field in had.may) != (field in has.may):
                found.append(f"{name}.{field} has a default in one of them alone")
        found += [f"{name}.{field} has no default" for field in has.needs.keys() - {*had.needs, *had.may}]
        found += [f"{name} has no {value} any more" for value in had.values if value not in has.values]
        found += [f"{name} has {value}, too" for value in has.values if value not in had.values]
    return found


def _said(kind: type) -> Said:
    if issubclass(kind, Enum):
        return Said(values=tuple(repr(each.value) for each in kind))
    hints = {each.name: each for each in msgspec.structs.fields(kind)}
    named = {name: _words(each.type) for name, each in hints.items()}
    return Said(
        tag=str(kind.__struct_config__.tag or ""),
        needs={name: words for name, words in named.items() if hints[name].required},
        may={name: words for name, words in named.items() if not hints[name].required},
    )


def _words(kind: Any) -> str:
    """A type as text, the same in each run."""
    parts = typing.get_args(kind)
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return " | ".join(sorted(_words(each) for each in parts))
    if typing.get_origin(kind) is typing.Annotated:
        return _words(parts[0])
    if parts:
        return f"{typing.get_origin(kind).__name__}[{', '.join(map(_words, parts))}]"
    return str(getattr(kind, "__name__", repr(kind)))


def _reachable(roots: Iterable[Any]) -> list[Any]:
    """Structs and enumerations that are in these types, and in their fields."""
    found: set[Any] = set()
    waiting = list(roots)
    while waiting:
        kind = waiting.pop()
        waiting += typing.get_args(kind)
        if kind in found or not isinstance(kind, type):
            continue
        if issubclass(kind, msgspec.Struct):
            waiting += [each.type for each in msgspec.structs.fields(kind)]
        elif not issubclass(kind, Enum):
            continue
        found.add(kind)
    return sorted(found, key=lambda kind: (kind.__module__, kind.__name__))


def _page() -> dict[str, tuple[str, ...]]:
    """The structs of a slot of the recovery page, with the lengths of their arrays."""
    text = "\n".join(path.read_text() for path in sorted(_CORE.rglob("*.h")))
    text = _COMMENT.sub("", text)
    bodies = dict(_STRUCT.findall(text))
    found: dict[str, tuple[str, ...]] = {}
    waiting = ["slot"]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        body = bodies[name]
        lengths = sorted({f"{each} = {_constant(each, text)}" for each in _LENGTH.findall(body)})
        lines = (" ".join(line.split()) for line in body.splitlines())
        found[name] = (*(line for line in lines if line), *lengths)
        waiting += [each for each in _OF_STRUCT.findall(body) if each in bodies]  # not the system's
    return found


def _constant(name: str, text: str) -> str:
    """A constant of an enumeration, as its header has it."""
    at = next(_places(f"{name} =", text), None)
    if at is None:  # the last of an enumeration that counts
        return "counted"
    return text[at + len(name) + 2 :].split(",", 1)[0].split("}", 1)[0].strip()


def _places(part: str, text: str) -> Iterator[int]:
    at = text.find(part)
    while at >= 0:
        if not text[at - 1].isidentifier():
            yield at
        at = text.find(part, at + 1)


def encode(said: Mapping[str, Said]) -> str:
    """As text: a line a type."""
    rows = (
        f"{msgspec.json.encode(name).decode()}: {msgspec.json.encode(said[name]).decode()}" for name in said
    )
    return "{\n" + ",\n".join(rows) + "\n}\n"


def main() -> int:
    """Write them, or with `--check` say that they are stale."""
    path, now = FOLDER / f"{INTERFACE}.json", shapes()
    if path.exists() and (found := differences(kept(INTERFACE), now)):
        print("raise INTERFACE in tonewall/interface.py:", *found, sep="\n  ")
        return 1
    if path.exists() and path.read_text() == encode(now):
        return 0
    if "--check" in sys.argv:
        print(f"{path} is stale: run `make docs` and commit it")
        return 1
    FOLDER.mkdir(exist_ok=True)
    path.write_text(encode(now))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
