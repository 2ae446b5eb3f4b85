"""Phones of the model: a SIP dialog and RTP on real sockets. They obey the signalling: directions,
payload types, ports.

Rule 1: a phone that may not send does not; keys that are pressed meanwhile are lost, as with a real
        one.
Rule 2: who agreed on no telephone-event sends tones."""

from __future__ import annotations

import asyncio
import random
import struct
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from tests.leak.codec import PCMU, encoded
from tests.leak.presses import dual_tone
from tests.model.session import Own, Theirs, parse
from tests.model.sip import Dialog, Trunk, Waiting
from tests.wire.handmade import MediaPair
from tests.wire.sip_peer import Heard

KEYS = "0123456789*#ABCD"
SILENCE = encoded(np.zeros(160), PCMU)[0]
STEP = 160  # units of rtp_timestamp in 20 ms
# Seconds in which media of the description before may still come: until Tonewall has read the new
# answer (RFC 3264 section 8), on a busy machine.
UNDER_WAY = 1.5
_TONE_LEVELS = (-8.0, -8.0)  # dBm0
_TONES = {key: encoded(dual_tone(key, 4 * STEP, _TONE_LEVELS), PCMU) for key in KEYS}


@dataclass(slots=True)
class Press:
    """One key, and when its first and its last packet left."""

    key: str
    way: str  # event, tone or info
    began: float
    ended: float | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """A key at an agent's side. `agreed`: whether this phone had agreed on telephone-event, now or
    just before."""

    key: str
    way: str
    at: float
    agreed: bool = True


