"""Copies of an audit log, to real servers over TLS: nothing is missing, whatever happens to
them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import select
import signal
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import msgspec
import pytest

from b2bua.audit import copier as copier_module
from b2bua.audit import syslog_target
from b2bua.audit.chain import read_line
from b2bua.audit.copied import verify_copy
from b2bua.audit.copier import Copier, Copies, CopyTarget, NotCopied
from b2bua.audit.https_target import HttpsTarget
from b2bua.audit.log_reader import LogReader, NumberedLine
from b2bua.audit.syslog_target import SyslogTarget, read_address
from b2bua.audit.verify import log_files
from b2bua.notify.tls import client_context
from tests.complaints import permit_error
from tests.rsyslog import PATH, Rsyslog
from tests.stack import until
from tests.unit.b2bua.audit.written_log import AT, KEY, GrowingLog
from tests.wire.certificates import Authority, server
from tonewall.tasks import BackgroundTasks

needs_rsyslog = pytest.mark.skipif(PATH is None, reason="rsyslogd is not installed")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of hundredths."""
    monkeypatch.setattr(copier_module, "_GATHERS", 0.01)
    monkeypatch.setattr(copier_module, "_MIN_PAUSE", 0.01)
    monkeypatch.setattr(copier_module, "_MAX_PAUSE", 0.05)
    permit_error("audit_not_copied")


@pytest.fixture
def log(tmp_path: Path) -> GrowingLog:
    return GrowingLog(tmp_path / "audit")


@contextlib.asynccontextmanager
async def copying(log: GrowingLog, target: CopyTarget) -> AsyncIterator[Copier]:
    copier, tasks = Copier(log.directory, target, log.last, lambda: AT), BackgroundTasks()
    copies = Copies([copier])
    copies.start(tasks)
    try:
        yield copier
    finally:
        await copies.end()
        await tasks.cancel()


def written(log: GrowingLog) -> list[bytes]:
    return [line for path in log_files(log.directory) for line in path.read_bytes().splitlines(keepends=True)]


class Played:
    """A target that takes, or says why not."""

    name, to = "played", "played"

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.batches: list[int] = []
        self.why = ""

    async def send(self, lines: Sequence[NumberedLine]) -> None:
        if self.why:
            raise NotCopied(self.why)
        self.batches.append(sum(len(line.octets) for line in lines))
        self.taken += [line.octets for line in lines]


# --- what is copied, and when ---------------------------------------------------------------------


async def test_each_line_is_copied_as_it_is_on_disk_in_order(log: GrowingLog) -> None:
    target = Played()
    log.add(50)
    async with copying(log, target) as copier:
        await until(lambda: not copier.behind, "copied")
        log.add(50)
        await until(lambda: not copier.behind, "copied")
    assert target.taken == written(log)
    assert len(log_files(log.directory)) > 2
    log.close()


async def test_copying_goes_on_after_a_restart_and_begins_anew_at_another_target(log: GrowingLog) -> None:
    first, second, other = Played(), Played(), Played()
    other.to = "another"
    for target in (first, second, other):
        log.add(30)
        async with copying(log, target) as copier:
            await until(lambda: not copier.behind, "copied")
    assert first.taken + second.taken == written(log)[: len(first.taken) + len(second.taken)]
    assert other.taken == written(log)
    log.close()


async def test_what_fails_is_a_fault_with_its_figures_until_it_is_taken(log: GrowingLog) -> None:
    target = Played()
    target.why = "http_503"
    log.add(3)
    copier, tasks, now = (
        Copier(log.directory, target, log.last, lambda: AT + 1e9),
        BackgroundTasks(),
        log.last(),
    )
    copies = Copies([copier])
    assert copies.faults() == ()
    copies.start(tasks)
    (fault,) = await until(copies.faults, "a fault")
    assert (fault.what, fault.stops) == ("audit_copy", None)
    assert "http_503" in fault.says
    assert copies.health()["uncopied_audit_lines"] == now
    assert copies.health()["oldest_uncopied_audit_line"] > 1e8
    target.why = ""
    await until(lambda: not copies.faults(), "well again")
    assert copies.health() == {"uncopied_audit_lines": 0, "oldest_uncopied_audit_line": 0}
    assert target.taken == written(log)
    await copies.end()
    await tasks.cancel()
    log.close()


