"""REFER within a dialog, and the subscription that it makes: NOTIFY until the transfer is done (RFC 3515, 6665, 4488).

Rule 1: REFER is for the trunks that may transfer; of any other it is declined (603).
Rule 2: every transition is in TRANSITIONS; of a subscription that is over nothing more is sent.
Rule 3: a NOTIFY that is refused ends the subscription, never the call (RFC 6665 section 4.2.2).
Rule 4: of a leg MOST referrals are kept; whatever the peer asks beyond is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import unquote

import sipmessage

from b2bua.call.leg import LegReferred, Party
from b2bua.sip.compose import ALLOW_EVENTS_LINE, phrase
from b2bua.sip.leg_state import State as LegState
from b2bua.sip.message import Request, name_addr, split_quoted
from b2bua.sip.replaces import Replaces, named
from tonewall.tokens import token

if TYPE_CHECKING:
    from b2bua.sip.layer import Client, Server
    from b2bua.sip.leg_base import Leg
    from b2bua.sip.message import Response

METHODS = frozenset({"REFER", "SUBSCRIBE"})
MOST = 4
SIPFRAG = "message/sipfrag;version=2.0"
LASTS = 300  # seconds that we say a subscription lasts; the call's ring time ends it long before


class State(StrEnum):
    """How far a referral is."""

    ASKED = "asked"  # the REFER waits for AnswerReferral
    SILENT = "silent"  # accepted with Refer-Sub: false: nobody wants to know more (RFC 4488)
    ACTIVE = "active"
    OVER = "over"


class Event(StrEnum):
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


_END = {Event.DROP: State.OVER}

TRANSITIONS: dict[State, dict[Event, State]] = {
    State.ASKED: {
        Event.ACCEPT: State.ACTIVE,
        Event.ACCEPT_SILENTLY: State.SILENT,
        Event.REFUSE: State.OVER,
        **_END,
    },
    State.SILENT: {Event.PROGRESS: State.SILENT, Event.LAST: State.OVER, **_END},
    State.ACTIVE: {
        Event.PROGRESS: State.ACTIVE,
        Event.LAST: State.OVER,
        Event.REFRESH: State.ACTIVE,
        Event.UNSUBSCRIBE: State.OVER,
        Event.NOTIFY_REFUSED: State.OVER,
        **_END,
    },
    State.OVER: {},
}


@dataclass(slots=True, eq=False)
class Referral:
    """One REFER. `id`: of its events, where the peer has to tell several apart."""

    name: str
    server: Server | None
    id: int
    state: State = State.ASKED
    last: str = "SIP/2.0 100 Trying"

    def move(self, event: Event) -> bool:
        after = TRANSITIONS[self.state].get(event)
        self.state = after or self.state
        return after is not None


@dataclass(frozen=True, slots=True)
class ReferTo:
    """What a Refer-To asks for. `replaces` is a header's value."""

    target: Party
    replaces: str = ""


def refer_to(request: Request) -> ReferTo:
    """Raises ValueError where it is no single call to somebody (RFC 3515 section 2.4.2)."""
    [value] = [value for line in request.headers.getlist("Refer-To") for value in split_quoted(line, ",")]
    display, whole, _ = name_addr(value)
    plain, _, headers = whole.partition("?")
    try:
        uri = sipmessage.URI.parse(plain)
    except (ValueError, TypeError):
        raise ValueError("Refer-To") from None
    if uri.scheme not in {"sip", "sips", "tel"}:
        raise ValueError("Refer-To")
    if any(part.lower().startswith("method=") and part.lower() != "method=invite" for part in plain.split(";")[1:]):
        raise ValueError("Refer-To")
    user = uri.user or (uri.host if uri.scheme == "tel" else "")
    found = [part.partition("=")[2] for part in headers.split("&") if part.lower().startswith("replaces=")]
    replaces = unquote(found[0]) if found else ""
    if len(found) > 1 or not replaces.isprintable():
        raise ValueError("Refer-To")
    return ReferTo(Party(user, display), replaces)


