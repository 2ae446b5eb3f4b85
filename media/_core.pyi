"""The media core: sockets, relay and mask of RTP without the GIL; the same decisions as
media/reference/masking.py and its neighbours."""

from collections.abc import Sequence
from typing import Final, final

CALLER: Final = 0
AGENT: Final = 1

# Kinds of event that `Relay.take_events` reports.
KEYED: Final = 1  # digits wait for `take_digits`
OVERFLOW: Final = 2  # a digit could not be kept: its capture must end
LEAKED: Final = 3  # a key was about to leave for the agent: nothing leaves until the mask goes off
GUARD: Final = 24  # blocks for which a window stays open, where nobody says otherwise

Arrived = tuple[int, tuple[str, int] | None, dict[int, int]]

@final
class SecretMemory:
    """Locked, non-dumpable, non-inherited memory (memfd_secret(2), else mlock and MADV_DONTDUMP,
    MADV_DONTFORK).

    Supports the writable buffer protocol, byte by byte. Wiped on `wipe()` and when freed. Cannot be
    pickled or copied; its repr shows no content.
    """

    def __init__(self, size: int) -> None: ...
    def __len__(self) -> int: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    @property
    def kind(self) -> str: ...  # "memfd_secret" or "mlock"
    def wipe(self) -> None: ...

def secret_bytes(streams: int, masked: int, decoded: int) -> int: ...

"""Bytes of secret memory that a `Relay` maps for so many streams, so many of them masked, so many
in codecs that the decoder process hears."""

def confine() -> None: ...

"""Let this process ask the kernel for nothing but what the decoder process needs
(`media/core/memory/seccomp.c`), for good. Raises OSError."""

def constants() -> dict[str, dict[str, float | list[float]]]: ...

"""The core's numbers that the reference has, too, by source: for the test that compares both."""

def info_key(body: bytes, into: SecretMemory, offset: int) -> int:
    """Write the key in a SIP INFO's body to `into[offset]`, as ASCII, and say how many there are:
    1, or 0 for what is no key (see media/reference/sip_info.py). Raises ValueError for what is not
    understood."""

