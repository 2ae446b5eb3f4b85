"""A Tonewall that is installed in an environment of its own, where another version may take the
place of the one that runs."""

from __future__ import annotations

import shutil
import sys
import sysconfig
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_PACKAGES = ("b2bua", "media", "provider_adapters", "tonewall")
_SOURCES = shutil.ignore_patterns("__pycache__", "core")


@dataclass(frozen=True)
class Installed:
    """The environment. All that Tonewall needs besides is that of the tests."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, version: str) -> Installed:
        """A new one, with that version."""
        made = cls(folder)
        (folder / "bin").mkdir(parents=True)
        made._packages.mkdir(parents=True)
        Path(made.python).symlink_to(Path(sys.executable).resolve())
        home = Path(sys.executable).resolve().parent
        (folder / "pyvenv.cfg").write_text(f"home = {home}\ninclude-system-site-packages = false\n")
        # What a .pth file names is searched, but its own .pth files are not read.
        (made._packages / "needed.pth").write_text(sysconfig.get_path("platlib") + "\n")
        made.install(version)
        return made

    @property
    def python(self) -> str:
        """Its interpreter."""
        return str(self.folder / "bin" / "python")

    @property
    def _packages(self) -> Path:
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        return self.folder / "lib" / version / "site-packages"

    def install(self, version: str, changes: dict[str, tuple[str, str]] | None = None) -> None:
        """Install that version, in place of the one before. `changes`: in the file of this name,
        one text for another."""
        for name in _PACKAGES:
            shutil.rmtree(self._packages / name, ignore_errors=True)
            shutil.copytree(_ROOT / name, self._packages / name, ignore=_SOURCES)
        information = self._packages / f"tonewall-{version}.dist-info"
        for each in self._packages.glob("tonewall-*.dist-info"):
            shutil.rmtree(each)
        information.mkdir()
        written = distribution("tonewall").metadata
        information.joinpath("METADATA").write_text(
            f"Metadata-Version: {written['Metadata-Version']}\nName: tonewall\nVersion: {version}\n"
        )
        for name, (before, after) in (changes or {}).items():
            text = (self._packages / name).read_text()
            assert before in text
            (self._packages / name).write_text(text.replace(before, after))