@dataclass(slots=True, repr=False, eq=False)
class Referrals:
    """Those of one leg."""

    _leg: Leg
    _open: dict[str, Referral] = field(default_factory=dict)
    _notified: dict[Client, Referral] = field(default_factory=dict)
    _several: bool = False  # whether this dialog has had one before

    # --- what the peer asks ------------------------------------------------------------------------------------------

    def receive(self, server: Server) -> None:
        """A REFER or SUBSCRIBE, its CSeq in order."""
        if server.request.method == "REFER":
            self._refer(server)
        else:
            self._subscribe(server)

    def _refer(self, server: Server) -> None:
        leg, request = self._leg, server.request
        if not leg.peer.trunk.refer:
            leg.respond(server, 603)
            return
        if leg.state is not LegState.UP or len(self._open) >= MOST:
            leg.respond(server, 491 if self._open else 480)
            return
        by = [value for line in request.headers.getlist("Referred-By") for value in split_quoted(line, ",")]
        try:
            asked = refer_to(request)
            wanted = Replaces.parse(asked.replaces) if asked.replaces else None
            if len(by) > 1:
                raise ValueError("Referred-By")
        except ValueError:
            leg.respond(server, 400)
            return
        ours = named(leg.ground, leg.peer, wanted) if wanted is not None else None
        referral = Referral(token(8), server, request.cseq if self._several else 0)
        self._several = True
        self._open[referral.name] = referral
        header = asked.replaces if wanted is not None and ours is None else ""
        replaces = ours.id if ours is not None else None
        leg.emit(LegReferred(referral.name, asked.target, replaces, header, "".join(by)))

    def _subscribe(self, server: Server) -> None:
        headers = server.request.headers
        package, _, rest = "".join(headers.getlist("Event")[:1]).partition(";")
        if package.strip().lower() != "refer":
            self._leg.respond(server, 489, lines=(ALLOW_EVENTS_LINE,))
            return
        number = rest.strip().partition("id=")[2].strip()
        active = [each for each in self._open.values() if each.state is State.ACTIVE]
        found = next((each for each in active if str(each.id or "") == number), None)
        if found is None:
            self._leg.respond(server, 481)
            return
        over = "".join(headers.getlist("Expires")[:1]).strip() == "0"
        self._leg.respond(server, 200, lines=(f"Expires: {0 if over else LASTS}", *self._leg.lines()))
        if found.move(Event.UNSUBSCRIBE if over else Event.REFRESH):
            self._notify(found, "terminated;reason=timeout" if over else f"active;expires={LASTS}")

    # --- what the calls say ------------------------------------------------------------------------------------------

    def answer(self, name: str, code: int, text: str) -> bool:
        """Answer the REFER. False: there is none of that name."""
        referral = self._open.get(name)
        if referral is None or referral.server is None:
            return False
        server, referral.server = referral.server, None
        if not 200 <= code <= 299:
            referral.move(Event.REFUSE)
            self._forget(referral)
            self._leg.respond(server, code if 300 <= code <= 699 else 500, text)
            return True
        silent = [value for value in server.request.headers.getlist("Refer-Sub") if value.strip().lower() == "false"]
        referral.move(Event.ACCEPT_SILENTLY if silent else Event.ACCEPT)
        lines = ("Refer-Sub: false",) if silent else ()
        self._leg.respond(server, 202, text, (*lines, *self._leg.lines()))
        return True

    def notify(self, name: str, code: int, text: str) -> bool:
        """Say how far the transfer is. False: there is none of that name."""
        referral = self._open.get(name)
        if referral is None:
            return False
        last = code >= 200
        silent = referral.state is State.SILENT
        if not referral.move(Event.LAST if last else Event.PROGRESS):
            return False
        referral.last = f"SIP/2.0 {code} {phrase(code, text)}"
        if not silent:
            self._notify(referral, "terminated;reason=noresource" if last else f"active;expires={LASTS}")
        if last:
            self._forget(referral)
        return True

    def _notify(self, referral: Referral, state: str) -> None:
        if self._leg.state is not LegState.UP:
            return
        event = f"refer;id={referral.id}" if referral.id else "refer"
        lines = (f"Event: {event}", f"Subscription-State: {state}", *self._leg.lines())
        body = f"{referral.last}\r\n".encode()
        self._notified[self._leg.request("NOTIFY", lines, body, SIPFRAG)] = referral

    def on_response(self, client: Client, reply: Response) -> None:
        """The answer to a NOTIFY."""
        if reply.code < 200:
            return
        referral = self._notified.pop(client, None)
        if referral is None or reply.code < 300:
            return
        again = self._leg.challenged(client, reply)
        if again is not None:
            self._notified[again] = referral
        elif referral.move(Event.NOTIFY_REFUSED):
            self._forget(referral)

    def on_no_response(self, client: Client) -> None:
        referral = self._notified.pop(client, None)
        if referral is not None and referral.move(Event.NOTIFY_REFUSED):
            self._forget(referral)

    def drop(self) -> None:
        """The dialog ends, and with it what it was asked (487) and its subscriptions."""
        for referral in list(self._open.values()):
            if referral.server is not None:
                self._leg.respond(referral.server, 487)
            referral.move(Event.DROP)
        self._open.clear()
        self._notified.clear()

    def _forget(self, referral: Referral) -> None:
        self._open.pop(referral.name, None)
