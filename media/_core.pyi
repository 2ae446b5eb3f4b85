"""The media core: sockets, relay and mask of RTP, without the GIL.

It decides as media/reference/masking.py and its neighbours do. No method returns a digit: digits
are written to `SecretMemory`. All addresses are numeric, all payload types one octet each.
"""

from collections.abc import Sequence
from typing import Final, final

CALLER: Final = 0
AGENT: Final = 1

# Kinds of event of `Relay.take_events` and `Feed.receive`.
KEYED: Final = 1  # digits wait for `take_digits`
OVERFLOW: Final = 2  # a digit could not be kept: its capture must end
LEAKED: Final = 3  # a key was about to leave for the agent: nothing leaves until the mask goes off
PLAYED: Final = 4  # what was played into a leg has ended: see `Relay.played`
# How a play ended.
DONE: Final = 1  # all of it was sent
KEY: Final = 2  # the customer pressed a key
STOPPED: Final = 3
CODE: Final = 5  # a feature code of the agent's waits for `take_code`
PASSED: Final = 6  # a key of the customer's reached the agent; at most once a second
GUARD: Final = 24  # the default guard of a mask: blocks of 5 ms
RECOVERY_SLOT: Final = 8192  # octets of a slot of a `RecoveryPage`

# Presses that came as events, as tones, and as both; whether each key of the capture comes twice;
# whether the customer has talked since the newest.
Figures = tuple[int, int, int, bool, bool]
Arrived = tuple[int, tuple[str, int] | None, dict[int, int]]

def constants() -> dict[str, dict[str, float | list[float]]]:
    """The numbers of the core, by source, so that tests can compare them with the reference."""

def info_key(body: bytes, into: SecretMemory, offset: int) -> int:
    """Write the key of a SIP INFO's body to `into[offset]`, as ASCII; return the number of keys: 1,
    or 0 for a body without one (media/reference/sip_info.py). Raises ValueError for a body that is
    not understood."""

def tapped(packet: bytes, events: bytes, mu: bytes, is_rtp: bool, masked: bool, at_us: int) -> bytes:
    """The record of a packet, for tests: as the relay keeps it (media/tapped.py). `events`, `mu`:
    payload types; `is_rtp`: it came to an RTP port; `masked`: its stream is; `at_us`: when it came,
    in microseconds since the epoch."""

def secret_bytes(streams: int, masked: int, decoded: int) -> int:
    """The bytes of secret memory that a `Relay` maps for so many streams, of which so many are
    masked, and so many in codecs of the decoder process."""

@final
class SecretMemory:
    """Locked, non-dumpable, non-inherited memory: memfd_secret(2), else mlock with MADV_DONTDUMP
    and MADV_DONTFORK.

    A writable buffer of octets. Wiped by `wipe()` and when freed. It cannot be pickled or copied,
    and its repr shows no content.
    """

    def __init__(self, size: int) -> None:
        """Raises OSError where the limit of locked memory is reached."""

    def __len__(self) -> int: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    @property
    def kind(self) -> str:
        """`memfd_secret` or `mlock`."""

    def wipe(self) -> None:
        """Overwrite all of it with zeros."""