async def test_a_long_outage_is_made_up_for_in_batches_of_a_bounded_size(tmp_path: Path) -> None:
    log, target = GrowingLog(tmp_path / "audit", 100_000), Played()
    log.add(400, source="x" * 3_000)
    async with copying(log, target) as copier:
        await until(lambda: not copier.behind, "copied")
    assert target.taken == written(log)
    assert len(target.batches) > 4
    assert max(target.batches) < (256 << 10) + 16_384
    log.close()


async def test_a_line_that_is_not_on_disk_yet_is_not_copied(log: GrowingLog) -> None:
    """Else one that a full disk takes back would be in the copy alone."""
    log.add(5)
    target, known = Played(), log.last()
    copier, tasks = Copier(log.directory, target, lambda: known, lambda: AT), BackgroundTasks()
    Copies([copier]).start(tasks)
    log.add(5)
    await until(lambda: len(target.taken) == known, "copied")
    copier.close()
    await tasks.wait(5)
    assert target.taken == written(log)[:known]
    log.close()


async def test_lines_that_expired_before_they_were_copied_are_said(log: GrowingLog) -> None:
    permit_error("audit_lines_gone")
    target = Played()
    log.add(60)
    files = log_files(log.directory)
    files[0].unlink()
    async with copying(log, target) as copier:
        await until(lambda: not copier.behind, "copied")
    assert target.taken == written(log)
    log.close()


def test_a_reader_numbers_lines_by_what_they_say(log: GrowingLog) -> None:
    log.add(60)
    path = log_files(log.directory)[1]
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b"nonsense\n", *lines[4:]]))  # one line less
    found = LogReader(log.directory, 3).read(10_000)
    assert [line.number for line in found if line.line is None] == [read_line(lines[2][:-1]).number]
    assert [line.number for line in found][-1] == log.last()
    log.close()


@pytest.mark.parametrize("octets", [b"", b"{", b'{"to":"played","number":-7}', b'{"to":7}', b"[]"])
async def test_a_standing_that_is_none_makes_copying_begin_anew(log: GrowingLog, octets: bytes) -> None:
    log.add(3)
    (log.directory / "copied-played.json").write_bytes(octets)
    target = Played()
    async with copying(log, target) as copier:
        await until(lambda: not copier.behind, "copied")
    assert target.taken == written(log)
    log.close()


# --- syslog over TLS: a real rsyslog --------------------------------------------------------------


@pytest.fixture
async def rsyslog(tmp_path: Path) -> AsyncIterator[Rsyslog]:
    authority = Authority(tmp_path)
    folder = tmp_path / "rsyslog"
    folder.mkdir()
    made = Rsyslog(folder, authority.file, authority.issue("localhost", common="syslog"))
    try:
        yield made
    finally:
        await made.stop()


def syslog(to: Rsyslog, host: str = "localhost", own: tuple[str, str] = ("", "")) -> SyslogTarget:
    return SyslogTarget(f"tls:{host}:{to.port}", client_context(to.ca, *own), "tonewall.example")


@needs_rsyslog
async def test_a_syslog_server_has_every_line_and_its_file_verifies(
    rsyslog: Rsyslog, log: GrowingLog
) -> None:
    await rsyslog.start()
    log.add(20)
    async with copying(log, syslog(rsyslog)) as copier:
        await until(lambda: not copier.behind, "copied")
        log.close()
        await until(lambda: not copier.behind, "copied")
    await until(lambda: len(rsyslog.lines()) == len(written(log)), "written there")
    assert rsyslog.lines() == written(log)
    report = verify_copy(rsyslog.copy, KEY.public_key())
    assert (report.findings, report.unsigned, report.entries) == ([], 0, 20)
    header = (rsyslog.directory / "headers").read_text().splitlines()[1]
    assert header == "110 2026-12-01T10:02:07.114Z tonewall.example tonewall audit"


@needs_rsyslog
async def test_over_ends_of_the_server_no_line_is_missing(rsyslog: Rsyslog, log: GrowingLog) -> None:
    async with copying(log, syslog(rsyslog)) as copier:
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL, signal.SIGTERM):
            await rsyslog.start()
            log.add(15)
            more = len(rsyslog.lines()) + 1
            await until(lambda more=more: len(rsyslog.lines()) >= more, "something came")
            await rsyslog.stop(number)
            log.add(15)
        await rsyslog.start()
        await until(lambda: not copier.behind, "copied")
    log.close()
    assert set(written(log)[: log.last() - 1]) <= set(rsyslog.lines())
    report = verify_copy(rsyslog.copy, KEY.public_key())
    assert report.findings == []


