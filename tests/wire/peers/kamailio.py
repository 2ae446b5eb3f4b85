"""kamailio as a proxy that stays in the path of every call (Record-Route), between Tonewall and a
PBX."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.wire.peers.ports import free_ports, listens, until

_MODULES = "/usr/lib/x86_64-linux-gnu/kamailio/modules/"
_CONFIG = """\
#!KAMAILIO
debug=0
log_stderror=yes
fork=yes
children=1
auto_aliases=no
{tcp}
listen=udp:{address}:{port}
mpath="{modules}"
loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
{tls}
request_route {{
    if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    if (is_method("CANCEL")) {{ if (t_check_trans()) {{ t_relay(); }} exit; }}
    if (has_totag()) {{
        if (loose_route()) {{ t_relay(); exit; }}
        if (is_method("ACK") && t_check_trans()) {{ t_relay(); exit; }}
        if (!is_method("ACK")) {{ sl_send_reply("404", "Not here"); }}
        exit;
    }}
    if (is_method("INVITE")) {{ record_route(); }}
{phones}
    if ($sp == {other}) {{ $du = "sip:{address}:{one}{by}"; }} else {{ $du = "sip:{address}:{other}"; }}
    t_relay();
}}
"""


_TLS = """\
loadmodule "tls.so"
modparam("tls", "tls_method", "TLSv1.2+")
modparam("tls", "certificate", "{certificate}")
modparam("tls", "private_key", "{key}")
modparam("tls", "ca_list", "{authority}")
modparam("tls", "verify_certificate", 1)
modparam("tls", "require_certificate", 1)
"""


@dataclass(frozen=True, slots=True)
class Secured:
    """The side of port `one` is spoken to over TLS, at `port`: both ends show a certificate of that
    authority. Paths."""

    port: int
    certificate: str
    key: str
    authority: str


class Kamailio:
    """One running kamailio. `stop` it whatever happened."""

    def __init__(self, port: int, process: asyncio.subprocess.Process) -> None:
        self.port = port
        self._process = process

    @classmethod
    async def start(
        cls,
        directory: Path,
        one: int,
        other: int,
        port: int = 0,
        address: str = "127.0.0.1",
        tls: Secured | None = None,
        phones: Mapping[str, int] | None = None,
        text: str = "",
    ) -> Self:
        """What comes from port `other` goes to port `one`, all else to `other`; both at `address`.
        With `tls`, `one` is called over it. `phones`: whose calls of `one` go to ports of their
        own. `text`: a configuration instead of ours."""
        port = port or free_ports()
        config = directory / "kamailio.cfg"
        lines = "\n".join(
            f'    if ($sp == {one} && $rU == "{user}") {{ $du = "sip:{address}:{at}"; t_relay(); exit; }}'
            for user, at in (phones or {}).items()
        )
        config.write_text(
            text
            or _CONFIG.format(
                address=address,
                port=port,
                modules=_MODULES,
                one=one,
                other=other,
                tcp=f"enable_tls=yes\nlisten=tls:{address}:{tls.port}" if tls else "disable_tcp=yes",
                tls=_TLS.format(certificate=tls.certificate, key=tls.key, authority=tls.authority)
                if tls
                else "",
                by=";transport=tls" if tls else "",
                phones=lines,
            )
        )
        with (directory / "kamailio.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                "kamailio", "-DD", "-E", "-f", str(config), "-Y", str(directory), "-P",
                str(directory / "pid"),
                "-m", "16", "-M", "4",
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        proxy = cls(port, process)
        await until(lambda: listens(port) or process.returncode is not None, "kamailio to listen")
        if process.returncode is not None:
            raise RuntimeError(f"kamailio did not start: {(directory / 'kamailio.log').read_text()[-800:]}")
        return proxy

    @property
    def pid(self) -> int:
        return self._process.pid

    async def stop(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self._process.wait(), 10)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()


def available() -> bool:
    return shutil.which("kamailio") is not None and Path(_MODULES).is_dir()
