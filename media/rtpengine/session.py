"""One session that an rtpengine server relays and masks: the face of
`media.service.relayed_session.RelayedSession`, carried out over ng.

Rule 1: masked is: the recipe (`silence`, `delay-buffer`, `detect-DTMF`) and `silence media` are
        both confirmed for the customer's leg, and the server says that it looks into each of its
        streams. Anything less raises `NotMasked`.
Rule 2: the recipe alone leaks (docs/rtpengine.md), so of the policies there is only `mute`.
Rule 3: whatever moves a masked session masks it again before it is answered.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections.abc import Callable, Mapping, Sequence

from media._core import SecretMemory
from media.events import LegCounters, Masking, SessionId, Side
from media.mask_policy import MaskPolicy
from media.rtpengine.digit_socket import DigitSocket
from media.rtpengine.ng import Answer, NgError, NgRefused, Value
from media.rtpengine.sdp import Line, NotDescribed, description, local, muxing
from media.rtpengine.servers import Server
from media.service.session_protocol import FinalCounters, KeyFigures, MaskSpan
from media.stream_description import LocalStream, RemoteStream
from tonewall.log import get_logger
from tonewall.tasks import BackgroundTasks

log = get_logger(__name__)
RECIPE: Mapping[str, Value] = {"DTMF-security": "silence", "delay-buffer": 60, "flags": ["detect-DTMF"]}
_FLAGS = ["trust-address", "strict-source", "port-latching"]


class NotMasked(Exception):
    """The server did not confirm that it masks; its text is fit for the agent."""


class RtpengineSession:
    """A call on one server. Its streams have numbers, under which their keys are reported."""

    def __init__(
        self,
        session: SessionId,
        server: Server,
        digits: DigitSocket,
        here: str,
        numbers: Callable[[], int],
        count: int,
    ) -> None:
        """`here`: our own address, where a leg has no peer."""
        self.id = session
        self.server = server
        self.call = f"tonewall-{secrets.token_hex(12)}"
        self.streams = [numbers()]  # a report names the leg, not the stream
        self.local: dict[Side, tuple[LocalStream, ...]] = {}
        self.mask_confirmed = False
        self._lines = [Line() for _ in range(count)]
        self._digits, self._here = digits, here
        self._latch = False
        self.masked = False  # asked for, whether or not it was confirmed
        self._last_words: Answer = {}
        self._looks = itertools.count(1)
        self._closing = BackgroundTasks()
        self._opened = False
        self._captures = False
        self._last_key = float("-inf")
        self._masked_at = 0.0  # seconds since the epoch

    async def open(self) -> None:
        """Have the server bind its ports. Raises NgError, NotDescribed."""
        self.server.sessions += 1
        self._opened = True
        self.local = await self._describe()

    async def widen(self, count: int) -> None:
        """Have the server bind ports for more m-lines. Raises NgError, NotDescribed; then there are
        no more than before."""
        before, ports = self._lines, self.local
        self._lines = [*before, *(Line() for _ in range(count - len(before)))]
        try:
            self.local = await self._describe()
            if any(self.local[side][: len(before)] != ports[side] for side in Side):
                raise NgError("the server moved its ports")
        except (NgError, NotDescribed):
            self._lines, self.local = before, ports
            raise

    async def set_remote(self, side: Side, remotes: tuple[RemoteStream, ...]) -> None:
        """Where one leg's peer is. Raises NgError, NotDescribed, NotMasked, ValueError."""
        if any(remote.keys for remote in remotes):
            raise ValueError("SRTP is not done over rtpengine")
        self._latch = self._latch or any(remote.latch for remote in remotes)
        self.mask_confirmed = False  # until it is confirmed again
        for line, remote in zip(self._lines, remotes, strict=False):
            line.learn(side, remote)
        if await self._describe() != self.local:
            raise NgError("the server moved its ports")
        if self.masked:
            await self._set_mask()

    async def set_mask(self, on: bool, masking: Masking) -> None:
        """Mask or open. Raises NgError, NotMasked; then it is not confirmed, and stays masked as
        far as it is."""
        self.mask_confirmed = False
        if on:
            if masking.policy is not MaskPolicy.MUTE or masking.tones or masking.placeholder:
                raise NotMasked("rtpengine masks with mask = mute only, and hears no keys in tones")
            before = self.masked
            self.masked = True
            await self._set_mask()
            self._masked_at = self._masked_at if before else time.time()
        else:
            await self._ask_server("unsilence media")
            await self._ask_server("unblock DTMF")
            self.masked = False
            self._listen(False)

    async def _set_mask(self) -> None:
        self.mask_confirmed = False
        if not all(line.maskable for line in self._lines):
            raise NotMasked("rtpengine cannot look into all that is in this call")
        await self._ask_server("block DTMF", RECIPE)
        await self._ask_server("silence media")
        if not looks_into(await self._ask_server("query"), len(self._lines)):
            raise NotMasked("the rtpengine server does not look into the customer's audio")
        self.mask_confirmed = True
        if not self._captures:
            self._listen(True)

    def capture(self, on: bool) -> None:
        """Have the customer's keys kept, or no longer: then they are only noticed, while masked.
        Raises OSError."""
        self._captures = on
        self._listen(on or self.masked)

    def _listen(self, on: bool) -> None:
        """Wipe what was kept, and have the server's reports of keys heard anew, or no longer.
        Raises OSError."""
        for number in self.streams:
            self._digits.forget(number)
            if on and any(line.events for line in self._lines):
                self._digits.keep_keys(number, self.call)

    def notice_key(self) -> None:
        """A key was reported; where no capture takes it, it is wiped."""
        self._last_key = asyncio.get_running_loop().time()
        if not self._captures:
            self._listen(self.masked)

    def is_quiet(self, seconds: float) -> bool:
        """As in media/service/session_protocol.py."""
        return asyncio.get_running_loop().time() - self._last_key >= seconds

    def key_figures(self) -> KeyFigures:
        """All zeros: a server says neither in which form a key came, nor what it hears."""
        return KeyFigures()

    def mask_span(self) -> MaskSpan:
        """By our clock; the server does not say what it has kept."""
        return MaskSpan(round(self._masked_at * 1000), round(time.time() * 1000), None)

    def set_slow(self, on: bool) -> bool:
        """Its keys are not joined."""
        return not on

    def take_digits(self, stream: int, into: SecretMemory, offset: int) -> int:
        """As `Relay.take_digits`."""
        return self._digits.feed.take_digits(stream, into, offset)

    def count_packets(self) -> int:
        """Never the same twice: the server ends what has fallen silent, and `there` finds out."""
        return next(self._looks)

    async def there(self) -> bool:
        """Whether the server still has this session. Raises NoAnswer."""
        try:
            await self._ask_server("query")
        except NgRefused:
            return False
        return True

    def mark_lost(self) -> None:
        """The server is gone, or has forgotten it: there is nothing to end."""
        if self._opened:
            self._opened = False
            self.server.sessions -= 1

    async def end_call(self) -> None:
        """Have the server forget it, and say what it counted."""
        if self._opened:
            self.mark_lost()
            try:
                self._last_words = await self._ask_server("delete", {"delete-delay": 0})
            except NgError as error:
                log.warning("session_not_deleted", call=self.id, exc_info=error)

    def close(self) -> FinalCounters:
        """Wipe and forget; the final counters, where `end` came before."""
        self._listen(False)
        if self._opened:
            self._closing.start(self.end_call(), "session")
        return counters(self._last_words, Side.CALLER), counters(self._last_words, Side.AGENT)

    # --- inside -----------------------------------------------------------------------------------

    async def _describe(self) -> dict[Side, tuple[LocalStream, ...]]:
        """Offer the caller's description, answer with the agent's; where the server listens for
        each."""
        said: dict[Side, tuple[LocalStream, ...]] = {}
        flags = _FLAGS if self._latch else [*_FLAGS, "asymmetric"]
        for command, side, other in (("offer", Side.CALLER, Side.AGENT), ("answer", Side.AGENT, Side.CALLER)):
            keys: dict[str, Value] = {
                "call-id": self.call,
                "from-tag": Side.CALLER,
                "to-tag": Side.AGENT,
                "ICE": "remove",
                "flags": flags,
                "rtcp-mux": muxing(self._lines),
                "sdp": description(self._lines, side, self._here),
            }
            if command == "offer" and not self.local:
                del keys["to-tag"]
            said[other] = local((await self.server.ask(command, keys)).get("sdp"), len(self._lines))
        return {side: said[side] for side in Side}

    async def _ask_server(self, command: str, more: Mapping[str, Value] | None = None) -> Answer:
        leg = {} if command == "query" else {"from-tag": Side.CALLER.value}
        return await self.server.ask(command, {"call-id": self.call, **leg, **(more or {})})


def looks_into(said: Answer, count: int) -> bool:
    """Whether the server decodes each of the customer's streams, as what it says to `query` has
    it."""
    medias = _medias(said, Side.CALLER)
    flags = [media.get("flags") for media in medias if isinstance(media, Mapping)]
    return len(flags) == count and all(
        isinstance(each, Sequence) and b"transcoding" in each for each in flags
    )


def counters(said: Answer, side: Side) -> LegCounters:
    """What a leg received, as the answer to `delete` has it; the rest rtpengine does not tell."""
    return LegCounters(received=_packets(_medias(said, side)))


def _medias(said: Answer, side: Side) -> Sequence[Value]:
    tags = said.get("tags")
    leg = tags.get(side.value) if isinstance(tags, Mapping) else None
    medias = leg.get("medias") if isinstance(leg, Mapping) else None
    return medias if isinstance(medias, Sequence) else []


def _packets(value: Value) -> int:
    match value:
        case {"stats": {"packets": int(count)}}:
            return count
        case {"streams": streams}:
            return _packets(streams)
        case [*each]:
            return sum(_packets(one) for one in each)
        case _:
            return 0
