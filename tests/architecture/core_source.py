"""The C sources of the media core as the architecture tests see them: lines, includes, and the
names that they define.

The core is formatted alike everywhere, so that patterns of lines are enough: definitions begin in
the first column, blocks end with a brace there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.architecture.source import ROOT

CORE = ROOT / "media" / "core"
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_INCLUDE = re.compile(r'^#include "([^"]+)"$', re.MULTILINE)
_FUNCTION = re.compile(r"^(?!#|\}| |/)[\w *()]*?\b(\w+)\((?:[^;{}]|\{\s*\})*?\)\s*([;{])", re.MULTILINE)
_TAG = re.compile(r"^(?:typedef )?(?:struct|enum|union) (\w+) \{", re.MULTILINE)
_ENUM = re.compile(r"\benum(?: \w+)? \{([^}]*)\}")
_ATTRIBUTE = re.compile(r"__attribute__\(\(\w+\)\) ?")
_CONSTANTS = re.compile(r"^(?:static )?const [^;]*?;", re.MULTILINE)
_INITIALISED = re.compile(r"(?<![.\w])(\w+)(?:\[[^\]]*\])* = ")
_MACRO = re.compile(r"^#define (\w+)", re.MULTILINE)


@dataclass(frozen=True)
class CoreFile:
    """One header or source. `name`: its path in media/core, `room/file.h`."""

    name: str

    @property
    def path(self) -> Path:
        return CORE / self.name

    @property
    def room(self) -> str:
        return self.name.partition("/")[0]

    @property
    def module(self) -> str:
        """What a header and its source are together."""
        return self.name.rpartition(".")[0]

    @property
    def is_header(self) -> bool:
        return self.name.endswith(".h")

    @cached_property
    def text(self) -> str:
        return self.path.read_text()

    @cached_property
    def code(self) -> str:
        """Without comments and attributes; lines stay where they are."""
        text = _COMMENT.sub(lambda comment: "\n" * comment.group().count("\n"), self.text)
        return _ATTRIBUTE.sub("", text)

    @cached_property
    def includes(self) -> tuple[str, ...]:
        """Files of the core that this one includes, in its order."""
        return tuple(_INCLUDE.findall(self.text))

    @cached_property
    def declared(self) -> tuple[tuple[str, int], ...]:
        """Functions without a body, each with its line."""
        return tuple(self._functions(";"))

    @cached_property
    def defined(self) -> frozenset[str]:
        """Functions with a body, tags, enumerators, constants and macros."""
        functions = {name for name, _ in self._functions("{")}
        enumerators = {
            each.split("=")[0].strip() for body in _ENUM.findall(self.code) for each in body.split(",")
        }
        guard = "TONEWALL_" + self.name.upper().replace("/", "_").replace(".", "_")
        macros = set(_MACRO.findall(self.code)) - {guard}
        constants = {
            name for each in _CONSTANTS.findall(self.code) for name in _INITIALISED.findall(" " + each)
        }
        tags = set(_TAG.findall(self.code))
        return frozenset((functions | tags | enumerators | constants | macros) - {""})

    def _functions(self, end: str) -> Iterator[tuple[str, int]]:
        for found in _FUNCTION.finditer(self.code):
            if found.group(2) == end and found.group(1) not in {"_Static_assert", "__attribute__"}:
                yield found.group(1), self.code.count("\n", 0, found.start()) + 1

    def __hash__(self) -> int:
        return hash(self.name)


FILES: Mapping[str, CoreFile] = {
    name: CoreFile(name) for name in sorted(str(each.relative_to(CORE)) for each in CORE.rglob("*.[ch]"))
}


def every_file(check: Callable[[CoreFile], None]) -> Callable[[], None]:
    """Makes a rule for one file a test of all of them, which names each that breaks it."""

    def test() -> None:
        broken = []
        for file in FILES.values():
            try:
                check(file)
            except AssertionError as error:
                broken.append(f"{file.name}: {error}")
        assert not broken, "\n".join(broken)

    return test