@needs_rsyslog
@pytest.mark.parametrize("wrong", ["authority", "name", "none"])
async def test_a_server_that_cannot_be_trusted_gets_nothing(
    rsyslog: Rsyslog, log: GrowingLog, tmp_path: Path, wrong: str
) -> None:
    await rsyslog.start()
    log.add(3)
    if wrong == "authority":
        rsyslog.ca = Authority(tmp_path, "stranger").file
    if wrong == "none":
        await rsyslog.stop()
    async with copying(log, syslog(rsyslog, "127.0.0.1" if wrong == "name" else "localhost")) as copier:
        expected = "unreachable" if wrong == "none" else "certificate_not_trusted"
        await until(lambda: copier.reason == expected, expected)
        assert copier.behind == log.last()
    assert rsyslog.lines() == []
    log.close()


@needs_rsyslog
async def test_a_server_may_want_our_certificate(rsyslog: Rsyslog, log: GrowingLog, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "clients")
    rsyslog.ca, rsyslog.own, rsyslog.peers = authority.file, authority.issue("localhost"), True
    await rsyslog.start()
    log.add(3)
    async with copying(log, syslog(rsyslog)) as copier:
        await until(lambda: copier.reason in ("connection_lost", "unreachable"), "refused")
        assert copier.behind == log.last()
    assert rsyslog.lines() == []
    own = authority.issue("tonewall", common="tonewall")
    async with copying(log, syslog(rsyslog, own=own)) as copier:
        await until(lambda: not copier.behind, "copied")
    await until(lambda: rsyslog.lines() == written(log), "written there")
    log.close()


# --- syslog servers that misbehave ----------------------------------------------------------------

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], "asyncio.Future[None] | object"]


@contextlib.asynccontextmanager
async def tls_server(authority: Authority, answer: Answer) -> AsyncIterator[int]:
    listening = await asyncio.start_server(
        answer, "127.0.0.1", 0, ssl=server(authority.issue("localhost", common="played"))
    )  # type: ignore[call-overload]
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        await listening.wait_closed()


def end_early(
    listening: socket.socket, context: ssl.SSLContext, ends: threading.Event, *, waits: bool
) -> None:
    """Serve TLS, and end each connection with octets unread: with those that came, or before any
    does."""
    while not ends.is_set():
        try:
            plain, _ = listening.accept()
            with (
                plain,
                context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False) as connection,
            ):
                connection.settimeout(5)
                connection.do_handshake()
                if waits:
                    select.select([connection], [], [], 5)
        except OSError:
            continue


@pytest.mark.parametrize("waits", [True, False])
async def test_a_server_that_ends_before_it_has_read_everything_has_taken_nothing(
    log: GrowingLog, tmp_path: Path, waits: bool
) -> None:
    authority, ends = Authority(tmp_path), threading.Event()
    context = server(authority.issue("localhost", common="played"))
    log.add(3)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.2)
        serving = asyncio.create_task(asyncio.to_thread(end_early, listening, context, ends, waits=waits))
        target = SyslogTarget(f"tls:localhost:{listening.getsockname()[1]}", client_context(authority.file))
        lines = LogReader(log.directory, 0).read(log.last())
        for _ in range(50):
            with pytest.raises(NotCopied, match="connection_lost"):
                await target.send(lines)
        ends.set()
        await serving
    log.close()


def read_nothing(listening: socket.socket, context: ssl.SSLContext, ends: threading.Event) -> None:
    """Serve TLS on one connection, and take nothing from it."""
    plain, _ = listening.accept()
    with plain, context.wrap_socket(plain, server_side=True):
        ends.wait(20)


