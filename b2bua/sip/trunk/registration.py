"""Registration at a trunk: REGISTER, refresh, failure and end (RFC 3261 section 10.2).

Rule 1: a registration has one REGISTER under way at most, and one Call-ID for its life (section
        10.2.4).
Rule 2: where a hop does not answer, or says 5xx, the next hop is asked at once; when all have been
        asked, after a pause that doubles (RFC 5626 section 4.5). The pauses are spread by chance,
        so that many Tonewalls do not come back together.
Rule 3: what the registrar grants counts, not what was asked for.
"""

from __future__ import annotations

import contextlib
import ipaddress
import random
from collections.abc import Callable, Container, Iterable, Mapping
from enum import StrEnum

from b2bua.sip.auth.digest import Digest
from b2bua.sip.context import EngineContext
from b2bua.sip.hop import Hop, is_secure
from b2bua.sip.message.compose import Outgoing, add_user, hostport, new_branch, new_tag
from b2bua.sip.message.message import Response
from b2bua.sip.message.name_addr import parse_name_addr, parse_parameters, split_quoted
from b2bua.sip.message.retry_after import read_retry_after
from b2bua.sip.message.uri import Uri
from b2bua.sip.transaction.scheduler import Slot
from b2bua.sip.transaction.transactions import ClientTransaction
from b2bua.sip.trunk.peers import Peer
from tonewall.log import get_logger
from tonewall.tokens import token

FIRST_PAUSE, MAX_PAUSE = 30.0, 1800.0  # seconds, RFC 5626 section 4.5
_REFRESH_SHARE = 0.85  # of what was granted has passed when it is refreshed
_MIN_INTERVAL = 1.0  # seconds between two REGISTERs, whatever was granted
MAX_ROUTES = 8
_MAX_EXPIRES = 86_400  # seconds that we ask for at most, also where a 423 wants more
log = get_logger(__name__)


class RegistrationState(StrEnum):
    """The states of a registration."""

    TRYING = "trying"
    REGISTERED = "registered"
    REFRESHING = "refreshing"
    FAILED = "failed"  # until the pause is over
    LEAVING = "leaving"
    GONE = "gone"


class RegistrationEvent(StrEnum):
    """What moves it."""

    GRANTED = "2xx"
    AGAIN = "challenge, 423, or another hop"
    FAILED = "refused, or no hop answers"
    DUE = "time to register"
    LEAVE = "we stop"
    LEFT = "final answer, or none"


TRANSITIONS: Mapping[RegistrationState, Mapping[RegistrationEvent, RegistrationState]] = {
    RegistrationState.TRYING: {
        RegistrationEvent.GRANTED: RegistrationState.REGISTERED,
        RegistrationEvent.AGAIN: RegistrationState.TRYING,
        RegistrationEvent.FAILED: RegistrationState.FAILED,
        RegistrationEvent.LEAVE: RegistrationState.LEAVING,
    },
    RegistrationState.REGISTERED: {
        RegistrationEvent.DUE: RegistrationState.REFRESHING,
        RegistrationEvent.LEAVE: RegistrationState.LEAVING,
    },
    RegistrationState.REFRESHING: {
        RegistrationEvent.GRANTED: RegistrationState.REGISTERED,
        RegistrationEvent.AGAIN: RegistrationState.REFRESHING,
        RegistrationEvent.FAILED: RegistrationState.FAILED,
        RegistrationEvent.LEAVE: RegistrationState.LEAVING,
    },
    RegistrationState.FAILED: {
        RegistrationEvent.DUE: RegistrationState.TRYING,
        RegistrationEvent.LEAVE: RegistrationState.GONE,
    },
    RegistrationState.LEAVING: {
        RegistrationEvent.AGAIN: RegistrationState.LEAVING,
        RegistrationEvent.LEFT: RegistrationState.GONE,
    },
    RegistrationState.GONE: {},
}


