"""Does in the b2bua process what its supervisor asks for."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

import msgspec

from b2bua.switchboard.end import End
from b2bua.switchboard.pulse import send_pulses
from b2bua.switchboard.supervised import (
    Answer,
    DrainCalls,
    GoOn,
    HandOver,
    PaymentsUnderWay,
    Reloaded,
    ReloadSettings,
    RenewMedia,
    Request,
    connected,
)
from b2bua.switchboard.switchboard import Switchboard
from b2bua.wiring.media_renewal import MediaRenewal
from b2bua.wiring.reload import Reload

_MAX_WHY = 1000  # characters; one packet has the answer


async def follow_supervisor(
    board: Switchboard, fd: int, end: End, reload: Reload, renewal: MediaRenewal
) -> None:
    """Do what the supervisor asks for, and have it know that we live."""

    def on_request(request: Request, environment: Mapping[str, str]) -> Answer | None:
        if isinstance(request, ReloadSettings):
            return Reloaded(why=reload.apply(board, request, environment)[:_MAX_WHY])
        if isinstance(request, HandOver | RenewMedia) and (count := board.payments_under_way()):
            return PaymentsUnderWay(count=count)
        match request:
            case HandOver():
                end.hand_over()
            case RenewMedia():
                renewal.begin(answer)
            case GoOn():
                renewal.go_on()
            case DrainCalls():
                end.after_drain()
        return None

    def answer(later: Answer) -> None:
        with contextlib.suppress(OSError):  # it was killed
            supervisor.send(msgspec.json.encode(later))

    with connected(fd, on_request) as supervisor:
        await send_pulses(board, supervisor)
