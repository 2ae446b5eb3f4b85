"""Messages with descriptors on a channel that is full, or whose kernel allows no more on their
way."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator, Sequence

import pytest

from tests.stack import until
from tonewall.descriptor_sender import DescriptorSender, close_all


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        yield ours, theirs


def numbers(theirs: socket.socket, found: list[int]) -> list[int]:
    """What came so far. Each message has its number, and the end of a pipe that holds the same."""
    while True:
        try:
            message, descriptors, _, _ = socket.recv_fds(theirs, 16, 2)
        except BlockingIOError:
            return found
        [end] = descriptors
        assert os.read(end, 16) == message
        os.close(end)
        found.append(int(message))


def send(sender: DescriptorSender, number: int) -> None:
    ours, theirs = os.pipe()
    os.write(theirs, str(number).encode())
    sender.send(str(number).encode(), [ours])
    os.close(ours)
    os.close(theirs)


async def test_what_finds_no_room_comes_later_in_order_and_with_its_descriptors(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    sender, found = DescriptorSender(ours), list[int]()
    for number in range(400):
        send(sender, number)
    assert len(sender) > 0
    await until(lambda: len(numbers(theirs, found)) == 400, "all of them")
    assert found == list(range(400))
    assert len(sender) == 0
    send(sender, 400)
    assert numbers(theirs, [])[-1] == 400


async def test_what_the_kernel_does_not_let_on_its_way_yet_is_sent_again(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = pair
    refusals, really = iter([errno.ETOOMANYREFS, errno.ETOOMANYREFS]), socket.send_fds

    def refuse(end: socket.socket, messages: Sequence[bytes], descriptors: Sequence[int]) -> int:
        if (why := next(refusals, None)) is not None:
            raise OSError(why, "Too many references: cannot splice")
        return really(end, messages, descriptors)

    monkeypatch.setattr(socket, "send_fds", refuse)
    sender, found = DescriptorSender(ours), list[int]()
    send(sender, 0)
    send(sender, 1)
    assert len(sender) == 2
    await until(lambda: numbers(theirs, found) == [0, 1], "both")


async def test_an_end_that_nobody_reads_any_more_is_an_error_and_what_waits_is_let_go(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    sender = DescriptorSender(ours)
    for number in range(400):
        send(sender, number)
    theirs.close()
    await until(lambda: len(sender) == 0, "what waited to be let go")
    with pytest.raises(OSError, match="Broken pipe"):
        sender.send(b"more")
    sender.close()


def test_descriptors_are_closed_one_by_one() -> None:
    ends = os.pipe()
    close_all(ends)
    for end in ends:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(end)
