"""`make release`: the files of a release in a folder of its own, each signed.

Rule 1: everything is made of what is committed, in a copy of it; a tree with changes is refused.
Rule 2: the tag of the commit is the version of pyproject.toml, or there is no release.
Rule 3: nothing is published. DRY_RUN makes the files without a tag and a key, and signs none.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from release import ROOT
from release.files import build_files, tools
from release.licences import complaints, installed, read_table
from release.lock import shipped
from release.provenance import make_provenance, sha256
from release.sbom import source_date
from release.signing import CannotSign, Signer
from tonewall.minisign import BadSignature

_CODE_NAMES: Final = re.compile(r"\d+\.\d+\.\d+")


class Refused(Exception):
    """No release can be made; the text says what to do."""


def git(*arguments: str, root: Path = ROOT) -> str:
    """What git says. Raises Refused where it fails."""
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


def check_tree(root: Path, version: str, *, dry: bool) -> None:
    """Raises Refused for what no release is made of. `dry`: a commit without a tag is."""
    if changed := git("status", "--porcelain", root=root):
        raise Refused(f"the tree has changes; commit or remove them first:\n{changed}")
    if not _CODE_NAMES.fullmatch(version):
        raise Refused(f"pyproject.toml: version: expected three numbers, such as 1.0.0, and it is {version}")
    tags = git("tag", "--points-at", "HEAD", root=root).split()
    if f"v{version}" not in tags and not dry:
        found = f"its tags are {', '.join(tags)}" if tags else "it has no tag"
        raise Refused(
            f"pyproject.toml says {version}, so this commit needs the tag v{version}, and {found}: "
            f"git tag -s v{version}"
        )


def check_licences(root: Path) -> None:
    """Raises Refused for a licence that nobody has accepted."""
    passed_on = frozenset(each.name for each in shipped(root))
    found = list(complaints(installed(), read_table(), passed_on, (root / "NOTICE").read_text()))
    if found:
        raise Refused("\n".join(found))


def write_sums(folder: Path, files: Iterable[Path]) -> Path:
    """SHA256SUMS of the files, as `sha256sum --check` reads it."""
    sums = folder / "SHA256SUMS"
    sums.write_text("".join(f"{sha256(path)}  {path.name}\n" for path in sorted(files)))
    return sums


def release(root: Path, to: Path, signer: Signer | None, *, image: bool) -> list[Path]:
    """Make everything in the folder `to`; the files. Without a signer none is signed. Raises
    Refused, CannotSign, OSError, subprocess.CalledProcessError."""
    version = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    check_tree(root, version, dry=signer is None)
    check_licences(root)
    commit, epoch = git("rev-parse", "HEAD", root=root), source_date(root)
    if to.exists() and any(to.iterdir()):
        raise Refused(f"{to} is not empty: a release is made once; move it away first")
    to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tonewall-release-") as copy:
        tree = Path(copy) / f"tonewall-{version}"
        tree.mkdir()
        archive = subprocess.run(
            ["git", "archive", "--format=tar", commit], cwd=root, capture_output=True, check=True
        )
        subprocess.run(["tar", "-x", "-C", tree], input=archive.stdout, check=True)
        files = build_files(tree, to, version, epoch, signer, image=image)
    provenance = to / f"tonewall-{version}.intoto.json"
    provenance.write_bytes(make_provenance(files, commit, version, epoch, tools()))
    files.append(provenance)
    files.append(write_sums(to, files))
    if signer is not None:
        files += [signer.sign(path, f"tonewall {version} {path.name}") for path in list(files)]
    return files


def main() -> None:
    """`python -m release`."""
    parser = argparse.ArgumentParser(prog="python -m release", description="Make the files of a release.")
    parser.add_argument("--to", type=Path, default=ROOT / "dist" / "release")
    parser.add_argument("--image", action="store_true", help="the container image, too (root)")
    arguments = parser.parse_args()
    dry = os.environ.get("DRY_RUN", "") not in ("", "0", "no")
    try:
        signer = None if dry else Signer.from_environment()
        if dry and arguments.to.exists():
            shutil.rmtree(arguments.to)
        files = release(ROOT, arguments.to, signer, image=arguments.image)
    except (Refused, CannotSign, BadSignature) as error:
        print(f"no release: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except subprocess.CalledProcessError as error:
        print(f"no release: {error.cmd[0]} ended with status {error.returncode}", file=sys.stderr)
        raise SystemExit(1) from None
    for path in files:
        print(f"{sha256(path)[:16]}  {path}")
    print("signed; nothing is published yet: docs/releasing.md" if signer else "DRY_RUN: nothing is signed")


if __name__ == "__main__":
    main()