@final
class Relay:
    """One thread (epoll) and its streams. When a command returns it has been applied, between two
    packets.

    Commands raise KeyError for a stream that is not open, RuntimeError while the thread is not
    running. All methods but `stop` raise RuntimeError in a child process. After OVERFLOW the
    capture of a stream is off, and its kept keys are wiped.
    """

    def __init__(self) -> None: ...

    # --- the thread ---------------------------------------------------------------------------

    def start(self, processor: int = -1, coalescing_us: int = 0, masked_coalescing_us: int = 0) -> None:
        """Start the thread. `processor`: its CPU; -1: any. `coalescing_us`: microseconds (5000 at
        most) that packets wait for others, where they come faster than one in that time.
        `masked_coalescing_us` (10000 at most): the same, of masked streams; 0: as all others.
        Raises OSError."""

    def set_realtime(self) -> None:
        """Schedule the thread before all that is not real-time (SCHED_FIFO). Raises OSError where
        that is not permitted."""

    def stop(self) -> None:
        """End the thread and close all streams."""

    def fileno(self) -> int:
        """An eventfd that is readable while `take_events` has something to return."""

    def take_events(self) -> list[tuple[int, int]]:
        """The events since the last call, each once: stream and kind."""

    # --- streams ------------------------------------------------------------------------------

    def open_stream(
        self,
        stream: int,
        caller_rtp: int,
        caller_rtcp: int,
        agent_rtp: int,
        agent_rtcp: int,
        *,
        page: RecoveryPage | None = None,
        slot: int = -1,
    ) -> None:
        """Take over four bound UDP sockets (file descriptors). The core closes them, unless this
        raises OSError or ValueError. `slot` of `page`, of this stream alone: is wiped, and from now
        on holds what a successor has to know; None: there will be none."""

    def adopt_stream(
        self,
        stream: int,
        caller_rtp: int,
        caller_rtcp: int,
        agent_rtp: int,
        agent_rtcp: int,
        page: RecoveryPage,
        slot: int,
    ) -> bool:
        """As `open_stream`, of a stream that a killed process had in this slot. No packet is read
        until `resume_stream`: peers, keys, types and mask are set before it. Whether the stream has
        to be masked, whatever anybody else says: its mask was on, or had gone off less than 5 s
        before, or nothing is known of it. Then it is masked already, without a hold, and
        `set_mask` gives it one. `set_crypto` goes on above the indices that were in use, and raises
        OSError (EKEYREJECTED) for a key whose indices are not known."""

    def resume_stream(self, stream: int) -> None:
        """Drop the packets that have waited, and relay those that come. Raises OSError; then none
        is read."""

    def close_stream(self, stream: int) -> dict[str, int]:
        """Wipe and close the stream; return its final counters."""

    def set_peer(
        self, stream: int, leg: int, address: str, port: int, rtcp_address: str, rtcp_port: int, latch: bool
    ) -> None:
        """Set the source and destination of a leg's packets (media/reference/source.py). `port` 0:
        no peer, nothing passes. The same address and port for RTP and RTCP: they are multiplexed
        (RFC 5761)."""

    def set_crypto(self, stream: int, leg: int, suite: str | None, peer_key: bytes, our_key: bytes) -> None:
        """SRTP towards the leg's peer: a suite of RFC 4568, 6188 or 7714 by name, and a master key
        with its salt for each direction. None: in clear. The same keys again change nothing. Raises
        OSError for an unknown suite or a wrong length."""

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
        drops_agent_events: bool = False,
    ) -> None:
        """Set the negotiated payload types.

        `events`: telephone-event. `audio`: passes without a look (video). `mu`, `a`, `g722`: G.711
        of either law, G.722. `opaque`: cannot be looked into, and does not pass while masked.
        `decoded`: pairs of a type and its codec's number (media/codecs.py), for the decoder
        process. `red`: redundancy (RFC 2198). `clock`: of the audio, in Hz; 0: its arrival is not
        measured. `drops_events`: the agent's side has no telephone-event, and none leaves for it,
        masked or not; `drops_agent_events`: the same of the customer's side."""

    def set_decoder(self, fd: int, /) -> None:
        """Take over a SOCK_SEQPACKET to a decoder process in place of the one before; -1: none
        (media/decoder/messages.py)."""

    def has_decoder(self) -> bool:
        """Whether a decoder process is connected."""

    def counters(self, stream: int) -> dict[str, int]:
        """The counters of each leg, as `caller_…` and `agent_…`.

        `received`, `sent`, `masked`, `foreign_source`, `malformed`: RTP and RTCP together.
        `reports`, `lost`, `jitter`: RTCP packets of that peer with a report block, and the values
        of the newest (media.formats.rtp.Reception). `expected`, `missing`, `arrival_jitter`
        (microseconds): of the peer's own stream (media.reference.quality.Arrivals)."""

    def arrived(self, stream: int) -> tuple[Arrived, Arrived]:
        """For the caller's and the agent's leg: packets that failed SRTP authentication; host and
        port of the newest packet from a foreign source; packets of the peer by payload type."""

    def set_tap(self, stream: int, on: bool) -> None:
        """Record the headers of the packets of a stream (media/tapped.py), or do not; on again:
        what is recorded is thrown away. Raises OSError where there is no memory."""

    def read_tap(self, stream: int) -> tuple[bytes, int]:
        """Take the records since the last call, as media.tapped.TapRecord reads them, and the
        number of packets that found no room. Nothing where nobody records."""

    # --- mask and capture ---------------------------------------------------------------------

    def set_mask(
        self,
        stream: int,
        on: bool,
        policy: int = 0,
        guard: int = ...,
        tones: bool = False,
        placeholder: bool = False,
    ) -> None:
        """Mask the stream or not. The options are those of MaskOptions
        (media/reference/audio_hold.py); `policy` by number. Raises OSError where there is no memory
        for the hold; then the stream is masked, and no audio leaves."""

    def is_quiet(self, stream: int, quiet_ms: int) -> bool:
        """Whether the masked stream had neither an event nor a tone for so long, in the audio that
        the core decodes."""

    def set_capture(self, stream: int, on: bool) -> None:
        """Keep and announce the customer's key presses, or do not. Each switch wipes the kept
        ones."""

    def take_digits(self, stream: int, into: SecretMemory, offset: int) -> int:
        """Move the kept keys that fit, as ASCII `0-9 * # A-D`, to `into[offset:]`; wipe the source;
        return their number.

        Keys are announced 100 ms after they were pressed, so that one that was overtaken on the way
        comes first."""

    def set_slow(self, stream: int, on: bool) -> None:
        """Take two equal keys that come within 400 ms for one, while keys are kept. The switch of
        `set_capture` ends it."""

    def key_figures(self, stream: int) -> Figures:
        """How the customer's keys came under the mask, and whether somebody talks."""

    def tally(self, stream: int) -> dict[str, int]:
        """What the newest mask kept from the agent; all zeros where there was none.

        `since`, `until`: milliseconds since the epoch; of a mask that is on, `until` is now.
        `keys_as_events`, `keys_as_tones`, `keys_as_both`: presses, as in `Figures`.
        `event_packets`: that held an event. `withheld`, `octets`: packets that did not leave, and
        their octets. `left`, `passed`: RTP packets that left for the agent, and those of them that
        held an event. `alarms`: keys that the canary found."""

    def send_key(self, stream: int, body: bytes, payload_type: int, clock: int) -> bool:
        """Send the key of a SIP INFO's body to the agent's peer as telephone-event
        (media/reference/event_sender.py). `clock` in Hz. False while masked, and where too many
        wait. Raises ValueError where the body is no key."""

    # --- keys of the agent's telephone --------------------------------------------------------
    def set_agent_keys(self, stream: int, on: bool) -> None:
        """Look for feature codes in the keys of the agent's leg, and keep them from the customer
        (media/reference/agent_keys.py), or do not."""

    def agent_key(self, stream: int, body: bytes) -> bool:
        """Take a key of the agent's that came as SIP INFO. True: it is kept from the customer.
        Raises ValueError where the body is no key."""

    def take_code(self, stream: int) -> str:
        """The digits of the feature code that waits; empty where none does."""

    # --- prompts ------------------------------------------------------------------------------

    def play(
        self,
        stream: int,
        leg: int,
        number: int,
        payload_type: int,
        recordings: Sequence[Recording],
        ducks: bool = False,
        barge_in: bool = False,
    ) -> None:
        """Play recordings, 64 at most and all of one coding, into a leg, under a number; what was
        played there before is over without an event. `ducks`: the other side goes on below them,
        12 dB softer, in G.711; else they stand in its place. `barge_in`: a key of the customer's
        ends it. The end is announced as PLAYED. Raises ValueError, OSError."""

    def stop_play(self, stream: int, leg: int) -> bool:
        """End what is played into a leg; whether anything was."""

    def played(self, stream: int, leg: int) -> tuple[int, int] | None:
        """The number of the newest play of a leg, and how it ended; None while it runs, and where
        there was none."""

    def barge_in(self, stream: int) -> None:
        """The customer pressed a key that did not come as RTP."""

    def departed_type(self, stream: int, leg: int) -> int | None:
        """The payload type of the newest packet of audio that left for a leg's peer."""

