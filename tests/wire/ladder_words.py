"""The words of a ladder as tests compare them."""

from __future__ import annotations

from typing import Any

from b2bua.call.leg import LegId
from b2bua.call.view import CallState, CallView
from b2bua.ladder.ladders import Ladders
from b2bua.ladder.view import LadderView, MessageView, NoteView
from media.events import Side


def words(view: LadderView) -> list[str]:
    """Each entry in a few letters: `0<INVITE`, `1>200 BYE`, `mask on`."""
    found = []
    for entry in view.entries:
        if isinstance(entry, MessageView):
            arrow = "<" if entry.direction == "received" else ">"
            code = f"{entry.code} " if entry.code else ""
            found.append(f"{entry.leg}{arrow}{code}{entry.method}" + (" SDP" if entry.sdp else ""))
        elif isinstance(entry, NoteView):
            found.append(entry.what)
    return found


class Every(Ladders):
    """Ladders of every leg by itself: there is no switchboard in this test to say which call it is
    of."""

    def open_leg(self, leg_id: LegId, call_id: str) -> None:
        super().open_leg(leg_id, call_id)
        view: dict[str, Any] = dict.fromkeys(("direction", "caller", "callee", "started_at"), "")
        self.begin_call(
            leg_id, Side.AGENT, "pbx", CallView(id=leg_id, state=CallState.UP, masked=False, **view)
        )
