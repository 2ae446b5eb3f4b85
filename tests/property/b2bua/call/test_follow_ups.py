"""Whatever is requested about a payment, in whatever order answers come: no more is refunded than
was captured, and no more captured than was approved."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from b2bua.call.follow_up import Balance, FollowUpView, Kind
from provider_adapters.payment import Accepted, Approved, Declined, Failed, FollowUpOutcome, Unknown

KINDS: st.SearchStrategy[Kind] = st.sampled_from(["capture", "void", "refund"])
AMOUNTS = st.integers(1, 12)


@dataclass
class Provider:
    """A provider that does whatever it gets, without any check of its own."""

    done: dict[Kind, int] = field(default_factory=lambda: {"capture": 0, "void": 0, "refund": 0})

    def carry_out(self, view: FollowUpView) -> None:
        self.done[view.kind] += view.amount


class FollowUps(RuleBasedStateMachine):
    """Requests that the rules let through, each with an answer that may hide what was done."""

    @initialize(operation=st.sampled_from(["charge", "authorise"]), approved=AMOUNTS)
    def begin(self, operation: str, approved: int) -> None:
        self.operation, self.approved = operation, approved
        self.views: list[FollowUpView] = []
        self.provider = Provider()

    def balance(self) -> Balance:
        return Balance.of(self.operation, self.approved, Approved(reference="r"), self.views)

    @rule(kind=KINDS, amount=AMOUNTS | st.none())
    def request(self, kind: Kind, amount: int | None) -> None:
        wanted = self.balance().left(kind) if amount is None else amount
        if not self.balance().refusal(kind, wanted):
            self.views.append(FollowUpView(key=str(len(self.views)), kind=kind, amount=wanted, at=""))

    @precondition(lambda self: self.views and self.views[-1].outcome is None)
    @rule(answer=st.sampled_from(["done", "accepted", "lost but done", "lost", "declined", "not sent"]))
    def answer(self, answer: str) -> None:
        view = self.views[-1]
        outcomes: dict[str, FollowUpOutcome] = {
            "done": Approved(reference="f"), "accepted": Accepted(reference="f"),
            "lost but done": Unknown(reason="connection_lost"), "lost": Unknown(reason="connection_lost"),
            "declined": Declined(reason="declined"), "not sent": Failed(reason="not_sent"),
        }  # fmt: skip
        if answer in ("done", "accepted", "lost but done"):
            self.provider.carry_out(view)
        self.replace(len(self.views) - 1, outcomes[answer])

    @precondition(lambda self: any(isinstance(each.outcome, Accepted) for each in self.views))
    @rule(data=st.data(), is_done=st.booleans())
    def decide(self, data: st.DataObject, is_done: bool) -> None:
        """The provider decides what it has accepted. A capture of which something was refunded was
        one."""
        accepted = [place for place, each in enumerate(self.views) if isinstance(each.outcome, Accepted)]
        place = data.draw(st.sampled_from(accepted))
        view = self.views[place]
        if not is_done and (view.kind != "capture" or not self.provider.done["refund"]):
            self.provider.done[view.kind] -= view.amount
            self.replace(place, Declined(reason="declined"))
        else:
            self.replace(place, Approved(reference="f"))

    def replace(self, place: int, outcome: FollowUpOutcome) -> None:
        old = self.views[place]
        self.views[place] = FollowUpView(
            key=old.key, kind=old.kind, amount=old.amount, at="", outcome=outcome
        )

    @invariant()
    def no_more_than_there_was(self) -> None:
        if not hasattr(self, "provider"):
            return
        done = self.provider.done
        captured = self.approved if self.operation == "charge" else done["capture"]
        back = done["refund"] + (done["void"] if self.operation == "charge" else 0)
        assert back <= captured
        assert done["capture"] + (done["void"] if self.operation == "authorise" else 0) <= self.approved
        assert sum(each.outcome is None for each in self.views) <= 1
        for kind in ("capture", "void", "refund"):
            assert self.balance().left(kind) >= 0


TestFollowUps = FollowUps.TestCase
