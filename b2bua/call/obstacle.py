"""Says why no capture can begin in a call now: one answer for the view and for the refusal."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec


class ObstacleCode(StrEnum):
    """The reasons, for programs."""

    ENDED = "ended"
    NOT_ANSWERED = "not_answered"
    JOINING = "joining"
    SERVICE = "service"  # a fault of Tonewall itself, as /healthz has it
    CHANGING = "changing"  # an offer is open between the legs
    ENCRYPTED = "encrypted"
    NO_KEYS = "no_keys"
    UNDER_WAY = "payment_under_way"
    OTHER_AGENT = "other_agent"


class Obstacle(msgspec.Struct, frozen=True, kw_only=True):
    """Why no capture can begin. `detail`: a sentence for the agent; `agent`: of `other_agent`, the
    one who drives the payment whose mask is on, and who alone may begin another."""

    code: ObstacleCode
    detail: str
    agent: str = ""


_DETAILS: Final[Mapping[ObstacleCode, str]] = {
    ObstacleCode.ENDED: "The call is over.",
    ObstacleCode.NOT_ANSWERED: "The call is not answered yet.",
    ObstacleCode.JOINING: "The call is being joined with another one. Try again in a moment.",
    ObstacleCode.CHANGING: "One of the phones is changing the call. Try again in a moment.",
    ObstacleCode.ENCRYPTED: "The customer's phone cannot send its keys in this call: its audio is encrypted "
    "from end to end.",
    ObstacleCode.NO_KEYS: "The customer's phone cannot send its keys in this call: no telephone-event was "
    "agreed on.",
    ObstacleCode.UNDER_WAY: "A payment is already under way in this call. Cancel it first.",
}


def obstacle(code: ObstacleCode) -> Obstacle:
    """The obstacle with its usual sentence."""
    return Obstacle(code=code, detail=_DETAILS[code])


def other_agent(agent: str) -> Obstacle:
    """Another payment's mask is on, which this agent drives."""
    detail = f"This payment is {agent}'s, not yours. Take it over first."
    return Obstacle(code=ObstacleCode.OTHER_AGENT, detail=detail, agent=agent)


def service_obstacle(detail: str) -> Obstacle:
    """A fault of Tonewall itself stops every capture."""
    return Obstacle(code=ObstacleCode.SERVICE, detail=detail)
