"""Routing: which trunks a call goes to, in which order, and how the numbers are written there.

Rule 1: the routes are tried in the file's order; the first that fits decides, also where it
        refuses.
Rule 2: Tonewall bridges a carrier and a PBX: a call of one kind of trunk goes to the other kind.
Rule 3: without any route, calls of every carrier go to the PBXs in their order, and calls of every
        PBX to the carriers.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import re2

from b2bua.call.charge_defaults import ChargeDefaults
from b2bua.call.leg import LegInvited, Party
from b2bua.call.own_leg import own_trunk
from b2bua.call.routing.form_end import Destination, FormEnd, FormManner, FormRule, NextPlace
from b2bua.call.routing.numbers import NumberPlan
from media.events import Side
from media.mask_policy import MaskPolicy

MAX_LENGTH = 64  # characters of a user part that a regular expression is tried on
_QUIET = re2.Options()  # faults are raised, not printed
_QUIET.log_errors = False


class PatternError(ValueError):
    """A pattern or its replacement cannot be understood; the text says why."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """Which numbers a route is for: those with one of the prefixes, or those that a regular
    expression fits as a whole.

    `rewritten`: what stands in place of the prefix, or of the whole with \\1 for what a group took;
    None: nothing changes.
    """

    prefixes: tuple[str, ...] = ("",)
    expression: Any = None  # of RE2, which has no types
    rewritten: str | None = None

    @classmethod
    def read(cls, text: str, rewritten: str = "") -> Pattern:
        """From sip.conf: prefixes separated by commas, or a regular expression between slashes.
        Raises PatternError."""
        text = text.strip()
        into = rewritten or None
        if text.startswith("/"):
            if len(text) < 3 or not text.endswith("/"):
                raise PatternError("expected a regular expression between two slashes")
            try:
                expression = re2.compile(text[1:-1], _QUIET)
                re2.compile(f"(?:{text[1:-1]})|", _QUIET).fullmatch("").expand(rewritten)
            except re2.error as error:
                raise PatternError(
                    f"expected a regular expression as RE2 reads it: {error.args[0].decode()}"
                ) from None
            except (IndexError, ValueError) as error:
                why = f"{error} in what stands for it"
                raise PatternError(
                    f"expected a regular expression with the groups of its replacement: {why}"
                ) from None
            return cls((), expression, into)
        prefixes = tuple(each.strip() for each in text.split(",") if each.strip())
        return cls(prefixes or ("",), None, into)

    def fits(self, number: str) -> str | None:
        """The number, rewritten where the route says so; None where it is another route's."""
        if self.expression is not None:
            found = self.expression.fullmatch(number) if len(number) <= MAX_LENGTH else None
            if found is None:
                return None
            return number if self.rewritten is None else found.expand(self.rewritten)
        prefix = max((each for each in self.prefixes if number.startswith(each)), key=len, default=None)
        if prefix is None:
            return None
        if self.rewritten is None:
            return number
        return self.rewritten + number.removeprefix(prefix) if prefix else self.rewritten


@dataclass(frozen=True, slots=True)
class Rule:
    """One route. `sources` empty: of all trunks. `refuse`: the code that answers its calls, 0 where
    they go on. `mask`: how its customers are masked; None: as their trunk says.

    `spread`: the trunks take turns by chance, instead of one after another. `ends`: its calls end
    in a form, not at a trunk. `left`: what becomes of a payment whose agent hangs up; None: its
    call ends.
    """

    name: str
    to: tuple[str, ...] = ()
    sources: frozenset[str] = frozenset()
    caller: Pattern = field(default_factory=Pattern)
    callee: Pattern = field(default_factory=Pattern)
    spread: bool = False
    refuse: int = 0
    charging: ChargeDefaults = field(default_factory=ChargeDefaults)
    mask: MaskPolicy | None = None
    ends: FormRule | None = None
    left: FormRule | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A trunk as routing needs it."""

    side: Side
    numbers: NumberPlan = field(default_factory=NumberPlan)

    def read(self, party: Party) -> Party:
        """Somebody as its trunk names them, the number in E.164 where it is one. A context that
        made it so is gone."""
        context = _context(party.parameters)
        user = self.numbers.read(party.user, context)
        if not context or not user.startswith("+"):
            return replace(party, user=user)
        others = (
            each for each in party.parameters.split(";")[1:] if not each.lower().startswith("phone-context=")
        )
        return replace(party, user=user, parameters="".join(f";{each}" for each in others))


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a call. `rule`: the route that decided, "" where there is none. Without
    destinations it is refused with `code`. `mask`, `left`: as in `Rule`. `ends`: it ends in a form;
    then the one destination is our end."""

    rule: str
    destinations: tuple[Destination, ...] = ()
    code: int = 404
    charging: ChargeDefaults = field(default_factory=ChargeDefaults)
    mask: MaskPolicy | None = None
    ends: FormEnd | None = None
    left: FormEnd | None = None

    def near(self, side: Side) -> Side:
        """The side of the leg that invited us, whose trunk is on `side`: who calls a form is its
        customer, also through a PBX."""
        return side if self.ends is None else Side.CALLER


