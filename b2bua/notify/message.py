"""Defines a message to a service of the company's, as it waits to be taken."""

from __future__ import annotations

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """`id` stays the same however often it is sent. Of one `subject`, each message waits for the
    one before it. `body`: JSON.

    `is_kept`: it is on disk until it was taken or given up; any other may be lost. `until`: when it
    is given up; `next_at`: when it is tried next; both, and `created_at`, in seconds since the
    epoch."""

    id: str
    subject: str
    kind: str
    body: bytes
    created_at: float
    until: float
    attempts: int = 0
    next_at: float = 0.0
    is_kept: bool = True
