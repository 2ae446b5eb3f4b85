"""The page for integrators: what stands in it is run against the API."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from b2bua.api.http import create_app
from b2bua.api.server import serve
from b2bua.notify.signer import Signer
from provider_adapters.payment import Approved
from tests.architecture.source import ROOT
from tests.browser.fake_desk import FakeDesk
from tests.everybody import everybody
from tests.stack import until

TOKEN = "a-token-of-16-or-more-letters"
PAGE = (ROOT / "docs" / "integrating.md").read_text()
TYPESCRIPT = ROOT / "clients" / "typescript"


def blocks() -> list[str]:
    """The indented blocks of the page."""
    found, block = [], ""
    for line in [*PAGE.splitlines(), "end"]:
        if line.startswith("    ") or (block and not line):
            block += f"{line}\n"
        elif block:
            found.append(textwrap.dedent(block).strip())
            block = ""
    return found


class Played:
    """The API over calls that are played, on a socket."""

    def __init__(self, address: str, desk: FakeDesk) -> None:
        self.desk = desk
        self.environment = os.environ | {"TONEWALL": address, "TOKEN": TOKEN, "CALL": "c-1"}

    async def run(self, *command: str, cwd: Path = ROOT) -> str:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=cwd, env=self.environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()
        return output.decode()

    async def customer_pays(self) -> None:
        await until(lambda: any(what[0] == "start" for what in self.desk.asked), "the start")
        self.desk.masked()
        self.desk.key_all()
        await until(lambda: any(what[0] == "submit" for what in self.desk.asked), "the submission")
        self.desk.finish(Approved(reference="ch_1"))


@pytest.fixture
async def played() -> AsyncIterator[Played]:
    desk = FakeDesk()
    desk.up("c-1")
    serving = await serve(create_app(desk, authenticators=everybody(f"crm:{TOKEN}")))
    yield Played(serving.url, desk)
    await serving.close()


async def test_each_command_is_carried_out(played: Played):
    commands = [block for block in blocks() if block.startswith("curl")]
    outputs = [await played.run("bash", "-c", command) for command in commands]
    assert len(commands) == 6
    assert '"id":"c-1"' in outputs[0]
    assert '"stage":"starting"' in outputs[1]
    assert "event: call\n" in outputs[2]
    assert '"stage":"cancelled"' in outputs[3]
    assert '"INV-2040"' in outputs[4]
    assert '"stage":"prepared"' in outputs[5]


async def test_the_program_in_python_takes_a_payment(played: Played):
    (program,) = [block for block in blocks() if "import Client" in block]
    output, _ = await asyncio.gather(played.run(sys.executable, "-c", program), played.customer_pays())
    assert output == "approved\n"


def test_the_receiver_of_webhooks_takes_what_is_signed_and_nothing_else(capsys: pytest.CaptureFixture[str]):
    (program,) = [block for block in blocks() if "verify_webhook" in block]
    names: dict[str, Any] = {}
    exec(program, names)
    secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    body = b'{"id": "evt_1", "type": "tonewall.payment.charged", "subject": "p-1"}'
    headers = Signer(secret).sign("evt_1", int(time.time()), body)
    assert names["receive"](body, headers, secret) == 204
    assert names["receive"](body + b" ", headers, secret) == 401
    assert capsys.readouterr().out == "tonewall.payment.charged p-1\n"


async def test_the_program_in_typescript_is_typed_and_takes_a_payment(played: Played, tmp_path: Path):
    home = tmp_path / "clients" / "typescript"
    shutil.copytree(TYPESCRIPT, home, symlinks=True, ignore=shutil.ignore_patterns("node_modules"))
    (home / "node_modules").symlink_to(TYPESCRIPT / "node_modules")
    tools = home / "node_modules" / ".bin"
    await played.run(
        str(tools / "openapi-typescript"), str(ROOT / "b2bua" / "api" / "openapi.json"),
        "--default-non-nullable", "false", "--output", str(home / "src" / "schema.ts"),
        cwd=home,
    )  # fmt: skip
    await played.run(str(tools / "tsc"), "--noEmit", "false", "--outDir", str(home / "made"), cwd=home)
    example = played.run(
        "node", str(home / "made" / "example.js"), played.environment["TONEWALL"], TOKEN, cwd=home
    )
    output, _ = await asyncio.gather(example, played.customer_pays())
    assert output == "approved\n"
