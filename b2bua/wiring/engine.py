"""The SIP engine of the settings."""

from __future__ import annotations

from collections.abc import Sequence

from b2bua.api.sip_metrics import OnEvent
from b2bua.config.assembly import build_retired_trunks, build_trunks
from b2bua.config.settings import SignallingSettings
from b2bua.ladder.ladders import Ladders
from b2bua.sip.endpoint import SipEngine
from b2bua.sip.transport.bound_sockets import BoundSocket
from b2bua.sip.transport.tls import TlsContexts
from b2bua.switchboard.interfaces import RunningEngine
from tonewall.version import VERSION


def build_engine(
    settings: SignallingSettings, on_event: OnEvent, ladders: Ladders, sockets: Sequence[BoundSocket] = ()
) -> RunningEngine:
    """The SIP engine of the settings. `sockets`: those of its addresses, where they are bound
    already. Raises ConfigError where it is not installed."""
    general = settings.general
    if general.engine == "pjsua2":
        # GPL, and only where it is chosen.
        from b2bua.pjsua.choice import pjsua_engine  # noqa: PLC0415

        return pjsua_engine(
            general.binds[0], build_trunks(settings), on_event, f"Tonewall/{VERSION}", sockets
        )
    return SipEngine(
        binds=general.binds,
        tls=TlsContexts(general.tls_certificate, general.tls_key),
        trunks=build_trunks(settings),
        retired=build_retired_trunks(settings),
        on_event=on_event,
        user_agent=f"Tonewall/{VERSION}",
        realm=general.realm,
        bindings=general.directory / "bindings.json",
        ladders=ladders,
        sockets=sockets,
    )
