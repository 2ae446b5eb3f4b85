"""Carries out what calls ask that take a payment without an agent: by the same methods as the API.

Rule 1: whatever cannot be done is reported to the call, which goes on to a person.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Protocol

from b2bua.call.command import StartPayment, SubmitPayment
from b2bua.call.feature_codes import Feature
from b2bua.call.leg import LegInvited, LegReferred, Party
from b2bua.call.order import Order
from b2bua.call.own_leg import is_own_trunk
from b2bua.call.routing.form_end import Destination, FormEnd
from b2bua.call.unattended_view import UNATTENDED, Why
from b2bua.call.view import (
    CallView,
    NoSuchCall,
    NoSuchPayment,
    NotNow,
    NotOffered,
    NotWell,
    NotYours,
    Repeated,
)
from b2bua.switchboard.code_audit import CodeAudit
from b2bua.switchboard.entry import Entry
from b2bua.switchboard.executor import Executor
from b2bua.switchboard.interfaces import Plan
from b2bua.switchboard.prepared_payments import PreparedPayments
from b2bua.switchboard.run_queue import RunQueue
from media.events import Side
from tonewall.log import get_logger
from tonewall.tasks import BackgroundTasks

log = get_logger(__name__)
_USER = re.compile(r"[A-Za-z0-9+*#._~-]{1,64}")


def form_of_referral(plan: Plan, entry: Entry, side: Side | None, event: LegReferred) -> FormEnd | None:
    """The form that a REFER asks for: the number that it names is one whose route ends in a form.
    Without a next place of the route's own the call goes back to who sent it."""
    call = entry.call
    if side is not Side.AGENT or event.replaces_header:
        return None
    trunk = call.bridge.trunks.trunk(side)
    if is_own_trunk(trunk):
        return None
    decision = plan.router.decide(LegInvited(trunk, call.party, event.target, b""))
    ends = decision.ends
    if ends is None or ends.then is not None:
        return ends
    back = _referrer(event.referred_by) or call.bridge.user_at(side)
    if not back:
        return ends
    place = Destination(trunk, decision.destinations[0].caller, Party(back))
    return replace(ends, then=place, person=ends.person or place)


def _referrer(referred_by: str) -> str:
    """The user of a Referred-By; "" where there is none."""
    uri = referred_by.partition("<")[2].partition(">")[0] or referred_by.partition(";")[0]
    user, at, _ = uri.strip().partition(":")[2].partition("@")
    user = user.partition(";")[0].partition(":")[0]
    return user if at and _USER.fullmatch(user) else ""


class Requests(Protocol):
    """What an agent may request, as far as it is needed here: see `CallDesk`."""

    async def start_capture(self, call_id: str, order: Order, agent: str = "") -> CallView: ...
    async def start_prepared(self, payment_id: str, agent: str = "") -> CallView: ...
    async def submit_capture(self, call_id: str, agent: str = "") -> CallView: ...


class UnattendedDesk:
    """The requests of all calls without an agent. `prepared`: the payments that wait for calls."""

    def __init__(
        self,
        requests: Requests,
        executor: Executor,
        run_queue: RunQueue,
        prepared: PreparedPayments,
        audit: CodeAudit,
    ) -> None:
        self._requests, self._executor, self._run_queue = requests, executor, run_queue
        self._prepared, self._audit = prepared, audit
        self._tasks = BackgroundTasks()

    def carry_out(self, entry: Entry, request: StartPayment | SubmitPayment) -> None:
        """Begin with a request; what becomes of it the call hears, or sees of its payment."""
        payment = request.payment if isinstance(request, SubmitPayment) else ""
        name = f"unattended {type(request).__name__}"
        self._tasks.start(
            self._request(entry, request, payment), name, lambda: self._refuse(entry, payment, None)
        )

    async def _request(self, entry: Entry, request: StartPayment | SubmitPayment, payment: str) -> None:
        call, feature, prepared = entry.call.id, Feature.SUBMIT, ""
        if isinstance(request, StartPayment):
            bound = [] if request.again else self._prepared.of_call(call)
            feature, prepared = Feature.START, bound[0].id if bound else ""
            if request.order is None and not prepared:
                self._refuse(entry, payment, Why.NOTHING_OWED)
                return
        try:
            async with self._audit.noted(UNATTENDED, feature, call, "form"):
                if isinstance(request, SubmitPayment):
                    await self._requests.submit_capture(call, UNATTENDED)
                elif prepared:
                    await self._requests.start_prepared(prepared, UNATTENDED)
                elif request.order is not None:
                    await self._requests.start_capture(call, request.order, UNATTENDED)
        except NoSuchCall:
            return
        except Repeated as error:
            log.info("unattended_payment_refused", call=call, exc_info=error)
            self._refuse(entry, payment, Why.CHARGED_BEFORE)
        except (NoSuchPayment, NotNow, NotWell, NotOffered, NotYours) as error:
            log.warning("unattended_payment_refused", call=call, exc_info=error)
            self._refuse(entry, payment, None)

    def _refuse(self, entry: Entry, payment: str, why: Why | None) -> None:
        self._run_queue.run(
            lambda: self._executor.step(entry, lambda now: entry.call.desk_refused(payment, now, why))
        )
