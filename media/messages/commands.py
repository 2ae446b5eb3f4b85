"""Defines the commands: b2bua to media."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from media.mask_policy import MaskPolicy
from media.messages.base import CaptureId, Command, SessionId, Side
from media.messages.fields import FieldName
from media.messages.forms import CaptureForm
from media.stream_description import Interface, RemoteStream
from provider_adapters.payment import Charge


class Masking(msgspec.Struct, frozen=True, kw_only=True):
    """How a mask treats audio. `pause`: seconds without a key after which MUTE_ON_KEY lets the
    customer be heard again. `tones`: keys that come as tones are captured; `placeholder`: one tone,
    the same for all keys, stands where a press was."""

    policy: MaskPolicy = MaskPolicy.MASK
    pause: float = 2.0
    tones: bool = False
    placeholder: bool = False


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
    in no hurry. `codes`: feature codes are looked for in the keys of this leg, which is the
    agent's, and kept from the customer.
    """

    side: Side
    streams: tuple[RemoteStream, ...]
    mark: int = 0
    codes: bool = False


class SetMask(Command, frozen=True, kw_only=True, tag="set_mask"):
    """Mask or unmask the path from customer to agent. `Done` means: the media thread has applied
    it.

    Media decides when a mask goes off (media/service/unmasking.py); until then there is no answer.
    `released`: somebody says that keying is over; refused where a key comes all the same.
    `announced`: no capture is to follow at once, so the keys until then are counted
    (`KeyingChanged`).
    """

    on: bool
    masking: Masking = Masking()
    released: bool = False
    announced: bool = False


class StartCapture(Command, frozen=True, kw_only=True, tag="start_capture"):
    """Begin to collect. Refused unless the session is masked. Answered by `Done`, then
    `CaptureChanged`.

    `by_info`: keys come as SIP INFO (`InfoKeyed`), and telephone-events are masked only: of the
    same press one counts. `form`: what is keyed. `slow`: as of `SlowKeys`. `wishes`: nobody else is
    there; what means no digit comes as `CaptureWished`.
    """

    capture: CaptureId
    by_info: bool = False
    form: CaptureForm = CaptureForm()
    slow: bool = False
    wishes: bool = False


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


class AgentKeyed(Command, frozen=True, kw_only=True, tag="agent_keyed"):
    """The agent's side sent a key as SIP INFO, and feature codes are looked for in its keys.
    `Done`: it is kept from the customer. Refused where it may go on, or the body is no key.
    `request`: b2bua's name for the INFO."""

    request: str
    content_type: str
    body: bytes

    def __repr__(self) -> str:
        return f"AgentKeyed({self.session})"


class CaptureRequest(Command, frozen=True, kw_only=True):
    """A request to a capture under way."""

    capture: CaptureId


class ResetCapture(CaptureRequest, frozen=True, kw_only=True, tag="reset_capture"):
    """Wipe `field` and all that come after it (all fields where None), and collect again."""

    field: FieldName | None = None


class AskField(CaptureRequest, frozen=True, kw_only=True, tag="ask_field"):
    """Collect `field` alone: again, or before its turn; the others stay, and what it had counts
    until it is complete. None: what was asked for again counts as it was, and the form goes on in
    order."""

    field: FieldName | None = None


class SkipField(CaptureRequest, frozen=True, kw_only=True, tag="skip_field"):
    """Go on without this field, which is optional; what it had is wiped."""

    field: FieldName


class SlowKeys(CaptureRequest, frozen=True, kw_only=True, tag="slow_keys"):
    """Count two equal keys that come within 400 ms as one from now on, or as two again. Refused
    where keys come as SIP INFO, or from an rtpengine server."""

    on: bool


class WatchWishes(CaptureRequest, frozen=True, kw_only=True, tag="watch_wishes"):
    """From now on nobody else is there: what means no digit comes as `CaptureWished`."""


class SubmitCapture(CaptureRequest, frozen=True, kw_only=True, tag="submit_capture"):
    """Spend what was captured on `charge`. Refused unless READY. The outcome comes in a
    `CaptureChanged`."""

    charge: Charge


