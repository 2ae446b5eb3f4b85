"""Short codes that pages show and telephones key: which call is whose.

Rule 1: a code is random, of one use, open for LIFETIME; no two open ones are alike. An agent has
        one: a new one takes the place of the one before.
Rule 2: a wrong code counts, for its call and for all: after CALL_TRIES of a call, or TRIES of all
        within LOCKED, none is looked at for as long.
Rule 3: each code is compared with every open one, in a time that tells nothing of them.
Rule 4: they are in memory alone: after a restart of the process a page asks for a new one.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from b2bua.call.agent_phone import Claim
from b2bua.call.feature_codes import ClaimView
from b2bua.call.order import Order
from b2bua.call.view import NotNow
from tonewall.tokens import token

LIFETIME = 180.0  # seconds
LOCKED = 300.0  # seconds
CALL_TRIES = 3
TRIES = 20
MAX_OPEN = 500  # of 10,000 codes, where they have four digits
MAX_KEPT = 1000  # of those that are over
MAX_CALLS = 5000  # whose wrong tries are counted
_FULL = "Too many calls are being linked at this moment. Try again in a minute."


@dataclass(slots=True)
class _Open:
    claim: Claim
    code: str = field(repr=False)
    until: float


@dataclass(slots=True)
class _Tries:
    """Wrong codes since then."""

    since: float
    count: int = 0


@dataclass(slots=True)
class Claims:
    """Those of one switchboard. `length`: digits of a code; `draw` gives a random number below its
    argument."""

    length: int = 6
    draw: Callable[[int], int] = secrets.randbelow
    _open: dict[str, _Open] = field(default_factory=dict)  # by the agent's name
    _linked: dict[str, tuple[str, str]] = field(default_factory=dict)  # agent and call, by the claim's id
    _of_call: dict[str, _Tries] = field(default_factory=dict)
    _of_all: _Tries = field(default_factory=lambda: _Tries(0.0))

    def open(self, agent: str, order: Order | None, now: float, *, allow_repeat: bool = False) -> ClaimView:
        """A new code for this agent. Raises NotNow where too many are open."""
        self._open.pop(agent, None)
        self._prune(now)
        if len(self._open) >= MAX_OPEN:
            raise NotNow(_FULL)
        taken = {each.code for each in self._open.values()}
        code = self._draw()
        while code in taken:
            code = self._draw()
        claim = Claim(id=token(8), agent=agent, order=order, allow_repeat=allow_repeat)
        self._open[agent] = _Open(claim, code, now + LIFETIME)
        return ClaimView(id=claim.id, code=code, expires_in=LIFETIME)

    def find(self, claim_id: str, agent: str, now: float) -> ClaimView | None:
        """This agent's claim; None where there is none, or it has expired."""
        self._prune(now)
        found = self._open.get(agent)
        if found is not None and found.claim.id == claim_id:
            return ClaimView(id=claim_id, code=found.code, expires_in=found.until - now)
        whose, call = self._linked.get(claim_id, ("", ""))
        return ClaimView(id=claim_id, code="", expires_in=0.0, call=call) if whose == agent and call else None

    def close(self, claim_id: str, agent: str) -> None:
        """The page does not want it any more."""
        found = self._open.get(agent)
        if found is not None and found.claim.id == claim_id:
            del self._open[agent]

    def take(self, code: str, call: str, now: float) -> Claim | None:
        """The claim of a code that was keyed in this call; None where there is none, and where too
        many wrong ones came."""
        if self.is_locked(call, now):
            return None
        found: _Open | None = None
        for each in self._open.values():
            if hmac.compare_digest(each.code.encode(), code.encode()):
                found = each
        if found is None:
            return None
        del self._open[found.claim.agent]
        self._linked[found.claim.id] = (found.claim.agent, call)
        return found.claim

    def _draw(self) -> str:
        return f"{self.draw(10**self.length):0{self.length}d}"

    def is_locked(self, call: str, now: float) -> bool:
        """Whether too many wrong codes came in this call, or in all."""
        self._prune(now)
        of_call = self._of_call.get(call)
        return self._of_all.count >= TRIES or (of_call is not None and of_call.count >= CALL_TRIES)

    def count_wrong(self, call: str, now: float) -> None:
        """A code that was keyed in this call links it to nothing."""
        if self._of_all.count == 0:
            self._of_all.since = now
        self._of_all.count += 1
        of_call = self._of_call.setdefault(call, _Tries(now))
        of_call.count += 1
        if len(self._of_call) > MAX_CALLS:
            del self._of_call[next(iter(self._of_call))]

    def _prune(self, now: float) -> None:
        """Forget what is over."""
        self._open = {agent: each for agent, each in self._open.items() if each.until > now}
        if now - self._of_all.since > LOCKED:
            self._of_all.count = 0
        self._of_call = {call: each for call, each in self._of_call.items() if now - each.since <= LOCKED}
        while len(self._linked) > MAX_KEPT:
            del self._linked[next(iter(self._linked))]