@final
class RecoveryPage:
    """A memfd from which the successor of this process learns what it has to know of its streams
    (docs/adr/0073): indices of SRTP and whether a mask is on, and neither keys nor digits. It
    cannot be pickled or copied."""

    def __init__(self, descriptor: int) -> None:
        """`descriptor`: of so many slots of RECOVERY_SLOT octets; it stays the caller's. Raises
        OSError, and ValueError for another size."""

    @property
    def slots(self) -> int:
        """How many streams have room."""

@final
class Recording:
    """Audio of a prompt, read by all threads. It cannot be pickled or copied."""

    def __init__(self, octets: bytes, coding: int) -> None:
        """`coding`: media.formats.coding.Coding; 8 octets a millisecond. Raises ValueError where
        there are none, or the coding is unknown."""

    def __len__(self) -> int: ...

@final
class Player:
    """What is played into one leg, for tests: as the relay plays it
    (media/core/prompt/player.h)."""

    def __init__(self) -> None: ...
    def begin(
        self, payload_type: int, recordings: Sequence[Recording], ducks: bool, own: int, due_ms: int, /
    ) -> None:
        """Begin to play; `own`: the SSRC where nothing has left."""

    def end(self, now_ms: int, /) -> bool:
        """End the play; whether one ran."""

    def admit(self, packet: bytes, coding: int, is_event: bool, now_ms: int, /) -> bytes | None:
        """The packet of the other side as it leaves; None: it does not. `coding` -1: it is no audio
        that the core reads."""

    def next(self, now_ms: int, /) -> bytes | None:
        """The packet of our own that is due; None: none is."""

    def report(self, packet: bytes, /) -> bytes:
        """The other side's RTCP as it leaves."""