class CancelCapture(CaptureRequest, frozen=True, kw_only=True, tag="cancel_capture"):
    """Wipe and stop collecting; the mask stays until `SetMask`. A capture that was submitted cannot
    be cancelled."""


class ResolveCharge(Command, frozen=True, kw_only=True, tag="resolve_charge"):
    """Ask what became of a charge that was submitted then (seconds since the epoch; `session` is
    ignored): of the capture under way, or of the payers' journal. Answered by `ChargeResolved`;
    refused while nobody can say it."""

    session: SessionId = SessionId("")
    charge: Charge
    submitted_at: float


class Over(StrEnum):
    """How a prompt meets what the other side says."""

    REPLACE = "replace"  # nothing of it is heard
    DUCK = "duck"  # it goes on below the prompt, 12 dB softer; in G.711 alone, else as REPLACE


class PlayPrompt(Command, frozen=True, kw_only=True, tag="play_prompt"):
    """Play prompts, one after another, into the leg of `side`; what plays there ends. Answered by
    `Done`; exactly one `PromptEnded` says when they are over, unless the session ends before. Where
    they are refused it comes first.

    `play`: b2bua's number for it. `prompts`: names, each of them the most special one that there
    may be (media/prompts/names.py), of the set `prompt_set` in `language`. `barge_in`: any key of
    the customer's ends it.
    """

    play: int
    side: Side = Side.CALLER
    prompts: tuple[str, ...]
    over: Over = Over.REPLACE
    barge_in: bool = True
    language: str = "en"
    prompt_set: str = ""


class StopPrompt(Command, frozen=True, kw_only=True, tag="stop_prompt"):
    """End what is played under this number. Answered by `Done`, also where it has ended."""

    play: int


class CloseSession(Command, frozen=True, kw_only=True, tag="close"):
    """Wipe, unbind, forget. Answered by `SessionClosed` with the final counters."""


class TapRequest(Command, frozen=True, kw_only=True):
    """A request about the tap of a session: the record of its packets' headers."""


class TapSession(TapRequest, frozen=True, kw_only=True, tag="tap"):
    """Record the headers of the session's packets (media/tapped.py), or do so no longer. Answered
    by `Done`; refused where another engine relays. A tap that nobody reads ends by itself, as does
    one whose session is closed."""

    on: bool


class ReadTap(TapRequest, frozen=True, kw_only=True, tag="read_tap"):
    """Take what was recorded since the last time. Answered by `TapRead`; refused where nothing is
    recorded."""


class ClaimedLeg(msgspec.Struct, frozen=True, kw_only=True):
    """One leg of a session, as `OpenSession` and the newest `SetRemote` had it."""

    interface: Interface = Interface()
    streams: tuple[RemoteStream, ...] = ()


class ClaimSession(Command, frozen=True, kw_only=True, tag="claim"):
    """The call of this session goes on, after a death of b2bua or of media. Answered by
    `SessionClaimed`; refused where media has neither the session nor its sockets.

    A session that media has is no orphan any more. One that it has not is restored, on the sockets
    that outlived the media process which opened them: `streams` m-lines, of which each leg's peer
    is where `caller` and `agent` say; masked where `masking` is given, and as `usual_masking` says
    where it is not, but the recovery page says that it was, or cannot say. `codes`: as of
    `SetRemote`, of the agent's leg.
    """

    streams: int = 0
    caller: ClaimedLeg = ClaimedLeg()
    agent: ClaimedLeg = ClaimedLeg()
    masking: Masking | None = None
    usual_masking: Masking = Masking()
    codes: bool = False


class CountSessions(Command, frozen=True, kw_only=True, tag="count"):
    """Ask what media holds now (`session` is ignored). Answered by `Counted`."""

    session: SessionId = SessionId("")


AnyCommand = (
    OpenSession
    | WidenSession
    | SetRemote
    | SetMask
    | StartCapture
    | InfoKeyed
    | KeyWithheld
    | SendKey
    | AgentKeyed
    | ResetCapture
    | AskField
    | SkipField
    | SlowKeys
    | WatchWishes
    | SubmitCapture
    | CancelCapture
    | ResolveCharge
    | PlayPrompt
    | StopPrompt
    | TapSession
    | ReadTap
    | CloseSession
    | ClaimSession
    | CountSessions
)
