"""Puts the messages of a call and the headers of its packets into one capture file, as they come.

Rule 1: packets leave in the order of their times. Under a mask the time of a packet is the second
        in which it was, so nothing leaves before its second is over.
Rule 2: within such a second packets are ordered by socket, source and sequence number, not as they
        came: beside the steady packets of the other leg their order would be a clock.
Rule 3: pure: views and records in, octets out. Nothing is kept but what has not left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from b2bua.ladder import pcapng
from b2bua.ladder.capture_file import ABOUT, entry_words, message_packet, message_time
from b2bua.ladder.rtp_packets import record_packet
from b2bua.ladder.view import Entry, GapView, LadderView, MessageView
from media.events import Side, TappedStream
from media.tapped import TapFlag, TapRecord, read_records

SETTLED_US: Final = 1_000_000  # after which nothing more comes of a time
_RTP: Final = (
    "RTP and RTCP: recorded by their headers; each payload is made up, silence or zeros of its length, "
    "where that was recorded"
)


_Place = tuple[int, tuple[int, ...]]  # the time, and the order within it where that is not as it came


class Recording:
    """The file of one call, from its first octets to its last."""

    def __init__(self) -> None:
        self._waiting: list[tuple[_Place, bytes]] = []
        self._seen: Counter[tuple[object, ...]] = Counter()
        self._comments: list[str] = []  # of the message that comes next
        self._gaps: list[str] = []  # of the packet that comes next
        self._left_out = 0
        self.received = self.dropped = 0  # packets of RTP and RTCP

    def begin(self) -> bytes:
        """The first blocks."""
        return pcapng.section([ABOUT, _RTP]) + pcapng.interface()

    def add(self, view: LadderView | None, streams: Sequence[TappedStream]) -> None:
        """What is new of the call. `view` None: nothing is kept of its messages."""
        if view is not None:
            self._add_messages(view)
        for stream in streams:
            self._add_packets(view, stream)

    def note(self, comment: str) -> None:
        """A comment of the packet that comes next, or of the whole."""
        self._gaps.append(comment)

    def take(self, until_us: int) -> bytes:
        """What is settled: all until this time, in microseconds since the epoch."""
        self._waiting.sort(key=lambda one: one[0])
        ready = [octets for place, octets in self._waiting if place[0] <= until_us]
        del self._waiting[: len(ready)]
        return b"".join(ready)

    def pulse(self, at_us: int) -> bytes:
        """A block that shows that the line is alive, while nothing comes."""
        return pcapng.statistics(at_us, self.received + self.dropped, self.dropped)

    def end(self, at_us: int, why: str) -> bytes:
        """All that is left, and the counts."""
        left = self.take(2**63)
        gap = [f"{self._left_out} entries of the ladder were not kept"] if self._left_out else []
        comments = [why, *self._comments, *gap, *self._gaps]
        return left + pcapng.statistics(at_us, self.received + self.dropped, self.dropped, comments)

    def _add_messages(self, view: LadderView) -> None:
        found: Counter[tuple[object, ...]] = Counter()
        for entry in view.entries:
            if isinstance(entry, GapView):
                self._left_out = entry.left_out
                continue
            key = _entry_key(entry)
            found[key] += 1
            if found[key] <= self._seen[key]:
                continue
            self._seen[key] += 1
            if isinstance(entry, MessageView):
                block = message_packet(view, entry, self._comments)
                self._waiting.append(((message_time(entry), ()), block))
                self._comments = []
            else:
                self._comments.append(entry_words(entry))

    def _add_packets(self, view: LadderView | None, stream: TappedStream) -> None:
        for record in read_records(stream.records):
            port = stream.agent_port if record.is_agents else stream.caller_port
            block = record_packet(record, port, _leg_of(view, record), self._gaps)
            self._gaps = []
            self._waiting.append((_place_of(record), block))
            self.received += 1
        if stream.dropped:
            self.dropped += stream.dropped
            self._gaps.append(f"{stream.dropped} packets before this one found no room and are missing")


def _place_of(record: TapRecord) -> _Place:
    if TapFlag.MASKED not in record.flags:
        return record.at_us, ()
    rank = record.socket, record.flags, record.kind, record.ssrc, record.sequence_number
    return record.at_us, (*rank, record.port, int(record.host))


def with_end(at_us: int, why: str) -> bytes:
    """The last block of a file whose end did not come."""
    return pcapng.statistics(at_us, 0, 0, [why])


def _entry_key(entry: Entry) -> tuple[object, ...]:
    """What stays of an entry when its message is repeated."""
    if isinstance(entry, MessageView):
        return entry.at, entry.leg, entry.direction, entry.method, entry.code, entry.cseq
    return (entry.at, entry.leg, entry.what) if not isinstance(entry, GapView) else ()


def _leg_of(view: LadderView | None, record: TapRecord) -> int:
    """The number of the leg in the ladder: of a side, the newest."""
    side = Side.AGENT if record.is_agents else Side.CALLER
    numbers = [leg.number for leg in view.legs if leg.side == side.value] if view is not None else []
    return max(numbers, default=int(record.is_agents))
