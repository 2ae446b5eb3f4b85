"""An installation of a release, and the key that signs it."""

from __future__ import annotations

import compileall
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from tonewall.manifest import MANIFEST, PACKAGES, make_manifest

ROOT = Path(__file__).parents[1]


def copy_installation(root: Path) -> Path:
    """Our packages in `root`, with a manifest that nobody signed."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__", "core"))
    return list_installation(root)


def make_environment(folder: Path) -> tuple[str, Path]:
    """A virtual environment that has our packages as an installation has them, and the others' from
    this one; its Python, and where the packages are."""
    venv.create(folder)
    site = folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    # Path files that are in that folder are not read, an editable install's neither.
    (site / "others.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    copy_installation(site)
    # As pip does: else each process compiles what it imports.
    for package in PACKAGES:
        compileall.compile_dir(site / package, quiet=1)
    return str(folder / "bin" / "python"), list_installation(site)


def small_installation(root: Path) -> Path:
    """The same with a module and a page only, compiled."""
    for package in PACKAGES:
        (root / package).mkdir(parents=True)
        (root / package / "__init__.py").write_text(f'"""{package}."""\n')
    (root / "media" / "_core.abi3.so").write_bytes(b"\x7fELF" + bytes(64))
    (root / "b2bua" / "web").mkdir()
    (root / "b2bua" / "web" / "app.js").write_text("start();\n")
    (root / "b2bua" / "money.py").write_text("def charge(amount):\n    return amount\n")
    compileall.compile_dir(root, quiet=1)
    return list_installation(root)


def list_installation(root: Path) -> Path:
    """Write the manifest of what is there now."""
    (root / MANIFEST).write_bytes(make_manifest(root, "1.2.3"))
    return root


class Signer:
    """A key of minisign's in a folder, without a password."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.secret, public = folder / "release.key", folder / "release.pub"
        subprocess.run(
            ["minisign", "-G", "-W", "-f", "-s", self.secret, "-p", public], check=True, capture_output=True
        )
        self.public = public.read_text().splitlines()[1]

    def sign(self, path: Path, *options: str) -> Path:
        """The signature of a file, beside it."""
        command = ["minisign", "-S", "-W", "-s", self.secret, "-m", path, "-t", "a test", *options]
        subprocess.run(command, check=True, capture_output=True)
        return path.with_name(f"{path.name}.minisig")
