"""Decides who may do what: the one place where it is asked.

Rule 1: what is not permitted by the table is refused.
Rule 2: a call is somebody's by their extension, their claim or code, or because they drive its
        payment; a payment is that of whoever drives it or has started it.
Rule 3: who shows the token of an embedded form does what such a form does, and reaches the one call
        that the token is for, where it is for one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from b2bua.access.permissions import EMBEDDED, PERMISSIONS, Reach
from b2bua.access.principal import EMBED, Principal
from b2bua.access.roles import Role, Scope
from b2bua.access.teams import Teams
from b2bua.call.service_view import ServiceView
from b2bua.call.unattended_view import UNATTENDED
from b2bua.call.view import CallView, CaptureStage, PaymentView

View = CallView | PaymentView | ServiceView
_OVER = frozenset({CaptureStage.FINISHED, CaptureStage.CANCELLED, CaptureStage.ABORTED})


class NotPermitted(Exception):
    """Somebody may not do that; `str(error)` says so, fit for their eyes."""


class Authority:
    """Who may do what. `refund_limits`: the most that a supervisor gives back of a payment, in the
    minor unit, by currency; where there are none, all may be given back, else nothing in
    another."""

    def __init__(self, teams: Teams | None = None, refund_limits: Mapping[str, int] | None = None) -> None:
        self.teams = teams or Teams()
        self._refund_limits = dict(refund_limits or {})

    def reach(self, principal: Principal, operation: str) -> Reach:
        """How far somebody reaches with an operation."""
        permission = PERMISSIONS.get(operation)
        if permission is None or (principal.method == EMBED and operation not in EMBEDDED):
            return Reach.NOTHING
        return permission.reach(principal.roles, principal.scopes)

    def require(self, principal: Principal, operation: str) -> Reach:
        """How far somebody reaches; raises NotPermitted where nowhere."""
        reach = self.reach(principal, operation)
        if reach is Reach.NOTHING:
            raise NotPermitted(_no_role(principal, operation))
        return reach

    def require_call(self, principal: Principal, operation: str, call: CallView) -> None:
        """Raises NotPermitted where this is no call that they may do it in."""
        if not self.reaches_call(principal, self.require(principal, operation), call):
            raise NotPermitted("This is not your call. Link it to yourself first, or ask your supervisor.")

    def require_payment(self, principal: Principal, operation: str, payment: PaymentView) -> None:
        """Raises NotPermitted where this is no payment that they may do it to."""
        if not self.reaches_payment(principal, self.require(principal, operation), payment):
            raise NotPermitted("This is not your payment.")

    def require_refund(self, principal: Principal, amount: int, currency: str) -> None:
        """Raises NotPermitted where it is more of a payment, in all, than a supervisor may give
        back; a program's scope has no limit."""
        is_program = Role.INTEGRATION in principal.roles and Scope.PAYMENTS_REFUND in principal.scopes
        if is_program or not self._refund_limits:
            return
        limit = self._refund_limits.get(currency, 0)
        if amount > limit:
            raise NotPermitted(
                f"This is more than the {limit} of the minor unit of {currency} that you may give back of "
                "one payment ([api] refund_limit)."
            )

    def reaches_call(self, principal: Principal, reach: Reach, call: CallView) -> bool:
        """Whether a reach takes somebody to this call."""
        if principal.only_call:
            return reach is not Reach.NOTHING and call.id == principal.only_call
        return self._reaches(principal, reach, _owners_of_call(call))

    def reaches_payment(self, principal: Principal, reach: Reach, payment: PaymentView) -> bool:
        """Whether a reach takes somebody to this payment."""
        if principal.only_call and payment.call != principal.only_call:
            return False
        found = {payment.agent, payment.started_by}
        if payment.prepared is not None:
            found.add(payment.prepared.find_by.agent)
        return self._reaches(principal, reach, _people(found))

    def reaches_agent(self, principal: Principal, operation: str, name: str) -> bool:
        """Whether an operation takes somebody to what is this agent's; empty: nobody's."""
        return self._reaches(principal, self.reach(principal, operation), _people({name}))

    def keeps_payments(self, principal: Principal) -> Callable[[PaymentView], bool] | None:
        """Which payments a list has for somebody; None: all."""
        reach = self.reach(principal, "list_payments")
        if reach is Reach.ALL or (reach is Reach.TEAM and not self.teams.led_by(principal)):
            return None
        return lambda payment: self.reaches_payment(principal, reach, payment)

    def sight(self, principal: Principal, view: View) -> View | None:
        """What somebody sees of a call, a payment or the service; None: nothing."""
        if isinstance(view, CallView):
            if not self.reaches_call(principal, self.reach(principal, "get_call"), view):
                return None
            if view.capture is not None and self.reach(principal, "get_payment") is Reach.NOTHING:
                return msgspec.structs.replace(view, capture=None)
            return view
        if isinstance(view, PaymentView):
            reach = self.reach(principal, "get_payment")
            return view if self.reaches_payment(principal, reach, view) else None
        return view

    def _reaches(self, principal: Principal, reach: Reach, owners: frozenset[str]) -> bool:
        if reach is Reach.ALL or (reach is not Reach.NOTHING and principal.name in owners):
            return True
        if reach is not Reach.TEAM:
            return False
        return not owners or any(self.teams.leads(principal, each) for each in owners)


def _owners_of_call(call: CallView) -> frozenset[str]:
    owners = {call.agent, call.announced_by or ""}
    if call.capture is not None and (call.capture.stage not in _OVER or call.masked):
        owners.add(call.capture.agent)
    return _people(owners)


def _people(names: set[str]) -> frozenset[str]:
    return frozenset(names - {"", UNATTENDED})


def _no_role(principal: Principal, operation: str) -> str:
    roles = ", ".join(sorted(principal.roles)) or "no role"
    return f"{principal.name} ({roles}) may not do this ({operation}): docs/roles.md says who may."
