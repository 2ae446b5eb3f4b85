"""Signs files of a release with minisign, and verifies what it signed.

Rule 1: the key is outside of the repository, in a file that TONEWALL_RELEASE_KEY names. minisign
        reads it, and asks for its password; it never comes in here.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

from release import ROOT
from tonewall.minisign import PublicKey

KEY: Final = "TONEWALL_RELEASE_KEY"
PUBLIC_KEY: Final = "TONEWALL_RELEASE_PUBLIC_KEY"


class CannotSign(Exception):
    """There is no key to sign with, or minisign refused; the text says what to do."""


class Signer:
    """A key of minisign's. `path`: the secret one; `public`: the 56 characters of the other."""

    def __init__(self, path: Path, public: str) -> None:
        self._path, self.public = path, PublicKey.parse(public)

    @classmethod
    def from_environment(cls) -> Signer:
        """The key that the environment names. Raises CannotSign."""
        path = Path(os.environ.get(KEY, ""))
        if not os.environ.get(KEY) or not path.is_file():
            raise CannotSign(f"set {KEY} to the secret key of minisign (minisign -G makes one)")
        if path.resolve().is_relative_to(ROOT.resolve()):
            raise CannotSign(f"{KEY}: keep the key outside of the repository")
        if path.stat().st_mode & 0o077:
            raise CannotSign(f"{KEY}: others may read the key: chmod 600 {path}")
        try:
            return cls(path, os.environ.get(PUBLIC_KEY, ""))
        except ValueError:
            raise CannotSign(f"set {PUBLIC_KEY} to the public key, 56 characters beginning with RW") from None

    def sign(self, path: Path, comment: str) -> Path:
        """The signature of a file, beside it, verified. `comment`: what it is, in words. Raises
        CannotSign, tonewall.minisign.BadSignature where the public key is of another."""
        signature = path.with_name(f"{path.name}.minisig")
        command = [
            "minisign",
            "-S",
            "-s",
            str(self._path),
            "-m",
            str(path),
            "-x",
            str(signature),
            "-t",
            comment,
        ]
        try:
            done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
        except FileNotFoundError:
            raise CannotSign("minisign is not installed: apt-get install minisign") from None
        if done.returncode:
            raise CannotSign(f"minisign did not sign {path.name}; what it said stands above")
        self.public.verify(path.read_bytes(), signature.read_text())
        return signature