@dataclass(slots=True)
class Phone:
    """One leg, from its end. Subclasses say what becomes of media."""

    trunk: Trunk
    name: str
    own: Own = field(init=False)
    media: MediaPair = field(init=False)
    theirs: Theirs | None = None
    dialog: Dialog | None = None
    invite: Waiting | None = None  # ours, while it is not answered for good
    asked: Heard | None = None  # Tonewall's INVITE, while we have not answered it
    ended: bool = False
    stopped: list[float] = field(default_factory=list)  # when Tonewall put us on hold
    _version: int = 1
    _sequence: int = field(default_factory=lambda: random.randrange(65000, 65536))
    _clock: int = 0xFFFF_8000
    _ssrc: int = field(default_factory=lambda: random.randrange(1, 1 << 32))
    _task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        self.media = MediaPair(self.trunk.host)
        await self.media.open()
        self.own = Own(self.media.port)

    def close(self) -> None:
        self.media.close()
        self.ended = True

    @property
    def up(self) -> bool:
        return self.dialog is not None and not self.ended

    # --- SIP --------------------------------------------------------------------------------------

    def requested(self, request: Heard) -> None:
        """Something of Tonewall's in this dialog."""
        match request.what:
            case "INVITE" | "UPDATE" if self.dialog is not None:
                self.trunk.reply(request, 200, body=self._agreed(request.body))
            case "INVITE":
                return  # a new call: `answer` and `decline` are to come
            case "ACK":
                self._take(request.body)
            case "BYE":
                self.trunk.reply(request, 200)
                self.ended = True
            case "CANCEL":
                self.trunk.reply(request, 200)
                if self.asked is not None:
                    self.trunk.reply(self.asked, 487, tag=self.name)
                    self.asked, self.ended = None, True
            case "INFO":
                self.heard_info(request.body)
                self.trunk.reply(request, 200)
            case _:
                self.trunk.reply(request, 200)

    def heard_info(self, body: str) -> None:
        """Keys that come by signalling."""

    def _agreed(self, body: str) -> str:
        """Our description: the answer where there is an offer."""
        offered = parse(body)
        self._version += 1
        if offered is None:
            return self.own.describe(self.trunk.host, self._version)
        self.theirs = offered
        if not offered.wants_media and "send" in self.own.direction:
            self.stopped.append(time.monotonic())
        answered = self.own if offered.events is not None else replace(self.own, events=None)
        return answered.describe(self.trunk.host, self._version, self.own.answer_to(offered.direction))

    def _take(self, body: str) -> None:
        theirs = parse(body)
        if theirs is not None:
            self.theirs = theirs

    def dial(self, user: str) -> None:
        """Call; what comes of it comes by itself."""
        body = self.own.describe(self.trunk.host, self._version)
        call_id, self.invite = self.trunk.dial(user, self.name, body)
        self.trunk.parties[call_id] = self
        self._task = asyncio.create_task(self._called(self.invite))

    async def _called(self, invite: Waiting) -> None:
        final = await invite.final
        self.invite = None
        if final.what == "200":
            self._take(final.body)
            self.dialog = Dialog(final.one("Call-ID"), final.one("From"), final.one("To"), final.contact)
            self.trunk.acknowledge(self.dialog, invite)
        else:
            self.ended = True

    def ring(self) -> None:
        assert self.asked is not None
        self.trunk.reply(self.asked, 180, tag=self.name)

    def answer(self) -> None:
        """Take Tonewall's call."""
        invite, self.asked = self.asked, None
        if invite is None or self.ended:
            return
        local = f"{invite.one('To')};tag={self.name}"
        self.dialog = Dialog(invite.one("Call-ID"), local, invite.one("From"), invite.contact)
        self.trunk.reply(invite, 200, tag=self.name, body=self._agreed(invite.body))

    def decline(self, code: int = 486) -> None:
        invite, self.asked = self.asked, None
        if invite is not None:
            self.trunk.reply(invite, code, tag=self.name)
            self.ended = True

    async def change(self, own: Own) -> int:
        """A re-INVITE with another description; the code that it got. What was refused stays as it
        was."""
        dialog = self.dialog
        if dialog is None or self.ended:
            return 0
        before, self.own = self.own, own
        self._version += 1
        asked = self.trunk.request("INVITE", dialog, own.describe(self.trunk.host, self._version))
        final = await asked.final
        if final.what == "200":
            self._take(final.body)
            self.trunk.acknowledge(dialog, asked)
        else:
            self.own = before
        return int(final.what)

    def say(self, method: str, body: str = "", **headers: str) -> Waiting | None:
        """A request in the dialog; nobody waits for its answer."""
        if self.dialog is None or self.ended:
            return None
        return self.trunk.request(method, self.dialog, body, **headers)

    def hang_up(self) -> None:
        """At whatever stage this leg is."""
        if self.dialog is not None and not self.ended:
            self.trunk.request("BYE", self.dialog)
        elif self.invite is not None and self.invite.provisional.is_set():
            self.trunk.cancel(self.invite)
            return  # a 200 may cross it: then it is a call, and is hung up once more
        elif self.asked is not None:
            self.decline(603)
        elif self.invite is not None:
            return
        self.ended = True

    # --- RTP --------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """20 ms have passed."""
        if self.up and self.theirs is not None and self.theirs.wants_media:
            self.play(now)

    def play(self, now: float) -> None:
        """Send what these 20 ms hold."""
        self._audio(SILENCE)

    def _audio(self, payload: bytes) -> None:
        self._send(PCMU, self._clock, payload)
        self._clock += STEP

    def _send(self, kind: int, clock: int, payload: bytes, marker: bool = False) -> None:
        assert self.theirs is not None
        self._sequence = (self._sequence + 1) & 0xFFFF
        head = struct.pack("!BBHII", 0x80, marker << 7 | kind, self._sequence, clock & 0xFFFFFFFF, self._ssrc)
        self.media.rtp.send(head + payload, (self.theirs.host, self.theirs.port))


