"""Whatever is changed in an installation is found, by its name."""

from __future__ import annotations

import os
import py_compile
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.installed import Signer, copy_installation, list_installation, small_installation
from tonewall.manifest import MANIFEST, MAX_BYTES, SIGNATURE, Kind, compare
from tonewall.minisign import PublicKey

TAG = sys.implementation.cache_tag
MONEY = f"b2bua/__pycache__/money.{TAG}.pyc"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "pycache_prefix", None)  # as it may be set where tests run
    return small_installation(tmp_path / "site")


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return Signer(tmp_path_factory.mktemp("key"))


def found(root: Path, key: PublicKey | None = None) -> list[tuple[str, Kind]]:
    return [(each.path, each.kind) for each in compare(root, key).differences]


def test_an_installation_as_it_was_released_has_no_difference(root: Path):
    result = compare(root)
    assert (result.files, result.version, result.signed, result.differences) == (7, "1.2.3", False, ())


def test_our_own_packages_compare_with_themselves(tmp_path: Path):
    result = compare(copy_installation(tmp_path / "site"))
    assert result.differences == ()
    assert result.files > 500


def swap(path: Path) -> None:
    path.write_text("evil();\n")


def grow(path: Path) -> None:
    os.truncate(path, MAX_BYTES + 1)


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


CHANGES: list[tuple[Callable[[Path], None], Kind]] = [
    (swap, Kind.CHANGED),
    (Path.unlink, Kind.MISSING),
    (grow, Kind.UNREADABLE),
    (pipe, Kind.UNREADABLE),
    (folder, Kind.MISSING),
]


@pytest.mark.parametrize("path", ["b2bua/web/app.js", "media/_core.abi3.so", "tonewall/__init__.py"])
@pytest.mark.parametrize(("change", "kind"), CHANGES, ids=[change.__name__ for change, _ in CHANGES])
def test_a_change_to_any_file_is_found(root: Path, path: str, change: Callable[[Path], None], kind: Kind):
    for each in root.rglob("__init__*.pyc"):
        each.unlink()
    change(root / path)
    assert found(root) == [(path, kind)]


@pytest.mark.parametrize("path", ["b2bua/web/skimmer.js", "media/_core.so", "tonewall/money.pyc", "b2bua/.x"])
def test_a_file_that_nobody_released_is_found(root: Path, path: str):
    (root / path).write_bytes(b"x")
    assert found(root) == [(path, Kind.ADDED)]


@pytest.mark.parametrize("name", [b"\xff\xfe.js", b"a\nlevel: info", b"\x1b[2J", b"x" * 250, "käse".encode()])
def test_a_file_of_any_name_is_found_and_can_be_shown(root: Path, name: bytes):
    with open(os.path.join(os.fsencode(root), b"b2bua", name), "wb"):
        pass
    ((path, kind),) = found(root)
    assert kind is Kind.ADDED
    assert path.startswith("b2bua/")
    assert path.isprintable()
    assert len(path.encode("utf-8")) <= 200


@pytest.mark.parametrize("source", ["(" * 5000, "x = " + "-" * 100_000 + "1", "\x00", "def f(:"])
def test_a_source_that_cannot_be_compiled_is_a_difference_and_stops_nothing(root: Path, source: str):
    (root / "b2bua" / "money.py").write_text(source)
    assert ("b2bua/money.py", Kind.CHANGED) in found(root)


def test_a_folder_by_a_link_is_found(root: Path, tmp_path: Path):
    (tmp_path / "elsewhere").mkdir()
    (root / "b2bua" / "api").symlink_to(tmp_path / "elsewhere")
    assert found(root) == [("b2bua/api", Kind.ADDED)]


@pytest.mark.parametrize("mode", list(py_compile.PycInvalidationMode))
def test_bytecode_of_another_source_is_found(
    root: Path, tmp_path: Path, mode: py_compile.PycInvalidationMode
):
    evil = tmp_path / "money.py"
    evil.write_text("def charge(amount):\n    return amount + 1\n")
    source = root / "b2bua" / "money.py"
    shutil.copystat(source, evil)  # by the header it is of the source that is there
    py_compile.compile(str(evil), cfile=str(root / MONEY), dfile=str(source), invalidation_mode=mode)
    assert found(root) == [(MONEY, Kind.BYTECODE)]


@pytest.mark.parametrize("octets", [b"", b"\x00" * 16, b"no bytecode at all, but long enough"])
def test_bytecode_that_is_none_is_found_where_python_would_load_it(root: Path, octets: bytes):
    magic = (root / MONEY).read_bytes()[:16]
    (root / MONEY).write_bytes(magic + octets)
    assert found(root) == [(MONEY, Kind.BYTECODE)]


def test_optimized_bytecode_is_compared_as_such(root: Path):
    py_compile.compile(str(root / "b2bua" / "money.py"), optimize=2)
    assert found(root) == []
    other = root / "b2bua" / "__pycache__" / f"money.{TAG}.opt-2.pyc"
    other.write_bytes((root / f"tonewall/__pycache__/__init__.{TAG}.pyc").read_bytes())
    assert [kind for _, kind in found(root)] == [Kind.BYTECODE]


def test_bytecode_of_another_python_is_nobodys(root: Path):
    (root / "b2bua" / "__pycache__" / "money.cpython-399.pyc").write_bytes(b"x" * 20)
    assert found(root) == []


def test_without_a_manifest_and_a_key_there_is_nothing_to_compare(root: Path):
    (root / MANIFEST).unlink()
    assert (compare(root).files, found(root)) == (0, [])


def test_with_a_key_a_manifest_must_be_there_and_signed(root: Path, signer: Signer):
    key = PublicKey.parse(signer.public)
    assert found(root, key) == [(MANIFEST, Kind.UNSIGNED)]
    signer.sign(root / MANIFEST)
    assert (found(root, key), compare(root, key).signed) == ([], True)
    (root / "b2bua" / "web" / "app.js").write_text("evil();\n")
    list_installation(root)  # the intruder lists their own files, and cannot sign
    assert found(root) == []
    assert found(root, key) == [(MANIFEST, Kind.UNSIGNED)]
    (root / SIGNATURE).write_bytes(b"\xff")
    assert found(root, key) == [(MANIFEST, Kind.UNSIGNED)]
    (root / MANIFEST).unlink()
    assert found(root, key) == [(MANIFEST, Kind.MISSING)]


@pytest.mark.parametrize("text", ["", "{}", '{"version": "1", "files": [1]}', "[" * 100_000])
def test_a_manifest_that_is_none_is_a_difference(root: Path, text: str):
    (root / MANIFEST).write_text(text)
    assert found(root) == [(MANIFEST, Kind.CHANGED)]
