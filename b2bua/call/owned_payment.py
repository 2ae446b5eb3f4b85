"""The newest payment of a call, and who drives it: the agent who began it, took it over, or has
announced one.

Rule 1: the agent of a payment drives its mask, too, for as long as that is on.
"""

from __future__ import annotations

from dataclasses import dataclass

from b2bua.call.line_mask import LineMask
from b2bua.call.obstacle import Obstacle, ObstacleCode, obstacle, other_agent
from b2bua.call.view import CaptureStage, CaptureView, NotNow, NotYours

FINAL = frozenset({CaptureStage.FINISHED, CaptureStage.CANCELLED, CaptureStage.ABORTED})


@dataclass(slots=True)
class OwnedPayment(LineMask):
    """Mask and newest payment of one call."""

    view: CaptureView | None = None

    @property
    def settled(self) -> bool:
        """Whether no outcome is awaited any more."""
        return self.view is None or self.view.stage in FINAL

    def obstacle(self, agent: str | None) -> Obstacle | None:
        """Why this agent can begin no payment now; None: no obstacle. `agent`: None for anybody."""
        if not self.settled:
            return obstacle(ObstacleCode.UNDER_WAY)
        driver = self._driver()  # who paid before still drives the mask that is on
        return other_agent(driver) if driver not in (None, agent) else None

    def check_agent(self, agent: str) -> None:
        """Raises NotYours where another agent drives the payment, or has announced one."""
        driver = self._driver()
        if driver not in (None, agent):
            raise NotYours(driver)

    def _driver(self) -> str | None:
        """The agent who drives the payment, or has announced one; None: nobody does."""
        if self.announced_by:
            return self.announced_by
        if self.view is not None and (not self.settled or self.masked):
            return self.view.agent
        return None

    def check_announceable(self, agent: str) -> None:
        """Raises NotNow while a payment is under way, and NotYours while another agent's mask is
        on."""
        if self._open():
            raise NotNow("A payment is under way, and the line is masked for it.")
        self.check_agent(agent)

    def _open(self) -> bool:
        return self.view is not None and self.view.stage not in FINAL
