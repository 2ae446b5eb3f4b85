"""Builds the package for Debian: a virtual environment under /usr/lib/tonewall with every locked
package in it, the command, the unit, completions and pages.

Rule 1: the environment is made for the place where it is installed: nothing in it names the folder
        of the build, and it needs no other Python package of the system.
Rule 2: the same sources, wheels and SOURCE_DATE_EPOCH are the same bytes.
Rule 3: a wheel that is not in a lock with its hash is not installed.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from release import ROOT
from release.files import build_wheel, set_modes
from release.lock import LOCKS
from release.man import make_page
from release.sbom import source_date

HOME: Final = Path("/usr/lib/tonewall")
_PYTHON: Final = "python3.11"  # Debian 12's
_DEBIAN: Final = Path(__file__).parent / "debian"
_SCRIPTS: Final = ("preinst", "postinst", "prerm", "postrm")
_CONFFILES: Final = ("/etc/tonewall/sip.conf.example",)
_COMPLETIONS: Final = {
    "bash": "usr/share/bash-completion/completions/tonewall",
    "zsh": "usr/share/zsh/vendor-completions/_tonewall",
    "fish": "usr/share/fish/vendor_completions.d/tonewall.fish",
}
_UNIT: Final = "deploy/systemd/tonewall@.service"
_CONTROL: Final = """\
Package: tonewall
Version: {version}
Architecture: {architecture}
Maintainer: The Tonewall authors <tonewall@localhost>
Installed-Size: {size}
Depends: python3 (>= 3.11), python3 (<< 3.12), ca-certificates, libc6 (>= 2.34), libgcc-s1, libsrtp2-1, \
libstdc++6, systemd (>= 252)
Suggests: espeak-ng, prometheus, sqlite3
Section: comm
Priority: optional
Description: card payments by phone, without the agent receiving a digit
 Tonewall is a SIP back-to-back user agent between carrier and PBX. The customer
 keys the card, the agent stays on the line, and the digits go to the payment
 provider only.
