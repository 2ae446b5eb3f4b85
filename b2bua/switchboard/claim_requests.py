"""Carries out what agents request of short codes: the part of `CallDesk` that concerns them."""

from __future__ import annotations

from b2bua.call.feature_codes import ClaimView
from b2bua.call.order import Order
from b2bua.switchboard.context import SwitchboardContext
from b2bua.switchboard.feature_keys import FeatureKeys


class ClaimRequests:
    """Requests for the claims of one switchboard. Its methods: see `ClaimDesk`."""

    _context: SwitchboardContext
    _features: FeatureKeys

    def offers_claims(self) -> bool:
        """See ClaimDesk."""
        return self._features.offered

    def open_claim(self, agent: str, order: Order | None = None, *, allow_repeat: bool = False) -> ClaimView:
        """See ClaimDesk."""
        return self._features.claims.open(agent, order, self._context.clock(), allow_repeat=allow_repeat)

    def find_claim(self, claim_id: str, agent: str) -> ClaimView | None:
        """See ClaimDesk."""
        return self._features.claims.find(claim_id, agent, self._context.clock())

    def close_claim(self, claim_id: str, agent: str) -> None:
        """See ClaimDesk."""
        self._features.claims.close(claim_id, agent)
