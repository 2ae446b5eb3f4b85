"""Builds the files of a release from a tree: sdist, wheel, SBOM and, where it is asked for, the
image.

Rule 1: the wheel holds the SBOM, and the manifest of what is in it; the manifest is signed before
        the wheel is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Final

from release import ROOT
from release.sbom import make_sbom
from release.signing import Signer
from release.wheel import add_files, unpack
from tonewall.manifest import MANIFEST, SIGNATURE, make_manifest

_BUILD: Final = (
    "import sys; from scikit_build_core import build; print(getattr(build, sys.argv[1])(sys.argv[2]))"
)
_SBOM: Final = "tonewall/sbom.json"
# What `tonewall evidence` adds to its pack.
_LEAK_REPORT: Final = "b2bua/evidence/leak-report.md"


def build_files(
    tree: Path, to: Path, version: str, epoch: int, signer: Signer | None, *, image: bool
) -> list[Path]:
    """Build from `tree` into `to`; the files. Raises OSError, subprocess.CalledProcessError."""
    set_modes(tree)
    sbom = to / f"tonewall-{version}.cdx.json"
    sbom.write_bytes(make_sbom(tree, epoch))
    sdist = to / _build(tree, "build_sdist", to, epoch)
    wheel = build_wheel(tree, to, epoch)
    leaks = (tree / "docs" / "leak-report.md").read_bytes()
    add_files(wheel, {_SBOM: sbom.read_bytes(), _LEAK_REPORT: leaks})
    add_manifest(wheel, version, signer)
    files = [sbom, sdist, wheel]
    if image:
        files.append(_build_image(tree, wheel, to / f"tonewall-{version}.oci.tar", epoch))
    return files


def set_modes(tree: Path) -> None:
    """Give files the modes that they have in git, whatever the umask of whoever builds."""
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def add_manifest(wheel: Path, version: str, signer: Signer | None) -> None:
    """Put the manifest of a wheel's files into it, and its signature."""
    with tempfile.TemporaryDirectory(prefix="tonewall-wheel-") as folder:
        root = Path(folder)
        unpack(wheel, root)
        manifest = root / MANIFEST
        manifest.write_bytes(make_manifest(root, version))
        added = {MANIFEST: manifest.read_bytes()}
        if signer is not None:
            signature = signer.sign(manifest, f"tonewall {version} manifest.json")
            added[SIGNATURE] = signature.read_bytes()
    add_files(wheel, added)


def tools() -> dict[str, str]:
    """Versions of what builds."""
    packages = ("scikit-build-core", "cyclonedx-bom", "cryptography")
    found = {name: version_of(name) for name in packages}
    compiler = subprocess.run(["cc", "--version"], capture_output=True, text=True, check=False).stdout
    return found | {"python": sys.version.split()[0], "cc": compiler.partition("\n")[0]}


def build_wheel(tree: Path, to: Path, epoch: int) -> Path:
    """The wheel of the sources in `tree`, in the folder `to`. Raises OSError,
    subprocess.CalledProcessError."""
    return to / _build(tree, "build_wheel", to, epoch)


def _build(tree: Path, what: str, to: Path, epoch: int) -> str:
    """The name of the file that the build made."""
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(epoch), "PYTHONDONTWRITEBYTECODE": "1", "TZ": "UTC"}
    prefix = f"-ffile-prefix-map={tree}=."  # the core may name its sources
    environment["CFLAGS"] = f"{environment.get('CFLAGS', '')} {prefix}".strip()
    command = [sys.executable, "-c", _BUILD, what, str(to.resolve())]
    made = subprocess.run(command, cwd=tree, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return made.stdout.splitlines()[-1]


def _build_image(tree: Path, wheel: Path, to: Path, epoch: int) -> Path:
    """The image that holds this wheel, as an archive."""
    shutil.copy(wheel, tree)
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(epoch), "ARCHIVE": str(to.resolve())}
    environment |= {"STORE": str(ROOT / "build" / "image"), "WHEEL": wheel.name}
    script = tree / "tests" / "packaging" / "build_image.sh"
    subprocess.run([script], cwd=tree, env=environment, check=True)
    return to
