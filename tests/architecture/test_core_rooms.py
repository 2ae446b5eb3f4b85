"""The rooms of the media core: which includes which, one header a source, and names that grep
finds."""

from __future__ import annotations

import subprocess
import tempfile
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.architecture.core_source import CORE, FILES, CoreFile, every_file

# A room includes its own files and those of rooms below; rooms of one line not each other.
LAYERS = (
    ("python",),
    ("relay",),
    ("mask",),
    ("dtmf", "prompt"),
    ("rtp", "audio", "memory"),
    ("constants.h", "stores.h"),
)
LEVELS = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
# Their functions are declared elsewhere: in relay_api.h, or for Python alone.
WITHOUT_HEADER = {"relay/relay", "relay/commands", "python/module"} | {
    each.module
    for each in FILES.values()
    if each.name.startswith("python/") and each.name.endswith("_type.c")
}
# Prefixes that are neither the room nor the beginning of the file's name (srtp_ is libsrtp's).
PREFIXES = {
    "relay/srtp.h": ("crypto_",),
    "python/": ("py_",),
    "rtp/wire.h": ("get", "put"),
    "relay/state.h": ("socket_",),
}
MAX_LINES, MAX_WIDTH, MAX_COMMENT = 350, 110, 100


@every_file
def test_a_file_includes_its_own_room_and_those_below(file: CoreFile) -> None:
    for name in file.includes:
        room = FILES[name].room
        assert room == file.room or LEVELS[room] > LEVELS[file.room], f"{file.name} includes {name}"


def test_no_headers_and_sources_include_each_other_in_a_circle() -> None:
    modules = defaultdict[str, set[str]](set)
    for file in FILES.values():
        modules[file.module] |= {FILES[name].module for name in file.includes} - {file.module}
    try:
        TopologicalSorter(modules).prepare()
    except CycleError as circle:
        pytest.fail(" -> ".join(circle.args[1]))


@every_file
def test_a_source_includes_its_own_header_first(file: CoreFile) -> None:
    if not file.is_header and file.module not in WITHOUT_HEADER:
        assert file.includes[0] == f"{file.module}.h"


def test_a_header_stands_alone() -> None:
    """Those of the python room need Python's; each is the first include of its source."""
    headers = [each for each in FILES.values() if each.is_header and each.room != "python"]
    command = ["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Werror", "-fsyntax-only", f"-I{CORE}"]
    # Each alone, though by one run of the compiler: as the first include of a source of its own.
    with tempfile.TemporaryDirectory() as directory:
        for number, header in enumerate(headers):
            Path(directory, f"{number}.c").write_text(f'#include "{header.name}"\n')
        sources = sorted(map(str, Path(directory).iterdir()))
        ended = subprocess.run([*command, *sources], check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


@every_file
def test_a_function_of_a_header_begins_with_its_room_or_its_file(file: CoreFile) -> None:
    words = file.module.partition("/")[2].split("_")
    beginnings = tuple("_".join(words[:count]) + "_" for count in range(1, len(words) + 1))
    others = PREFIXES.get(file.name, PREFIXES.get(f"{file.room}/", ()))
    for name, _ in file.declared if file.is_header else ():
        assert name.startswith((f"{file.room}_", *beginnings, *others)), name


@every_file
def test_a_function_of_a_header_is_described(file: CoreFile) -> None:
    lines = file.text.splitlines()
    for name, line in file.declared if file.is_header else ():
        assert lines[line - 2].endswith("*/") or "/*" in lines[line - 1], name


def test_a_name_is_defined_once_in_all_of_the_core() -> None:
    where = defaultdict[str, set[str]](set)
    for file in FILES.values():
        for name in file.defined:
            where[name].add(file.module)
    assert {name: files for name, files in where.items() if len(files) > 1} == {}


@every_file
def test_a_file_can_be_read_in_one_sitting(file: CoreFile) -> None:
    lines = file.text.splitlines()
    assert len(lines) <= MAX_LINES
    for number, line in enumerate(lines, 1):
        is_comment = line.lstrip().startswith(("/*", "* "))
        assert len(line) <= (MAX_COMMENT if is_comment else MAX_WIDTH), f"line {number}"
