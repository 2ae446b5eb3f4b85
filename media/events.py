"""The vocabulary of the socket between b2bua and media: commands down; counts, states and outcomes
up.

Rule 1: no message has a field that could hold a digit of a card, but `last_four` (PCI DSS 3.4.1),
        and `InfoKeyed` and `SendKey`, which go down only: b2bua does not look into what they carry.
Rule 2: every command is answered by exactly one message with the same `serial`: its own answer, or
        `Refused`.
Rule 3: what happens by itself (`CaptureChanged`) carries no serial.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NewType

import msgspec

from media.mask_policy import MaskPolicy
from media.mline import Interface, LocalStream, RemoteStream
from provider_adapters.payment import Charge, Outcome

SessionId = NewType("SessionId", str)
CaptureId = NewType("CaptureId", str)


class Side(StrEnum):
    """Which leg of a call: towards the customer (`CALLER`) or towards the agent (`AGENT`)."""

    CALLER = "caller"
    AGENT = "agent"


class Field(StrEnum):
    """What is being keyed, in the order in which it is asked for."""

    CARD_NUMBER = "card_number"
    EXPIRY = "expiry"
    SECURITY_CODE = "security_code"


class FieldReason(StrEnum):
    """Why what was keyed for a field does not count: codes, for programs. Words for the agent:
    `FIELD_REASONS`."""

    CARD_NUMBER_LENGTH = "card_number_length"
    CARD_NUMBER_CHECK_DIGIT = "card_number_check_digit"
    EXPIRY_LENGTH = "expiry_length"
    EXPIRY_MONTH = "expiry_month"
    EXPIRY_PAST = "expiry_past"
    EXPIRY_TOO_FAR = "expiry_too_far"
    SECURITY_CODE_LENGTH = "security_code_length"
    TOO_MANY_KEYS = "too_many_keys"
    KEYS_IGNORED = "keys_ignored"
    NOTHING_TO_CLEAR = "nothing_to_clear"


FIELD_REASONS: Final[Mapping[FieldReason, str]] = {
    FieldReason.CARD_NUMBER_LENGTH: "card number: number of digits does not fit",
    FieldReason.CARD_NUMBER_CHECK_DIGIT: "card number: check digit does not match",
    FieldReason.EXPIRY_LENGTH: "expiry: needs four digits, month and year",
    FieldReason.EXPIRY_MONTH: "expiry: no such month",
    FieldReason.EXPIRY_PAST: "expiry: in the past",
    FieldReason.EXPIRY_TOO_FAR: "expiry: too far in the future",
    FieldReason.SECURITY_CODE_LENGTH: "security code: number of digits does not fit",
    FieldReason.TOO_MANY_KEYS: "more digits than fit were keyed without a pause: this field is to be keyed "
    "again",
    FieldReason.KEYS_IGNORED: "keys that followed at once on the field before were ignored",
    FieldReason.NOTHING_TO_CLEAR: "* cleared nothing; * once more goes back to the field before",
}


class CaptureState(StrEnum):
    """The states of a capture, in the media process. The last two are final."""

    COLLECTING = "collecting"
    READY = "ready"  # every field complete, waiting for the agent to submit
    SUBMITTED = "submitted"  # handed to a payer
    FINISHED = "finished"  # there is an outcome; wiped
    ABORTED = "aborted"  # cancelled, timed out, lost a digit, call gone; wiped


class PayerFault(StrEnum):
    """Why payer processes end instead of waiting for a charge."""

    JOURNAL = "journal"  # it cannot be written
    SETTINGS = "settings"  # [provider] is wrong, or its ca_file
    ENDED = "ended"  # anything else


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """Base of every message on the socket."""


# --- what commands are about ----------------------------------------------------------------------


class Masking(msgspec.Struct, frozen=True, kw_only=True):
    """How a mask treats audio. `pause`: seconds without a key after which MUTE_ON_KEY lets the
    customer be heard again. `tones`: keys that come as tones are captured; `flat`: one tone, the
    same for all keys, stands where a press was."""

    policy: MaskPolicy = MaskPolicy.MASK
    pause: float = 2.0
    tones: bool = False
    flat: bool = False


class FieldProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far one field is: a count of digits, never their values. `rejected` counts clears after a
    failed check, `ignored` keys that did not count. `reason` is the newest cause of either, and
    stays until the field is complete."""

    field: Field
    count: int = 0
    complete: bool = False
    rejected: int = 0
    ignored: int = 0
    reason: FieldReason | None = None


