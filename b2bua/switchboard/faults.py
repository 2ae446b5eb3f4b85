"""What is wrong with this Tonewall: from what media counts, from the records' store, and from how
long no payer waits.

Rule 1: a fault names a setting, a log or a file of the product, never a path of the machine or a
        value: /healthz needs no token.
"""

from __future__ import annotations

from collections.abc import Callable

from b2bua.call.obstacle import Obstacle, service_obstacle
from b2bua.call.service_view import Fault, Stops
from b2bua.records.store import RecordsFault
from media.events import Counted, PayerFault

# Seconds without a waiting payer that are no fault: while one charges, the next is started.
_PAYERLESS = 5.0
_NO_PAYER = {
    None: "no payer process waits. See the log of the payers, and `tonewall doctor`",
    PayerFault.JOURNAL: "the payment journal cannot be written. See [provider] journal: is its disk full or "
    "read-only?",
    PayerFault.SETTINGS: "the settings of [provider] are wrong. See the log of the payers, and `tonewall "
    "doctor`",
    PayerFault.ENDED: "payer processes end as soon as they are started. See their log, and `tonewall doctor`",
}


class Faults:
    """What is known of the parts. `connected`: whether media is; `records`: what is wrong with the
    call records; `payments`: why none can be noted down; `passed_by`: the providers whose circuit
    breaker is open; `links`: why the service that takes payment links does not; `audit`: what is
    wrong with the audit log; `notices`: why the service that hears of payments takes nothing;
    `certificate`: what is wrong with that of the API; `files`: which files are not those of the
    release; `sign_ins`: that many wrong ones come; `identity`: that the identity provider is down;
    `webhooks`: why the services of `[webhook NAME]` do not get theirs; `drain`: that new calls are
    refused because Tonewall is about to end; `shared`: that other instances are not known.

    `clock` gives seconds and never runs backwards."""

    def __init__(
        self,
        connected: Callable[[], bool],
        records: Callable[[], RecordsFault | None],
        clock: Callable[[], float],
        payments: Callable[[], str | None] = lambda: None,
        passed_by: Callable[[], tuple[str, ...]] = lambda: (),
        links: Callable[[], str | None] = lambda: None,
        audit: Callable[[], Fault | None] = lambda: None,
        notices: Callable[[], str | None] = lambda: None,
        certificate: Callable[[], Fault | None] = lambda: None,
        files: Callable[[], Fault | None] = lambda: None,
        sign_ins: Callable[[], Fault | None] = lambda: None,
        identity: Callable[[], Fault | None] = lambda: None,
        webhooks: Callable[[], Fault | None] = lambda: None,
        drain: Callable[[], Fault | None] = lambda: None,
        shared: Callable[[], Fault | None] = lambda: None,
    ) -> None:
        self._connected, self._records, self._clock, self._payments = connected, records, clock, payments
        self._passed_by, self._links, self._audit, self._notices = passed_by, links, audit, notices
        self._certificate, self._files, self._sign_ins = certificate, files, sign_ins
        self._identity, self._webhooks, self._drain, self._shared = identity, webhooks, drain, shared
        self._counted: Counted | None = None
        self._payer_seen = float("-inf")  # when one waited last

    def new_media(self) -> None:
        """Media came or went: what it counted is no more."""
        self._counted = None
        self._payer_seen = float("-inf")

    def counted(self, counted: Counted) -> None:
        """Media said what it holds."""
        self._counted = counted
        if counted.payers:
            self._payer_seen = self._clock()

    def all(self) -> tuple[Fault, ...]:
        """Those that there are now, the worst first."""
        found = (
            self._media(),
            self._payers(),
            self._table(),
            self._audit(),
            self._certificate(),
            self._files(),
            self._sign_ins(),
            self._identity(),
            self._providers(),
            self._service(),
            self._notified(),
            self._webhooks(),
            self._call_records(),
            self._shared(),
            self._drain(),
        )
        return tuple(fault for fault in found if fault is not None)

    def stopping(self, *what: Stops) -> Fault | None:
        """The first fault that makes one of these impossible."""
        return next((fault for fault in self.all() if fault.stops in what), None)

    def obstacle(self) -> Obstacle | None:
        """What keeps every capture from beginning."""
        fault = self.stopping(Stops.CALLS, Stops.PAYMENTS)
        return None if fault is None else service_obstacle(fault.says)

    def _media(self) -> Fault | None:
        if not self._connected():
            says = (
                "No call can be made: the media process is away. Its log says why; it is started again by "
                "itself."
            )
            return Fault(what="media", says=says, stops=Stops.CALLS)
        if self._counted is not None and self._counted.servers == 0:
            says = (
                "No call can be made: no rtpengine server answers. See [media] rtpengine, and `tonewall "
                "doctor`."
            )
            return Fault(what="rtpengine", says=says, stops=Stops.CALLS)
        return None

    def _payers(self) -> Fault | None:
        counted = self._counted
        if counted is None or counted.payers or self._clock() - self._payer_seen < _PAYERLESS:
            return None
        says = f"No card can be charged: {_NO_PAYER[counted.payer_fault]}."
        return Fault(what="payers", says=says.replace("?.", "?"), stops=Stops.PAYMENTS)

    def _table(self) -> Fault | None:
        why = self._payments()
        if why is None:
            return None
        says = f"No card can be charged: the table of payments cannot be written ({why}). See [cdr] payments."
        return Fault(what="payments", says=says, stops=Stops.PAYMENTS)

    def _providers(self) -> Fault | None:
        names = self._passed_by()
        if not names:
            return None
        says = (
            f"Charges pass by {', '.join(names)} for a while: the provider could not be reached, or did not "
            "have us, several times in a row. See [provider] breaker_pause, and the log of the payers."
        )
        return Fault(what="provider", says=says, stops=None)

    def _service(self) -> Fault | None:
        why = self._links()
        if why is None:
            return None
        says = (
            f"Payment links are not handed over: the service at [links] webhook_url does not take them "
            f"({why}). They are tried again."
        )
        return Fault(what="links", says=says, stops=None)

    def _notified(self) -> Fault | None:
        why = self._notices()
        if why is None:
            return None
        says = (
            f"Nobody hears how payments go: the service at [notify] webhook_url does not take it ({why}). "
            "How they ended is tried again."
        )
        return Fault(what="notify", says=says, stops=None)

    def _call_records(self) -> Fault | None:
        fault = self._records()
        if fault is None:
            return None
        return Fault(what="records", says=fault.says, stops=Stops.RECORDS if fault.losing else None)
