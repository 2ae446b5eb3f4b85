"""Build of the installed PJSIP: its number of calls, its version, its TLS library.

Rule 1: limits are found by trying, in a process of its own: PJSIP tells none, can be started once
        only, and aborts where its table of sockets is smaller than that of its calls. So the
        process says after each leg how many there are.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from tonewall.process import plain_environment

_MAX_CALLS = 4096  # calls tried
_TIMEOUT = 60.0  # seconds
_TLS = re.compile(rb"(?:OpenSSL|LibreSSL|GnuTLS|BoringSSL) (?:[0-9]+\.){1,2}[0-9]+[a-z]?")


class NoBuildError(Exception):
    """pjsua2 is not here, or does not start. The text says which."""


@dataclass(frozen=True, slots=True)
class Build:
    """`places`: legs at once; a bridged call takes two. `tls`: the libraries of the package, as
    they name themselves."""

    version: str
    places: int
    tls: tuple[str, ...]


def examine() -> Build:
    """Try it. Raises NoBuildError."""
    if importlib.util.find_spec("pjsua2") is None:
        raise NoBuildError(
            "pjsua2 is not installed: pip install tonewall[pjsua2], or build PJSIP's Python binding"
        )
    try:
        ran = subprocess.run(
            [sys.executable, "-m", "b2bua.pjsua.build"],
            env=plain_environment({}),
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
        )
        # PJSIP prints too.
        report = json.loads([line for line in ran.stdout.splitlines() if line.startswith(b"{")][-1])
        return Build(report["version"], report["places"], tuple(report["tls"]))
    except (OSError, ValueError, LookupError, subprocess.TimeoutExpired) as error:
        raise NoBuildError("pjsua2 is installed, but does not start") from error


def _tls() -> tuple[str, ...]:
    found = importlib.util.find_spec("pjsua2")
    if found is None or found.origin is None:
        return ()
    folder = Path(found.origin).parent
    libraries = [
        *folder.glob("*.so*"),
        *folder.parent.glob("pjsua2*.libs/libssl*"),
        *folder.parent.glob("_pjsua2*.so"),
    ]
    names = {match.decode() for library in libraries for match in _TLS.findall(library.read_bytes())}
    return tuple(sorted(names)[-1:])


def _try() -> None:
    import socket  # noqa: PLC0415  # the process that tries needs them, who asks does not

    import pjsua2 as pj  # noqa: PLC0415

    from b2bua.pjsua.stack import LOOPBACK, PjsipStack  # noqa: PLC0415

    stack = PjsipStack(lambda _: None)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind((LOOPBACK, 0))
        stack.start()
        version, tls = str(pj.Endpoint.instance().libVersion().full), _tls()
        while stack.calls < _MAX_CALLS and stack.dial(f"try-{stack.calls}", nobody.getsockname()[1]):
            build = Build(version, stack.calls, tls)
            sys.stdout.write(json.dumps(asdict(build)) + "\n")
            sys.stdout.flush()
        stack.stop()


if __name__ == "__main__":
    _try()
