"""A whole Tonewall with an audit log, and the log as its command shows it."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from b2bua.audit.signing_key import make_key
from tests.stack import until


async def tonewall(*arguments: str) -> tuple[int, str]:
    """The status of `tonewall` and what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "b2bua.cli", *arguments, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, printed.decode()


class AuditLog:
    """The log in a directory of this one's. `settings`: the section that has it written."""

    def __init__(self, directory: Path, *, required: bool = True) -> None:
        self.directory, key = directory / "audit", directory / "audit.pem"
        self.key = make_key(key)
        self.settings = {
            "directory": str(self.directory), "key_file": str(key), "required": "yes" if required else "no"
        }  # fmt: skip

    async def entries(self, call: str = "") -> list[dict[str, Any]]:
        """Of that call, or all."""
        named = ["--call", call] if call else []
        _, printed = await tonewall("audit", "show", str(self.directory), "--json", *named)
        return [json.loads(each) for each in printed.splitlines()]

    async def masks(self, call: str = "") -> list[dict[str, Any]]:
        """The masks of that call, or all."""
        named = ["--call", call] if call else []
        _, printed = await tonewall("audit", "masks", str(self.directory), "--json", *named)
        return [json.loads(each) for each in printed.splitlines()]

    async def ended(self, call: str, count: int) -> list[dict[str, Any]]:
        """The masks of that call, once so many have ended."""

        async def there() -> list[dict[str, Any]] | None:
            found = await self.masks(call)
            return found if sum("until" in each for each in found) >= count else None

        found: list[dict[str, Any]] = await until(there, f"{count} masks of {call} that ended")
        return found

    async def verify(self) -> str:
        """The last words of `tonewall audit verify`."""
        _, printed = await tonewall("audit", "verify", str(self.directory), "--key", str(self.key))
        return printed.splitlines()[-1]
