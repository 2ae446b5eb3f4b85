"""The codes that an agent keys on their own telephone, and what they ask for.

Rule 1: a code is `*`, digits, `#`. A feature has at most three digits, a short code that links the
        call to the page of an agent has more: no feature is taken for a short code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import msgspec

from b2bua.call.order import Order

MIN_SHORT_CODE = 4  # digits


class Feature(StrEnum):
    """What a code asks for."""

    START = "start"  # a payment, of the order that is prepared for the call
    SUBMIT = "submit"
    SKIP = "skip"  # the field that is keyed now
    ASK = "ask"  # the field whose number follows, or the one that is keyed now
    CANCEL = "cancel"
    PROTECT = "protect"  # the line, before a payment
    RELEASE = "release"  # the mask
    LINK = "link"  # the call to the page that shows this short code
    UNKNOWN = "unknown"


class CodeView(msgspec.Struct, frozen=True, kw_only=True):
    """A code that the agent's telephone has keyed. `done`: what it asks for was carried out;
    `reason`: why not, in words for the agent; `count`: how many codes this telephone has keyed."""

    feature: Feature
    done: bool = False
    reason: str | None = None
    count: int = 0


class ClaimView(msgspec.Struct, frozen=True, kw_only=True):
    """A claim, as its own agent sees it. `code`: empty once it is over; `expires_in`: seconds;
    `call`: the one that it was keyed in."""

    id: str
    code: str
    expires_in: float
    call: str = ""


class ClaimDesk(Protocol):
    """The claims, as the API sees them."""

    def offers_claims(self) -> bool:
        """Whether telephones of any trunk key codes."""
        ...

    def open_claim(self, agent: str, order: Order | None = None, *, allow_repeat: bool = False) -> ClaimView:
        """A new short code for this agent, in place of the one before. Raises NotNow where too many
        are open."""
        ...

    def find_claim(self, claim_id: str, agent: str) -> ClaimView | None:
        """This agent's claim; None where there is none, or it has expired."""
        ...

    def close_claim(self, claim_id: str, agent: str) -> None:
        """Give it up, where it is open."""
        ...


@dataclass(frozen=True, slots=True)
class FeatureRequest:
    """`number`: of the field, from 1, in the order of the form; 0: the one that is keyed now.
    `short_code`: of LINK alone."""

    feature: Feature
    number: int = 0
    short_code: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class FeatureCodes:
    """The codes of this installation. `digits`: of each feature, without `*` and `#`; `length`:
    digits of the short code of a claim; that of a prepared payment may have another. `prompts`: the
    set that says to the agent what became of a code, in `language`; empty: none does."""

    digits: Mapping[Feature, str] = field(default_factory=dict)
    length: int = 6
    prompts: str = ""
    language: str = "en"

    def read(self, code: str) -> FeatureRequest:
        """What these digits ask for."""
        for feature, digits in self.digits.items():
            if code == digits:
                return FeatureRequest(feature)
        ask = self.digits.get(Feature.ASK, "")
        if ask and code[:-1] == ask and code[-1] != "0":
            return FeatureRequest(Feature.ASK, int(code[-1]))
        if len(code) >= MIN_SHORT_CODE:
            return FeatureRequest(Feature.LINK, short_code=code)
        return FeatureRequest(Feature.UNKNOWN)