"""


def make_root(tree: Path, wheel: Path, root: Path, locks: Sequence[str]) -> None:
    """Lay out what is installed of the sources in `tree`, their wheel and the packages of `locks`,
    below `root`. Raises OSError, and subprocess.CalledProcessError where pip fails."""
    home = root / HOME.relative_to("/")
    packages = home / "lib" / _PYTHON / "site-packages"
    packages.mkdir(parents=True)
    if locks:
        listed = [word for lock in locks for word in ("-r", str(tree / lock))]
        _pip(packages, "--require-hashes", "--only-binary", ":all:", *listed)
    _pip(packages, "--no-deps", "--no-index", str(wheel))
    _forget_the_build(packages)
    (home / "bin").mkdir()
    for name in ("python3", "python"):
        (home / "bin" / name).symlink_to(f"/usr/bin/{_PYTHON}")
    (home / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
    command = home / "bin" / "tonewall"
    command.write_text(
        f"#!{HOME}/bin/python3\nimport sys\nfrom b2bua.__main__ import main\n\nsys.exit(main())\n"
    )
    command.chmod(0o755)
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/bin/tonewall").symlink_to("../lib/tonewall/bin/tonewall")
    _lay_out_texts(tree, root)
    # By Debian's Python: `tonewall verify-files` compares bytecode with what that makes.
    subprocess.run(
        [f"/usr/bin/{_PYTHON}", "-m", "compileall", "-q", "-s", root, "-p", "/",
         "--invalidation-mode", "checked-hash", packages],
        check=False, env=os.environ | {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": ""},
    )  # fmt: skip


def make_deb(
    tree: Path, wheel: Path, to: Path, version: str, epoch: int, locks: Sequence[str] = LOCKS
) -> Path:
    """The package, as a file in the folder `to`. `epoch`: the time of its files, seconds. Raises as
    `make_root`."""
    architecture = _asked("dpkg", "--print-architecture")
    with tempfile.TemporaryDirectory(prefix="tonewall-deb-") as folder:
        root = Path(folder) / "root"
        make_root(tree, wheel, root, locks)
        set_modes(root)
        size = sum(path.lstat().st_size for path in root.rglob("*")) // 1024
        control = root / "DEBIAN"
        control.mkdir()
        text = _CONTROL.format(version=version, architecture=architecture, size=size)
        (control / "control").write_text(text)
        (control / "conffiles").write_text("".join(f"{path}\n" for path in _CONFFILES))
        (control / "md5sums").write_text(_sums(root))
        for name in _SCRIPTS:
            shutil.copy(_DEBIAN / name, control / name)
        set_modes(control)
        for name in _SCRIPTS:
            (control / name).chmod(0o755)
        made = to / f"tonewall_{version}_{architecture}.deb"
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "-Zxz", "-z4", "--build", root, made],
            check=True, stdout=subprocess.DEVNULL, env=os.environ | {"SOURCE_DATE_EPOCH": str(epoch)},
        )  # fmt: skip
    return made


def _pip(to: Path, *what: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--no-cache-dir",
         "--disable-pip-version-check", "--target", to, *what],
        check=True,
    )  # fmt: skip


def _forget_the_build(packages: Path) -> None:
    """Remove commands of others, whose first line names the build's Python, where a wheel came
    from, and the lines of both in RECORD."""
    shutil.rmtree(packages / "bin", ignore_errors=True)
    for record in packages.glob("*.dist-info/RECORD"):
        for name in ("direct_url.json", "REQUESTED"):
            record.with_name(name).unlink(missing_ok=True)
        rows = list(csv.reader(record.read_text().splitlines()))
        with record.open("w", newline="") as lines:
            csv.writer(lines, lineterminator="\n").writerows(
                row for row in rows if row and (packages / row[0]).exists()
            )


def _lay_out_texts(tree: Path, root: Path) -> None:
    """Unit, user, example, pages, completions: everything that is no program."""
    unit = (tree / _UNIT).read_text().replace("/usr/local/bin/tonewall", "/usr/bin/tonewall")
    _put(root, "usr/lib/systemd/system/tonewall@.service", unit)
    _put(root, "usr/lib/sysusers.d/tonewall.conf", (_DEBIAN / "sysusers.conf").read_text())
    _put(root, "usr/lib/tmpfiles.d/tonewall.conf", (_DEBIAN / "tmpfiles.conf").read_text())
    _put(root, "etc/tonewall/sip.conf.example", (tree / "sip.conf.example").read_text())
    doc = "usr/share/doc/tonewall"
    _put(root, f"{doc}/copyright", f"{(tree / 'NOTICE').read_text()}\n{(tree / 'LICENSE').read_text()}")
    _compress(root, f"{doc}/changelog.gz", (tree / "CHANGELOG.md").read_text())
    _compress(root, "usr/share/man/man1/tonewall.1.gz", make_page())
    for page in sorted((tree / "docs").rglob("*.md")):
        _put(root, f"{doc}/{page.relative_to(tree / 'docs')}", page.read_text())
    for folder in ("backup", "grafana", "prometheus"):
        shutil.copytree(tree / "deploy" / folder, root / doc / "examples" / folder)
    command = Path(sys.executable).with_name("tonewall")
    for shell, path in _COMPLETIONS.items():
        script = subprocess.run(
            command, check=True, capture_output=True, text=True, cwd=tree,
            env=os.environ | {"_TONEWALL_COMPLETE": f"source_{shell}"},
        ).stdout  # fmt: skip
        _put(root, path, script.lstrip())


def _put(root: Path, where: str, text: str) -> None:
    path = root / where
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _compress(root: Path, where: str, text: str) -> None:
    """As gzip does it without a name and a time."""
    path = root / where
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def _sums(root: Path) -> str:
    """MD5 sums, as `dpkg --verify` reads them."""
    files = sorted(
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_file() and not path.is_symlink() and path.parent.name != "DEBIAN"
    )
    conffiles = {path.lstrip("/") for path in _CONFFILES}
    command = ["md5sum", "--", *(path for path in files if path not in conffiles)]
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout


def _asked(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    """`python -m release.deb`."""
    parser = argparse.ArgumentParser(prog="python -m release.deb", description="Build the Debian package.")
    parser.add_argument("--to", type=Path, default=ROOT / "build")
    parser.add_argument("--wheel", type=Path, help="that of a release; without it one is built")
    arguments = parser.parse_args()
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    epoch = source_date(ROOT)
    arguments.to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tonewall-wheel-") as folder:
        wheel = arguments.wheel or build_wheel(ROOT, Path(folder), epoch)
        print(make_deb(ROOT, wheel, arguments.to, version, epoch))


if __name__ == "__main__":
    main()
