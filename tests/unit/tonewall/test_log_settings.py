"""The page by which all processes log: read at each entry, written by one process alone."""

from __future__ import annotations

import fcntl
import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from tests.canary import CANARY
from tests.configured_log import configured
from tonewall import log
from tonewall.log_settings import VARIABLE, LogChange, LogPageOwner, LogSettings, inherited_page

logger = log.get_logger(__name__)
AN_HOUR = 3600.0


@pytest.fixture
def owner() -> Iterator[LogPageOwner]:
    owner = LogPageOwner(LogSettings())
    yield owner
    owner.close()


@pytest.fixture
def output(owner: LogPageOwner) -> Iterator[io.StringIO]:
    file = io.StringIO()
    with configured("test", "error", file):
        log.use_page(owner.page)
        yield file
        log.use_page(None)


def change(level: str, module: str = "", seconds: float = AN_HOUR) -> LogSettings:
    return LogSettings(change=LogChange(level, module, time.monotonic() + seconds))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "logged"),
    [
        (LogSettings(), False),
        (LogSettings(level="debug"), True),
        (change("debug"), True),
        (change("debug", __name__), True),
        (change("debug", __name__.rpartition(".")[0]), True),
        (change("debug", __name__[:-1]), False),
        (change("debug", "b2bua"), False),
        (change("debug", seconds=-1), False),
    ],
)
def test_the_next_entry_is_logged_as_the_page_says(
    settings: LogSettings, logged: bool, owner: LogPageOwner, output: io.StringIO
):
    logger.debug("seen")
    owner.page.write(settings)
    logger.debug("seen")
    assert output.getvalue().count("seen") == logged


def test_a_line_of_text_is_for_people_and_forges_no_field(owner: LogPageOwner, output: io.StringIO):
    owner.page.write(LogSettings("text"))
    logger.warning("refused", why="no such=route call=c-9", call="c-1", count=3, pan=CANARY.number)
    (line,) = output.getvalue().splitlines()
    assert " WARNING test       refused " in line
    assert line.endswith(f'why="no such=route call=c-9" call=c-1 count=3 dropped=1 ({__name__})')


def test_a_child_reads_what_the_supervisor_has_and_may_not_write_it(owner: LogPageOwner):
    program = (
        "import sys, os, fcntl; from tonewall.log import configure_log, get_logger, log_page\n"
        "from tonewall.log_settings import LogSettings\n"
        "configure_log('child', 'error'); log = get_logger('b2bua.sip.dispatch'); page = log_page()\n"
        "log.debug('before'); print('ready', flush=True); sys.stdin.readline(); log.debug('after')\n"
        "try: page.write(LogSettings())\n"
        "except TypeError: print('refused')\n"
    )
    number = owner.descriptor(may_write=False)
    child = subprocess.Popen(
        [sys.executable, "-c", program], env={**os.environ, VARIABLE: str(number)}, pass_fds=[number],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    owner.page.write(change("debug", "b2bua.sip"))
    out, err = child.communicate("\n", timeout=20)
    assert (out, "before" in err, "after" in err) == ("refused\n", False, True)


def test_nobody_can_cut_the_page_off(owner: LogPageOwner):
    descriptor = owner.descriptor(may_write=True)
    for size in (0, 1 << 20):
        with pytest.raises(PermissionError):
            os.ftruncate(descriptor, size)
    with pytest.raises(PermissionError):
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)
    with pytest.raises(OSError, match=r"not permitted|Bad file"):
        os.write(owner.descriptor(may_write=False), b"x")


def test_who_reads_while_it_is_written_has_what_was_or_what_is(owner: LogPageOwner):
    first, second = change("debug", "b2bua.sip"), change("error", "media.service.line_watch")
    owner.page.write(first)
    assert owner.page.read() == first  # nobody has read before; while it is written, what was read counts
    ended = threading.Event()

    def write() -> None:
        for _ in range(3000):
            owner.page.write(second)
            owner.page.write(first)
        ended.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not ended.is_set():
        assert owner.page.read() in (first, second)
    writer.join()
    assert owner.page.read() == first


@pytest.mark.parametrize("given", ["", "x", "99999", "-1"])
def test_what_is_no_page_is_left_alone(given: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(VARIABLE, given)
    assert inherited_page() is None
