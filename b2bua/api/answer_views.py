"""Answers about the service and about who asks, as the description of the API has them."""

from __future__ import annotations

import msgspec

from b2bua.call.service_view import Fault


class HealthView(msgspec.Struct, frozen=True, kw_only=True):
    """The health of this Tonewall, beside numbers that are counted (docs/operations.md). `status`:
    "ok", "degraded" or "unhealthy"; `faults`: the worst first."""

    status: str
    faults: tuple[Fault, ...]


class LivenessView(msgspec.Struct, frozen=True, kw_only=True):
    """The process answers."""

    alive: bool


class ReadinessView(msgspec.Struct, frozen=True, kw_only=True):
    """Whether calls are accepted. `reasons`: the faults that stop them, by name."""

    ready: bool
    reasons: tuple[str, ...]


class AgentView(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks. `agent`: the name; `method`: how that is known; `idle_time`: seconds without an
    action after which the page signs out; `short_codes`: whether a telephone can be linked;
    `receipts`: whether a service of the company's sends receipts."""

    agent: str
    roles: tuple[str, ...]
    scopes: tuple[str, ...]
    method: str
    idle_time: float
    short_codes: bool
    receipts: bool


class SignInView(msgspec.Struct, frozen=True, kw_only=True):
    """Ways to sign in. `oidc`: where that begins; None: there is none."""

    token: bool
    password: bool
    oidc: str | None


class SignedInView(msgspec.Struct, frozen=True, kw_only=True):
    """Who has signed in."""

    agent: str
    roles: tuple[str, ...]


class EmbedTokenView(msgspec.Struct, frozen=True, kw_only=True):
    """A token for an embedded form. `id`: as the audit log names it; `call`: the id of the only
    call that it is for, empty: the agent's own; `expires_at`: RFC 3339."""

    token: str
    id: str
    agent: str
    call: str
    expires_at: str