class Registration:
    """The registration of one trunk. `spread` gives numbers of [0, 1)."""

    def __init__(
        self, context: EngineContext, peer: Peer, spread: Callable[[], float] = random.random
    ) -> None:
        self._context = context
        self.peer = peer
        self._spread = spread
        self.state = RegistrationState.FAILED  # nothing yet; due at once
        self._due: float | None = context.scheduler.now()
        self._pause = FIRST_PAUSE
        self._call_id = f"{token(16)}@{hostport(peer.trunk.host, None)}"
        self._tag = new_tag()
        self._cseq = 0
        self._expires = peer.trunk.expires
        self._digest = Digest(peer.trunk.username, peer.trunk.password, peer.pin)
        self._client: ClientTransaction | None = None
        self._hops: list[Hop] = []  # still to be asked
        self._last_hop: Hop | None = None  # the one that was asked last
        self.scheduled: Slot | None = None

    # --- time -------------------------------------------------------------------------------------

    def deadline(self) -> float | None:
        """Return when `expire` has something to do; None for never."""
        return self._due

    def expire(self, now: float) -> None:
        """Do what is due at `now`; too early, nothing."""
        self._due = None
        if self._move(RegistrationEvent.DUE):
            self._hops = self.peer.hops(now) or self.peer.all_hops()
            self._try_next_hop()

    def unregister(self) -> None:
        """Give the registration back; `GONE` when that is done."""
        was = self.state
        if not self._move(RegistrationEvent.LEAVE):
            return
        self._due = None
        if self._client is not None:
            self._context.layer.abandon(self._client)
        if was in {RegistrationState.REGISTERED, RegistrationState.REFRESHING} and self._last_hop is not None:
            self._send_register(self._last_hop)
        else:
            self.state = RegistrationState.GONE

    # --- sending ----------------------------------------------------------------------------------

    def _try_next_hop(self) -> None:
        """Ask the next hop, or give up for a while."""
        if self._hops:
            self._send_register(self._hops.pop(0))
        else:
            self._on_failure("no hop answers")

    def _send_register(self, hop: Hop) -> None:
        trunk = self.peer.trunk
        self._last_hop = hop
        self._cseq += 1
        domain = hostport(trunk.domain or trunk.host, None)
        user = add_user(f"sip:{domain}", trunk.user)
        contact = add_user(self._context.transports.contact(hop, trunk.contact_host), trunk.user)
        expires = 0 if self.state is RegistrationState.LEAVING else self._expires
        request = Outgoing(
            method="REGISTER",
            uri=f"sip:{domain}",
            branch=new_branch(),
            from_=f"<{user}>;tag={self._tag}",
            to=f"<{user}>",
            call_id=self._call_id,
            cseq=self._cseq,
            lines=(f"Contact: <{contact}>", f"Expires: {expires}", f"User-Agent: {self._context.user_agent}"),
        )
        self._client = self._context.layer.open_client(request, hop, self)

    # --- answers ----------------------------------------------------------------------------------

    def on_response(self, client: ClientTransaction, reply: Response) -> None:
        """Handle a response to a request of ours."""
        if client is not self._client or reply.code < 200:
            return
        self._client = None
        if reply.code in {401, 407} and self._answer_challenge(client, reply):
            return
        if self.state is RegistrationState.LEAVING:
            self._move(RegistrationEvent.LEFT)
        elif reply.code < 300:
            self._on_success(client, reply)
        elif reply.code == 423 and self._raise_expires(reply):
            self._move(RegistrationEvent.AGAIN)
            self._send_register(client.requested_hop)
        elif reply.code in {408, 500, 502, 503, 504} and self._hops:
            self._move(RegistrationEvent.AGAIN)
            self._try_next_hop()
        else:
            self._on_failure(str(reply.code), read_retry_after(reply))

    def on_no_response(self, client: ClientTransaction, code: int) -> None:
        """Handle the lack of a response: `code` 408 after a timeout, 503 where it was not sent."""
        if client is not self._client:
            return
        self._client = None
        self.peer.record_failure(client.requested_hop, self._context.scheduler.now())
        if self.state is RegistrationState.LEAVING:
            self._move(RegistrationEvent.LEFT)
        else:
            self._move(RegistrationEvent.AGAIN)
            self._try_next_hop()

    def _answer_challenge(self, client: ClientTransaction, reply: Response) -> bool:
        """Whether it has been sent again with credentials."""
        was = client.request
        if reply.source.host not in self.peer.addresses:
            return False
        line = self._digest.answer_challenge(reply, was.method, was.uri, client.tries, token(8), opening=True)
        if line is None or not self._move(RegistrationEvent.AGAIN):
            return False
        self._cseq += 1
        self._client = self._context.layer.open_client(
            was.with_credentials(self._cseq, line), client.requested_hop, self, client.tries + 1
        )
        return True

    def _on_success(self, client: ClientTransaction, reply: Response) -> None:
        self.peer.record_success(client.requested_hop)
        seconds = granted_seconds(reply, client.request.lines[0].partition("<")[2].partition(">")[0])
        if seconds == 0:  # we are not among those that it lists
            self._on_failure("no binding")
            return
        was = self.state
        self.peer.service_route = service_route(reply)
        self._move(RegistrationEvent.GRANTED)
        self._pause = FIRST_PAUSE
        seconds = self._expires if seconds is None else seconds
        self._wait(max(_MIN_INTERVAL, seconds * (_REFRESH_SHARE - 0.1 * self._spread())))
        if was is RegistrationState.TRYING:
            log.info("registration", trunk=self.peer.trunk.name, state=self.state.value, seconds=seconds)

    def _raise_expires(self, reply: Response) -> bool:
        """Take the least that the registrar grants (section 10.2.8). False: it names none, or more
        than a day."""
        values = reply.headers.getlist("Min-Expires")
        least = (
            int(values[0])
            if values and values[0].isascii() and values[0].isdigit() and len(values[0]) < 9
            else 0
        )
        if not self._expires < least <= _MAX_EXPIRES:
            return False
        self._expires = least
        return True

    def _on_failure(self, why: str, seconds: int = 0) -> None:
        self._move(RegistrationEvent.FAILED)
        pause = max(float(seconds), self._pause * (0.5 + 0.5 * self._spread()))
        self._pause = min(2 * self._pause, MAX_PAUSE)
        self._wait(pause)
        log.warning(
            "registration", trunk=self.peer.trunk.name, state=self.state.value, why=why, seconds=round(pause)
        )

    def _wait(self, seconds: float) -> None:
        self._due = self._context.scheduler.now() + seconds
        self._context.scheduler.watch(self)

    def _move(self, event: RegistrationEvent) -> bool:
        after = TRANSITIONS[self.state].get(event)
        if after is None:
            return False
        self.state = after
        return True