@dataclass(slots=True)
class Customer(Phone):
    """Keys what it is asked to, one key after another, at the pace of its clock."""

    by_info: bool = False
    presses: list[Press] = field(default_factory=list)
    _todo: deque[tuple[str, str]] = field(default_factory=deque)  # what, with what
    # Of the key that is being pressed.
    _packets: deque[Callable[[], None]] = field(default_factory=deque)
    _press: Press | None = None
    _rest: int = 0  # packets of silence before the next key

    def key(self, keys: str, way: str, gap: int = 2) -> None:
        """Press these keys after all before, `gap` packets of silence behind each."""
        for key in keys:
            self._todo.append((key, way))
            self._todo.append(("", str(gap)))

    def pause(self, seconds: float) -> None:
        self._todo.append(("", str(int(seconds / 0.02))))

    def stop_keying(self) -> None:
        """Forget what was to be keyed; a key that is down is finished."""
        self._todo.clear()

    @property
    def is_keying(self) -> bool:
        return bool(self._todo or self._packets or self._rest)

    @property
    def is_quiet(self) -> bool:
        """Whether it hears nobody and says nothing: it can key as long as it likes."""
        return self.theirs is None or not self.theirs.wants_media

    def tick(self, now: float) -> None:
        if self.up and self.is_quiet and self.is_keying:
            self._todo.clear()  # rule 1
            self._packets.clear()
            self._rest = 0
            self._close_press(now)
        Phone.tick(self, now)

    def play(self, now: float) -> None:
        if not self._packets and not self._rest and self._todo:
            self._next(now)
        if self._packets:
            self._packets.popleft()()
            if not self._packets:
                self._close_press(now)
            return
        self._rest = max(self._rest - 1, 0)
        self._audio(SILENCE)

    def _close_press(self, now: float) -> None:
        if self._press is not None:
            self._press.ended, self._press = now, None

    def _next(self, now: float) -> None:
        key, how = self._todo.popleft()
        if not key:
            self._rest = int(how)
            return
        assert self.theirs is not None
        way = "info" if self.by_info else how
        if way == "event" and self.theirs.events is None:
            way = "tone"  # rule 2
        self._press = Press(key, way, now)
        self.presses.append(self._press)
        if way == "info":
            self.say("INFO", f"Signal={key}\r\nDuration=160\r\n", Content_Type="application/dtmf-relay")
            self._packets.extend([lambda: self._audio(SILENCE)] * 2)
        elif way == "tone":
            self._packets.extend(lambda payload=payload: self._audio(payload) for payload in _TONES[key])  # type: ignore[misc]
        else:
            self._event(key, self.theirs.events)

    def _event(self, key: str, kind: int | None) -> None:
        """60 ms, its end three times (RFC 4733 section 2.5.1)."""
        assert kind is not None
        begin = self._clock
        for index, (duration, end) in enumerate([(STEP, 0), (2 * STEP, 0), *[(3 * STEP, 0x80)] * 3]):
            payload = struct.pack("!BBH", KEYS.index(key), end | 10, duration)
            self._packets.append(
                lambda payload=payload, index=index: self._send(kind, begin, payload, index == 0)
            )  # type: ignore[misc]
        self._clock += 3 * STEP
        last = self._packets.pop()

        def finish() -> None:
            last()
            self._clock += 2 * STEP  # the clock went on while the end was repeated

        self._packets.append(finish)


@dataclass(slots=True)
class Agent(Phone):
    """Keeps all that comes: keys as events and in INFO at once, the audio for whoever listens for
    tones."""

    seen: list[Seen] = field(default_factory=list)
    audio: list[tuple[float, bytes]] = field(default_factory=list)
    packets: int = 0
    _read: int = 0
    _agreed_at: float = float("-inf")  # when telephone-event was agreed on last

    def heard_info(self, body: str) -> None:
        key = body.partition("Signal=")[2][:1] or body[:1] or "?"
        self.seen.append(Seen(key, "info", time.monotonic()))

    def tick(self, now: float) -> None:
        self._listen(now)
        Phone.tick(self, now)

    def _listen(self, now: float) -> None:
        if self.own.events is not None and (self.theirs is None or self.theirs.events is not None):
            self._agreed_at = now
        heard = self.media.rtp.heard
        for data, _ in heard[self._read :]:
            self._packet(data, now)
        self._read = len(heard)
        if self._read > 500:
            del heard[: self._read]
            self._read = 0

    def _packet(self, data: bytes, now: float) -> None:
        if len(data) < 12:
            return
        self.packets += 1
        kind, payload = data[1] & 0x7F, data[12:]
        if kind == PCMU and len(payload) != 4:
            self.audio.append((now, payload))
            return
        agreed = now - self._agreed_at < UNDER_WAY
        code = payload[0] if payload else 0
        self.seen.append(Seen(KEYS[code] if code < len(KEYS) else "?", "event", now, agreed))