async def test_a_server_that_reads_nothing_is_given_up_after_a_while(
    log: GrowingLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, ends = Authority(tmp_path), threading.Event()
    context = server(authority.issue("localhost", common="played"))
    monkeypatch.setattr(syslog_target, "_LAST_PATIENCE", 0.3)
    log.add(3)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = asyncio.create_task(asyncio.to_thread(read_nothing, listening, context, ends))
        target = SyslogTarget(f"tls:localhost:{listening.getsockname()[1]}", client_context(authority.file))
        with pytest.raises(NotCopied, match="timeout"):
            await target.send(LogReader(log.directory, 0).read(log.last()))
        ends.set()
        await serving
    log.close()


@pytest.mark.parametrize(
    "text", ["", "log.example:6514", "udp:a:514", "tls:a", "tls:a:0", "tls:a:70000", "tls:a b:1"]
)
def test_what_names_no_server_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected tls:HOST:PORT"):
        read_address(text)


def test_a_server_may_be_named_by_its_address() -> None:
    assert read_address("tls:[2001:db8::7]:6514") == ("2001:db8::7", 6514)
    assert read_address("tls:192.0.2.7:6514") == ("192.0.2.7", 6514)


# --- a service over HTTPS -------------------------------------------------------------------------


class Service:
    """Takes batches over HTTPS, as `status` says; what it took is in `lines`."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.status, self.headers = 204, ""
        self.drops = 0  # answers that are lost

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        self.headers = head
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        body = await reader.readexactly(length)
        if self.status < 300:
            self.lines += body.splitlines(keepends=True)
        if self.drops:
            self.drops -= 1
            writer.transport.abort()
            return
        writer.write(f"HTTP/1.1 {self.status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()


async def test_a_service_has_every_line_and_its_file_verifies(log: GrowingLog, tmp_path: Path) -> None:
    authority, service = Authority(tmp_path), Service()
    service.status = 503
    log.add(20)
    async with tls_server(authority, service.answer) as port:
        target = HttpsTarget(f"https://localhost:{port}/in", client_context(authority.file), "secret-token")
        async with copying(log, target) as copier:
            await until(lambda: copier.reason == "http_503", "refused")
            service.status = 204
            await until(lambda: not copier.behind, "copied")
            service.drops = 1
            log.add(5)
            await until(lambda: not copier.behind, "copied")
    log.close()
    assert "authorization: bearer secret-token" in service.headers
    assert "content-type: application/x-ndjson" in service.headers
    copy = tmp_path / "copy"
    copy.write_bytes(b"".join(service.lines))
    report = verify_copy(copy, KEY.public_key())
    assert report.findings == []
    assert report.repeated >= 5  # an answer that was lost
    assert list(dict.fromkeys(service.lines)) == written(log)[: len(set(service.lines))]


async def test_a_service_whose_certificate_is_wrong_gets_nothing(log: GrowingLog, tmp_path: Path) -> None:
    authority, service = Authority(tmp_path), Service()
    log.add(3)
    async with tls_server(authority, service.answer) as port:
        for url, ca in (
            (f"https://127.0.0.1:{port}/", authority.file),
            (f"https://localhost:{port}/", Authority(tmp_path, "stranger").file),
        ):
            async with copying(log, HttpsTarget(url, client_context(ca))) as copier:
                await until(lambda: copier.reason == "certificate_not_trusted", "refused")
    assert service.lines == []
    log.close()


# --- verification of a copy -----------------------------------------------------------------------


def test_a_part_of_a_copy_verifies_and_a_change_in_it_is_found(log: GrowingLog, tmp_path: Path) -> None:
    log.add(40)
    log.close()
    lines, copy = written(log), tmp_path / "copy"
    copy.write_bytes(b"".join(lines[10:]))
    assert verify_copy(copy, KEY.public_key()).findings == []
    at = next(index for index in range(20, 30) if b"submit" in lines[index])
    for changed in (
        lines[10:at] + lines[at + 1 :],
        [*lines[10:at], lines[at].replace(b"submit", b"cancel"), *lines[at + 1 :]],
        [*lines[10:at], lines[at + 1], lines[at], *lines[at + 2 :]],
    ):
        copy.write_bytes(b"".join(changed))
        assert verify_copy(copy, KEY.public_key()).findings != []


def test_an_end_that_is_missing_in_a_copy_is_found_by_the_head(log: GrowingLog, tmp_path: Path) -> None:
    log.add(40)
    log.close()
    lines, copy, head = written(log), tmp_path / "copy", log.directory / "head.json"
    copy.write_bytes(b"".join(lines))
    assert verify_copy(copy, KEY.public_key(), head).findings == []
    copy.write_bytes(b"".join(lines[:-3]))
    assert verify_copy(copy, KEY.public_key()).findings == []  # no checkpoint says otherwise
    (finding,) = verify_copy(copy, KEY.public_key(), head).findings
    assert "3 more were written" in finding.what
    said = json.dumps(msgspec.to_builtins(verify_copy(copy, KEY.public_key())))
    assert '"unsigned"' in said


def test_tls_of_a_client_is_new_enough_and_leaves_no_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    context = client_context(Authority(tmp_path).file)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.check_hostname
    assert not (tmp_path / "keys").exists()
