"""Does in the b2bua process what its supervisor asks for."""

from __future__ import annotations

from collections.abc import Mapping

from b2bua.switchboard.end import End
from b2bua.switchboard.pulse import send_pulses
from b2bua.switchboard.supervised import (
    Answer,
    HandOver,
    PaymentsUnderWay,
    Reloaded,
    ReloadSettings,
    Request,
    connected,
)
from b2bua.switchboard.switchboard import Switchboard
from b2bua.wiring.reload import Reload

_MAX_WHY = 1000  # characters; one packet has the answer


async def follow_supervisor(board: Switchboard, fd: int, end: End, reload: Reload) -> None:
    """Do what the supervisor asks for, and have it know that we live."""

    def on_request(request: Request, environment: Mapping[str, str]) -> Answer | None:
        if isinstance(request, ReloadSettings):
            return Reloaded(why=reload.apply(board, request, environment)[:_MAX_WHY])
        if not isinstance(request, HandOver):
            end.after_drain()
        elif count := board.payments_under_way():
            return PaymentsUnderWay(count=count)
        else:
            end.hand_over()
        return None

    with connected(fd, on_request) as supervisor:
        await send_pulses(board, supervisor)
