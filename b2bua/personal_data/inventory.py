"""Lists what is kept about persons: the source of docs/personal-data.md.

Rule 1: every field of what is kept has its place here, in a row of PERSONAL or among the names of
        IMPERSONAL: a test compares both with the code.
"""

from __future__ import annotations

from itertools import product
from typing import Final, NamedTuple


class Row(NamedTuple):
    """A kind of data. `holds`: pairs of a store and a field of it."""

    data: str
    whose: str
    where: str
    how_long: str
    erasure: str
    holds: tuple[tuple[str, str], ...]


def _of(store: str, *fields: str) -> tuple[tuple[str, str], ...]:
    return tuple((store, field) for field in fields)


_FREE_TEXT: Final = ("description", "customer", "statement", "metadata")
PERSONAL: Final = (
    Row(
        "number of caller and callee", "customer; the company on the other side",
        "call records: `[cdr] url`, `spool`, `SPOOL.refused`; `payments`",
        "`[cdr] retention`", "`erase`; a pseudonym from the start, with a key",
        (*_of("calls", "caller", "callee"), *_of("payments", "payments.call_record")),
    ),
    Row(
        "number by which a prepared payment is found", "customer", "`[cdr] payments`", "`[cdr] retention`",
        "`erase`, once the payment is over; a pseudonym from the start, with a key",
        (*_of("payments", "payments.view"), *_of("find_by", "caller", "callee"), *_of("payment", "prepared")),
    ),
    Row(
        "description, customer, statement, metadata of an order", "customer, as your programs write them",
        "`[cdr] payments`; the payment provider", "`[cdr] retention`", "`erase` blanks the number in them",
        (*_of("order", *_FREE_TEXT), *_of("payment", "order")),
    ),
    Row(
        "your reference of an order", "customer, as your programs write it",
        "`[cdr] payments`; call records; payers' journal; provider",
        "`[cdr] retention`; the journal as long as you keep it", "none: let it hold no number",
        (*_of("payments", "payments.transaction_id"), *_of("order", "transaction_id"),
         *_of("journal", "transaction_id"), *_of("calls", "captures"), *_of("find_by", "reference")),
    ),
    Row(
        "brand and last four digits of a card", "cardholder", "`[cdr] payments`; call records",
        "`[cdr] retention`", "by retention: the books show them",
        _of("payment", "brand", "last_four"),
    ),
    Row(
        "telephone number or address of a payment link", "customer", "`[cdr] payments`",
        "until the link is over and your service has the message, a week at most",
        "by itself",
        (*_of("payments", "links.recipient", "outbox.body"), *_of("recipient", "phone", "email")),
    ),
    Row(
        "answers to requests with an Idempotency-Key: the view of a call or payment", "customer",
        "`[cdr] payments`", "a day", "`erase`; a pseudonym from the start, with a key",
        _of("payments", "requests.answer"),
    ),
    Row(
        "who drives, started or settled a payment", "agent: name, or `phone:NUMBER`",
        "`[cdr] payments`; call records; payers' journal",
        "`[cdr] retention`; the journal as long as you keep it", "none: it says who did what",
        (*_of("payment", "started_by", "agent", "taken_over_by", "take_overs", "settled_by", "follow_ups"),
         *_of("payments", "requests.agent", "follow_ups.view", "notices.body"),
         *_of("journal", "who"),
         *_of("find_by", "agent", "extension")),
    ),
    Row(
        "order and agent of a payment, address of a receipt, in webhooks",
        "customer; agent", "`[cdr] payments`; your own services",
        "until they are accepted, three days at most, and a week",
        "`erase` of a number, once over",
        _of("payments", "webhook_events.body"),
    ),
    Row(
        "who did what, and from which address", "agent", "the audit log: `[audit] directory`",
        "`[audit] retention`; copies as long as you keep them",
        "`tonewall audit erase`, with `[audit] erasable`; else none",
        _of("audit", "who", "source", "details", "sealed", "sealed_call"),
    ),
    Row(
        "messages of a call, events of the feed: times, peers, numbers of both sides", "customer",
        "memory of b2bua",
        "until newer ones take their place, or a restart",
        "`erase`, or a pseudonym, after the call; none for the feed",
        _of("ladder", "caller", "callee", "messages", "notes"),
    ),
    Row(
        "who may sign in: name, hash of the password, teams; sessions with their addresses", "agent",
        "`access.db` in `[access] directory`", "until the user is removed; a session 12 hours at most",
        "`tonewall user remove`",
        (*_of("access", "users.name", "users.password", "users.teams", "users.totp", "users.signed_in_at"),
         *_of("access", "sessions.name", "sessions.principal", "sessions.source"),
         *_of("access", "keys.name", "keys.created_by", "keys.used_at")),
    ),
    Row(
        "addresses of peers; names of agents", "carrier, PBX, API clients; agent", "the log: standard error",
        "as long as you keep it", "none: no number of a customer is in it",
        _of("log", "peer", "address", "agent"),
    ),
)  # fmt: skip

