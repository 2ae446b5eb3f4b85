"""Checks that the installed files are those of a release."""

from __future__ import annotations

from pathlib import Path

from b2bua.doctor.finding import Finding, fault, good, warn
from tonewall.manifest import compare, installed_root
from tonewall.minisign import PublicKey

_SHOWN = 3


def check_files(key: PublicKey | None, root: Path | None = None) -> Finding:
    """The files must be those of the manifest. `key`: whoever signs it; `root`: the folder of the
    packages, of our own where none is given."""
    what = "installed files"
    found = compare(root or installed_root(), key)
    if found.differences:
        shown = ", ".join(f"{each.path} ({each.kind})" for each in found.differences[:_SHOWN])
        more = len(found.differences) - _SHOWN
        return fault(
            what,
            f"not those of the release: {shown}{f', and {more} more' if more > 0 else ''}. Treat it as an "
            "intrusion until you know better; tonewall verify-files lists them",
        )
    if not found.files:
        return good(what, "not compared: an installation from the sources has no manifest")
    if not found.signed:
        return warn(
            what,
            f"{found.files} are those of the manifest, which whoever changes them may change too: set "
            "[general] manifest_key",
        )
    return good(what, f"{found.files} are those of release {found.version}, as signed")
