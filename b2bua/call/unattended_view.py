"""What agents see of a form that a customer keyed without an agent."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

# Who drives such a payment; no token of an agent has a space in its name.
UNATTENDED: Final = "no agent"


class Why(StrEnum):
    """Why a customer who keyed for us did not come to a payment. The words for it: `WHY`."""

    NOTHING_OWED = "nothing_owed"
    NOT_STARTED = "not_started"
    CHARGED_BEFORE = "charged_before"
    NOT_SUBMITTED = "not_submitted"
    PERSON_WANTED = "person_wanted"
    SILENT = "silent"
    TOO_LONG = "too_long"
    STOPPED = "stopped"
    DECLINED = "declined"
    FAILED = "failed"
    UNKNOWN = "unknown"


WHY: Final = {
    Why.NOTHING_OWED: "It is not known what the customer owes.",
    Why.NOT_STARTED: "No payment could be started. Nothing was charged.",
    Why.CHARGED_BEFORE: "This order was charged before, or may have been. Nothing was charged now.",
    Why.NOT_SUBMITTED: "The card could not be submitted. Nothing was charged.",
    Why.PERSON_WANTED: "The customer asked for a person. Nothing was charged.",
    Why.SILENT: "The customer keyed nothing for too long. Nothing was charged.",
    Why.TOO_LONG: "The customer keyed for too long. Nothing was charged.",
    Why.STOPPED: "The payment ended before the card was submitted. Nothing was charged.",
    Why.DECLINED: "The card was declined.",
    Why.FAILED: "The provider could not be reached. Nothing was charged.",
    Why.UNKNOWN: "It is not certain whether the card was charged in full. It must not be charged again.",
}


class UnattendedView(msgspec.Struct, frozen=True, kw_only=True):
    """The newest such form of a call. `route`: its name in sip.conf; `step`: as in
    STEP_TRANSITIONS; `cards`: how many were tried; `why`, `detail`: why it came to no payment, as a
    code and as a sentence."""

    route: str
    step: str
    cards: int = 0
    why: Why | None = None
    detail: str | None = None
