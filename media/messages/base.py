"""Names sessions, captures and legs, and defines the bases of all messages."""

from __future__ import annotations

from enum import StrEnum
from typing import NewType

import msgspec

SessionId = NewType("SessionId", str)
CaptureId = NewType("CaptureId", str)


class Side(StrEnum):
    """Which leg of a call: towards the customer (`CALLER`) or towards the agent (`AGENT`)."""

    CALLER = "caller"
    AGENT = "agent"


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """Base of every message on the socket."""


class Command(Message, frozen=True, kw_only=True):
    """Base of all commands: b2bua to media."""

    serial: int = 0
    session: SessionId


class Answer(Message, frozen=True, kw_only=True):
    """Base of all answers: media to b2bua."""

    serial: int
