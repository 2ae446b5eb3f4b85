"""The rooms of the media core: which includes which, one header a source, and names that grep
finds."""

from __future__ import annotations

import subprocess
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.architecture.core_source import CORE, FILES, CoreFile

# A room includes its own files and those of rooms below; rooms of one line not each other.
LAYERS = (("python",), ("relay",), ("mask",), ("dtmf",), ("rtp", "audio", "memory"))
LEVELS = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
# Their functions are declared elsewhere: in relay_api.h, or for Python alone.
WITHOUT_HEADER = {"relay/relay", "relay/commands", "python/module"} | {
    each.module
    for each in FILES.values()
    if each.name.startswith("python/") and each.name.endswith("_type.c")
}
# Prefixes that are neither the room nor the beginning of the file's name (srtp_ is libsrtp's).
PREFIXES = {
    "relay/srtp.h": "crypto_",
    "python/": "py_",
    "rtp/wire.h": ("get", "put"),
    "relay/state.h": "socket_",
}
MOST_LINES, WIDEST, WIDEST_COMMENT = 350, 110, 100

every_file = pytest.mark.parametrize("file", FILES.values(), ids=lambda file: file.name)
every_header = pytest.mark.parametrize(
    "file", [each for each in FILES.values() if each.is_header], ids=lambda file: file.name
)
every_source = pytest.mark.parametrize(
    "file", [each for each in FILES.values() if not each.is_header], ids=lambda file: file.name
)


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


@every_source
def test_a_source_includes_its_own_header_first(file: CoreFile) -> None:
    if file.module not in WITHOUT_HEADER:
        assert file.includes[0] == f"{file.module}.h"


@every_header
def test_a_header_stands_alone(file: CoreFile) -> None:
    if file.room == "python":
        pytest.skip("needs Python's headers; its sources include it first")
    command = ["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Werror", "-fsyntax-only", f"-I{CORE}", "-xc"]
    ended = subprocess.run([*command, str(file.path)], check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


@every_header
def test_a_function_of_a_header_begins_with_its_room_or_its_file(file: CoreFile) -> None:
    words = file.module.partition("/")[2].split("_")
    prefixes = {file.room + "_", *("_".join(words[:count]) + "_" for count in range(1, len(words) + 1))}
    others = PREFIXES.get(file.name) or PREFIXES.get(f"{file.room}/") or ()
    for name, _ in file.declared:
        assert name.startswith((*prefixes, *([others] if isinstance(others, str) else others))), name


@every_header
def test_a_function_of_a_header_is_described(file: CoreFile) -> None:
    lines = file.text.splitlines()
    for name, line in file.declared:
        above = lines[line - 2].rstrip()
        assert above.endswith("*/") or "/*" in lines[line - 1], f"{file.name}:{line}: {name}"


def test_a_name_is_defined_once_in_all_of_the_core() -> None:
    where = defaultdict[str, set[str]](set)
    for file in FILES.values():
        for name in file.defined:
            where[name].add(file.module)
    assert {name: files for name, files in where.items() if len(files) > 1} == {}


@every_file
def test_a_file_can_be_read_in_one_sitting(file: CoreFile) -> None:
    lines = file.text.splitlines()
    assert len(lines) <= MOST_LINES
    for number, line in enumerate(lines, 1):
        is_comment = line.lstrip().startswith(("/*", "* "))
        assert len(line) <= (WIDEST_COMMENT if is_comment else WIDEST), f"{file.name}:{number}"
