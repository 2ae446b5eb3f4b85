"""Runs the supervisor as its child, keeps what must not close where that is killed, and starts it
again with it: `tonewall run` is this process.

It is to the supervisor what systemd is to a service, in systemd's words: FDSTORE=1
with FDNAME= has descriptors kept, FDSTOREREMOVE=1 has them closed. All other words go on to the
service manager that started us, where there is one.

Rule 1: nothing is imported but modules of Python, and nothing from outside is read: this process is
        small, and has no reason to die.
Rule 2: the supervisor alone can send to it, over a socket that nobody can connect to.
Rule 3: what is kept is bounded, and is in memory alone. Nothing is read of it.
Rule 4: what has killed the supervisor `TRIES` times in a row is not kept any longer; and after as
        many more deaths Tonewall ends.
"""

from __future__ import annotations

import errno
import os
import resource
import select
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence

VARIABLE = "TONEWALL_KEEPER"
"""In the supervisor's environment: the descriptor of its socket to us."""
LONGEST = 2048
"""Octets of a message."""
TOGETHER = 4
"""Descriptors of a message: the sockets of a stream."""
TRIES = 4
LONG_ENOUGH = 20.0
"""Seconds that a supervisor lives which is not killed by what it was given."""
STORE, REMOVE, NAME = b"FDSTORE=1", b"FDSTOREREMOVE=1", b"FDNAME="
HERE = b"X_TONEWALL_HERE=1"
"""The line of a message that does not go on to the service manager."""
ALL = b"X_TONEWALL_ALL=1"
"""The first line of our message behind all that is kept; of the supervisor that was killed it has
`SIGNAL`, `DEATHS`, and `EMPTIED`."""
SIGNAL, DEATHS, EMPTIED = b"SIGNAL=", b"DEATHS=", b"EMPTIED=1"
DEAF = b"X_TONEWALL_DEAF="
"""The first line of our message that the service manager was not reached, with the error's
number."""
_NAMES = 20_000  # more than there are streams
_RESERVE = 64  # descriptors that we need ourselves
_PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_ENDS = (signal.SIGTERM, signal.SIGINT)
_RETRY = 0.005  # seconds
_LONGEST_PAUSE = 5.0


