"""The SBOM is valid, whole, and the same each time."""

from __future__ import annotations

import json
import re
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

import av
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from release.lock import shipped
from release.sbom import make_sbom

ROOT = Path(__file__).parents[2]
EPOCH = 1_700_000_000


@pytest.fixture(scope="module")
def made() -> bytes:
    return make_sbom(ROOT, EPOCH)


@pytest.fixture(scope="module")
def components(made: bytes) -> dict[str, Any]:
    return {each["bom-ref"]: each for each in json.loads(made)["components"]}


def test_it_is_what_its_schema_asks_for(made: bytes):
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(made.decode()) is None


def test_the_schema_refuses_what_it_should(made: bytes):
    broken = json.loads(made)
    del broken["components"][0]["name"]
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(broken)) is not None


def test_two_runs_write_the_same_bytes(made: bytes, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert make_sbom(ROOT, EPOCH) == made


def test_another_content_has_another_serial_number(made: bytes):
    later = json.loads(make_sbom(ROOT, EPOCH + 1))
    first = json.loads(made)
    assert first["metadata"]["timestamp"] == "2023-11-14T22:13:20+00:00"
    assert first["serialNumber"].startswith("urn:uuid:")
    assert later["serialNumber"] != first["serialNumber"]


def test_every_package_of_the_lock_is_in_it_with_hashes_and_licence(components: dict[str, Any]):
    lock = shipped(ROOT)
    for package in lock:
        component = components[f"pkg:pypi/{package.name}@{package.version}"]
        digests = {digest["content"] for each in component["externalReferences"] for digest in each["hashes"]}
        assert digests == set(package.hashes)
    assert all(each["licenses"][0]["expression"] for each in components.values())
    assert len([ref for ref in components if ref.startswith("pkg:pypi/")]) == len(lock)


def test_it_says_what_asks_for_what(made: bytes):
    asks = {each["ref"]: each.get("dependsOn", []) for each in json.loads(made)["dependencies"]}
    own = f"pkg:pypi/tonewall@{version('tonewall')}"
    assert f"pkg:pypi/httpx@{version('httpx')}" in asks[own]
    assert f"pkg:pypi/httpcore@{version('httpcore')}" in asks[f"pkg:pypi/httpx@{version('httpx')}"]


def test_every_library_in_the_wheel_of_av_is_in_it(components: dict[str, Any]):
    carried = Path(av.__file__).parents[1] / "av.libs"
    if not carried.is_dir():
        pytest.skip("av was not installed from a wheel")
    found = {re.split(r"-[0-9a-f]{8}\.so", path.name)[0] for path in carried.iterdir()}
    inside = components[f"pkg:pypi/av@{av.__version__}"]["components"]
    assert {each["name"] for each in inside} == found
    assert {each["licenses"][0]["expression"] for each in inside if each["name"].startswith("libx26")} == {
        "GPL-2.0-or-later"
    }


def test_every_library_in_the_wheel_of_psycopg_is_in_it(components: dict[str, Any]):
    carried = Path(av.__file__).parents[1] / "psycopg_binary.libs"
    if not carried.is_dir():
        pytest.skip("psycopg-binary was not installed from a wheel")
    found = {re.split(r"-[0-9a-f]{8}\.so", path.name)[0] for path in carried.iterdir()}
    inside = components[f"pkg:pypi/psycopg-binary@{version('psycopg-binary')}"]["components"]
    assert {each["name"] for each in inside} == found


def test_the_library_that_the_core_links_is_in_it(components: dict[str, Any]):
    (linked,) = [each for each in components.values() if each["name"] == "libsrtp2"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", linked["version"])
    asked = re.findall(r"IMPORTED_TARGET (\w+)\)", (ROOT / "CMakeLists.txt").read_text())
    assert asked == ["libsrtp2"], "a library that is linked is in release/components.toml"


def test_data_of_others_is_in_it_and_in_notice(components: dict[str, Any]):
    data = [each for each in components.values() if each["type"] == "data"]
    notice = (ROOT / "NOTICE").read_text()
    assert len(data) == 2
    for each in data:
        assert f"{each['name']} {each['version']}" in notice
        assert each["hashes"][0]["alg"] == "SHA-256"


def test_vendored_libraries_are_in_it_with_their_files_in_notice_and_as_their_version_has_them(
    components: dict[str, Any],
):
    vendored = [each for ref, each in components.items() if ref.startswith("pkg:npm/")]
    notice = (ROOT / "NOTICE").read_text()
    folder = ROOT / "b2bua" / "api" / "web" / "vendor"
    listed = {ROOT / file["name"] for each in vendored for file in each["components"]}
    assert listed == {path for path in folder.iterdir() if path.suffix != ".LICENSE"}
    for each in vendored:
        assert f"npm {each['name']} {each['version']}" in notice
        assert each["licenses"][0]["expression"] == "MIT"
    script = (folder / "uPlot.iife.min.js").read_text()
    assert [each["version"] for each in vendored] == re.findall(r"\(v(\d+\.\d+\.\d+)\) \*/", script)
    assert "The MIT License" in (folder / "uPlot.LICENSE").read_text()


def test_a_package_without_a_known_licence_stops_it(tmp_path: Path):
    for name in ("requirements", "release", "media"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copy(ROOT / "README.md", tmp_path)
    lock = tmp_path / "requirements" / "run.lock"
    lock.write_text(lock.read_text() + f"unheard-of==1.0 \\\n    --hash=sha256:{'0' * 64}\n    # via httpx\n")
    with pytest.raises(ValueError, match="unheard-of: its licence is not known"):
        make_sbom(tmp_path, EPOCH)
