"""Names the roles of people and programs, and the scopes of programs."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What somebody is to Tonewall. Who has several may do what any of them may."""

    AGENT = "agent"  # takes payments in calls of their own
    SUPERVISOR = "supervisor"  # does so in the calls of a team, takes over, refunds
    ADMINISTRATOR = "administrator"  # runs the machine; sees no payment, but in a person's export
    INTEGRATION = "integration"  # a program; may do what its scopes name
    METRICS = "metrics"  # reads /metrics
    AUDITOR = "auditor"  # reads the audit log and evidence


class Scope(StrEnum):
    """What a program may do."""

    CALLS_READ = "calls:read"
    PAYMENTS_READ = "payments:read"
    PAYMENTS_TAKE = "payments:take"  # start, ask, submit, cancel, prepare
    PAYMENTS_REFUND = "payments:refund"  # capture, void, refund
    PAYMENTS_SETTLE = "payments:settle"  # have unknown outcomes asked about, and settle them
    LINKS = "links"  # open and close payment links
    CARDS_CHARGE = "cards:charge"  # charge cards that a provider saved
    LADDERS_READ = "ladders:read"
    WEBHOOKS = "webhooks"  # see what became of deliveries, and send them again
    EMBED = "embed"  # get tokens with which any agent takes payments in a page of the company


ALL_SCOPES: Final = frozenset(Scope)
ROLE_WORDS: Final = {
    Role.AGENT: "takes payments in their own calls: those of their extension, and those that they "
    "claimed or linked by a code",
    Role.SUPERVISOR: "sees and drives the calls of their team, takes payments over, refunds up to the "
    "limit; without a team, all calls",
    Role.ADMINISTRATOR: "sees trunks, ladders, metrics and faults, says who may sign in, exports and erases "
    "a person's data; sees no payment, but those in such an export",
    Role.INTEGRATION: "a program: what its scopes name, in all calls",
    Role.METRICS: "reads /metrics",
    Role.AUDITOR: "reads the audit log and the evidence",
}


def parse_roles(text: str) -> frozenset[Role]:
    """Read `agent+auditor`. Raises ValueError with the roles that there are."""
    try:
        return frozenset(Role(each.strip()) for each in text.split("+"))
    except ValueError:
        raise ValueError(f"expected roles joined by +, of {', '.join(Role)}") from None


def read_roles(text: str) -> dict[str, frozenset[Role]]:
    """Read `name:role, *:role+role`. Raises ValueError with what was expected."""
    roles: dict[str, frozenset[Role]] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, _, given = entry.partition(":")
        if name in roles or not given:
            raise ValueError("roles: expected name:role or *:role, each name once, separated by commas")
        try:
            roles[name] = parse_roles(given)
        except ValueError as error:
            raise ValueError(f"roles: {error}") from None
    return roles


def parse_scopes(text: str) -> frozenset[Scope]:
    """Read `calls:read payments:take`; `all` is every scope. Raises ValueError with the scopes that
    there are."""
    if text.strip() == "all":
        return ALL_SCOPES
    try:
        return frozenset(Scope(each) for each in text.split())
    except ValueError:
        raise ValueError(f"expected scopes with spaces between, of {', '.join(Scope)}, or all") from None