def granted_seconds(reply: Response, contact: str) -> int | None:
    """For how many seconds a 2xx to REGISTER keeps our contact: 0 where it lists others only, None
    where it does not say."""
    values = [value for header in reply.headers.getlist("Contact") for value in split_quoted(header, ",")]
    listed = [(_comparable(uri), rest) for _, uri, rest in map(parse_name_addr, values)]
    header, ours = reply.headers.getlist("Expires"), _comparable(contact)
    found = [rest for place, rest in listed if place == ours]
    if not found and len(listed) == 1 and listed[0][0][0] == ours[0]:
        found = [listed[0][1]]  # behind NAT, some write down where we came from
    if found:
        return _seconds(parse_parameters(found[0]).get("expires", header[0] if header else ""))
    return 0 if listed else _seconds(header[0] if header else "")


def service_route(reply: Response) -> tuple[str, ...]:
    """The route that a registrar wants new requests to take (RFC 3608 section 5); none where it is
    longer than MAX_ROUTES."""
    values = [
        each for value in reply.headers.getlist("Service-Route") for each in split_quoted(value, ",") if each
    ]
    usable = all(parse_name_addr(each)[1].lower().startswith(("sip:", "sips:")) for each in values)
    return tuple(values) if usable and len(values) <= MAX_ROUTES else ()


def _comparable(uri: str) -> tuple[str, str, int]:
    """User, host and port of a SIP URI, each in one form; only the text where it is none."""
    try:
        parsed = Uri.parse(uri)
    except ValueError:
        return uri, "", 0
    secure = parsed.scheme == "sips" or is_secure(parsed.parameter_map.get("transport", "").lower())
    host = parsed.host
    with contextlib.suppress(ValueError):
        host = str(ipaddress.ip_address(host))
    return parsed.user, host, parsed.port or (5061 if secure else 5060)


def _seconds(text: str) -> int | None:
    text = text.strip()
    return min(int(text), _MAX_EXPIRES) if text.isascii() and text.isdigit() and len(text) < 10 else None


class Registrations:
    """The registrations of one engine."""

    def __init__(self, context: EngineContext, peers: list[Peer]) -> None:
        self._context = context
        self._all: list[Registration] = []
        self._leaving: list[Registration] = []
        for peer in peers:
            self._begin(peer)

    def _begin(self, peer: Peer) -> None:
        if peer.trunk.register and not peer.is_retired:
            self._all.append(Registration(self._context, peer))
            self._context.scheduler.watch(self._all[-1])

    def leave(self, names: Container[str]) -> None:
        """Give the registrations at these trunks back, as long as the trunks are what they were."""
        self._leaving = [each for each in self._leaving if each.state is not RegistrationState.GONE]
        for registration in [each for each in self._all if each.peer.trunk.name in names]:
            registration.unregister()
            self._all.remove(registration)
            self._leaving.append(registration)

    def begin(self, peers: Iterable[Peer]) -> None:
        """Register at these trunks, where they want it."""
        for peer in peers:
            self._begin(peer)

    def unregister_all(self) -> None:
        """Give all registrations back."""
        for registration in self._all:
            registration.unregister()

    @property
    def is_gone(self) -> bool:
        """Whether all have been given back."""
        every = (*self._all, *self._leaving)
        return all(registration.state is RegistrationState.GONE for registration in every)

    def states(self) -> dict[str, str]:
        """By trunk."""
        return {registration.peer.trunk.name: registration.state.value for registration in self._all}
