"""Defines the answers to commands: media to b2bua."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from media.messages.base import Answer
from media.stream_description import LocalStream
from provider_adapters.payment import Outcome


class PayerFault(StrEnum):
    """Why payer processes end instead of waiting for a charge."""

    JOURNAL = "journal"  # it cannot be written
    SETTINGS = "settings"  # [provider] is wrong, or its ca_file
    ENDED = "ended"  # anything else


class Done(Answer, frozen=True, kw_only=True, tag="done"):
    """The command was applied."""


class Refused(Answer, frozen=True, kw_only=True, tag="refused"):
    """The command was not applied and changed nothing; `reason` is fit for a log and for the
    agent."""

    reason: str


class Unanswered(Refused, frozen=True, kw_only=True, tag="unanswered"):
    """Nobody says whether the command was applied: the connection to media was lost. Made where
    commands are sent (media/client.py), and never sent itself."""


class SessionOpened(Answer, frozen=True, kw_only=True, tag="opened"):
    caller: tuple[LocalStream, ...]
    agent: tuple[LocalStream, ...]


class SessionClaimed(Answer, frozen=True, kw_only=True, tag="claimed"):
    """`masked`: whether the session is, or may be. `capturing`: whether its capture is not over.
    `restored`: it was restored, as of `ClaimSession`."""

    masked: bool
    capturing: bool = False
    restored: bool = False


class ChargeResolved(Answer, frozen=True, kw_only=True, tag="charge_resolved"):
    """What became of a charge; None while it is under way: its `CaptureChanged` is still to come,
    or it is to be asked again."""

    outcome: Outcome | None = None


class LegCounters(msgspec.Struct, frozen=True, kw_only=True):
    """Packets of one leg since the session opened. `masked`: kept from this leg by the mask;
    `foreign_source`: not from its peer.

    The next three are what its peer says in RTCP of what we send to it: how many reports there
    were, packets that it missed, and its newest interarrival jitter in units of rtp_timestamp (RFC
    3550 section 6.4.1). The last three are how the peer's audio comes: packets that its numbers
    promised, those of them that did not come, and the newest jitter in microseconds.
    """

    received: int = 0
    sent: int = 0
    masked: int = 0
    foreign_source: int = 0
    malformed: int = 0
    reports: int = 0
    lost: int = 0
    jitter: int = 0
    expected: int = 0
    missing: int = 0
    arrival_jitter: int = 0


class SessionClosed(Answer, frozen=True, kw_only=True, tag="closed"):
    """`caller_types`, `agent_types`: how many packets of each payload type came in the first
    m-line."""

    caller: LegCounters
    agent: LegCounters
    caller_types: dict[int, int] = msgspec.field(default_factory=dict)
    agent_types: dict[int, int] = msgspec.field(default_factory=dict)


class Counted(Answer, frozen=True, kw_only=True, tag="counted"):
    sessions: int
    captures: int
    payers: int
    payer_fault: PayerFault | None = None  # why none waits, as far as the supervisor knows
    servers: int | None = None  # rtpengine servers that answer; None where the own core relays
    # Keys that got through a mask, and were stopped by the canary, since media started.
    leaks: int = 0
    descriptors: int


class TappedStream(msgspec.Struct, frozen=True, kw_only=True):
    """What was recorded of one m-line. `caller_port`, `agent_port`: ours for RTP, the next is for
    RTCP; `records`: as media/tapped.py reads them; `dropped`: packets that found no room."""

    caller_port: int
    agent_port: int
    records: bytes
    dropped: int


class TapRead(Answer, frozen=True, kw_only=True, tag="tap_read"):
    """`whole`: nothing that came before is left; else more can be read at once."""

    streams: tuple[TappedStream, ...]
    whole: bool


AnyAnswer = (
    Done | Refused | SessionOpened | SessionClosed | SessionClaimed | ChargeResolved | Counted | TapRead
)
