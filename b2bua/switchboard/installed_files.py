"""Compares the files of this installation with the manifest of its release, at the start and then
every day (PCI DSS 11.5.2).

Rule 1: the comparison is made by a process of its own, at the lowest priority; no call waits for
        it.
Rule 2: a difference is a fault until a comparison finds none. Each comparison is in the audit log.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path
from typing import Final

import msgspec

from b2bua.audit.entry import Result
from b2bua.audit.recorder import NotWritten, Recorder
from b2bua.call.service_view import Fault
from tonewall.log import get_logger
from tonewall.manifest import MANIFEST, Comparison, Difference, Kind, installed_root
from tonewall.minisign import PublicKey
from tonewall.process import plain_environment

log = get_logger(__name__)
INTERVAL: Final = 86_400.0  # seconds
_MAX_LINES: Final = 20  # of the log, for one comparison
_MAX_TIME: Final = 600.0  # seconds
_NONE: Final = Comparison(0, "", False, ())
_FAILED: Final = Comparison(0, "", False, (Difference(MANIFEST, Kind.UNREADABLE),))


class InstalledFiles:
    """What the last comparison found."""

    def __init__(self, root: Path | None = None, key: PublicKey | None = None) -> None:
        """`root`: the folder of the packages, of this process's own where none is given; `key`: who
        signs the manifest."""
        self._root, self._key = root or installed_root(), key
        self._found = _NONE

    async def watch(self, recorder: Recorder | None, interval: float = INTERVAL) -> None:
        """Compare now, and again every `interval` seconds."""
        while True:
            await self.check(recorder)
            await asyncio.sleep(interval)

    async def check(self, recorder: Recorder | None = None) -> Comparison:
        """Compare now, and note the result in log and audit log."""
        found = self._found = await self._compare()
        differences = found.differences
        for each in differences[:_MAX_LINES]:
            log.error("file_changed", path=each.path, why=each.kind, count=len(differences))
        if not differences and not found.files:
            log.info("files_not_compared", why="an installation from the sources: there is no manifest")
        elif recorder is not None:
            what = "files_changed" if differences else "files_compared"
            details: dict[str, str | int] = {"files": found.files, "changed": len(differences)}
            if differences:
                details["first"] = differences[0].path
            with contextlib.suppress(NotWritten):  # the recorder counts it, and is a fault
                await recorder.write(recorder.entry("tonewall", what, Result.NOTED, details=details))
        return found

    async def _compare(self) -> Comparison:
        """What cannot be compared is a difference."""
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tonewall.file_check", str(self._root)),
                *([self._key.text] if self._key is not None else []),
                env=plain_environment({}),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            log.error("files_not_compared", exc_info=error)
            return _FAILED
        try:
            output, _ = await asyncio.wait_for(process.communicate(), _MAX_TIME)
            return msgspec.json.decode(output, type=Comparison)
        except (TimeoutError, msgspec.DecodeError) as error:
            log.error("files_not_compared", exc_info=error)
            return _FAILED
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    def fault(self) -> Fault | None:
        """That files differ, where they do."""
        differences = self._found.differences
        if not differences:
            return None
        first, more = differences[0], len(differences) - 1
        others = f", and {more} more" if more else ""
        says = (
            f"Files of this installation are not those of its release: {first.path} ({first.kind}){others}. "
            "Treat it as an intrusion until you know better; `tonewall verify-files` lists them."
        )
        return Fault(what="files", says=says, stops=None)

    def health(self) -> dict[str, int | bool]:
        """The numbers of the health check."""
        return {"listed_files": self._found.files, "changed_files": len(self._found.differences)}