# --- commands: b2bua to media ---------------------------------------------------------------------


class Command(Message, frozen=True, kw_only=True):
    serial: int = 0
    session: SessionId


class OpenSession(Command, frozen=True, kw_only=True, tag="open"):
    """Bind ports for `streams` m-lines on both legs. Answered by `SessionOpened`.

    `again`: the session exists, and is opened anew, on other interfaces; of what it had nothing
    stays.
    """

    streams: int
    caller: Interface = Interface()
    agent: Interface = Interface()
    again: bool = False


class WidenSession(Command, frozen=True, kw_only=True, tag="widen"):
    """Bind ports for more m-lines, `streams` in all; what there is goes on. Answered by
    `SessionOpened`, with all of them.

    Refused while the session is masked: a stream is masked from its first packet, or there is none.
    """

    streams: int


class SetRemote(Command, frozen=True, kw_only=True, tag="set_remote"):
    """Tell where one leg's peer is, m-line by m-line. Answered by `Done`.

    `mark`: b2bua's number for it, where something waits for that answer; 0: nothing does, and it is
    in no hurry.
    """

    side: Side
    streams: tuple[RemoteStream, ...]
    mark: int = 0


class SetMask(Command, frozen=True, kw_only=True, tag="set_mask"):
    """Mask or unmask the path from customer to agent. `Done` means: the media thread has applied
    it.

    Media decides when a mask goes off (media/service/unmasking.py); until then there is no answer.
    `released`: somebody says that keying is over; refused where a key comes all the same.
    """

    on: bool
    masking: Masking = Masking()
    released: bool = False


class StartCapture(Command, frozen=True, kw_only=True, tag="start_capture"):
    """Begin to collect. Refused unless the session is masked. Answered by `Done`, then
    `CaptureChanged`.

    `by_info`: keys come as SIP INFO (`InfoKeyed`), and telephone-events are masked only: of the
    same press one counts.
    """

    capture: CaptureId
    by_info: bool = False


class InfoKeyed(Command, frozen=True, kw_only=True, tag="info_keyed"):
    """The customer's side sent a key as SIP INFO. Refused unless a capture takes keys from there.
    Answered by `Done`."""

    body: bytes

    def __repr__(self) -> str:
        return f"InfoKeyed({self.session})"


class KeyWithheld(Command, frozen=True, kw_only=True, tag="key_withheld"):
    """The customer's side sent a key as SIP INFO under the mask, which no capture takes. Its body
    is not handed on."""


class SendKey(Command, frozen=True, kw_only=True, tag="send_key"):
    """The customer's side sent a key as SIP INFO, and the agent's gets it as telephone-event, in
    the m-line `stream` with this payload type and clock rate (Hz). `Done`: it will be sent. Refused
    while masked, and where the body is no key; what a mask finds unsent is not sent. `request`:
    b2bua's name for the INFO."""

    request: str
    body: bytes
    stream: int
    payload_type: int
    clock_rate: int

    def __repr__(self) -> str:
        return f"SendKey({self.session})"


class ResetCapture(Command, frozen=True, kw_only=True, tag="reset_capture"):
    """Wipe `field` and all that come after it (all fields where None), and collect again."""

    capture: CaptureId
    field: Field | None = None


class SubmitCapture(Command, frozen=True, kw_only=True, tag="submit_capture"):
    """Spend what was captured on `charge`. Refused unless READY. The outcome comes in a
    `CaptureChanged`."""

    capture: CaptureId
    charge: Charge


class CancelCapture(Command, frozen=True, kw_only=True, tag="cancel_capture"):
    """Wipe and stop collecting; the mask stays until `SetMask`. A capture that was submitted cannot
    be cancelled."""

    capture: CaptureId


