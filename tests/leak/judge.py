"""Whether a press is read behind a mask, by any decoder.

Rule 1: beside what is masked stands its control, the same recording without a mask.
Rule 2: a press counts as leaked when a decoder reads any key while it lasts or shortly after, the
        right one or not; keys read elsewhere are counted too, in a column of their own.
Rule 3: a key that the same decoder reads at the same place in the same stream without any press is
        speech's own: it is counted by itself and is no leak. The stream without presses is heard
        twice, whole and with silence wherever the mask has changed anything: a piece of speech
        between two silences is read as a key more often than speech that goes on.

Presses that are alone go through a mask each; the pieces around them are then judged one after
another, as one stream."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from tests.leak.codec import PACKET, Pcm, decoded
from tests.leak.decoders import DECODERS, RATE, Heard, together, union
from tests.leak.line import arrivals, played, received
from tests.leak.masking import LineMasker, Masker
from tests.leak.presses import SPEECH, Condition, Press, Recording, recordings

Octets = NDArray[np.uint8]

_LATE = int(0.15 * RATE)  # a mask's look-ahead, and a decoder's own delay
_DELAYS = range(100 * RATE // 1000 + 1)  # what a mask may hold back: up to 100 ms
_LEAD = int(0.15 * RATE)  # that is judged before a press that is alone
_BETWEEN = int(0.1 * RATE)  # of silence between two of them


@dataclass(slots=True)
class Row:
    """What was read under one condition. `leaked` and `control`: presses, by decoder, and by any
    (`union`)."""

    name: str
    presses: int = 0
    leaked: Counter[str] = field(default_factory=Counter)
    control: Counter[str] = field(default_factory=Counter)
    controlled: int = 0  # presses that were heard without a mask too
    right: int = 0  # presses whose own digit some decoder read
    elsewhere: int = 0  # keys that were read where nobody pressed one
    speech: int = 0  # keys that are read without any press too

    def add(self, other: Row) -> None:
        self.presses += other.presses
        self.leaked += other.leaked
        self.control += other.control
        self.controlled += other.controlled
        self.right += other.right
        self.elsewhere += other.elsewhere
        self.speech += other.speech


def one_recording(
    mask: Callable[[], Masker], condition: Condition, presses: int, seed: int, control: bool = True
) -> Row:
    """`presses` presses, masked, and without a mask where a control is asked for."""
    takes = recordings(condition, presses, seed)
    starts = [max(0, keyed.presses[0].first - _LEAD) if condition.alone else 0 for keyed in takes]
    heard_by = _through if condition.line is None else _over
    sounds = [heard_by(mask(), condition, keyed, (seed, number)) for number, keyed in enumerate(takes)]
    came, left = [sound.came for sound in sounds], [sound.left for sound in sounds]
    lengths = [max(len(one), len(other)) for one, other in zip(came, left, strict=True)]

    def whole(pieces: Sequence[Pcm]) -> Pcm:
        return _joined(pieces, starts, lengths)

    row = Row(condition.name, presses)
    pressed = _moved(takes, starts, lengths)
    if control:
        row.control, row.controlled = _pressed(union(whole(came)), pressed), presses
    masked = heard = union(whole(left))
    if condition.background == SPEECH and any(masked.values()):
        heard = _without(heard, whole([sound.unkeyed() for sound in sounds]))
        heard = _without(heard, whole([sound.holed() for sound in sounds]))
    row.speech = sum(map(len, masked.values())) - sum(map(len, heard.values()))
    row.leaked = _pressed(heard, pressed)
    everything = [one for all_ in heard.values() for one in all_]
    row.right = sum(
        any(_during(one, press) and one.digit == press.digit for one in everything) for press in pressed
    )
    row.elsewhere = sum(not any(_during(one, press) for press in pressed) for one in together(heard))
    return row


@dataclass(frozen=True, slots=True)
class Sounds:
    """What an ear hears of one recording: before the mask, behind it, and (Rule 3) of the stream
    without presses."""

    came: Pcm
    left: Pcm
    unkeyed: Callable[[], Pcm]
    holed: Callable[[], Pcm]


def _through(mask: Masker, condition: Condition, keyed: Recording, seed: tuple[int, int]) -> Sounds:
    """Where nothing is lost and nothing late."""
    gone = mask.through(keyed.payloads, payload_type=keyed.payload_type)

    def holed() -> Pcm:
        return heard_without(keyed, gone, delay_of(octets(keyed.payloads), octets(gone)))

    came, left = (decoded(payloads, keyed.payload_type) for payloads in (keyed.payloads, gone))
    return Sounds(came, left, lambda: decoded(keyed.unkeyed, keyed.payload_type), holed)


def _over(mask: Masker, condition: Condition, keyed: Recording, seed: tuple[int, int]) -> Sounds:
    """Over a line: the same packets are lost of the stream without presses."""
    line, payload_type = condition.line, keyed.payload_type
    assert line is not None
    length = PACKET * len(keyed.payloads)
    sent, silent = (arrivals(each, payload_type, line, seed) for each in (keyed.payloads, keyed.unkeyed))
    came = received([one.packet for one in sent], payload_type, length)
    left = received(cast("LineMasker", mask).relayed(sent, payload_type=payload_type), payload_type, length)
    unkeyed = received([one.packet for one in silent], payload_type, length)
    same = came.present & left.present & (came.octets == left.octets)

    def holed() -> Pcm:
        return played(np.where(same, unkeyed.pcm, 0).astype(np.int16), left.present, line)

    return Sounds(
        played(came.pcm, came.present, line),
        played(left.pcm, left.present, line),
        lambda: played(unkeyed.pcm, unkeyed.present, line),
        holed,
    )


def heard_without(keyed: Recording, left: Sequence[bytes], delay: int) -> Pcm:
    """The stream had nobody pressed a key, with silence wherever the mask has changed anything of
    what came."""
    came, gone = octets(keyed.payloads), octets(left)
    unkeyed = decoded(keyed.unkeyed, keyed.payload_type)
    length = min(len(came), len(gone) - delay)
    holed = np.zeros(len(gone), np.int16)
    same = came[:length] == gone[delay : delay + length]
    holed[delay : delay + length] = np.where(same, unkeyed[:length], 0)
    return holed


def octets(payloads: Sequence[bytes]) -> Octets:
    """What a mask compares and leaves alone: one octet a sample at 8 kHz, in G.722 too."""
    return np.frombuffer(b"".join(payloads), np.uint8)


def delay_of(before: Octets, after: Octets) -> int:
    """By how many octets a mask holds audio back: where most of half a minute is the same."""

    def same(delay: int) -> int:
        length = min(len(before), len(after) - delay, 30 * RATE)
        return int((before[:length] == after[delay : delay + length]).sum())

    return max(_DELAYS, key=same)


def _joined(pieces: Sequence[Pcm], starts: Sequence[int], lengths: Sequence[int]) -> Pcm:
    """Each from its start, filled up to its length, and silence after it."""
    joined = np.zeros(sum(lengths) - sum(starts) + _BETWEEN * len(pieces), np.int16)
    at = 0
    for piece, start, length in zip(pieces, starts, lengths, strict=True):
        joined[at : at + len(piece) - start] = piece[start:]
        at += length - start + _BETWEEN
    return joined


def _moved(takes: Sequence[Recording], starts: Sequence[int], lengths: Sequence[int]) -> list[Press]:
    """The presses of all pieces, where `_joined` has put them."""
    moved: list[Press] = []
    at = 0
    for keyed, start, length in zip(takes, starts, lengths, strict=True):
        away = at - start
        moved += [replace(press, first=press.first + away, last=press.last + away) for press in keyed.presses]
        at += length - start + _BETWEEN
    return moved


def _without(heard: Mapping[str, list[Heard]], unkeyed: Pcm) -> dict[str, list[Heard]]:
    """What of it the same decoder does not hear in a stream without a press."""
    own = {name: DECODERS[name](unkeyed) if all_ else [] for name, all_ in heard.items()}
    return {name: [one for one in all_ if not _among(one, own[name])] for name, all_ in heard.items()}


def _among(one: Heard, own: Sequence[Heard]) -> bool:
    return any(one.digit == other.digit and abs(one.sample - other.sample) <= _LATE for other in own)


def _during(one: Heard, press: Press) -> bool:
    return press.first <= one.sample <= press.last + _LATE


def _pressed(heard: dict[str, list[Heard]], presses: Sequence[Press]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for press in presses:
        by = [name for name, all_ in heard.items() if any(_during(one, press) for one in all_)]
        counts.update(by + ["union"] * bool(by))
    return counts
