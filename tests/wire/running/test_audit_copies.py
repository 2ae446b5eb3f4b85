"""The audit log of a whole Tonewall on a syslog server, signed by a token: a payment, an erasure,
kills of both sides; the server's file verifies by the command."""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from b2bua.audit.signing_key import make_key
from tests.canary import CANARY, find_in_text
from tests.complaints import permit_error
from tests.rsyslog import PATH, Rsyslog
from tests.softhsm import MODULE, make_token, uri
from tests.stack import until
from tests.wire.audited import tonewall
from tests.wire.certificates import Authority
from tests.wire.conftest import Peers
from tests.wire.line import line

pytestmark = pytest.mark.skipif(PATH is None, reason="rsyslogd is not installed")


@pytest.fixture
async def rsyslog(tmp_path: Path) -> AsyncIterator[Rsyslog]:
    authority = Authority(tmp_path)
    folder = tmp_path / "rsyslog"
    folder.mkdir()
    made = Rsyslog(folder, authority.file, authority.issue("localhost", common="syslog"))
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


@pytest.mark.parametrize(
    "token",
    [
        False,
        pytest.param(True, marks=pytest.mark.skipif(not MODULE.exists(), reason="softhsm2 is not installed")),
    ],
)
async def test_a_copy_elsewhere_has_every_line_and_no_name_and_verifies(
    peers: Peers, rsyslog: Rsyslog, monkeypatch: pytest.MonkeyPatch, token: bool
) -> None:
    permit_error("audit_not_copied")
    directory, key, public = peers.directory / "audit", str(peers.directory / "audit.pem"), ""
    if token:
        for name, value in make_token(peers.directory).items():
            monkeypatch.setenv(name, value)
        key, public = uri(peers.directory), str(peers.directory / "audit.pub")
        assert (await tonewall("audit", "token-key", key, public))[0] == 0
    else:
        public = str(make_key(Path(key)))
    settings = {
        "directory": str(directory), "key_file": key, "required": "yes", "erasable": "yes",
        "syslog": f"tls:localhost:{rsyslog.port}", "copy_ca": rsyslog.ca,
    }  # fmt: skip
    async with line(peers, extra={"audit": settings}) as wire:
        stack = wire.stack

        async def behind() -> int:
            return int((await stack.api.get("/healthz")).json()["uncopied_audit_lines"])

        async def copied() -> bool:
            return await behind() == 0

        call = await wire.dial()
        await wire.keyed(call, CANARY.keys, "order-1")
        assert (await stack.submit(call))["type"] == "approved"
        await until(copied, "copied")
        await rsyslog.stop(signal.SIGKILL)
        await stack.api.delete(f"/v1/calls/{call}/capture")
        await until(behind, "lines wait")

        async def is_fault() -> bool:
            return any(
                each["what"] == "audit_copy" for each in (await stack.api.get("/healthz")).json()["faults"]
            )

        await until(is_fault, "a fault")
        metrics = (await stack.api.get("/metrics")).text
        assert "tonewall_uncopied_audit_lines 0.0" not in metrics
        before = json.loads((stack.directory / "run" / "ready.json").read_text())["pid"]
        stack.kill("b2bua")
        await stack.await_restart(before)
        await stack.await_ready()
        await rsyslog.start()
        await until(copied, "copied again")
        _, shown = await tonewall("audit", "show", str(directory), "--who", "test")
        assert "submit_card" in shown
        status, said = await tonewall("audit", "erase", str(directory), "--who", "test", "--yes")
        assert status == 0, said

        async def noted() -> bool:
            return "erase_audit" in (await tonewall("audit", "show", str(directory)))[1]

        await until(noted, "the running process writes that down")
        _, shown = await tonewall("audit", "show", str(directory), "--who", "test")
        assert shown == ""
    await until(lambda: len(rsyslog.lines()) >= 10, "written there")
    on_disk = b"".join(path.read_bytes() for path in sorted(directory.glob("audit-*.jsonl"))).splitlines(True)
    await until(lambda: set(on_disk) <= set(rsyslog.lines()), "the last lines, too")
    for where in (directory, rsyslog.copy):
        status, said = await tonewall("audit", "verify", str(where), "--key", public)
        assert (status, said.splitlines()[-1]) == (0, "sound"), said
    assert b'"test"' not in b"".join(rsyslog.lines())
    assert find_in_text(directory, CANARY) == []
    assert find_in_text(rsyslog.directory, CANARY) == []
