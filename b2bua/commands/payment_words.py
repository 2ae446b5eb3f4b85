"""Says what became of payments and their links, for a terminal."""

from __future__ import annotations

from b2bua.call.link import LinkView
from provider_adapters.own_reasons import explain
from provider_adapters.payment import Accepted, Approved, FollowUpOutcome, Outcome, PartiallyApproved


def printable(text: str) -> str:
    """The text with nothing in it that a terminal obeys."""
    return "".join(char if char.isprintable() else "?" for char in text)


def in_words(outcome: Outcome | FollowUpOutcome | None) -> str:
    """The outcome, and its reason in a sentence."""
    match outcome:
        case None:
            return "under way"
        case Approved() | PartiallyApproved():
            return str(type(outcome).__struct_config__.tag).replace("_", " ")
        case Accepted():
            return "accepted; the provider decides later"
        case _:
            reason, code = outcome.reason, getattr(outcome, "code", "")
            words = f"{type(outcome).__struct_config__.tag} ({reason}{', ' + code if code else ''})"
            return printable(f"{words}: {explain(reason)}" if explain(reason) else words)


def link_facts(link: LinkView | None) -> dict[str, str]:
    """What there is to know of a payment link."""
    if link is None:
        return {}
    told = link.hand_over
    event = told.event.rpartition(".")[2] if told is not None else ""
    why = f" ({told.reason})" if told is not None and told.reason else ""
    return {
        "link": f"{link.state.value}; its time ends {link.expires_at}",
        "address": link.url,
        "handed over": f"{event}: {told.state.replace('_', ' ')}{why}, {told.at}" if told is not None else "",
    }
