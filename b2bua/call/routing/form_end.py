"""Describes a route that ends in a form: nobody is called; the customer keys for us, and the call
goes on afterwards.

Rule 1: what a call of such a route may do is all in FormEnd, so that a call under way does not
        follow a change of sip.conf.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field

from b2bua.call.leg import Party


@dataclass(frozen=True, slots=True)
class Destination:
    """One trunk that a call may go to, with its parties as that trunk writes them."""

    trunk: str
    caller: Party
    callee: Party


@dataclass(frozen=True, slots=True)
class Owed:
    """What a customer of the route owes: `amount` in minor units of `currency`, or what the header
    `header` of the INVITE says, "" for none. `amount` 0: nothing is known without that header."""

    amount: int = 0
    currency: str = ""
    description: str = ""
    header: str = ""


@dataclass(frozen=True, slots=True)
class NextPlace:
    """A number on a trunk; `number` "": the number that was called."""

    trunk: str
    number: str = ""


@dataclass(frozen=True, slots=True)
class FormManner:
    """How the form `form` goes without an agent.

    `cards`: how many may be tried; `silences`: how often a customer is asked again who keys nothing
    for `silence` seconds; `confirm`: whether the amount is confirmed by a key. `drives`: False: our
    end takes no payment over, and the call goes on at once. `time_limit`: seconds until the card
    has to be submitted, in all.
    """

    form: str
    _: KW_ONLY
    owed: Owed = field(default_factory=Owed)
    cards: int = 3
    silence: float = 12.0
    silences: int = 1
    confirm: bool = True
    drives: bool = True
    time_limit: float = 600.0


@dataclass(frozen=True, slots=True)
class FormRule(FormManner):
    """How a route ends in a form. `then`: where the call goes after a payment, `person` where it
    did not come to one, `otherwise` where neither answers; None: nowhere."""

    then: NextPlace | None = None
    person: NextPlace | None = None
    otherwise: NextPlace | None = None

    def places(self) -> tuple[NextPlace, ...]:
        """Every place that it names."""
        return tuple(each for each in (self.then, self.person, self.otherwise) if each is not None)


@dataclass(frozen=True, slots=True)
class FormEnd(FormManner):
    """The same for one call: the places are written as their trunks want them. `rule`: the name of
    the route."""

    then: Destination | None = None
    person: Destination | None = None
    otherwise: Destination | None = None
    rule: str = ""

    @property
    def first_trunk(self) -> str:
        """The trunk on whose interface the call waits for its next place; "" where it goes
        nowhere."""
        places = (self.then, self.person, self.otherwise)
        return next((each.trunk for each in places if each is not None), "")