@final
class Feed:
    """The socket on which rtpengine servers report keys (media/reference/rtpengine_log.py). Keys
    stay in secret memory."""

    def __init__(self, fd: int, servers: Sequence[str]) -> None:
        """Take over a bound UDP socket, unless this raises OSError or ValueError. Datagrams of
        other addresses than `servers` are ignored."""

    def fileno(self) -> int:
        """The socket."""

    def open(self, stream: int, call: bytes, tag: bytes) -> None:
        """Keep the keys of this call's party as those of `stream`. Raises OSError where there are
        too many, or it is open already."""

    def close(self, stream: int) -> None:
        """Wipe the kept keys, and keep no more. A stream that is not open is no fault."""

    def receive(self) -> list[tuple[int, int]]:
        """Read the datagrams; return streams and kinds, KEYED or OVERFLOW, since the last call.
        After OVERFLOW no more keys are kept."""

    def take_digits(self, stream: int, into: SecretMemory, offset: int) -> int:
        """As `Relay.take_digits`, without its delay."""

    def counters(self) -> dict[str, int]:
        """Datagrams: `heard`, `unwanted` (of no open stream), `foreign_source` (of no server),
        `malformed`."""

@final
class Hearing:
    """The detector of one channel of audio that the core did not decode: of the decoder process.

    Samples are 16-bit, at 8 kHz, in this machine's order of octets. `policy` and `guard` as in
    `Relay.set_mask`.
    """

    def __init__(self, policy: int, guard: int) -> None:
        """Raises ValueError for an unknown policy."""

    def hear(self, samples: bytes, /) -> int:
        """Add samples; return the number of samples examined so far, in blocks of 40."""

    def event(self) -> None:
        """A key was sent as an event: a window opens."""

    def take_tone(self) -> bool:
        """Whether the tone of a key has sounded since the last call, or since an event."""

    def is_shut(self, start: int, end: int, /) -> bool:
        """Whether any of these samples, counted from the first, must not leave. True for samples
        that are not examined yet."""

