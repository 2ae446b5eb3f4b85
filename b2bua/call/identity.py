"""Knows who is on the two legs of a call, and which order their sides named: what a call is found
by.

Rule 1: what a leg's own side says of it counts: the identity that a trusted network asserted (RFC
        3325), which the policy of headers accepts from trusted trunks alone, then From or To.
Rule 2: a number is printable: what a peer sends otherwise is none, for no program could show it.
Rule 3: of an order's reference the first value of each header counts, for as long as the leg that
        sent it is in the call.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from b2bua.call import leg, leg_command
from b2bua.call.reference import MAX_SHOWN, read_references
from b2bua.call.trunk_policy import TrunkPolicy
from media.events import Side

_MAX_NUMBERS = 4  # of one leg
_NO_POLICY: Final = TrunkPolicy()
_USER: Final = re.compile(r"(?:sips?|tel):([^@;:<>\s,\"?]{1,64})(?=[@;>\s?]|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LegIdentity:
    """Who is on a leg. `numbers`: the one that is asserted first; `references`: of an order, and
    `shown`: what agents see, both by the header's name in lower case."""

    numbers: tuple[str, ...] = ()
    references: tuple[tuple[str, str], ...] = ()
    shown: tuple[tuple[str, str], ...] = ()

    def learn(self, numbers: tuple[str, ...], carried: leg.Carried, policy: TrunkPolicy) -> LegIdentity:
        """With what a message says. `numbers`: of From or To; `policy`: of its trunk, which names
        the headers that count."""
        references = read_references(carried.headers, policy.references)
        shown = read_references(carried.headers, policy.shown_headers, MAX_SHOWN)
        everybody = dict.fromkeys((*_asserted(carried), *numbers, *self.numbers))
        return LegIdentity(
            tuple(filter(None, everybody))[:_MAX_NUMBERS],
            _with_new(self.references, references),
            _with_new(self.shown, shown),
        )


NOBODY: Final = LegIdentity()


@dataclass(slots=True)
class CallIdentity:
    """Who is on the two legs. `joining`: on the leg that is to replace one of them."""

    legs: dict[Side, LegIdentity] = field(default_factory=dict)
    joining: LegIdentity = NOBODY

    def of(self, side: Side) -> LegIdentity:
        """Who is on this side."""
        return self.legs.get(side, NOBODY)

    @property
    def references(self) -> tuple[tuple[str, str], ...]:
        """The references that either side named, the customer's side first."""
        return (*self.of(Side.CALLER).references, *self.of(Side.AGENT).references)

    def event(self, side: Side, event: leg.LegEvent, policy: TrunkPolicy) -> None:
        """Take an event of a leg. `policy`: of its trunk."""
        self.legs[side] = _after(self.of(side), event, policy)

    def expected(self, side: Side, number: str) -> None:
        """Note who is to be called on this side, before anybody is."""
        self.legs[side] = LegIdentity((number,))

    def invited(self, side: Side, command: leg_command.LegCommand) -> None:
        """Note who is called on this side."""
        if isinstance(command, leg_command.InviteLeg):
            self.legs[side] = LegIdentity((command.callee.user,))

    def joining_event(self, event: leg.LegEvent, policies: Mapping[str, TrunkPolicy]) -> None:
        """Take an event of the leg that is to replace one. `policies`: of the trunks, by name."""
        policy = policies.get(event.trunk) if isinstance(event, leg.LegInvited) else None
        self.joining = _after(self.joining, event, policy or _NO_POLICY)

    def joining_invited(self, command: leg_command.LegCommand) -> None:
        """Note who is called to replace a leg."""
        if isinstance(command, leg_command.InviteLeg):
            self.joining = LegIdentity((command.callee.user,))

    def replaced(self, side: Side) -> None:
        """The leg that was to replace this side's has done so."""
        self.legs[side], self.joining = self.joining, NOBODY

    def agent(self, extensions: Mapping[str, str]) -> tuple[str, str]:
        """The number on the agents' side, and the agent whose extension it is. `extensions`: of
        which agent each is."""
        numbers = self.of(Side.AGENT).numbers
        for number in numbers:
            if number in extensions:
                return number, extensions[number]
        return (numbers[0] if numbers else ""), ""


def _with_new(
    known: tuple[tuple[str, str], ...], more: tuple[tuple[str, str], ...]
) -> tuple[tuple[str, str], ...]:
    names = {name for name, _ in known}
    return (*known, *(each for each in more if each[0] not in names))


def _after(known: LegIdentity, event: leg.LegEvent, policy: TrunkPolicy) -> LegIdentity:
    match event:
        case leg.LegInvited():
            return NOBODY.learn((event.caller.user,), event.carried, policy)
        case leg.LegAnswered():
            return known.learn((), event.carried, policy)
        case leg.LegProgressed():  # who rings is not who answers
            after = known.learn((), event.carried, policy)
            return replace(known, references=after.references, shown=after.shown)
        case _:
            return known


def _asserted(carried: leg.Carried) -> tuple[str, ...]:
    values = (value for name, value in carried.headers if name == "P-Asserted-Identity")
    return tuple(user for user in map(_user, values) if user)


def _user(value: str) -> str:
    """The user part of an address, whose display name may hold anything."""
    value = value.strip()
    if value.startswith('"'):
        end = 1
        while end < len(value) and value[end] != '"':
            end += 2 if value[end] == "\\" else 1
        value = value[end + 1 :]
    found = _USER.search(value.rpartition("<")[2] if "<" in value else value)
    return found[1] if found and found[1].isprintable() else ""
