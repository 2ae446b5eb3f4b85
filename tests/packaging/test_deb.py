"""The Debian package: what is in it, that two builds are alike, and what its scripts keep.
`make deb-test` installs the whole of it in a new Debian."""

from __future__ import annotations

import os
import re
import subprocess
import zipfile
from pathlib import Path

import pytest

from release.deb import HOME, make_deb
from release.lock import read_lock, shipped
from tests.programs import require_program

ROOT = Path(__file__).parents[2]
EPOCH = 1_700_000_000
PACKAGES = Path(str(HOME).lstrip("/")) / "lib" / "python3.11" / "site-packages"


def small_wheel(folder: Path) -> Path:
    """A wheel with one module and a command of its own."""
    files = {
        "b2bua/__init__.py": "",
        "tonewall-1.2.3.dist-info/METADATA": "Metadata-Version: 2.1\nName: tonewall\nVersion: 1.2.3\n",
        "tonewall-1.2.3.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "tonewall-1.2.3.dist-info/entry_points.txt": "[console_scripts]\ntonewall = b2bua:main\n",
    }
    wheel = folder / "tonewall-1.2.3-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        record = "".join(f"{name},,\n" for name in files)
        archive.writestr("tonewall-1.2.3.dist-info/RECORD", f"{record}tonewall-1.2.3.dist-info/RECORD,,\n")
    return wheel


def build(folder: Path) -> Path:
    """The package without those of others, of a wheel that is in a folder of its own."""
    folder.mkdir()
    return make_deb(ROOT, small_wheel(folder), folder, "1.2.3", EPOCH, locks=())


@pytest.fixture(scope="module")
def deb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_program("dpkg-deb")
    return build(tmp_path_factory.mktemp("deb") / "one")


@pytest.fixture(scope="module")
def unpacked(deb: Path) -> Path:
    root = deb.parent / "unpacked"
    subprocess.run(["dpkg-deb", "--raw-extract", deb, root], check=True)
    return root


def test_two_builds_are_alike_wherever_they_are_made(deb: Path, tmp_path: Path) -> None:
    assert build(tmp_path / "another place").read_bytes() == deb.read_bytes()


def test_nothing_in_it_names_the_folder_of_the_build(deb: Path, unpacked: Path) -> None:
    files = [path for path in unpacked.rglob("*") if path.is_file() and not path.is_symlink()]
    assert [path for path in files if str(deb.parent).encode() in path.read_bytes()] == []
    assert not (unpacked / PACKAGES / "bin").exists()
    record = (unpacked / PACKAGES / "tonewall-1.2.3.dist-info" / "RECORD").read_text()
    assert "b2bua/__init__.py" in record
    assert "bin/tonewall" not in record


def test_the_command_is_run_by_an_environment_that_sees_no_other_package(unpacked: Path) -> None:
    command = unpacked / "usr/bin/tonewall"
    assert command.resolve().read_text().startswith(f"#!{HOME}/bin/python3\n")
    assert os.access(command, os.X_OK)
    environment = (unpacked / str(HOME).lstrip("/") / "pyvenv.cfg").read_text()
    assert "include-system-site-packages = false" in environment


def test_the_unit_runs_the_command_of_the_package(unpacked: Path) -> None:
    unit = (unpacked / "usr/lib/systemd/system/tonewall@.service").read_text()
    assert re.search(r"^ExecStart=/usr/bin/tonewall run ", unit, re.MULTILINE)
    named = re.search(r"^Documentation=file:///(\S+)", unit, re.MULTILINE)
    assert named is not None
    assert (unpacked / named[1]).is_file()
    assert re.search(
        r"^u tonewall ", (unpacked / "usr/lib/sysusers.d/tonewall.conf").read_text(), re.MULTILINE
    )
    assert (unpacked / "DEBIAN/conffiles").read_text() == "/etc/tonewall/sip.conf.example\n"


def test_shells_understand_the_completions_and_the_scripts(unpacked: Path) -> None:
    completion = unpacked / "usr/share/bash-completion/completions/tonewall"
    subprocess.run(["bash", "-n", completion], check=True)
    assert "complete_bash" in completion.read_text()
    zsh = unpacked / "usr/share/zsh/vendor-completions/_tonewall"
    assert zsh.read_text().startswith("#compdef tonewall\n")
    for name in ("preinst", "postinst", "prerm", "postrm"):
        subprocess.run(["sh", "-n", unpacked / "DEBIAN" / name], check=True)


def test_its_sums_are_those_of_its_files(unpacked: Path) -> None:
    subprocess.run(["md5sum", "--check", "--quiet", "DEBIAN/md5sums"], cwd=unpacked, check=True)


def test_what_is_passed_on_beyond_the_product_is_for_postgresql_and_redis() -> None:
    run = {each.name for each in read_lock(ROOT / "requirements" / "run.lock")}
    beyond = {each.name: each.version for each in shipped(ROOT) if each.name not in run}
    assert set(beyond) == {"psycopg", "psycopg-binary", "redis", "async-timeout"}
    locked = {each.name: each.version for each in read_lock(ROOT / "requirements" / "dev.lock")}
    assert beyond.items() <= locked.items()
