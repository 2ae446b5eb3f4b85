"""Lists the vocabulary of the socket between b2bua and media: commands down; counts, states and
outcomes up. This is the part of it that b2bua imports.

Rule 1: no message has a field that could hold a digit of a card, but `last_four` (PCI DSS 3.4.1),
        and `InfoKeyed` and `SendKey`, which go down only: b2bua does not look into their bodies.
Rule 2: every command is answered by exactly one message with the same `serial`: its own answer, or
        `Refused`.
Rule 3: news (`CaptureChanged` and the like) carry no serial.
"""

from __future__ import annotations

from media.messages import answers, base, commands, fields, forms, news
from media.messages.answers import (
    AnyAnswer,
    ChargeResolved,
    Counted,
    Done,
    LegCounters,
    PayerFault,
    Refused,
    SessionClosed,
    SessionOpened,
)
from media.messages.base import (
    Answer,
    CaptureId,
    Command,
    Message,
    SessionId,
    Side,
)
from media.messages.commands import (
    AnyCommand,
    AskField,
    CancelCapture,
    CloseSession,
    CountSessions,
    InfoKeyed,
    KeyWithheld,
    Masking,
    OpenSession,
    Over,
    PlayPrompt,
    ResetCapture,
    ResolveCharge,
    SendKey,
    SetMask,
    SetRemote,
    SkipField,
    StartCapture,
    StopPrompt,
    SubmitCapture,
    WidenSession,
)
from media.messages.fields import (
    FIELD_REASONS,
    CaptureState,
    Field,
    FieldProgress,
    FieldReason,
)
from media.messages.forms import BRANDS, CardForm, EndingKey
from media.messages.news import (
    AnyNews,
    CaptureChanged,
    Deaf,
    DeafReason,
    KeyingChanged,
    LineChanged,
    PromptEnd,
    PromptEnded,
    SessionLost,
    SessionSilent,
)

MODULES = (base, fields, forms, commands, answers, news)  # that define the names below

__all__ = [
    "BRANDS",
    "FIELD_REASONS",
    "MODULES",
    "Answer",
    "AnyAnswer",
    "AnyCommand",
    "AnyNews",
    "AskField",
    "CancelCapture",
    "CaptureChanged",
    "CaptureId",
    "CaptureState",
    "CardForm",
    "ChargeResolved",
    "CloseSession",
    "Command",
    "CountSessions",
    "Counted",
    "Deaf",
    "DeafReason",
    "Done",
    "EndingKey",
    "Field",
    "FieldProgress",
    "FieldReason",
    "InfoKeyed",
    "KeyWithheld",
    "KeyingChanged",
    "LegCounters",
    "LineChanged",
    "Masking",
    "Message",
    "OpenSession",
    "Over",
    "PayerFault",
    "PlayPrompt",
    "PromptEnd",
    "PromptEnded",
    "Refused",
    "ResetCapture",
    "ResolveCharge",
    "SendKey",
    "SessionClosed",
    "SessionId",
    "SessionLost",
    "SessionOpened",
    "SessionSilent",
    "SetMask",
    "SetRemote",
    "Side",
    "SkipField",
    "StartCapture",
    "StopPrompt",
    "SubmitCapture",
    "WidenSession",
]
