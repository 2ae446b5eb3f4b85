"""kamailio as a proxy that stays in the path of every call (Record-Route), between Tonewall and a PBX."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
from collections.abc import Mapping
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
disable_tcp=yes
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
    if ($sp == {one}) {{ $du = "sip:{address}:{other}"; }} else {{ $du = "sip:{address}:{one}"; }}
    t_relay();
}}
"""


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
        phones: Mapping[str, int] | None = None,
    ) -> Self:
        """What comes from port `one` goes to port `other`, and back; both at `address`. `phones`: whose calls go to ports of
        their own."""
        port = port or free_ports()
        config = directory / "kamailio.cfg"
        lines = "\n".join(
            f'    if ($sp == {one} && $rU == "{user}") {{ $du = "sip:{address}:{at}"; t_relay(); exit; }}'
            for user, at in (phones or {}).items()
        )
        values = {"address": address, "port": port, "modules": _MODULES, "one": one, "other": other, "phones": lines}
        config.write_text(_CONFIG.format(**values))
        with (directory / "kamailio.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                "kamailio", "-DD", "-E", "-f", str(config), "-Y", str(directory), "-P", str(directory / "pid"),
                "-m", "16", "-M", "4",
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        proxy = cls(port, process)
        await until(lambda: listens(port) or process.returncode is not None, "kamailio to listen")
        if process.returncode is not None:
            raise RuntimeError(f"kamailio did not start: {(directory / 'kamailio.log').read_text()[-800:]}")
        return proxy

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
