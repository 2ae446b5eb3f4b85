"""The core's digit socket, fed by real datagrams, takes for presses what
media/reference/rtpengine_log.py takes for presses."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media._core import KEYED, OVERFLOW, Feed, SecretMemory
from media.reference.rtpengine_log import ECHO_MS, Malformed, Presses, parse

CALL, TAG, STREAM = b"tonewall-1", b"caller", 7
KEYS = b"0123456789*#ABCD"


@dataclass
class Wire:
    """A server, and the feed that hears it."""

    feed: Feed
    server: socket.socket

    def say(self, datagram: bytes) -> list[tuple[int, int]]:
        self.server.sendto(datagram, self.server.getsockname())
        return self.feed.receive()

    def taken(self) -> bytes:
        """Test keys only: in the product the vault's memory is not copied."""
        memory = SecretMemory(64)
        count = self.feed.take_digits(STREAM, memory, 0)
        return bytes(memoryview(memory)[:count])


@contextmanager
def wired(servers: tuple[str, ...] = ("127.0.0.1",)) -> Iterator[Wire]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        feed = Feed(sock.dup().detach(), servers)
        feed.open(STREAM, CALL, TAG)
        yield Wire(feed, sock)


def record(event: int | str, call: bytes = CALL, tag: bytes = TAG) -> bytes:
    """As Debian's 10.5.3 writes it."""
    return (
        b'{"callid":"%b","source_tag":"%b","tags":["%b","agent"],"type":"DTMF","timestamp":1795570372,'
        b'"source_ip":"127.0.0.1","event":%b,"duration":120,"volume":10}'
        % (call, tag, tag, str(event).encode())
    )


def expected(datagrams: list[bytes]) -> bytes | None:
    """What the reference makes of them; None: the capture is lost."""
    presses, keys = Presses(), b""
    for datagram in datagrams:
        try:
            found = parse(datagram)
        except Malformed:
            return None
        if (found.call, found.tag) != (CALL, TAG):
            continue
        if found.event is None:
            return None
        if presses.is_new_press(found.event, 0):
            keys += KEYS[found.event : found.event + 1]
    return keys if len(keys) <= 32 else None


plain = st.one_of(st.integers(-3, 200), st.text(max_size=6), st.floats(allow_nan=False, allow_infinity=False))
value = st.one_of(
    plain, st.lists(plain, max_size=3), st.none(), st.dictionaries(st.text(max_size=2), plain, max_size=1)
)
names = st.sampled_from(["callid", "source_tag", "event", "tags", 'a"b', "\\"])
objects = st.dictionaries(names, value, max_size=6).map(lambda it: json.dumps(it).encode())
records = st.builds(
    record,
    st.integers(-1, 17),
    st.sampled_from([CALL, b"another", CALL + b"\\"]),
    st.sampled_from([TAG, b"agent"]),
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    whole = bytearray(draw(records))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(whole) - 1))
        whole[at : at + draw(st.integers(0, 2))] = draw(
            st.sampled_from([b"", b'"', b"\\", b",", b" ", b"}", b"[", b"\0"])
        )
    return bytes(whole)


@given(st.lists(st.one_of(records, records, objects, damaged(), st.binary(max_size=40)), max_size=8))
@settings(max_examples=400, deadline=None)
def test_the_core_makes_of_any_datagrams_what_the_reference_makes(datagrams: list[bytes]) -> None:
    with wired() as wire:
        kinds = {kind for datagram in datagrams for _, kind in wire.say(datagram)}
        wanted = expected(datagrams)
        assert (OVERFLOW in kinds) is (wanted is None)
        assert wire.taken() == (wanted or b"")


@given(st.lists(st.integers(0, 15), max_size=40))
@settings(max_examples=50, deadline=None)
def test_each_press_is_one_key_though_it_is_reported_twice(events: list[int]) -> None:
    with wired() as wire:
        kinds = {kind for event in events for _ in range(2) for _, kind in wire.say(record(event))}
        if len(events) > 32:
            assert OVERFLOW in kinds, "the core keeps 32 keys, and none is skipped"
            assert wire.taken() == b""
        else:
            assert kinds <= {KEYED}
            assert wire.taken() == bytes(KEYS[event] for event in events)


def test_the_same_key_much_later_is_a_press_though_its_echo_never_came() -> None:
    presses = Presses()
    with wired() as wire:
        wire.say(record(5))
        assert presses.is_new_press(5, 0)
        time.sleep(ECHO_MS / 1000 + 0.05)
        wire.say(record(5))
        assert presses.is_new_press(5, ECHO_MS)
        assert len(wire.taken()) == 2


def test_only_servers_are_heard_and_only_of_streams_that_are_open() -> None:
    with wired(servers=("127.0.0.2",)) as wire:
        assert wire.say(record(5)) == []
        assert wire.feed.counters()["foreign_source"] == 1
    with wired() as wire:
        wire.feed.close(STREAM)
        assert wire.say(record(5)) == []
        assert wire.feed.counters()["unwanted"] == 1
        wire.feed.open(STREAM, CALL, TAG)
        assert wire.taken() == b"", "what came before is not kept"
        assert wire.say(b"x" * 3000) == [(STREAM, OVERFLOW)], "it may have been a key"


def test_what_it_cannot_have_is_refused() -> None:
    with wired() as wire:
        with pytest.raises(OSError, match="exists"):
            wire.feed.open(STREAM, CALL, TAG)
        with pytest.raises(OSError, match="Invalid"):
            wire.feed.open(8, b"x" * 65, TAG)
        with pytest.raises(KeyError):
            wire.feed.take_digits(8, SecretMemory(64), 0)
    with pytest.raises(ValueError, match="numeric"):
        Feed(-1, ["localhost"])
