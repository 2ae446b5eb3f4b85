"""Choice of the engine on PJSIP: pjsua2 is loaded here, once its build has been examined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from b2bua.call.leg import LegEvent, LegId
from b2bua.call.routing.trunk import Trunk
from b2bua.pjsua.build import NoBuildError, examine
from b2bua.sip.hop import Bind
from b2bua.sip.transport.bound_sockets import BoundSocket
from tonewall.ini import ConfigError

if TYPE_CHECKING:
    from b2bua.pjsua.endpoint import PjsuaEngine


def pjsua_engine(
    bind: Bind,
    trunks: Sequence[Trunk],
    on_event: Callable[[LegId, LegEvent], None],
    user_agent: str,
    sockets: Sequence[BoundSocket] = (),
) -> PjsuaEngine:
    """`sockets`: that of `bind`, where it is bound already. Raises ConfigError where there is no
    pjsua2 that starts."""
    try:
        build = examine()
    except NoBuildError as error:
        raise ConfigError(f"[general] engine: {error}") from None
    from b2bua.pjsua.endpoint import PjsuaEngine as Engine  # noqa: PLC0415  # it is there

    return Engine(
        bind=bind,
        trunks=trunks,
        on_event=on_event,
        places=build.places,
        user_agent=user_agent,
        sockets=sockets,
    )
