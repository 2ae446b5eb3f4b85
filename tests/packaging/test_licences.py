"""NOTICE and the lock files say what is passed on, and hold all of it to hashes."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import av
import pytest

from release.licences import Package, complaints, installed, main, read_table
from release.lock import read_lock, shipped

ROOT = Path(__file__).parents[2]


def test_notice_names_every_library_of_the_av_wheel() -> None:
    carried = Path(av.__file__).parents[1] / "av.libs"
    if not carried.is_dir():
        pytest.skip("av was not installed from a wheel")
    found = {re.split(r"-[0-9a-f]{8}\.so", path.name)[0] for path in carried.iterdir()}
    assert "libx264" in found  # where it is gone at last, NOTICE and ADR 0029 have to say so
    notice = (ROOT / "NOTICE").read_text()
    named = set(re.findall(r"\blib[A-Za-z0-9-]+", notice))
    assert found <= named, found - named
    assert f"of av {av.__version__}" in notice


@pytest.mark.parametrize("name", ["run", "build", "dev"])
def test_every_package_is_held_to_a_hash(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.lock").read_text().replace("\\\n", "")
    packages = [line for line in text.splitlines() if re.match(r"[a-z0-9]", line)]
    assert packages
    assert [line.split()[0] for line in packages if "--hash=sha256:" not in line] == []


@pytest.mark.parametrize(
    "name", ["architecture/recheck", "contract/prism", "contract/oidc_provider", "browser/axe"]
)
def test_every_npm_package_is_held_to_a_hash_and_to_no_host(name: str) -> None:
    lock = json.loads((ROOT / "tests" / name / "package-lock.json").read_text())
    packages = {path: package for path, package in lock["packages"].items() if path}
    assert packages
    for path, package in packages.items():
        assert package["integrity"].startswith("sha512-"), path
        assert "resolved" not in package, f"{path}: npm takes it from where the machine is set up to"


def test_what_the_build_asks_for_is_locked() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    locked = (ROOT / "requirements" / "build.lock").read_text()
    for each in wanted:
        assert f"{each} \\\n" in locked, f"{each} is not in requirements/build.lock; run make lock"


def test_the_image_installs_nothing_without_a_hash() -> None:
    installs = re.findall(r"pip (?:install|wheel) (?:[^&\n\\]|\\\n)*", (ROOT / "Dockerfile").read_text())
    assert len(installs) == 5
    for each in installs:
        plain = " ".join(each.replace("\\\n", " ").split())
        assert "--require-hashes" in plain or "--no-deps" in plain, plain
        assert "--no-build-isolation" in plain or "pip wheel" not in plain, plain


# --- licences of packages -------------------------------------------------------------------------


def complained(*packages: Package, passed_on: frozenset[str] = frozenset()) -> list[str]:
    notice = (ROOT / "NOTICE").read_text()
    return list(complaints(list(packages), read_table(), passed_on, notice))


def test_every_package_here_has_a_licence_that_is_accepted_or_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main()
    said = capsys.readouterr().out
    assert "pjsua2-python" in said
    assert "GPL-2.0-or-later" in said


def test_each_row_of_the_table_is_of_a_package_that_is_locked() -> None:
    table = read_table()
    locked = {each.name for each in read_lock(ROOT / "requirements" / "dev.lock")}
    locked |= {each.name for each in shipped(ROOT)}
    assert set(table.told) | set(table.packages) <= locked


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("GPL-3.0-only", "GPL-3.0-only is not accepted"),
        ("MIT AND GPL-3.0-only", "is not accepted"),
        ("GPL-3.0-only AND (MIT OR ISC)", "is not accepted"),
        ("UNKNOWN", "its licence is not known: UNKNOWN"),
        ("Free for me", "its licence is not known"),
        ("", "its licence is not known"),
        ("SSPL-1.0", "SSPL-1.0 is not accepted"),
    ],
)
def test_another_licence_is_refused(said: str, why: str) -> None:
    (complaint,) = complained(Package("newcomer", "1.0", said))
    assert complaint.startswith("newcomer: ")
    assert why in complaint


@pytest.mark.parametrize(
    "said", ["MIT", "MIT License", "GPL-3.0-only OR MIT", "(MIT AND ISC) OR GPL-2.0-only"]
)
def test_one_choice_that_is_accepted_is_enough(said: str) -> None:
    assert complained(Package("newcomer", "1.0", said)) == []


def test_a_package_that_is_told_of_may_not_change_its_licence() -> None:
    assert complained(Package("certifi", "1.0", "MPL-2.0")) == []
    assert complained(Package("certifi", "1.0", "GPL-3.0-only")) == [
        "certifi: GPL-3.0-only is not accepted; do without it, or tell what it asks for"
    ]


def test_a_package_that_is_passed_on_and_told_of_is_in_notice() -> None:
    package = next(each for each in installed() if each.name == "hypothesis")
    assert complained(package, passed_on=frozenset({"hypothesis"})) == [
        "hypothesis: it is passed on, and NOTICE does not name it"
    ]
