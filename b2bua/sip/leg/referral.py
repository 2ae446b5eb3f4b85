"""REFER within a dialog and its subscription: NOTIFY until the transfer is done (RFC 3515, 6665,
4488).

Rule 1: REFER is for the trunks that may transfer; of any other it is declined (603).
Rule 2: every transition is in TRANSITIONS; of a subscription that is over nothing more is sent.
Rule 3: a NOTIFY that is refused ends the subscription, never the call (RFC 6665 section 4.2.2).
Rule 4: of a leg MAX_REFERRALS are kept; whatever the peer asks beyond is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import unquote

from b2bua.call.leg import Carried, LegReferred, Party
from b2bua.sip.leg.leg_protocol import LegOwner
from b2bua.sip.leg.leg_state import LegState
from b2bua.sip.leg.replaces import Replaces
from b2bua.sip.message.compose import ALLOW_EVENTS_LINE, reason_phrase
from b2bua.sip.message.header_fields import Headers
from b2bua.sip.message.header_policy import MessageClass, extract_headers
from b2bua.sip.message.message import Request, Response
from b2bua.sip.message.name_addr import parse_name_addr, parse_parameters, split_quoted
from b2bua.sip.message.octets import fits_a_line, readable
from b2bua.sip.message.uri import Uri
from b2bua.sip.transaction.transactions import ClientTransaction, ServerTransaction
from tonewall.tokens import token

_NAME = re.compile(r"[A-Za-z0-9.!%*_+`'~-]{1,64}")
_MAX_HEADERS = 16
METHODS = frozenset({"REFER", "SUBSCRIBE"})
MAX_REFERRALS = 4
# Of a Refer-To's URI that names a user: how to get there is the trunk's to say.
NOT_KEPT = ("method", "transport", "maddr", "ttl", "lr")
SIPFRAG = "message/sipfrag;version=2.0"
SUBSCRIPTION_SECONDS = (
    300  # seconds that we say a subscription lasts; the call's ring time ends it long before
)


class ReferralState(StrEnum):
    """The states of a referral."""

    ASKED = "asked"  # the REFER waits for AnswerReferral
    SILENT = "silent"  # accepted with Refer-Sub: false: nobody wants to know more (RFC 4488)
    ACTIVE = "active"
    OVER = "over"


class ReferralEvent(StrEnum):
    """What moves it."""

    ACCEPT = "AnswerReferral 2xx"
    ACCEPT_SILENTLY = "AnswerReferral 2xx, Refer-Sub: false"
    REFUSE = "AnswerReferral 300-699"
    PROGRESS = "NotifyLeg 1xx"
    LAST = "NotifyLeg 200-699"
    REFRESH = "SUBSCRIBE"
    UNSUBSCRIBE = "SUBSCRIBE, Expires: 0"
    NOTIFY_REFUSED = "NOTIFY refused or not answered"
    DROP = "dialog ends"


_END = {ReferralEvent.DROP: ReferralState.OVER}

TRANSITIONS: dict[ReferralState, dict[ReferralEvent, ReferralState]] = {
    ReferralState.ASKED: {
        ReferralEvent.ACCEPT: ReferralState.ACTIVE,
        ReferralEvent.ACCEPT_SILENTLY: ReferralState.SILENT,
        ReferralEvent.REFUSE: ReferralState.OVER,
        **_END,
    },
    ReferralState.SILENT: {
        ReferralEvent.PROGRESS: ReferralState.SILENT,
        ReferralEvent.LAST: ReferralState.OVER,
        **_END,
    },
    ReferralState.ACTIVE: {
        ReferralEvent.PROGRESS: ReferralState.ACTIVE,
        ReferralEvent.LAST: ReferralState.OVER,
        ReferralEvent.REFRESH: ReferralState.ACTIVE,
        ReferralEvent.UNSUBSCRIBE: ReferralState.OVER,
        ReferralEvent.NOTIFY_REFUSED: ReferralState.OVER,
        **_END,
    },
    ReferralState.OVER: {},
}


@dataclass(slots=True, eq=False)
class Referral:
    """One REFER. `id`: of its events, where the peer has to tell several apart."""

    name: str
    server: ServerTransaction | None
    id: int
    state: ReferralState = ReferralState.ASKED
    last: str = "SIP/2.0 100 Trying"

    def move(self, event: ReferralEvent) -> bool:
        """Apply an event. False: it has no row here."""
        after = TRANSITIONS[self.state].get(event)
        self.state = after or self.state
        return after is not None


@dataclass(frozen=True, slots=True)
class ReferTo:
    """What a Refer-To asks for. `uri`: without its headers; `replaces`: the value of the one of
    that name; `lines`: the others."""

    target: Party
    uri: Uri
    replaces: str = ""
    lines: tuple[str, ...] = ()

    @property
    def says_more(self) -> bool:
        """Whether the URI has a meaning beyond its user."""
        return bool(self.uri.user_parameters or self.uri.parameters_without(*NOT_KEPT))


def parse_refer_to(request: Request) -> ReferTo:
    """Raises ValueError where it is no single call (RFC 3515 section 2.4.2)."""
    [value] = [value for line in request.headers.getlist("Refer-To") for value in split_quoted(line, ",")]
    display, whole, _ = parse_name_addr(value)
    read = Uri.parse(whole)
    if read.parameter_map.get("method", "INVITE").upper() != "INVITE":
        raise ValueError("Refer-To")
    uri = Uri.parse(read.without_headers)
    lines: list[str] = []
    replaces: list[str] = []
    for part in read.headers.split("&") if read.headers else ():
        name, _, value = part.partition("=")
        name = unquote(name)
        if _NAME.fullmatch(name) is None or not fits_a_line(text := unquote(value, errors="surrogateescape")):
            raise ValueError("Refer-To")
        if name.lower() == "replaces":
            replaces.append(text)
        else:
            lines.append(f"{name}: {text}")
    if len(replaces) > 1 or len(lines) > _MAX_HEADERS:
        raise ValueError("Refer-To")
    target = Party(readable(uri.user), display, readable(uri.user_parameters))
    return ReferTo(target, uri, replaces[0] if replaces else "", tuple(lines))


@dataclass(slots=True, repr=False, eq=False)
class Referrals:
    """The referrals of one leg."""

    _leg: LegOwner
    _open: dict[str, Referral] = field(default_factory=dict)
    _notified: dict[ClientTransaction, Referral] = field(default_factory=dict)
    _several: bool = False  # whether this dialog has had one before

    # --- what the peer asks -----------------------------------------------------------------------

    def receive_request(self, server: ServerTransaction) -> None:
        """A REFER or SUBSCRIBE, its CSeq in order."""
        if server.request.method == "REFER":
            self._on_refer(server)
        else:
            self._on_subscribe(server)

    def _on_refer(self, server: ServerTransaction) -> None:
        leg, request = self._leg, server.request
        if not leg.peer.trunk.refer:
            leg.respond(server, 603)
            return
        if leg.state is not LegState.UP or len(self._open) >= MAX_REFERRALS:
            leg.respond(server, 491 if self._open else 480)
            return
        by = [value for line in request.headers.getlist("Referred-By") for value in split_quoted(line, ",")]
        try:
            asked = parse_refer_to(request)
            wanted = Replaces.parse(asked.replaces) if asked.replaces else None
            if len(by) > 1:
                raise ValueError("Referred-By")
        except ValueError:
            leg.respond(server, 400)
            return
        ours = _find_own(leg, wanted) if wanted is not None else None
        referral = Referral(token(8), server, request.cseq if self._several else 0)
        self._several = True
        self._open[referral.name] = referral
        header = asked.replaces if wanted is not None and ours is None else ""
        replaces = ours.id if ours is not None else None
        # A place without a user is called as the trunk names it, if it is the trunk's own, or says
        # what is there.
        is_place = not asked.uri.user and leg.peer.find_hop(asked.uri.text) is not None
        uri = asked.uri.text if asked.says_more or is_place else ""
        carried = Carried(extract_headers(MessageClass.INVITE, Headers(asked.lines), leg.peer.trunk))
        leg.emit(LegReferred(referral.name, asked.target, replaces, header, "".join(by), uri, carried))

    def _on_subscribe(self, server: ServerTransaction) -> None:
        headers = server.request.headers
        package, _, rest = "".join(headers.getlist("Event")[:1]).partition(";")
        if package.strip().lower() != "refer":
            self._leg.respond(server, 489, lines=(ALLOW_EVENTS_LINE,))
            return
        number = parse_parameters(rest).get("id", "")
        active = [each for each in self._open.values() if each.state is ReferralState.ACTIVE]
        found = next((each for each in active if str(each.id or "") == number), None)
        if found is None:
            self._leg.respond(server, 481)
            return
        over = "".join(headers.getlist("Expires")[:1]).strip() == "0"
        self._leg.respond(
            server, 200, lines=(f"Expires: {0 if over else SUBSCRIPTION_SECONDS}", *self._leg.own_lines())
        )
        if found.move(ReferralEvent.UNSUBSCRIBE if over else ReferralEvent.REFRESH):
            self._send_notify(
                found, "terminated;reason=timeout" if over else f"active;expires={SUBSCRIPTION_SECONDS}"
            )

    # --- what the calls say -----------------------------------------------------------------------

    def answer_refer(self, name: str, code: int, text: str) -> bool:
        """Answer the REFER. False: there is none of that name."""
        referral = self._open.get(name)
        if referral is None or referral.server is None:
            return False
        server, referral.server = referral.server, None
        if not 200 <= code <= 299:
            referral.move(ReferralEvent.REFUSE)
            self._forget(referral)
            self._leg.respond(server, code if 300 <= code <= 699 else 500, text)
            return True
        silent = [
            value
            for value in server.request.headers.getlist("Refer-Sub")
            if value.partition(";")[0].strip().lower() == "false"
        ]
        referral.move(ReferralEvent.ACCEPT_SILENTLY if silent else ReferralEvent.ACCEPT)
        lines = ("Refer-Sub: false",) if silent else ()
        self._leg.respond(server, 202, text, (*lines, *self._leg.own_lines()))
        return True

    def notify_progress(self, name: str, code: int, text: str) -> bool:
        """Say how far the transfer is. False: there is none of that name."""
        referral = self._open.get(name)
        if referral is None:
            return False
        last = code >= 200
        silent = referral.state is ReferralState.SILENT
        if not referral.move(ReferralEvent.LAST if last else ReferralEvent.PROGRESS):
            return False
        referral.last = f"SIP/2.0 {code} {reason_phrase(code, text)}"
        if not silent:
            self._send_notify(
                referral, "terminated;reason=noresource" if last else f"active;expires={SUBSCRIPTION_SECONDS}"
            )
        if last:
            self._forget(referral)
        return True

    def _send_notify(self, referral: Referral, state: str) -> None:
        if self._leg.state is not LegState.UP:
            return
        event = f"refer;id={referral.id}" if referral.id else "refer"
        lines = (f"Event: {event}", f"Subscription-State: {state}", *self._leg.own_lines())
        body = f"{referral.last}\r\n".encode()
        self._notified[self._leg.send_request("NOTIFY", lines, body, SIPFRAG)] = referral

    def on_response(self, client: ClientTransaction, reply: Response) -> None:
        """The answer to a NOTIFY."""
        if reply.code < 200:
            return
        referral = self._notified.pop(client, None)
        if referral is None or reply.code < 300:
            return
        again = self._leg.answer_challenge(client, reply)
        if again is not None:
            self._notified[again] = referral
        elif referral.move(ReferralEvent.NOTIFY_REFUSED):
            self._forget(referral)

    def on_no_response(self, client: ClientTransaction) -> None:
        """Handle the lack of a response: `code` 408 after a timeout, 503 where it was not sent."""
        referral = self._notified.pop(client, None)
        if referral is not None and referral.move(ReferralEvent.NOTIFY_REFUSED):
            self._forget(referral)

    def abandon(self) -> None:
        """The dialog ends, and with it what it was asked (487) and its subscriptions."""
        for referral in list(self._open.values()):
            if referral.server is not None:
                self._leg.respond(referral.server, 487)
            referral.move(ReferralEvent.DROP)
        self._open.clear()
        self._notified.clear()

    def _forget(self, referral: Referral) -> None:
        self._open.pop(referral.name, None)


def _find_own(leg: LegOwner, wanted: Replaces) -> LegOwner | None:
    """Find the leg of the dialog that a Replaces names, if it is one of the same trunk's."""
    found = leg.find_leg(wanted.dialog)
    return found if found is not None and found.peer is leg.peer else None
