"""Describes a payment that is prepared before its call is there, and which calls fit it.

Rule 1: a call fits where all that the payment names is so; a payment that names nothing fits none.
Rule 2: a payment with a code fits only the call in which its agent keys the code.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

import msgspec

from b2bua.call.plain_number import plain_number

MIN_EXPIRES: Final = 30.0  # seconds
MAX_EXPIRES: Final = 7 * 86_400.0
USUAL_EXPIRES: Final = 3600.0

Start = Literal["press", "at_answer"]


class CallFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a call is found by. `call`: its id; `call_ids`: the SIP Call-IDs of its legs; `callers`
    and `callees`: numbers of who called, and of who was called; `extensions`: numbers on the
    agents' side; `references`: of an order, by the header's name in lower case."""

    call: str
    call_ids: tuple[str, ...] = ()
    callers: tuple[str, ...] = ()
    callees: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    agent: str = ""
    references: tuple[tuple[str, str], ...] = ()


class FindBy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the call of a prepared payment is found. `caller`, `callee`: numbers; `reference`: the
    value of a header that names an order; `extension`, `agent`: of the agents' side; `call_id`: our
    own id of the call, or the SIP Call-ID of one of its legs; `code`: that the agent keys."""

    caller: str = ""
    callee: str = ""
    reference: str = ""
    extension: str = ""
    agent: str = ""
    call_id: str = ""
    code: str = ""

    def fits(self, facts: CallFacts, code: str = "") -> bool:
        """Whether this is the call. `code`: what its agent has keyed."""
        checks = [
            (self.caller, _has_number(facts.callers, self.caller)),
            (self.callee, _has_number(facts.callees, self.callee)),
            (self.reference, any(value == self.reference for _, value in facts.references)),
            (self.extension, self.extension in facts.extensions),
            (self.agent, self.agent == facts.agent),
            (self.call_id, self.call_id in (facts.call, *facts.call_ids)),
            (self.code, self.code == code),
        ]
        named = [is_so for wanted, is_so in checks if wanted]
        return bool(named) and all(named)

    @property
    def key(self) -> tuple[str, str]:
        """One of the things that a call which fits has, for an index."""
        if self.code:
            return "code", self.code
        if self.call_id:
            return "call_id", self.call_id
        if self.reference:
            return "reference", self.reference
        for name, number in (("caller", self.caller), ("callee", self.callee)):
            if number:
                return name, plain_number(number)
        return ("extension", self.extension) if self.extension else ("agent", self.agent)


def keys_of(facts: CallFacts) -> set[tuple[str, str]]:
    """Everything by which a payment that this call fits may be indexed, but a code."""
    return {
        *(("call_id", each) for each in (facts.call, *facts.call_ids)),
        *(("reference", value) for _, value in facts.references),
        *(("caller", plain_number(each)) for each in facts.callers),
        *(("callee", plain_number(each)) for each in facts.callees),
        *(("extension", each) for each in facts.extensions),
        ("agent", facts.agent),
    }


class TooMany(Exception):
    """There is no room for one more; `str(error)` says of what, fit for the agent's eyes."""


class PreparedState(StrEnum):
    """The states of a prepared payment. In the last three it is prepared no more."""

    WAITING = "waiting"  # for a call that fits
    BOUND = "bound"  # to a call; the agent may start it
    STARTING = "starting"  # its capture is being started
    STARTED = "started"  # it is the payment of its call
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class PreparedEvent(StrEnum):
    """What moves a prepared payment on."""

    CALL_FITS = "a call fits"
    CALL_LEFT = "the call ended, or is another customer's"
    START = "start"
    STARTED = "capture started"
    REFUSED = "start refused"
    CANCELLED = "cancelled"
    EXPIRED = "time is over"


PREPARED_OVER: Final = frozenset({PreparedState.STARTED, PreparedState.CANCELLED, PreparedState.EXPIRED})


class PreparedView(msgspec.Struct, frozen=True, kw_only=True):
    """How a payment was prepared. `start`: by an agent's press, or as soon as a call that fits is
    answered; `expires_at`, `bound_at`: RFC 3339, UTC; `also_fits`: other calls that fit, while it
    is bound to the first; `refusal`: why it could not be started by itself."""

    find_by: FindBy
    start: Start = "press"
    state: PreparedState = PreparedState.WAITING
    expires_at: str
    bound_at: str | None = None
    also_fits: tuple[str, ...] = ()
    refusal: str = ""


def _has_number(numbers: tuple[str, ...], wanted: str) -> bool:
    plain = plain_number(wanted)
    return any(plain_number(each) == plain for each in numbers)
