"""The hold: while masked, audio from the customer waits until 40 ms more have been heard, and
leaves without its tones.

The reference of `media/core/mask/hold.c`. Time is the packets' own: a frame leaves when later audio
has come, or when none has come for long.

Rule 1: a block that holds a tone, or stands in the window that an event opens, leaves as noise at
        the background's level; what stands beside it is faded, so that nothing clicks; all else
        leaves byte by byte as it came. (G.722 cannot be faded without encoding it anew. Its
        decoders fade by themselves: their scale takes some ms to grow.)
Rule 2: a window stays open until neither event nor tone has been there for the guard time: carriers
        send tails of tone.
Rule 3: rtp_timestamps have no gap where an event was: frames of noise fill it, but for no longer
        than the event and the time that has passed: a sender's clock may jump. What fills depends
        on no digit, and no noise does.
Rule 4: what was not looked into does not leave: where nothing more comes, the end of what waits
        leaves as noise.
Rule 5: one SSRC at a time. What comes late, overlaps or is of another SSRC does not leave.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from media.formats.coding import SILENT, Coding
from media.formats.g711 import decode_sample
from media.formats.g722 import Lower
from media.formats.rtp import Rtp, Ssrc
from media.formats.telephone_event import TelephoneEvent
from media.mask_policy import MaskPolicy
from media.reference.hold_output import NOISY, PLACEHOLDER, Frame, HeldAudio
from media.reference.inband import BLOCK, HANG_SURE, Detector, Found, Gate
from media.reference.sensitive_detector import SensitiveDetector
from media.reference.talk import Talk
from media.reference.tones import SILENCE, TOUCHES, Tones, ahead

AHEAD = 320  # samples that must have been heard after a frame: 40 ms
MAX_FRAME = 1280  # samples of a frame; larger ones are not understood
FRAMES = 32
PRESSES = 8  # that were heard, and not yet asked for
LOST = 16  # in place of an event code: see reassembly.py
FILL = 8000  # samples that are filled at once, at most: a second; what is later by more begins anew
# Samples that may wait before a frame is taken: what fills the time before it, and what was lost,
# comes first.
WAITING = 4096
# Blocks of G.722 until what it is decoded to can be trusted: at first, after a loss and after what
# fills.
SETTLING = 12
TAIL = 24  # blocks after an event in which a tone is its tail: 120 ms
TAKEN_OVER_MS = 100  # an SSRC that was silent for so long may be followed by another
_WRAP = 1 << 32


@dataclass(frozen=True, slots=True)
class MaskOptions:
    """How audio is masked. `guard`: blocks of 5 ms for which a window stays open; `tones`: presses
    heard are reported; `placeholder`: one tone, the same for all keys, stands where a press was."""

    policy: MaskPolicy = MaskPolicy.MASK
    guard: int = 24
    tones: bool = False
    placeholder: bool = False


@dataclass(slots=True)
class Hold:
    """One direction of one stream."""

    options: MaskOptions
    _held: HeldAudio = field(init=False, repr=False)
    ssrc: Ssrc | None = None
    _last_ms: int = 0
    _sounded_ms: int | None = None  # when an event or a tone was there last
    _next: int = 0  # the rtp_timestamp that would follow
    _newest: Frame | None = field(default=None, repr=False)
    _filled: bool = False  # the newest fills a gap
    _frames: deque[Frame] = field(default_factory=deque, repr=False)
    _lower: Lower = field(default_factory=Lower)  # of G.722
    # Samples of a block that is not whole.
    _heard: list[int] = field(default_factory=list, repr=False)
    _may_fill: int = 0  # samples since the newest audio: no more than the time that has passed
    _passed_ms: int = 0
    _total: int = 0  # samples so far
    _window: int = -1  # the last block of the window that an event opened
    _filling: int = -1  # the last block that fills an event's time
    _tail: int = -1  # the last block in which a tone is an event's
    _missing: int = -1  # the last block in which something was lost
    _detector: Detector = field(default_factory=Detector)
    _gate: Gate = field(default_factory=Gate)
    _sensitive: SensitiveDetector = field(default_factory=SensitiveDetector)
    tones: Tones = field(default_factory=Tones)
    talk: Talk = field(default_factory=Talk)  # since the newest key
    _pressed: list[tuple[int, int]] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        audible = self.options.policy is not MaskPolicy.MUTE
        self._held = HeldAudio(placeholder=self.options.placeholder and audible)

    # --- what comes -------------------------------------------------------------------------------

    def takes(self, ssrc: Ssrc, rtp_timestamp: int, size: int, now_ms: int) -> bool:
        """Whether a frame may wait here."""
        if not 0 < size <= MAX_FRAME or not self._room(size, FRAMES):
            return False
        begins = self.ssrc != ssrc
        if begins and self.ssrc is not None and now_ms - self._last_ms < TAKEN_OVER_MS:
            return False
        if begins or ahead(rtp_timestamp, self._next) < -FILL:
            self.ssrc, self._next, self._newest, self._filled = ssrc, rtp_timestamp, None, False
        self._let_pass(now_ms)
        return ahead(rtp_timestamp, self._next) >= 0

    def lacks(self, rtp_timestamp: int, *, event: bool) -> Iterator[tuple[int, int]]:
        """The rtp_timestamp and size of the frames that fill what lies before, where events are or
        were."""
        newest = self._newest
        if newest is None or not (event or self._filled) or ahead(rtp_timestamp, self._next) > FILL:
            return
        while (left := ahead(rtp_timestamp, self._next)) > 0 and self._room(newest.size, FRAMES - 1):
            if (event and left < newest.size) or (not event and newest.size > self._may_fill):
                return
            yield self._next, min(left, newest.size)

    def fill(self, rtp_timestamp: int, size: int, sequence_number: int) -> None:
        """A frame of `lacks`, in its order."""
        newest = self._newest
        assert newest is not None
        self._window = max(self._window, (self._total + size - 1) // BLOCK)
        self._filling = max(self._filling, (self._total + size - 1) // BLOCK)
        self._may_fill -= size
        silence = bytes([SILENT[newest.coding]]) * size
        header = Rtp(
            newest.header.payload_type, False, sequence_number, rtp_timestamp, newest.header.ssrc, silence
        )
        self._push(header, newest.coding, newest.size)
        self._filled = True

    def _let_pass(self, now_ms: int) -> None:
        """What may be filled grows with the time that passes; a frame that an event has begun may
        always be."""
        usual = self._newest.size if self._newest is not None else 0
        self._may_fill = max(self._may_fill + (now_ms - self._passed_ms) * 8, usual)
        self._passed_ms = now_ms

    def _room(self, size: int, frames: int) -> bool:
        return len(self._frames) < frames and self._total - self._start() + size <= WAITING

    def audio(self, parsed: Rtp, coding: Coding, now_ms: int) -> None:
        """A frame that `takes` has agreed to; its sequence number is the one it leaves as."""
        joins = self._newest is None or self._filled or ahead(parsed.rtp_timestamp, self._next) > 0
        self._last_ms = now_ms
        self._filled = False
        self._may_fill = len(parsed.payload)
        self._look_for_hole(parsed)
        if self._newest is None or ahead(parsed.rtp_timestamp, self._next) > SILENCE:
            self.tones.pause()
        if self._newest is not None and ahead(parsed.rtp_timestamp, self._next) > 0:
            self._sensitive.expect_after_loss(self._held.blocks)
        if self._newest is not None:
            self._miss(parsed.rtp_timestamp)
        if coding is Coding.G722 and self._newest is None:
            self._lower = Lower()
        if coding is Coding.G722 and joins:
            self._window = max(self._window, self._held.blocks + SETTLING)
        self._push(parsed, coding, len(parsed.payload))

    def _look_for_hole(self, parsed: Rtp) -> None:
        """Packets are missing before this one: not only time, in which a sender may have said
        nothing."""
        if self._newest is None or not self.options.tones:
            return
        is_lost = (parsed.sequence_number - self._newest.header.sequence_number) % 0x10000 != 1
        lost = ahead(parsed.rtp_timestamp, self._next)
        if is_lost and self.tones.hole(self._detector.newest(TOUCHES), lost, self._next):
            self._press(LOST, self._next)

    def _press(self, code: int, at: int) -> None:
        if len(self._pressed) < PRESSES:
            self._pressed.append((code, at))

    def _miss(self, rtp_timestamp: int) -> None:
        """What was lost is silence to whoever listens: a tone goes on in step beyond it, and more
        than the longest look has is as good as all of it."""
        count = min(ahead(rtp_timestamp, self._next), SILENCE)
        self._next = (rtp_timestamp - max(count, 0)) % _WRAP
        if count > 0:
            self._missing = max(self._missing, (self._total + count - 1) // BLOCK)
        for _ in range(count):
            self._take_in(0)

    def event(self, now_ms: int) -> None:
        """A packet of an event came."""
        self._last_ms = self._sounded_ms = now_ms
        self.talk = Talk()
        self._let_pass(now_ms)
        self._window = max(self._window, self._held.blocks + self.options.guard)
        self._tail = max(self._tail, self._held.blocks + TAIL)
        self._sensitive.expect(self._held.blocks)
        self._held.close(self._start() // BLOCK, self._held.blocks)

    def shut_key(self, ssrc: Ssrc, rtp_timestamp: int, event: TelephoneEvent, *, is_new: bool) -> bool:
        """The same packet, if it is a key's. Whether it begins a press that was reported before, as
        a tone."""
        # The clock of another SSRC says nothing: it is now.
        first = rtp_timestamp if self.ssrc in (None, ssrc) else self._next
        was_tone = self.tones.event(event.code, first, event.duration, is_new=is_new)
        return self.options.tones and was_tone

    def pressed(self) -> list[tuple[int, int]]:
        """The presses that were heard since this was asked: event codes, and where they began."""
        pressed, self._pressed = self._pressed, []
        return pressed

    def is_quiet(self, now_ms: int, quiet_ms: int) -> bool:
        """Whether neither an event nor a tone has been there for so long."""
        return self._sounded_ms is None or now_ms - self._sounded_ms >= quiet_ms

    def shut_rest(self) -> None:
        """Nothing more has come for long: what was not looked past is shut."""
        self._held.close(self._held.blocks - AHEAD // BLOCK, self._held.blocks)

    def _push(self, parsed: Rtp, coding: Coding, usual: int) -> None:
        """`usual`: how large the frames are that may fill a gap after this one."""
        size = len(parsed.payload)
        self._frames.append(Frame(parsed, coding, self._total, size))
        self._newest = Frame(parsed, coding, self._total, usual)
        self._next = parsed.rtp_timestamp
        for code in parsed.payload:
            self._held.keep_octet(self._total, code)
            self._take_in(
                self._lower.decode_code(code) if coding is Coding.G722 else decode_sample(coding, code)
            )

    def _take_in(self, sample: int) -> None:
        self._total += 1
        self._next = (self._next + 1) % _WRAP
        self._heard.append(sample)
        if len(self._heard) == BLOCK:
            self._hear_block()

    def _hear_block(self) -> None:
        found = self._detector.hear_block(self._heard)
        block, energy = self._held.blocks, sum(sample * sample for sample in self._heard)
        self._heard.clear()
        back = self._gate.pass_by(block, found)
        tone = back is not None or found.now > 0
        press = self._gate.sure and back is not None and block > self._tail
        self._held.close(block - (back or 0), block, PLACEHOLDER if press else NOISY)
        if self.options.policy is MaskPolicy.MUTE_ON_KEY:
            self._sensitive.expect(block)
        if suspected := self._sensitive.hear_block(
            block, found, self._detector, sure=back is not None and self._gate.sure
        ):
            self._held.close(block - suspected, block)
        if tone and (
            block <= self._window or (back is not None and self.options.policy is MaskPolicy.MUTE_ON_KEY)
        ):
            self._window = max(self._window, block + self.options.guard)
        if tone and block <= self._tail:
            self._tail = max(self._tail, block + HANG_SURE)
        if block <= self._gate.until or (tone and block <= self._window):
            self._sounded_ms = self._last_ms
        closed = self.options.policy is MaskPolicy.MUTE or block <= max(
            self._window, self._gate.until, self._sensitive.until
        )
        self._held.open(block)
        if closed:
            self._held.close(block, block + 1, PLACEHOLDER if press or block <= self._filling else NOISY)
        elif not tone and block > self._missing:
            self._held.learn(energy // BLOCK)
        if block > self._missing:
            self._read_tones(found)
            if press:
                self.talk = Talk()
            elif block > self._window:
                self.talk.hear_block(energy)
        self._held.blocks += 1

    def _read_tones(self, found: Found) -> None:
        """Presses in the newest block. Where they are not captured they are counted all the
        same."""
        pressed = self.tones.hear_block(found, self._detector.newest(), self._next)
        if not self.options.tones:
            return
        if pressed:
            self._press(*pressed)
        if self.tones.touch(self._detector.newest(1)[-1]):
            self._press(LOST, self._next)

    # --- what leaves ------------------------------------------------------------------------------

    def released(self, *, all_of_it: bool = False) -> Iterator[bytes]:
        """The packets whose time has come."""
        while self._frames:
            frame = self._frames[0]
            if not all_of_it and frame.start + frame.size + AHEAD > self._held.blocks * BLOCK:
                return
            self._frames.popleft()
            yield self._held.packet(frame)

    def due_ms(self) -> int | None:
        """When all that waits leaves, if nothing more comes; None: nothing waits."""
        return self._last_ms + 60 + 2 * self._frames[-1].size // 8 if self._frames else None

    def _start(self) -> int:
        """The first sample that waits."""
        return self._frames[0].start if self._frames else self._total