def _context(parameters: str) -> str:
    """The phone-context among the parameters of a number."""
    for each in parameters.split(";"):
        name, _, value = each.partition("=")
        if name.lower() == "phone-context":
            return value.strip('"')
    return ""


class Router:
    """All trunks and routes."""

    def __init__(self, places: Mapping[str, Place], rules: Sequence[Rule] = ()) -> None:
        self.places = dict(places)
        self._rules = tuple(rules)

    def side(self, trunk: str) -> Side | None:
        """Which side of a call a trunk is; None where there is no such trunk."""
        place = self.places.get(trunk)
        return None if place is None else place.side

    def decide(self, invited: LegInvited, draw: Callable[[], float] = random.random) -> Decision:
        """Where a call of a trunk of ours goes. `draw`: from [0, 1)."""
        here = self.places[invited.trunk]
        invited = replace(invited, caller=here.read(invited.caller), callee=here.read(invited.callee))
        caller, callee = invited.caller.user, invited.callee.user
        if not self._rules:
            across = [name for name, place in self.places.items() if place.side is not here.side]
            return self._decision("", across, invited, caller, callee)
        for rule in self._rules:
            into = rule.callee.fits(callee)
            by = rule.caller.fits(caller)
            if into is None or by is None or (rule.sources and invited.trunk not in rule.sources):
                continue
            to = [name for name in rule.to if self.places[name].side is not here.side]
            if not to and not rule.refuse and rule.ends is None:
                continue
            if rule.spread:
                to.sort(key=lambda _: draw())
            if rule.refuse:
                return Decision(rule.name, (), rule.refuse)
            left = None if rule.left is None else self._form_end(rule, rule.left, invited, by, into)
            if rule.ends is not None:
                end = self._form_end(rule, rule.ends, invited, by, into)
                ours = Destination(own_trunk(end.form), invited.caller, invited.callee)
                decided = Decision(rule.name, (ours,), ends=end)
            else:
                decided = self._decision(rule.name, to, invited, by, into)
            return replace(decided, charging=rule.charging, mask=rule.mask, left=left)
        return Decision("")

    def _decision(
        self, rule: str, to: Sequence[str], invited: LegInvited, caller: str, callee: str
    ) -> Decision:
        return Decision(rule, tuple(self._at(trunk, invited, caller, callee) for trunk in to))

    def _at(self, trunk: str, invited: LegInvited, caller: str, callee: str) -> Destination:
        write = self.places[trunk].numbers.write
        return Destination(
            trunk, replace(invited.caller, user=write(caller)), replace(invited.callee, user=write(callee))
        )

    def _form_end(self, rule: Rule, ends: FormRule, invited: LegInvited, caller: str, callee: str) -> FormEnd:
        def at(place: NextPlace | None) -> Destination | None:
            if place is None:
                return None
            found = self._at(place.trunk, invited, caller, place.number or callee)
            return replace(found, callee=Party(found.callee.user)) if place.number else found

        manner = {each.name: getattr(ends, each.name) for each in fields(FormManner)}
        return FormEnd(
            then=at(ends.then), person=at(ends.person), otherwise=at(ends.otherwise), rule=rule.name, **manner
        )
