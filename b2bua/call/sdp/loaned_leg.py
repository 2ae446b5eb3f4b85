"""Describes a leg that another call may take over (RFC 5589), so that its session goes on there."""

from __future__ import annotations

from dataclasses import dataclass

from b2bua.call.sdp import description as sdp
from b2bua.call.trunk_policy import TrunkPolicy


@dataclass(frozen=True, slots=True)
class LoanedLeg:
    """A leg of another call. `remote`: its peer's newest description. `origin`, `version`: the
    session id and version of our next offer to it (RFC 3264 section 8)."""

    trunk: str
    policy: TrunkPolicy
    remote: sdp.SessionDescription
    origin: int
    version: int
