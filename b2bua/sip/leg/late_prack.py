"""Late PRACKs: one that crosses the refusal of its INVITE gets 200 (RFC 3262 section 3).

Rule 1: MAX_LATE_PRACKS are waited for, the newest, each until its time is over.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from b2bua.sip.leg.dialog import DialogKey

MAX_LATE_PRACKS = 1000


@dataclass(slots=True)
class LatePracks:
    """The late PRACKs of one engine. Times on the scheduler's clock."""

    # The oldest first.
    _waiting: dict[tuple[DialogKey, tuple[int, int]], float] = field(default_factory=dict)

    def expect(self, dialog: DialogKey, rack: tuple[int, int], until: float) -> None:
        """A dialog is over in which this provisional answer (RSeq, and CSeq number) was not
        acknowledged."""
        self._waiting[dialog, rack] = until
        if len(self._waiting) > MAX_LATE_PRACKS:
            del self._waiting[next(iter(self._waiting))]

    def accept(self, dialog: DialogKey, rack: tuple[int, int] | None, now: float) -> bool:
        """Whether a PRACK is one of them; it is, once."""
        return rack is not None and self._waiting.pop((dialog, rack), now) > now