@final
class Relay:
    """One epoll thread and its streams. A command has been applied, between packets, when it
    returns.

    Commands raise KeyError for a stream that is not open, RuntimeError while the thread is not
    running. After OVERFLOW a stream's capture is off and what was kept is wiped.
    """

    def __init__(self) -> None: ...
    def start(self, processor: int = -1, gather_us: int = 0, masked_gather_us: int = 0) -> None: ...
    """`processor`: the one that the thread keeps to; -1: any. `gather_us`: microseconds (5000 at
    most) that packets wait for others, where they come faster than one in that time;
    `masked_gather_us` (10000 at most): the same, of masked streams; 0: as all others. Raises
    OSError where it cannot be so."""

    def go_first(self) -> None: ...
    """Let the thread run before all that is not real-time (SCHED_FIFO). Raises OSError where that
    is not permitted."""

    def stop(self) -> None: ...
    def fileno(self) -> int: ...
    """An eventfd that is readable while `take_events` has something to say."""

    def open_stream(
        self, stream: int, caller_rtp: int, caller_rtcp: int, agent_rtp: int, agent_rtcp: int
    ) -> None: ...
    """Take over four bound UDP sockets (file descriptors); the core closes them, unless this raises
    (OSError, ValueError)."""

    def set_peer(
        self, stream: int, leg: int, address: str, port: int, rtcp_address: str, rtcp_port: int, latch: bool
    ) -> None: ...
    """Where the leg's packets come from and go to (numeric addresses; port 0: no peer, nothing
    passes); see media/reference/source.py. Where RTCP is at the same address and port as RTP, the
    two are multiplexed (RFC 5761)."""

    def set_crypto(
        self, stream: int, leg: int, suite: str | None, peer_key: bytes, our_key: bytes
    ) -> None: ...
    """SRTP towards the leg's peer: a suite of RFC 4568, 6188 or 7714 by name, and a master key with
    its salt for each way. None: in clear. Set again with the same keys it goes on. Raises OSError
    for a suite or a length that there is not."""

    def set_types(
        self,
        stream: int,
        events: bytes,
        audio: bytes,
        mu: bytes = b"",
        a: bytes = b"",
        opaque: bytes = b"",
        decoded: bytes = b"",
        red: bytes = b"",
        g722: bytes = b"",
        clock: int = 8000,
        drops_events: bool = False,
    ) -> None: ...
    """The payload types that were negotiated, one byte each: telephone-event; what is not looked
    into and passes (video); G.711 of either law; audio that cannot be looked into, and does not
    pass while masked; in pairs, each with its codec's number, audio that the decoder process looks
    into; redundancy (RFC 2198); G.722. `clock`: of the audio, in Hz; 0: how it arrives is not
    measured. `drops_events`: the agent's side has agreed on no telephone-event, and none leaves,
    masked or not."""

    def set_decoder(self, fd: int, /) -> None: ...
    """Take over a SOCK_SEQPACKET to a decoder process (-1: none), in the place of the one before:
    media/decoder/messages.py."""

    def has_decoder(self) -> bool: ...
    def set_mask(
        self,
        stream: int,
        on: bool,
        policy: int = 0,
        guard: int = ...,
        tones: bool = False,
        flat: bool = False,
    ) -> None: ...
    """The rest as in media/reference/hold.py, `Manner`. Where there is no memory for the hold this
    raises OSError; then the stream is masked, and no audio leaves."""

    def is_quiet(self, stream: int, quiet_ms: int) -> bool: ...
    """Whether neither an event nor a tone, in what the core hears itself, has been there for so
    long while masked."""

    def set_capture(self, stream: int, on: bool) -> None: ...
    """Keep (and announce) the customer's key presses, or do not. Switching wipes what was kept."""

    def send_key(self, stream: int, body: bytes, payload_type: int, clock: int) -> bool: ...
    """Send the key in a SIP INFO's body to the agent's peer as telephone-event, as
    media/reference/event_sender.py has it; `clock` in Hz. False: not while masked, and not where
    too many wait. Raises ValueError where the body is no key."""

    def take_digits(self, stream: int, into: SecretMemory, offset: int) -> int: ...
    """Move the kept keys that fit, as ASCII `0-9 * # A-D`, to `into[offset:]`; wipe the source;
    return how many.

        Keys are announced and taken 100 ms after they were pressed, so that one that was overtaken
        on the way comes first.
    """

    def take_events(self) -> list[tuple[int, int]]: ...
    """What happened since the last call: (stream, kind), each once. Never a digit."""

    def counters(self, stream: int) -> dict[str, int]: ...
    """Of each leg, as `caller_` or `agent_`: received, sent, masked, strangers, malformed (RTP and
    RTCP together); reports, lost, jitter: how many RTCP packets of that peer had a report block,
    and what the newest said (rtp.Reception); expected, missing and arrival_jitter (microseconds) of
    the peer's own stream (quality.Arrivals)."""

    def arrived(self, stream: int) -> tuple[Arrived, Arrived]: ...
    """Of the caller's and of the agent's leg: packets whose SRTP does not prove them, where the
    newest came from that was not its peer's (host and port), and how many packets of each payload
    type its peer has sent."""

    def close_stream(self, stream: int) -> dict[str, int]: ...
    """Wipe and close the stream; return its final counters."""

