"""Finds calls by what is known of them: our id, SIP Call-ID, numbers, extension, reference; and
binds prepared payments to those that are answered.

Rule 1: of several calls that fit a name none is chosen: a wrong guess could charge the wrong
        customer.
"""

from __future__ import annotations

from b2bua.call.prepared import CallFacts
from b2bua.call.prepared_desk import CallQuery
from b2bua.call.sdp.offer_answer import OTHER
from b2bua.call.state import BridgeState
from b2bua.call.view import CallView, NotNow
from b2bua.switchboard.context import SwitchboardContext
from b2bua.switchboard.entry import Entry
from media.events import Side

BY_CALLER = "caller:"


class CallLinking:
    """The calls of one switchboard, as they are found."""

    def __init__(self, context: SwitchboardContext) -> None:
        self._context = context

    def facts(self, entry: Entry) -> CallFacts:
        """What a call is found by."""
        call, engine = entry.call, self._context.engine
        report, near = call.report, call.bridge.route.near
        identity = report.identity
        legs = [engine.call_id(leg) for leg in entry.legs.values()] if engine is not None else []
        _, agent = identity.agent(call.bridge.route.extensions)
        callees = dict.fromkeys((report.callee, *identity.of(OTHER[near]).numbers))
        # What a prepared payment is found by was kept as a pseudonym, where there are any.
        with_pseudonyms = self._context.pseudonyms.with_pseudonyms
        return CallFacts(
            call=call.id,
            call_ids=tuple(filter(None, legs)),
            callers=with_pseudonyms(identity.of(near).numbers),
            callees=with_pseudonyms(tuple(filter(None, callees))),
            extensions=identity.of(Side.AGENT).numbers,
            agent=report.phone.linked[0] or agent,
            references=identity.references,
        )

    def answered(self) -> list[CallFacts]:
        """The calls that are answered, and not over; the one that was answered first is first."""
        up = [entry for entry in self._context.registry.all() if _is_up(entry)]
        up.sort(key=lambda entry: entry.call.bridge.answered_at or 0.0)
        return [self.facts(entry) for entry in up]

    def find(self, name: str) -> Entry | None:
        """The call of this name: our own id, the SIP Call-ID of one of its legs, or `caller:` and
        the number of who called. Raises NotNow where several fit."""
        entry = self._context.registry.get(name)
        if entry is not None:
            return entry
        if name.startswith(BY_CALLER):
            query = CallQuery(caller=name.removeprefix(BY_CALLER))
        else:
            query = CallQuery(call_id=name)
        found = [each for each in self._context.registry.all() if self._fits(each, query)]
        if len(found) > 1:
            raise NotNow("Several calls fit this. Name the call by its own id.")
        return found[0] if found else None

    def select(self, query: CallQuery) -> list[CallView]:
        """The calls that fit, the oldest first."""
        calls = self._context.feed.calls()
        if not query:
            return calls
        fitting = {each.call.id for each in self._context.registry.all() if self._fits(each, query)}
        return [view for view in calls if view.id in fitting]

    # --- prepared payments ------------------------------------------------------------------------

    def observe(self, entry: Entry) -> None:
        """A call has changed: bind what fits it, once it is answered."""
        if entry.call.ended_at is not None:
            self.leave(entry)
        elif _is_up(entry):
            facts = self.facts(entry)
            if facts != entry.facts:
                entry.facts = facts
                self._context.payments.prepared.match(facts)

    def replaced(self, entry: Entry, side: Side) -> None:
        """Another leg took that side's place. Where it was the customer's, another customer is
        there."""
        if side is Side.CALLER:
            self.leave(entry)
        self.observe(entry)

    def leave(self, entry: Entry) -> None:
        """The call is over, or its customer is gone."""
        entry.facts = None
        self._context.payments.prepared.leave(entry.call.id)

    def _fits(self, entry: Entry, query: CallQuery) -> bool:
        return entry.call.ended_at is None and query.fits(self.facts(entry))


def _is_up(entry: Entry) -> bool:
    return entry.call.bridge.state is BridgeState.UP
