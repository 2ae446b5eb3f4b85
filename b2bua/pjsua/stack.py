"""PJSIP itself, through pjsua2: one endpoint, its calls, and the moments at which it runs.

Rule 1: everything of pjsua2 is made, used and let go of on the thread of the event loop; PJSIP has
        no thread of its own, and runs in `poll` only.
Rule 2: a call's object is kept until the next `poll` after its end: PJSIP still uses it when it
        says that the call is over.
Rule 3: it opens no sound device, binds to loopback only, and logs nothing.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pjsua2 as pj

from b2bua.pjsua.wording import STAND_IN, local_uri, remote_uri
from tonewall.log import get_logger

LOOPBACK = "127.0.0.1"
_AT_ONCE = 64  # things that happen in one turn
_ASKED = 100_000  # calls; PJSIP takes what it was built for
# PJSIP aborts where its table of sockets is full. A leg has two in it, and a closed one stays half
# a second.
_CLOSING = 1.0  # seconds
SOCKETS = 20  # legs that fit into the smallest table (64), with room for what is being cancelled
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StackEvent:
    """What PJSIP says of a call."""

    call: str  # its Call-ID
    state: str  # invited, early, confirmed, reinvited or disconnected
    code: int = 0


class _Account(pj.Account):  # type: ignore[misc]  # pjsua2 is untyped
    def __init__(self, stack: PjsipStack) -> None:
        super().__init__()
        self._stack = stack

    def onIncomingCall(self, prm: Any) -> None:  # noqa: N802  # pjsua2's name
        self._stack.contained(lambda: self._stack.invited(prm.callId))


class _Call(pj.Call):  # type: ignore[misc]  # pjsua2 is untyped
    def __init__(self, stack: PjsipStack, account: _Account, number: int = pj.PJSUA_INVALID_ID) -> None:
        super().__init__(account, number)
        self._stack = stack

    def onCallState(self, _prm: Any) -> None:  # noqa: N802
        self._stack.contained(lambda: self._stack.changed(self.getInfo()))

    def onCallRxReinvite(self, prm: Any) -> None:  # noqa: N802
        prm.isAsync = True
        self._stack.contained(lambda: self._stack.reinvited(self.getInfo().callIdString))


_STATES = {
    pj.PJSIP_INV_STATE_EARLY: "early",
    pj.PJSIP_INV_STATE_CONFIRMED: "confirmed",
    pj.PJSIP_INV_STATE_DISCONNECTED: "disconnected",
}


class PjsipStack:
    """One a process: PJSIP can be had only once. `on_event` takes what it says, from within `poll`
    or a command."""

    def __init__(self, on_event: Callable[[StackEvent], None]) -> None:
        self._on_event = on_event
        self._endpoint: Any = None
        self._account: _Account | None = None
        self._calls: dict[str, _Call] = {}
        self._gone: list[_Call] = []
        self._ended: deque[float] = deque()
        self.errors = 0

    # --- life -------------------------------------------------------------------------------------

    def start(self, user_agent: str = "Tonewall") -> int:
        """Returns the port on loopback on which it speaks SIP. Raises pjsua2's Error."""
        config = pj.EpConfig()
        config.uaConfig.threadCnt, config.uaConfig.mainThreadOnly, config.uaConfig.maxCalls = 0, True, _ASKED
        config.uaConfig.userAgent = user_agent
        config.logConfig.level = config.logConfig.consoleLevel = config.logConfig.msgLogging = 0
        config.medConfig.threadCnt, config.medConfig.hasIoqueue, config.medConfig.noVad = 0, False, True
        endpoint = self._endpoint = pj.Endpoint()
        endpoint.libCreate()
        endpoint.libInit(config)
        transport = pj.TransportConfig()
        transport.port, transport.boundAddress = 0, LOOPBACK
        number = endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
        endpoint.libStart()
        endpoint.audDevManager().setNoDev()
        account = pj.AccountConfig()
        account.idUri = f"sip:{LOOPBACK}"
        account.callConfig.prackUse = pj.PJSUA_100REL_NOT_USED
        account.callConfig.timerUse = pj.PJSUA_SIP_TIMER_INACTIVE
        account.mediaConfig.lockCodecEnabled = False
        account.mediaConfig.transportConfig.boundAddress = LOOPBACK
        self._account = _Account(self)
        self._account.create(account)
        return int(endpoint.transportGetInfo(number).localName.rsplit(":", 1)[1])

    def stop(self) -> None:
        """Let go of everything, without a word to anybody."""
        self._calls.clear()
        self._gone.clear()
        if self._account is not None:
            self._account.shutdown()
            self._account = None
        if self._endpoint is not None:
            self._endpoint.libDestroy(pj.PJSUA_DESTROY_NO_NETWORK)
            # Now, not when the garbage is collected: there may be one at a time.
            self._endpoint = None

    def poll(self) -> None:
        """Let it read what has come and look at its timers."""
        for _ in range(_AT_ONCE if self._endpoint is not None else 0):
            if self._endpoint.libHandleEvents(0) <= 0:
                break
        self._gone.clear()

    @property
    def calls(self) -> int:
        """How many of its places are taken."""
        return len(self._calls)

    @property
    def held(self) -> int:
        """Legs whose sockets it holds, those of legs that have just ended among them."""
        since = time.monotonic() - _CLOSING
        while self._ended and self._ended[0] < since:
            self._ended.popleft()
        return len(self._calls) + len(self._ended)

    # --- what it is asked; each says whether PJSIP agreed -----------------------------------------

    def dial(self, call: str, front: int) -> bool:
        """Call out, by this Call-ID, to the front."""
        made = _Call(self, self._account)  # type: ignore[arg-type]  # it is started
        parameters = pj.CallOpParam(True)
        parameters.opt.customCallId = call
        parameters.txOption.localUri = local_uri(front)
        parameters.txOption.targetUri = remote_uri(front)
        self._calls[call] = made
        if self._agrees("dial", lambda: made.makeCall(remote_uri(front), parameters)):
            return True
        self._calls.pop(call, None)
        self._ended.append(time.monotonic())
        return False

    def answer(self, call: str, code: int, phrase: str = "") -> bool:
        """Answer its INVITE or re-INVITE."""
        parameters = _parameters(code, phrase)
        if code == 200:
            parameters.sdp.wholeSdp = STAND_IN
        return self._do(call, "answer", lambda of: of.answer(parameters))

    def hang_up(self, call: str, code: int = 0, phrase: str = "") -> bool:
        """End a call, or refuse it with a code. False: there is none."""
        return self._do(call, "hang_up", lambda of: of.hangup(_parameters(code, phrase)))

    def reinvite(self, call: str) -> bool:
        """Send a re-INVITE. False: PJSIP refused."""
        return self._do(call, "reinvite", lambda of: of.reinvite(pj.CallOpParam(True)))

    def send_request(self, call: str, method: str) -> bool:
        """Send a request without a body within the dialog."""
        parameters = pj.CallSendRequestParam()
        parameters.method = method
        return self._do(call, "request", lambda of: of.sendRequest(parameters))

    def _do(self, call: str, what: str, work: Callable[[_Call], None]) -> bool:
        known = self._calls.get(call)
        return known is not None and self._agrees(what, lambda: work(known))

    def _agrees(self, what: str, work: Callable[[], None]) -> bool:
        try:
            work()
        except pj.Error as error:
            self.errors += 1
            log.warning("pjsip_refused", kind=what, code=int(error.status))
            return False
        return True

    # --- what it says -----------------------------------------------------------------------------

    def invited(self, number: int) -> None:
        """Handle an INVITE: PJSIP has made a call of it."""
        call = _Call(self, self._account, number)  # type: ignore[arg-type]  # it is started
        name = str(call.getInfo().callIdString)
        self._calls[name] = call
        self._on_event(StackEvent(name, "invited"))

    def reinvited(self, name: str) -> None:
        """Report a re-INVITE of the peer's."""
        self._on_event(StackEvent(name, "reinvited"))

    def changed(self, info: Any) -> None:
        """Report a new state of a call."""
        state = _STATES.get(info.state)
        name = str(info.callIdString)
        if state == "disconnected" and name in self._calls:
            self._gone.append(self._calls.pop(name))
            self._ended.append(time.monotonic())
        if state is not None:
            self._on_event(StackEvent(name, state, int(info.lastStatusCode)))

    def contained(self, work: Callable[[], None]) -> None:
        """Errors stay here: PJSIP's C code, which called, could do nothing with them."""
        try:
            work()
        except Exception as error:
            self.errors += 1
            log.error("pjsip_callback_failed", exc_info=error)


def _parameters(code: int, phrase: str) -> Any:
    parameters = pj.CallOpParam(True)
    parameters.statusCode, parameters.reason = code, phrase
    return parameters
