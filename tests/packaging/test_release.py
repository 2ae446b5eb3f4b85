"""`make release` signs what it makes of a clean, tagged commit, and refuses anything else; whoever
has the public key notices any change."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from release.__main__ import Refused, check_tree, write_sums
from release.provenance import make_provenance
from release.signing import KEY, PUBLIC_KEY, CannotSign
from release.signing import Signer as ReleaseSigner
from release.wheel import add_files
from tests.installed import Signer
from tonewall.manifest import compare
from tonewall.minisign import PublicKey

ROOT = Path(__file__).parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
WHO = ["-c", "user.name=A Test", "-c", "user.email=test@localhost"]


def git(root: Path, *arguments: str) -> str:
    command = ["git", *WHO, *arguments]
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return Signer(tmp_path_factory.mktemp("key"))


@dataclass
class Made:
    """A release: its folder, and what `make release` said."""

    folder: Path
    said: str

    def one(self, pattern: str) -> Path:
        (path,) = self.folder.glob(pattern)
        return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, signer: Signer) -> Made:
    """Of a copy of this tree as it is, committed and tagged."""
    folder = tmp_path_factory.mktemp("release")
    tree = folder / "tree"
    listed = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    for name in filter(None, listed):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tree / name)
    git(tree, "init", "-q")
    git(tree, "add", "-A", "-f")
    git(tree, "commit", "-q", "-m", "As it is")
    git(tree, "tag", f"v{VERSION}")
    environment = {"PATH": "/usr/bin:/bin", "PYTHONSAFEPATH": "1", "PYTHONPATH": str(tree)}
    environment |= {KEY: str(signer.secret), PUBLIC_KEY: signer.public, "HOME": str(folder)}
    command = [sys.executable, "-m", "release", "--to", str(folder / "out")]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Made(folder / "out", done.stdout)


def verifies(path: Path, signer: Signer, signature: Path | None = None) -> bool:
    """What a user does."""
    command = ["minisign", "-V", "-q", "-P", signer.public, "-m", path]
    command += ["-x", signature] if signature else []
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def test_every_file_is_signed_and_summed(made: Made, signer: Signer):
    files = sorted(path for path in made.folder.iterdir() if path.suffix != ".minisig")
    kinds = ["SHA256SUMS", f"tonewall-{VERSION}.cdx.json", f"tonewall-{VERSION}.intoto.json"]
    assert {*kinds, f"tonewall-{VERSION}.tar.gz"} < {path.name for path in files}
    assert len(files) == 5
    assert all(verifies(path, signer) for path in files)
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=made.folder, check=True)
    summed = {line.split()[1] for line in made.one("SHA256SUMS").read_text().splitlines()}
    assert summed == {path.name for path in files} - {"SHA256SUMS"}


def test_a_change_to_any_file_is_refused(made: Made, signer: Signer, tmp_path: Path):
    for path in made.folder.iterdir():
        if path.suffix == ".minisig":
            continue
        copy = tmp_path / path.name
        octets = bytearray(path.read_bytes())
        octets[len(octets) // 2] ^= 1
        copy.write_bytes(octets)
        assert not verifies(copy, signer, path.with_name(f"{path.name}.minisig")), path.name
    other = made.one("*.intoto.json.minisig")
    assert not verifies(made.one("*.cdx.json"), signer, other)


def test_another_key_is_refused(made: Made, tmp_path: Path):
    assert not verifies(made.one("SHA256SUMS"), Signer(tmp_path / "other"))


def test_what_is_installed_of_it_is_as_released_until_it_is_changed(
    made: Made, signer: Signer, tmp_path: Path
):
    venv.create(tmp_path / "venv", with_pip=True)
    command = [
        tmp_path / "venv" / "bin" / "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-index",
        made.one("*.whl"),
    ]
    subprocess.run(command, check=True)
    (site,) = (tmp_path / "venv" / "lib").glob("python3*/site-packages")
    key = PublicKey.parse(signer.public)
    result = compare(site, key)
    assert (result.differences, result.signed, result.version) == ((), True, VERSION)
    assert result.files > 500
    (site / "b2bua" / "api" / "web" / "app.js").write_text("skim();\n")
    assert [each.path for each in compare(site, key).differences] == ["b2bua/api/web/app.js"]


def test_the_wheel_holds_the_sbom_and_the_record_of_all(made: Made):
    with zipfile.ZipFile(made.one("*.whl")) as wheel:
        names = wheel.namelist()
        assert wheel.read("tonewall/sbom.json") == made.one("*.cdx.json").read_bytes()
        record = wheel.read(f"tonewall-{VERSION}.dist-info/RECORD").decode()
    assert sorted(line.split(",")[0] for line in record.splitlines()) == sorted(names)
    assert len(set(names)) == len(names)


def test_the_provenance_names_commit_locks_and_files(made: Made):
    statement: dict[str, Any] = json.loads(made.one("*.intoto.json").read_text())
    subjects = {each["name"]: each["digest"]["sha256"] for each in statement["subject"]}
    for name, digest in subjects.items():
        assert hashlib.sha256((made.folder / name).read_bytes()).hexdigest() == digest
    assert set(subjects) == {made.one(each).name for each in ("*.whl", "*.tar.gz", "*.cdx.json")}
    sources = {
        each["uri"]: each["digest"]
        for each in statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    }
    commit = git(made.folder.parent / "tree", "rev-parse", "HEAD").strip()
    assert sources["git:tonewall"] == {"gitCommit": commit}
    lock = hashlib.sha256((ROOT / "requirements" / "run.lock").read_bytes()).hexdigest()
    assert sources["file:requirements/run.lock"] == {"sha256": lock}


def test_a_provenance_is_the_same_each_time(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"x")
    statements = {make_provenance([tmp_path / "file"], "0" * 40, "1.0.0", 1, {"cc": "12"}) for _ in range(3)}
    assert len(statements) == 1


# --- refusals -------------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    tree.mkdir()
    git(tree, "init", "-q")
    (tree / "file").write_text("x")
    git(tree, "add", "-A")
    git(tree, "commit", "-q", "-m", "One")
    return tree


def test_a_tagged_commit_is_released(tree: Path):
    git(tree, "tag", "v1.2.3")
    check_tree(tree, "1.2.3", dry=False)


def test_a_tree_with_changes_is_refused_even_dry(tree: Path):
    git(tree, "tag", "v1.2.3")
    (tree / "other").write_text("x")
    for dry in (True, False):
        with pytest.raises(Refused, match="the tree has changes; commit or remove them first"):
            check_tree(tree, "1.2.3", dry=dry)


def test_a_commit_without_the_tag_is_refused_and_is_good_enough_to_try(tree: Path):
    with pytest.raises(Refused, match=r"needs the tag v1\.2\.3, and it has no tag: git tag -s v1\.2\.3"):
        check_tree(tree, "1.2.3", dry=False)
    check_tree(tree, "1.2.3", dry=True)
    git(tree, "tag", "v1.2.2")
    with pytest.raises(Refused, match=r"its tags are v1\.2\.2"):
        check_tree(tree, "1.2.3", dry=False)


@pytest.mark.parametrize("version", ["1.2", "1.2.3.dev0", "", "1.2.3; rm"])
def test_a_version_that_is_none_is_refused(tree: Path, version: str):
    with pytest.raises(Refused, match="expected three numbers"):
        check_tree(tree, version, dry=False)


def test_a_folder_without_git_is_refused(tmp_path: Path):
    with pytest.raises(Refused, match="git status"):
        check_tree(tmp_path, "1.2.3", dry=True)


def test_a_key_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.delenv(KEY, raising=False)
    for value in ("", str(tmp_path / "none")):
        monkeypatch.setenv(KEY, value)
        with pytest.raises(CannotSign, match=f"set {KEY} to the secret key"):
            ReleaseSigner.from_environment()


def test_a_key_in_the_repository_or_open_to_others_is_refused(
    monkeypatch: pytest.MonkeyPatch, signer: Signer, tmp_path: Path
):
    monkeypatch.setenv(PUBLIC_KEY, signer.public)
    monkeypatch.setenv(KEY, str(ROOT / "pyproject.toml"))
    with pytest.raises(CannotSign, match="outside of the repository"):
        ReleaseSigner.from_environment()
    key = tmp_path / "key"
    shutil.copy(signer.secret, key)
    key.chmod(0o644)
    monkeypatch.setenv(KEY, str(key))
    with pytest.raises(CannotSign, match="others may read the key: chmod 600"):
        ReleaseSigner.from_environment()
    key.chmod(0o600)
    assert ReleaseSigner.from_environment().public == PublicKey.parse(signer.public)


def test_the_public_key_of_another_is_noticed(
    monkeypatch: pytest.MonkeyPatch, signer: Signer, tmp_path: Path
):
    monkeypatch.setenv(KEY, str(signer.secret))
    monkeypatch.setenv(PUBLIC_KEY, "no key")
    with pytest.raises(CannotSign, match=f"set {PUBLIC_KEY}"):
        ReleaseSigner.from_environment()
    monkeypatch.setenv(PUBLIC_KEY, Signer(tmp_path / "other").public)
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match="another key"):
        ReleaseSigner.from_environment().sign(tmp_path / "file", "x")


def test_sums_are_sorted_and_checked_by_the_usual_tool(tmp_path: Path):
    for name in ("b", "a"):
        (tmp_path / name).write_text(name)
    sums = write_sums(tmp_path, [tmp_path / "b", tmp_path / "a"])
    assert [line.split()[1] for line in sums.read_text().splitlines()] == ["a", "b"]
    subprocess.run(["sha256sum", "--check", "--quiet", sums.name], cwd=tmp_path, check=True)


def test_files_that_are_added_to_a_wheel_are_in_it_once(tmp_path: Path):
    wheel = tmp_path / "x-1.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("x/a.py", "a")
        archive.writestr("x-1.dist-info/RECORD", "x/a.py,sha256=old,1\nx-1.dist-info/RECORD,,\n")
    for content in (b"one", b"two"):
        add_files(wheel, {"x/new.json": content})
    with zipfile.ZipFile(wheel) as archive:
        assert archive.namelist() == ["x/a.py", "x/new.json", "x-1.dist-info/RECORD"]
        assert archive.read("x/new.json") == b"two"
        assert archive.read("x-1.dist-info/RECORD").decode().count("x/new.json") == 1
    with zipfile.ZipFile(tmp_path / "none.whl", "w"):
        pass
    with pytest.raises(ValueError, match="expected one RECORD"):
        add_files(tmp_path / "none.whl", {})