@final
class Canary:
    """The check of audio that leaves: of the decoder process, and for tests. It keeps its state
    from call to call."""

    def __init__(self) -> None: ...
    def hears(self, codes: bytes, coding: int, /) -> bool:
        """Whether these octets, after those before, hold a key. `coding`:
        media.formats.coding.Coding."""

    def hears_samples(self, samples: bytes, /) -> bool:
        """The same of 16-bit samples at 8 kHz, in this machine's order of octets."""

    def sees(self, payload: bytes, /) -> bool:
        """Whether a payload holds events and nothing else, whatever its type says."""

@final
class Mask:
    """The decision for one direction, for tests: as the relay makes it. Payload types as in
    `Relay.set_types`; options as in `Relay.set_mask`."""

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
        self, on: bool, policy: int = 0, guard: int = ..., tones: bool = False, placeholder: bool = False, /
    ) -> list[bytes]:
        """Switch the mask; return the held packets that leave because of it."""

    def rtp(self, packet: bytes, now_ms: int, /) -> tuple[bytes | None, bytes]:
        """The packet that leaves for the agent at once (None: none), and the keys that this packet
        begins, as event codes 0 to 15."""

    def released(self) -> list[bytes]:
        """The held packets that leave now; to be called after every packet."""

    def idle(self, now_ms: int, /) -> list[bytes]:
        """The held packets that leave because none has come for long."""

    def asked(self) -> list[bytes]:
        """The packets for the decoder process since the last call, as they would leave, behind
        those that fill a gap."""

    def is_quiet(self, now_ms: int, quiet_ms: int, /) -> bool:
        """As `Relay.is_quiet`."""

    def take_ripe(self, now_ms: int, /) -> bytes:
        """The keys whose delay is over, in the order of their presses, as `Relay.take_digits`."""

    def slow(self, on: bool, /) -> None:
        """As `Relay.set_slow`."""

    def key_figures(self) -> Figures:
        """As `Relay.key_figures`."""

    def send_key(self, body: bytes, payload_type: int, clock: int, own: int, now_ms: int, /) -> bool:
        """As `Relay.send_key`; `own`: the SSRC where there is no audio."""

    def sent(self, now_ms: int, /) -> list[bytes]:
        """The packets of such keys that leave now."""

    def rtcp(self, packet: bytes, /) -> bytes | None:
        """The part that leaves for the agent: all of it; while masked its leading reports alone, or
        None."""

    def rtcp_back(self, packet: bytes, /) -> bytes | None:
        """The part of the agent's RTCP that leaves for the customer (`Mask.rtcp_back`,
        media/reference/masking.py)."""

    def reception(self, packet: bytes, /) -> tuple[int, int] | None:
        """Lost and jitter of the first report block (media.formats.rtp.reception)."""

@final
class AgentKeys:
    """The keys of an agent's telephone, for tests: as the relay takes them. Payload types as in
    `Relay.set_types`."""

    def __init__(self, events: bytes, red: bytes) -> None: ...
    def rtp(self, packet: bytes, masked: bool, now_ms: int, /) -> bool:
        """Whether the packet leaves for the customer."""

    def info(self, code: int, masked: bool, now_ms: int, /) -> bool:
        """The same of a key that came as SIP INFO, by its event code."""

    def take(self) -> bytes:
        """The digits of the code that waits, in ASCII."""

@final
class Arrivals:
    """The arrival of one stream, for tests: as the relay measures it
    (media/reference/quality.py)."""

    def __init__(self) -> None: ...
    def add_packet(
        self, ssrc: int, seq: int, rtp_timestamp: int, clock: int, now_ms: int, audio: bool, /
    ) -> None:
        """One packet."""

    def report(self) -> tuple[int, int, int]:
        """Expected and missing packets, and jitter in microseconds."""
