"""A PKCS#11 token for tests: SoftHSM, with its files in a directory."""

from __future__ import annotations

import subprocess
from pathlib import Path

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
PIN = "123456"


def make_token(directory: Path, label: str = "audit") -> dict[str, str]:
    """A token in `directory`, and its PIN in `pin` beside; what to set in the environment of
    whoever uses it."""
    tokens, conf = directory / "tokens", directory / "softhsm2.conf"
    tokens.mkdir(exist_ok=True)
    conf.write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
    (directory / "pin").write_text(f"{PIN}\n")
    environment = {"SOFTHSM2_CONF": str(conf)}
    command = [
        "softhsm2-util",
        "--init-token",
        "--free",
        "--label",
        label,
        "--pin",
        PIN,
        "--so-pin",
        "87654321",
    ]
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return environment


def uri(directory: Path, label: str = "audit", key: str = "log-key") -> str:
    """The key's name."""
    return f"pkcs11:token={label};object={key}?module-path={MODULE}&pin-source=file:{directory / 'pin'}"
