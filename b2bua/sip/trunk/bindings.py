"""Bindings of trunks that register here (RFC 3261 section 10.3), in a file over a restart.

Rule 1: a binding over a connection is not kept: the connection ends with the process (RFC 5626
        section 4.2.2).
Rule 2: an entry is taken back only under the password that made it, and for no longer than it was
        granted.
Rule 3: a file that cannot be read or written stops nothing: a PBX that is not found registers
        again.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from b2bua.call.routing.trunk import Trunk
from b2bua.sip.hop import Hop
from b2bua.sip.trunk.targets import numeric_host
from tonewall.log import get_logger

MAX_BINDINGS = 4  # of one trunk
_MAX_BYTES = 4 << 20
log = get_logger(__name__)


@dataclass(slots=True)
class Binding:
    """One contact of a trunk. `until` on the scheduler's clock."""

    contact: str
    hop: Hop
    until: float
    call_id: str
    cseq: int


class _Entry(msgspec.Struct, frozen=True):
    """A binding in the file. `until`: seconds since the epoch; `seal`: proves the password that
    made the entry."""

    trunk: str
    contact: str
    host: str
    port: int
    until: float
    call_id: str
    cseq: int
    seal: str = ""


class BindingFile:
    """The file of one engine. `clock` and `wall`: the scheduler's time, and seconds since the
    epoch."""

    def __init__(
        self, path: Path, trunks: Iterable[Trunk], clock: Callable[[], float], wall: Callable[[], float]
    ) -> None:
        self._path, self._clock, self._wall = path, clock, wall
        self._trunks = {trunk.name: trunk for trunk in trunks}
        self._keys = {name: _key(trunk) for name, trunk in self._trunks.items()}

    def read(self) -> dict[str, list[Binding]]:
        """What was written and still holds, by trunk; nothing where there is no file, or none that
        can be read."""
        try:
            with self._path.open("rb") as file:
                entries = msgspec.json.decode(file.read(_MAX_BYTES), type=list[_Entry])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.MsgspecError, ValueError) as error:
            log.warning("bindings_not_read", path=str(self._path), why=type(error).__name__)
            return {}
        found: dict[str, list[Binding]] = {}
        for entry in entries:
            binding = self._restore(entry)
            if binding is not None and len(found.setdefault(entry.trunk, [])) < MAX_BINDINGS:
                found[entry.trunk].append(binding)
        return found

    def write(self, bindings: Mapping[str, list[Binding]]) -> None:
        """Replace the file with these bindings, as a whole."""
        now, wall = self._clock(), self._wall()
        entries = [
            self._seal(
                _Entry(
                    name,
                    each.contact,
                    each.hop.host,
                    each.hop.port,
                    wall + each.until - now,
                    each.call_id,
                    each.cseq,
                )
            )
            for name, kept in bindings.items()
            for each in kept
            if not each.hop.transport.reliable and f"{each.contact}{each.call_id}".isprintable()
        ]
        temporary = self._path.with_suffix(".new")
        try:
            content = msgspec.json.encode(entries)
            with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(content)
            temporary.replace(self._path)
        except OSError as error:
            log.warning("bindings_not_written", path=str(self._path), why=error.strerror or "")

    def _restore(self, entry: _Entry) -> Binding | None:
        trunk = self._trunks.get(entry.trunk)
        if trunk is None or not hmac.compare_digest(entry.seal.encode(), self._seal(entry).seal.encode()):
            return None
        # The wall clock may have been set back meanwhile.
        left = min(entry.until - self._wall(), trunk.expires)
        if not (
            math.isfinite(left)
            and left > 0
            and numeric_host(entry.host) == entry.host
            and 0 < entry.port < 65536
        ):
            return None
        hop = Hop(entry.host, entry.port, trunk=entry.trunk)
        return Binding(entry.contact, hop, self._clock() + left, entry.call_id, entry.cseq)

    def _seal(self, entry: _Entry) -> _Entry:
        bare = msgspec.structs.replace(entry, seal="")
        seal = hmac.new(self._keys[entry.trunk], msgspec.json.encode(bare), hashlib.sha256).hexdigest()
        return msgspec.structs.replace(bare, seal=seal)


def _key(trunk: Trunk) -> bytes:
    """A key that follows from the trunk's credentials, and from which the password cannot be
    guessed cheaply."""
    salt = f"{trunk.name} {trunk.username}".encode()
    return hashlib.scrypt(trunk.password.encode(), salt=salt, n=2**14, r=8, p=1, dklen=32)
