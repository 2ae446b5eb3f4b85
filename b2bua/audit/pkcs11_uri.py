"""Reads the name of a key in a PKCS#11 token: a URI (RFC 7512).

Rule 1: no PIN is in it: it would stand in sip.conf. `pin-source` names a file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, unquote_to_bytes, urlsplit

SCHEME: Final = "pkcs11:"
_EXPECTED: Final = (
    "expected pkcs11:token=LABEL;object=LABEL?module-path=/PATH/MODULE.so&pin-source=file:/PATH (RFC 7512)"
)
# Of SoftHSM, Kryoptic, Thales, Utimaco, YubiHSM.
_VARIABLES: Final = (
    "SOFTHSM2_CONF",
    "KRYOPTIC_CONF",
    "ChrystokiConfigurationPath",
    "CS_PKCS11_R3_CFG",
    "YUBIHSM_PKCS11_CONF",
)
_PATH: Final = frozenset({"token", "serial", "object", "id", "type"})
_QUERY: Final = frozenset({"module-path", "pin-source"})


@dataclass(frozen=True, slots=True)
class KeyName:
    """A key: the label or the serial number of its token, its own label or id, and how the token is
    reached."""

    module: Path
    pin_file: Path
    token: str = ""
    serial: str = ""
    label: str = ""
    id: bytes = b""

    def read_pin(self) -> str:
        """Raises OSError, and ValueError for what is no PIN."""
        lines = self.pin_file.read_text(encoding="utf-8").splitlines()
        if len(lines) != 1 or not lines[0].strip():
            raise ValueError("pin-source: expected a file with the PIN alone in it")
        return lines[0].strip()


def is_pkcs11(name: str | Path) -> bool:
    """Whether it is such a URI, and no file."""
    return str(name).startswith(SCHEME)


def module_environment(name: str | Path) -> dict[str, str]:
    """Where modules find their configuration: variables for the process that signs by such a
    key."""
    known = _VARIABLES if is_pkcs11(name) else ()
    return {variable: os.environ[variable] for variable in known if variable in os.environ}


def read_uri(text: str) -> KeyName:
    """Raises ValueError, which quotes nothing."""
    path, _, query = text.removeprefix(SCHEME).partition("?")
    where, how = _attributes(path, ";"), _attributes(query, "&")
    if "pin-value" in how:
        raise ValueError("pin-value: the PIN belongs in a file of its own, which pin-source names")
    if not set(where) <= _PATH or not set(how) <= _QUERY or not is_pkcs11(text):
        raise ValueError(_EXPECTED)
    module, pin_file = unquote(how.get("module-path", "")), _file(how.get("pin-source", ""))
    has_token = where.keys() & {"token", "serial"}
    has_object = where.keys() & {"object", "id"}
    if not (has_token and has_object and os.path.isabs(module) and os.path.isabs(pin_file)):
        raise ValueError(_EXPECTED)
    if where.get("type", "private") != "private":
        raise ValueError("type: expected private, or none")
    return KeyName(
        Path(module),
        Path(pin_file),
        token=unquote(where.get("token", "")),
        serial=unquote(where.get("serial", "")),
        label=unquote(where.get("object", "")),
        id=unquote_to_bytes(where.get("id", "")),
    )


def _attributes(text: str, separator: str) -> dict[str, str]:
    pairs = [each.partition("=") for each in text.split(separator) if each]
    found = {name: value for name, _, value in pairs}
    if len(found) != len(pairs) or not all(found.values()):
        raise ValueError(_EXPECTED)
    return found


def _file(source: str) -> str:
    """The path of `file:/PATH`, `file:///PATH` or a path alone; empty for another."""
    text = unquote(source)
    return urlsplit(text).path if text.startswith("file:") else text if text.startswith("/") else ""