class ResolveCharge(Command, frozen=True, kw_only=True, tag="resolve_charge"):
    """Ask what became of a charge that was submitted then (seconds since the epoch; `session` is
    ignored): of the capture under way, or of the payers' journal. Answered by `ChargeResolved`;
    refused while nobody can say it."""

    session: SessionId = SessionId("")
    charge: Charge
    submitted_at: float


class CloseSession(Command, frozen=True, kw_only=True, tag="close"):
    """Wipe, unbind, forget. Answered by `SessionClosed` with the final counters."""


class CountSessions(Command, frozen=True, kw_only=True, tag="count"):
    """Ask what media holds now (`session` is ignored). Answered by `Counted`."""

    session: SessionId = SessionId("")


# --- answers: media to b2bua ----------------------------------------------------------------------


class Answer(Message, frozen=True, kw_only=True):
    serial: int


class Done(Answer, frozen=True, kw_only=True, tag="done"):
    """The command was applied."""


class Refused(Answer, frozen=True, kw_only=True, tag="refused"):
    """The command was not applied and changed nothing; `reason` is fit for a log and for the
    agent."""

    reason: str


class SessionOpened(Answer, frozen=True, kw_only=True, tag="opened"):
    caller: tuple[LocalStream, ...]
    agent: tuple[LocalStream, ...]


class ChargeResolved(Answer, frozen=True, kw_only=True, tag="charge_resolved"):
    """What became of a charge; None while it is under way: its `CaptureChanged` is still to come,
    or it is to be asked again."""

    outcome: Outcome | None = None


class LegCounters(msgspec.Struct, frozen=True, kw_only=True):
    """Packets of one leg since the session opened. `masked`: kept from this leg by the mask;
    `strangers`: not from its peer.

    The next three are what its peer says in RTCP of what we send to it: how many reports there
    were, packets that it missed, and its newest interarrival jitter in units of rtp_timestamp (RFC
    3550 section 6.4.1). The last three are how the peer's audio comes: packets that its numbers
    promised, those of them that did not come, and the newest jitter in microseconds.
    """

    received: int = 0
    sent: int = 0
    masked: int = 0
    strangers: int = 0
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
    caller_types: dict[int, int] = {}
    agent_types: dict[int, int] = {}


class Counted(Answer, frozen=True, kw_only=True, tag="counted"):
    sessions: int
    captures: int
    payers: int
    payer_fault: PayerFault | None = None  # why none waits, as far as the supervisor knows
    servers: int | None = None  # rtpengine servers that answer; None where the own core relays
    # Keys that got through a mask, and were stopped by the canary, since media started.
    leaks: int = 0
    descriptors: int


# --- what happens by itself -----------------------------------------------------------------------


class CaptureChanged(Message, frozen=True, kw_only=True, tag="capture"):
    """A capture moved on: progress, completion, outcome or abort."""

    session: SessionId
    capture: CaptureId
    state: CaptureState
    field: Field | None = None
    fields: tuple[FieldProgress, ...] = ()
    brand: str | None = None
    last_four: str | None = None
    outcome: Outcome | None = None
    reason: str | None = None


class KeyingChanged(Message, frozen=True, kw_only=True, tag="keying"):
    """The customer keys under a mask whose capture is over, or keys no longer."""

    session: SessionId
    keying: bool


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


class SessionSilent(Message, frozen=True, kw_only=True, tag="silent"):
    """No packet was accepted from either side for `seconds`. Said again each time that so long has
    passed."""

    session: SessionId
    seconds: float


class SessionLost(Message, frozen=True, kw_only=True, tag="session_lost"):
    """What relayed this session is gone, and the session with it: it need not be closed."""

    session: SessionId


AnyCommand = (
    OpenSession
    | WidenSession
    | SetRemote
    | SetMask
    | StartCapture
    | InfoKeyed
    | KeyWithheld
    | SendKey
    | ResetCapture
    | SubmitCapture
    | CancelCapture
    | ResolveCharge
    | CloseSession
    | CountSessions
)
AnyAnswer = Done | Refused | SessionOpened | SessionClosed | ChargeResolved | Counted
AnyNews = CaptureChanged | KeyingChanged | LineChanged | SessionSilent | SessionLost