_LEG: Final = (
    "trunk", "invited_at", "ringing_at", "answered_at", "ended_at", "code", "cause", "codec", "received",
    "sent", "masked", "foreign_source", "malformed", "reports", "lost", "jitter_ms", "expected", "missing",
    "arrival_jitter_ms", "mos", "heard_mos",
)  # fmt: skip
_WAITING: Final = ("id", "subject", "kind", "created_at", "until", "attempts", "next_at")
_DELIVERY: Final = (
    "number", "id", "event", "webhook", "subject", "state", "attempts", "next_at", "until", "in_order",
    "tried_at", "reason",
)  # fmt: skip
# Fields that say nothing of a person, by store.
IMPERSONAL: Final[dict[str, frozenset[str]]] = {
    "calls": frozenset(
        {"call", "direction", "started_at", "answered_at", "ended_at", "talk_seconds", "end", "code"}
        | {"transfers", "withheld", "capture_outcome"}
        | {f"{side}_{what}" for side, what in product(("caller", "agent"), _LEG)}
    ),
    "payments": frozenset(
        {"payments.id", "payments.started_at", "payments.stage", "payments.outcome"}
        | {"requests.key", "requests.digest", "requests.at", "links.payment", "links.ended_at"}
        | {"follow_ups.key", "follow_ups.payment", "follow_ups.at", "follow_ups.is_open"}
        | {f"{table}.{what}" for table, what in product(("outbox", "notices"), _WAITING)}
        | {f"webhook_events.{what}" for what in ("number", "id", "subject", "kind", "created_at")}
        | {f"webhook_deliveries.{what}" for what in _DELIVERY}
    ),
    "payment": frozenset(
        {"id", "call", "stage", "saved_from", "link", "started_at", "submitted_at", "settled_at", "outcome"}
        | {
            "reason",
            "repeats",
            "decided_at",
            "decided_by",
            "captured",
            "refunded",
            "voided",
            "offers",
            "left",
        }
    ),
    "order": frozenset(
        {"amount", "currency", "operation", "token_type", "merchant_account", "form", "country"}
    ),
    "find_by": frozenset({"call_id", "code"}),
    "recipient": frozenset(),
    "journal": frozenset(
        {"at", "key", "state", "amount", "currency", "outcome", "kind", "link", "of", "reference"}
        | {"operation", "merchant_account", "provider", "step", "notes", "by"}
    ),
    "audit": frozenset({"at", "what", "result", "of", "call", "payment", "configuration", "key", "call_key"}),
    "access": frozenset(
        {"users.roles", "users.must_change", "users.totp_step", "users.disabled", "users.created_at"}
        | {"users.password_at", "sessions.id", "sessions.digest", "sessions.opened_at", "sessions.used_at"}
        | {"keys.id", "keys.roles", "keys.scopes", "keys.created_at", "keys.expires_at", "keys.revoked_at"}
        | {"keys.digest"}
    ),
    "ladder": frozenset({"call", "direction", "legs", "live", "masked", "stage"}),
    "log": frozenset(
        {
            "event",
            "level",
            "timestamp",
            "process",
            "module",
            "dropped",
            "error",
            "at",
            "reason",
            "why",
            "what",
        }
        | {
            "hint",
            "call",
            "leg",
            "payment",
            "follow_up",
            "delivery",
            "credential",
            "stream",
            "trunk",
            "route",
        }
        | {
            "provider",
            "prompts",
            "instance",
            "target",
            "setting",
            "side",
            "operation",
            "method",
            "kind",
            "child",
            "task",
        }
        | {"modules", "pid", "signal", "status", "version", "port", "transport", "path", "url", "state"}
        | {"outcome", "claimed", "code", "count", "calls", "sessions", "seconds"}
    ),
}