@final
class Mask:
    """The decision for one direction as the relay makes it, exposed so that tests can compare it
    with the reference."""

    def __init__(
        self,
        events: bytes,
        audio: bytes,
        mu: bytes = b"",
        a: bytes = b"",
        opaque: bytes = b"",
        decoded: bytes = b"",
        red: bytes = b"",
        g722: bytes = b"",
        drops_events: bool = False,
    ) -> None: ...
    def switch(
        self, on: bool, policy: int = 0, guard: int = ..., tones: bool = False, flat: bool = False, /
    ) -> list[bytes]: ...
    """What was held and leaves because of it."""

    def released(self) -> list[bytes]: ...
    """What was held and leaves now; to be asked after every packet."""

    def is_quiet(self, now_ms: int, quiet_ms: int, /) -> bool: ...
    def asked(self) -> list[bytes]: ...
    """What goes to the decoder process since this was asked, as it would leave, and before it what
    fills a gap."""

    def idle(self, now_ms: int, /) -> list[bytes]: ...
    """What was held and leaves because nothing has come for long."""

    def send(self, body: bytes, payload_type: int, clock: int, own: int, now_ms: int, /) -> bool: ...
    """As `Relay.send_key`; `own`: the SSRC where there is no audio."""

    def sent(self, now_ms: int, /) -> list[bytes]: ...
    """The packets of such keys that leave now."""

    def rtp(self, packet: bytes, now_ms: int, /) -> tuple[bytes | None, bytes]: ...
    """What leaves for the agent at once (None: nothing) and the keys that this packet begins, as
    event codes 0-15."""

    def rtcp(self, packet: bytes, /) -> bytes | None: ...
    """What leaves for the agent: all of it, while masked its leading reports alone, or nothing
    (None)."""

    def rtcp_back(self, packet: bytes, /) -> bytes | None: ...
    """What leaves for the customer of the agent's RTCP, as `Mask.rtcp_back` of
    media/reference/masking.py."""

    def reception(self, packet: bytes, /) -> tuple[int, int] | None: ...
    """Lost and jitter, as `rtp.reception` reads them."""

    def take(self, now_ms: int, /) -> bytes: ...
    """The keys whose hold is over, in the order in which they were pressed, as `Relay.take_digits`
    gives them."""

@final
class Arrivals:
    """How a stream arrives, exposed so that tests can compare it with the reference."""

    def __init__(self) -> None: ...
    def take(
        self, ssrc: int, seq: int, rtp_timestamp: int, clock: int, now_ms: int, audio: bool, /
    ) -> None: ...
    def told(self) -> tuple[int, int, int]: ...
    """Expected, missing, jitter in microseconds."""

@final
class Canary:
    """The check on what leaves: of the decoder process, and exposed so that tests can play to
    it."""

    def __init__(self) -> None: ...
    def hears(self, codes: bytes, coding: int, /) -> bool: ...
    """Whether these bytes, after those before, hold a key. `coding`:
    media.formats.coding.Coding."""
    def sees(self, payload: bytes, /) -> bool: ...
    """Whether a payload holds events and nothing else, whatever its type says."""

    def hears_samples(self, samples: bytes, /) -> bool: ...
    """The same of 16-bit samples at 8 kHz, in this machine's order of bytes."""

@final
class Hearing:
    """Audio of one channel, heard as the hold hears it, where the core did not decode it.

    Policy and guard as in `Relay.set_mask`."""

    def __init__(self, policy: int, guard: int) -> None: ...
    def hear(self, samples: bytes, /) -> int: ...
    """16-bit samples at 8 kHz, in this machine's order of bytes. How many samples were looked into
    so far, in blocks of 40."""

    def event(self) -> None: ...
    """A press was sent as an event: a window opens."""

    def take_tone(self) -> bool: ...
    """Whether the tone of a key has sounded since this was asked last, or since an event."""

    def is_shut(self, start: int, end: int, /) -> bool: ...
    """Whether any of these samples, counted from the first, must not leave; true for what was not
    heard yet."""

@final
class Feed:
    """The socket on which rtpengine servers report keys (media/reference/rtpengine_log.py). Keys
    stay in secret memory; no method returns one."""

    def __init__(self, fd: int, servers: Sequence[str]) -> None: ...
    """Take over a bound UDP socket (unless this raises OSError, ValueError). Only `servers`,
    numeric addresses, are heard."""

    def fileno(self) -> int: ...
    def open(self, stream: int, call: bytes, tag: bytes) -> None: ...
    """Keep the keys of this call's party as `stream`'s. Raises OSError where there are too many, or
    it is open already."""

    def close(self, stream: int) -> None: ...
    """Wipe what was kept, and keep nothing more. A stream that is not open is nobody's fault."""

    def receive(self) -> list[tuple[int, int]]: ...
    """Read what has come; which streams have KEYED or OVERFLOW since the last call. After OVERFLOW
    nothing more is kept."""

    def take_digits(self, stream: int, into: SecretMemory, offset: int) -> int: ...
    """As `Relay.take_digits`, but without its hold."""

    def counters(self) -> dict[str, int]: ...
    """Datagrams: heard, unwanted (of no open stream), strangers (of no server), malformed."""
