"""Defines the news that media sends without a command: captures, keying, lines and sessions."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from media.messages.base import CaptureId, Message, SessionId
from media.messages.fields import CaptureState, FieldName, FieldProgress
from provider_adapters.payment import Outcome


class KeyNote(StrEnum):
    """What the agent is told of the way in which keys come."""

    AS_EVENTS = "keys_as_events"
    AS_TONES = "keys_as_tones"
    AS_BOTH = "keys_as_both"  # an event and a tone for the same press, or for one press and another
    AS_INFO = "keys_as_info"
    NOT_TAKEN = "keys_not_taken"  # in this form none is captured on this line
    DOUBLED = "keys_doubled"  # each comes twice
    TALKS = "customer_talks"  # and has keyed nothing for seconds


class CaptureChanged(Message, frozen=True, kw_only=True, tag="capture"):
    """A capture moved on: progress, completion, outcome or abort. `unheard`: it has waited for its
    first key for long. `slow`: two equal keys that come within 400 ms count as one. `shown`: of
    fields that are no card's, the last digits that their form shows."""

    session: SessionId
    capture: CaptureId
    state: CaptureState
    field: FieldName | None = None
    fields: tuple[FieldProgress, ...] = ()
    brand: str | None = None
    last_four: str | None = None
    shown: dict[FieldName, str] = msgspec.field(default_factory=dict)
    outcome: Outcome | None = None
    reason: str | None = None
    unheard: bool = False
    notes: tuple[KeyNote, ...] = ()
    slow: bool = False


class Wish(StrEnum):
    """What a customer keyed that means no digit."""

    CONFIRM = "confirm"  # the end key when all is keyed
    PERSON = "person"  # the clear key and 0, and nothing behind


class CaptureWished(Message, frozen=True, kw_only=True, tag="wish"):
    """The customer keyed a wish, in a capture that watches for one."""

    session: SessionId
    capture: CaptureId
    wish: Wish


class KeyingChanged(Message, frozen=True, kw_only=True, tag="keying"):
    """The customer keys under a mask without a capture, or keys no longer. `keys`: how many were
    thrown away since it went on, or since its capture ended, as far as media's own relay counts
    them."""

    session: SessionId
    keying: bool
    keys: int = 0


class KeysPassed(Message, frozen=True, kw_only=True, tag="keys_passed"):
    """A key of the customer's reached the agent, since there is no mask: said once a second while
    there are more."""

    session: SessionId


class MaskEnd(StrEnum):
    """Why a mask went off."""

    APPROVED = "approved"  # its payment was, and no key has come for `guard_time`
    RELEASED = "released"  # somebody said that keying is over, and no key has come since
    QUIET = "no_key"  # none has come for `release_time`
    CALL_ENDED = "call_ended"  # its session was closed
    B2BUA_LOST = "b2bua_lost"  # and its session, which had fallen silent, was closed
    MEDIA_STOPPED = "media_stopped"
    SERVER_LOST = "server_lost"  # the rtpengine server is gone


class MaskTally(msgspec.Struct, frozen=True, kw_only=True):
    """What one mask kept from the agent, as the core counted it (media/core/mask/tally.h). No
    figure depends on which keys they were.

    `keys_as_both`: presses of `keys_as_events` and of `keys_as_tones`. `event_packets`: that held
    an event. `withheld`, `octets`: packets of the customer's that did not leave, and their octets.
    `left`, `passed`: RTP packets that left for the agent, and those of them that held an event.
    `alarms`: keys that the canary found in what was to leave, or had left.
    """

    keys_as_events: int = 0
    keys_as_tones: int = 0
    keys_as_both: int = 0
    event_packets: int = 0
    withheld: int = 0
    octets: int = 0
    left: int = 0
    passed: int = 0
    alarms: int = 0

    @property
    def keys(self) -> int:
        """Presses, in whatever form."""
        return self.keys_as_events + self.keys_as_tones - self.keys_as_both


class MaskWentOn(Message, frozen=True, kw_only=True, tag="mask_on"):
    """All streams of the session are masked. `since`: milliseconds since the epoch."""

    session: SessionId
    since: int


class MaskWentOff(Message, frozen=True, kw_only=True, tag="mask_off"):
    """The mask is off, or has gone with its session; said as soon as there is a b2bua to hear it.
    `tally` None: nobody has counted. `doubtful`: there was a time when it was not confirmed."""

    session: SessionId
    since: int
    until: int
    why: MaskEnd
    tally: MaskTally | None = None
    doubtful: bool = False


class DeafReason(StrEnum):
    """Why nothing of the customer's has been accepted."""

    NO_PACKET = "no_packet"
    OTHER_SOURCE = "other_source"  # packets came from elsewhere than SDP says
    NOT_AUTHENTIC = "not_authentic"  # their SRTP does not prove them
    ON_HOLD = "on_hold"  # one end has asked that nothing be sent


class Deaf(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing of the customer's was accepted since a capture began. `packets` were refused;
    `address`: of the newest of them."""

    reason: DeafReason
    packets: int = 0
    address: str | None = None


class LineChanged(Message, frozen=True, kw_only=True, tag="line"):
    """Whether the customer is heard while a capture collects; `deaf` None: yes, or nothing collects
    any more."""

    session: SessionId
    deaf: Deaf | None = None


class PromptEnd(StrEnum):
    """Why a prompt is over."""

    DONE = "done"  # it was played to its end
    KEY = "key"  # the customer pressed a key
    STOPPED = "stopped"  # by command, or by another prompt into the same leg
    # It was not played: no such prompt, or the leg has a codec into which none is played.
    REFUSED = "refused"


class PromptEnded(Message, frozen=True, kw_only=True, tag="prompt_ended"):
    """What `PlayPrompt` asked for under this number is over. `reason`: why it was refused, fit for
    a log."""

    session: SessionId
    play: int
    cause: PromptEnd
    reason: str | None = None


class CodeKeyed(Message, frozen=True, kw_only=True, tag="code"):
    """The agent's own telephone has keyed `*`, these digits and `#`: six digits at most."""

    session: SessionId
    code: str

    def __repr__(self) -> str:
        return f"CodeKeyed({self.session})"


class SessionSilent(Message, frozen=True, kw_only=True, tag="silent"):
    """No packet was accepted from either side for `seconds`. Said again each time that so long has
    passed."""

    session: SessionId
    seconds: float


class SessionLost(Message, frozen=True, kw_only=True, tag="session_lost"):
    """What relayed this session is gone, and the session with it: it need not be closed."""

    session: SessionId


AnyNews = (
    CaptureChanged
    | CaptureWished
    | KeyingChanged
    | KeysPassed
    | MaskWentOn
    | MaskWentOff
    | LineChanged
    | PromptEnded
    | CodeKeyed
    | SessionSilent
    | SessionLost
)