class Store:
    """Descriptors by name, with the message by which each came."""

    def __init__(self, room: int) -> None:
        """`room`: for so many descriptors."""
        self._room = room
        self._kept: dict[bytes, tuple[bytes, Sequence[int]]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def receive(self, message: bytes, descriptors: Sequence[int]) -> bool:
        """Do what a message says; whether it was one of ours. What is kept, or has no room, is
        closed here in the end; of any other message the descriptors stay the caller's."""
        lines = message.split(b"\n")
        name = next((line for line in lines if line.startswith(NAME)), b"")
        if REMOVE in lines:
            self._close(name)
            return True
        if STORE not in lines:
            return False
        copies: list[int] = []
        try:
            for each in descriptors:
                copies.append(os.dup(each))
        except OSError:  # no more are to be had
            _close_all(copies)
            copies.clear()
        self._close(name)
        if not copies or not name or len(self._kept) >= _NAMES or len(copies) > self._room:
            _close_all(copies)
        else:
            self._kept[name] = message, copies
            self._room -= len(copies)
        return True

    def messages(self) -> list[tuple[bytes, Sequence[int]]]:
        """All of them, as they came."""
        return list(self._kept.values())

    def clear(self) -> None:
        """Close all of them."""
        for name in tuple(self._kept):
            self._close(name)

    def _close(self, name: bytes) -> None:
        _, descriptors = self._kept.pop(name, (b"", ()))
        self._room += len(descriptors)
        _close_all(descriptors)


class Deaths:
    """The supervisors that were killed, one after another."""

    def __init__(self) -> None:
        self._in_a_row = 0

    def count(self, lasted: float, was_ready: bool) -> float | None:
        """The pause before the next is started, after one that lived for so many seconds; None:
        there is no sense in another. `was_ready`: whether one has ever accepted calls."""
        if not was_ready:
            return None
        self._in_a_row = 1 if lasted >= LONG_ENOUGH else self._in_a_row + 1
        if self._in_a_row > 2 * TRIES:
            return None
        return 0.0 if self._in_a_row == 1 else min(0.1 * 2**self._in_a_row, _LONGEST_PAUSE)

    @property
    def in_a_row(self) -> int:
        """Each before it had lived for `LONG_ENOUGH`."""
        return self._in_a_row

    @property
    def empties(self) -> bool:
        """Whether the next is to begin without what is kept."""
        return self._in_a_row == TRIES


class Keeper:
    """One `tonewall run`. `command`: of the supervisor; `environment`: ours."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._command, self._environment = list(command), dict(environment)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != hard:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self._store = Store(max(0, hard - _RESERVE))
        self._deaths = Deaths()
        self._manager = self._environment.pop("NOTIFY_SOCKET", "")
        self._take_stored()
        self._signals: list[int] = []  # those that end us, which came
        self._was_ready = False  # one of the supervisors
        self._ends_again = False  # a signal that has come is for the next supervisor, too
        self._pid, self._end, self._is_open = 0, socket.socket(), False
        self._waiting: deque[tuple[bytes, Sequence[int]]] = deque()
        self._news = [ALL]
        self._wakes, waker = socket.socketpair()
        self._wakes.setblocking(False)
        waker.setblocking(False)
        self._waker = waker
        for number in (*_PASSED_ON, signal.SIGCHLD):
            signal.signal(number, _nothing)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)

    def run(self) -> int:
        """Run one supervisor after another. The status of the last, as waitpid(2) has it."""
        while True:
            began = time.monotonic()
            status = self._run_one()
            killed_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
            if not killed_by or killed_by in self._signals or len(self._signals) > 1:
                return status
            pause = self._deaths.count(time.monotonic() - began, self._was_ready)
            if pause is None:
                return status
            self._news = [ALL, SIGNAL + b"%d" % killed_by, DEATHS + b"%d" % self._deaths.in_a_row]
            if self._deaths.empties:
                self._store.clear()
                self._news.append(EMPTIED)
            before, until = len(self._signals), time.monotonic() + pause
            while (left := until - time.monotonic()) > 0:
                self._wait(left)
                if len(self._signals) > before:
                    return 0
            self._ends_again = bool(self._signals)

    # --- one supervisor ---------------------------------------------------------------------------

    def _run_one(self) -> int:
        self._end, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._end.setblocking(False)
        theirs.set_inheritable(True)
        own = {VARIABLE: str(theirs.fileno()), "PYTHONSAFEPATH": "1"}
        # Ctrl-C is for us, who pass it on.
        self._pid = os.posix_spawn(self._command[0], self._command, self._environment | own, setsid=True)
        theirs.close()
        self._is_open = True
        self._waiting.extend(self._store.messages())
        self._waiting.append((b"\n".join(self._news), ()))
        while (status := self._reap()) is None:
            self._wait(None)
        self._pid = 0
        self._receive()  # what it has sent last counts
        self._waiting.clear()
        self._end.close()
        return status

    def _wait(self, seconds: float | None) -> None:
        """Wait for a signal or a message, and take it."""
        poll = select.poll()
        poll.register(self._wakes, select.POLLIN)
        talks = self._pid and self._is_open
        if talks:
            if not self._send():
                seconds = _RETRY
            room = select.POLLOUT if self._waiting and seconds is None else 0
            poll.register(self._end, select.POLLIN | room)
        found = dict(poll.poll(None if seconds is None else 1000 * seconds))
        if self._wakes.fileno() in found:
            self._take_signals()
        if talks and found.get(self._end.fileno(), 0) & ~select.POLLOUT:
            self._is_open = self._receive()

    def _reap(self) -> int | None:
        """The status of the supervisor, once it has ended. In a container all orphans are ours."""
        ended = None
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return ended
            if not pid:
                return ended
            if pid == self._pid:
                ended = status

    def _take_signals(self) -> None:
        try:
            numbers = self._wakes.recv(4096)
        except BlockingIOError:
            return
        for number in numbers:
            if number in _ENDS:
                self._signals.append(number)
            if number in _PASSED_ON and self._pid:
                os.kill(self._pid, number)  # it has not been waited for: the number is its own

    # --- messages ---------------------------------------------------------------------------------

    def _send(self) -> bool:
        """Send what waits; False where the kernel has too many descriptors under way for now."""
        while self._waiting:
            message, descriptors = self._waiting[0]
            try:
                _send(self._end, message, descriptors)
            except BlockingIOError:
                return True
            except OSError as error:
                if error.errno in (errno.ETOOMANYREFS, errno.ENOBUFS):
                    return False
                self._waiting.clear()  # it has ended
                return True
            self._waiting.popleft()
        return True

    def _receive(self) -> bool:
        """Take all that waits. False: nobody is at the other end any more."""
        while True:
            try:
                message, descriptors, flags, _ = socket.recv_fds(
                    self._end, LONGEST, TOGETHER, socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                return True
            except ConnectionResetError:  # it ended with unread messages: what it sent comes next
                continue
            except OSError:
                return False
            if not message:
                return False
            if flags & socket.MSG_CTRUNC:  # our limit of descriptors has cut some off
                _close_all(descriptors)
                descriptors = []
            try:
                self._take(message, descriptors)
            finally:
                _close_all(descriptors)

    def _take(self, message: bytes, descriptors: Sequence[int]) -> None:
        lines = message.split(b"\n")
        self._store.receive(message, descriptors)
        if b"READY=1" in lines:
            self._was_ready = True
            if self._ends_again and self._pid:
                self._ends_again = False
                os.kill(self._pid, self._signals[0])
        if HERE not in lines:
            self._notify(message, descriptors)

    def _notify(self, message: bytes, descriptors: Sequence[int]) -> None:
        if not self._manager:
            return
        # A name that begins with @ is abstract (unix(7)).
        address = f"\0{self._manager[1:]}" if self._manager.startswith("@") else self._manager
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
                sender.connect(address)
                _send(sender, message, descriptors)
        except OSError as error:
            self._waiting.append((DEAF + b"%d" % (error.errno or 0), ()))

    def _take_stored(self) -> None:
        """What systemd has kept for us (LISTEN_FDS) is kept here from now on."""
        whose, count, names = (
            self._environment.pop(each, "") for each in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
        )
        if whose != str(os.getpid()) or not count.isdecimal() or len(count) > 5:
            return
        for number, name in zip(range(3, 3 + int(count)), names.split(":"), strict=False):
            os.set_inheritable(number, False)
            self._store.receive(b"\n".join((STORE, NAME + name.encode(), b"FDPOLL=0")), [number])
            os.close(number)


def _send(end: socket.socket, message: bytes, descriptors: Sequence[int]) -> None:
    if descriptors:
        socket.send_fds(end, [message], descriptors)
    else:
        end.send(message)


def _close_all(descriptors: Iterable[int]) -> None:
    for each in descriptors:
        os.close(each)


def _nothing(*_: object) -> None:
    """The signal wakes us; what it is for is done elsewhere."""


def main() -> None:
    """Run `tonewall` with our arguments as the supervisor, and end as it does."""
    command = [sys.executable, "-m", "b2bua.cli", *sys.argv[1:]]
    status = Keeper(command, os.environ).run()
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        raise SystemExit(128 + number)  # the first process of a container is not killed by itself
    raise SystemExit(os.WEXITSTATUS(status))
