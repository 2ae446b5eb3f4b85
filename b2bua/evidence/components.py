"""Lists what runs: our own files, Python and its packages, the libraries that they load.

Rule 1: each has its SHA-256 as it is on this machine, not as somebody says it should be.
Rule 2: a package is compared with the hashes that its own installation noted.
"""

from __future__ import annotations

import base64
import hashlib
import platform
import sqlite3
import ssl
import subprocess
import sys
from importlib import metadata, resources
from pathlib import Path
from typing import Any, Final

from tonewall.process import plain_environment
from tonewall.version import VERSION

PACKAGES: Final = ("b2bua", "media", "provider_adapters", "tonewall")
NO_SBOM: Final = "not in this build: it is made as a release is built"
_TIMEOUT: Final = 60.0  # seconds
# In a process of its own: what the product loads, and whatever that loads.
_LOAD: Final = "import media._core, ssl, sqlite3, av, sys; sys.stdout.write(open('/proc/self/maps').read())"


def describe_components() -> dict[str, Any]:
    """Versions and hashes. Takes some seconds."""
    return {
        "tonewall": VERSION,
        "python": {
            "version": platform.python_version(),
            "implementation": platform.python_implementation(),
            "sha256": _hash(Path(sys.executable).resolve()),
        },
        "openssl": ssl.OPENSSL_VERSION,
        "sqlite": sqlite3.sqlite_version,
        "system": {
            "kernel": platform.release(),
            "machine": platform.machine(),
            "distribution": _distribution(),
        },
        "packages": [_describe_package(each) for each in _packages()],
        "libraries": _libraries(),
    }


def list_own_files() -> str:
    """Our own files in the form that sha256sum checks, from where they are installed."""
    lines = []
    for package in PACKAGES:
        root = Path(str(resources.files(package)))
        for path in sorted(root.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                lines.append(f"{_hash(path)}  {path.relative_to(root.parent)}\n")
    return "".join(lines)


def read_sbom() -> bytes | None:
    """The bill of materials of this build (CycloneDX); None where there is none."""
    try:
        return resources.files("tonewall").joinpath("sbom.json").read_bytes()
    except FileNotFoundError:
        return None


def read_leak_report() -> bytes | None:
    """The leak report of this version, from the installation or the tree that it runs from."""
    beside = resources.files("b2bua.evidence").joinpath("leak-report.md")
    tree = Path(__file__).resolve().parents[2] / "docs" / "leak-report.md"
    for each in (beside, tree):
        if each.is_file():
            return each.read_bytes()
    return None


def _packages() -> list[metadata.Distribution]:
    found = {each.metadata["Name"].lower(): each for each in metadata.distributions()}
    return [each for _, each in sorted(found.items())]


def _describe_package(package: metadata.Distribution) -> dict[str, Any]:
    record = package.read_text("RECORD")
    changed, unknown = [], 0
    for file in package.files or ():
        if file.hash is None or file.parts[0] == "..":
            unknown += 1  # the record itself, what was compiled later, scripts with a path in them
            continue
        try:
            content = Path(str(file.locate())).read_bytes()
        except OSError:
            changed.append(str(file))
            continue
        found = base64.urlsafe_b64encode(hashlib.new(file.hash.mode, content).digest()).decode().rstrip("=")
        if found != file.hash.value:
            changed.append(str(file))
    return {
        "name": package.metadata["Name"],
        "version": package.version,
        "record_sha256": hashlib.sha256(record.encode()).hexdigest() if record else None,
        "files": len(package.files or ()),
        "changed": changed,
        "without_hash": unknown,
    }


def _libraries() -> list[dict[str, str]]:
    """The shared objects outside of Python packages, with the system's package where it says."""
    process = subprocess.run(
        [sys.executable, "-c", _LOAD],
        capture_output=True,
        text=True,
        timeout=_TIMEOUT,
        check=False,
        env=plain_environment({}),
    )
    paths = {line.split(maxsplit=5)[-1] for line in process.stdout.splitlines() if ".so" in line}
    outside = sorted(path for path in paths if path.startswith("/") and "-packages/" not in path)
    owners = _owners(outside)
    return [{"path": path, "sha256": _hash(Path(path)), "package": owners.get(path, "")} for path in outside]


def _owners(paths: list[str]) -> dict[str, str]:
    """The package of a Debian system, with its version, of each path that has one."""
    places = {path: (path, "/" + path.removeprefix("/usr/")) for path in paths}  # /lib is /usr/lib
    found: dict[str, str] = {}
    for line in _ask(
        "dpkg-query", "--search", *(each for some in places.values() for each in some)
    ).splitlines():
        package, _, path = line.partition(": ")
        found[path] = package
    versions = {}
    if found:
        shown = _ask(
            "dpkg-query", "--show", "--showformat=${binary:Package} ${Version}\n", *set(found.values())
        )
        versions = {line.partition(" ")[0]: line for line in shown.splitlines()}
    owners = {
        path: next((found[each] for each in some if each in found), "") for path, some in places.items()
    }
    return {path: versions.get(owner, owner) for path, owner in owners.items()}


def _ask(*command: str) -> str:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT, check=False, env=plain_environment({})
        ).stdout.strip()
    except OSError:
        return ""


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        return ""


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
