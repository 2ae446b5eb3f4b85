"""A small file system of its own, which a test may fill."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.stack import until
from tests.wire.line import Line


@contextlib.contextmanager
def small_disk(path: Path) -> Iterator[Path]:
    """A file system of 3 MiB. It takes root."""
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


@contextlib.contextmanager
def read_only(disk: Path) -> Iterator[None]:
    """Nothing can be made there, in any process; files that are open can still be written."""
    subprocess.run(["mount", "--bind", disk, disk], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", disk], check=True)
        yield
    finally:
        subprocess.run(["umount", disk], check=True)


def fill(disk: Path) -> None:
    """Leave no room, until its file `ballast` is removed."""
    with (disk / "ballast").open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
        while ballast.write(bytes(4096)):
            pass


async def fault_shown(wire: Line, what: str, *, there: bool = True) -> dict[str, Any]:
    """The health check, once it tells of that fault, or no more."""

    async def faults() -> dict[str, Any] | None:
        answer = await wire.stack.api.get("/healthz")
        found = {fault["what"]: fault for fault in answer.json()["faults"]}
        return {"status": answer.status_code, **found.get(what, {})} if (what in found) is there else None

    return await until(faults, f"{what} in the faults: {there}; see {wire.stack.log}")
