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
    | LineChanged
    | PromptEnded
    | CodeKeyed
    | SessionSilent
    | SessionLost
)
