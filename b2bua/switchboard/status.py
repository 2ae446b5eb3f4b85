"""Reports on all calls at once: the trunks with what they carry, and the numbers of the health
check."""

from __future__ import annotations

from b2bua.call.routing.limits import Limiter
from b2bua.call.routing.router import Router
from b2bua.call.trunk_view import TrunkView
from b2bua.switchboard.interfaces import Engine, Media
from media.events import Counted, Side
from tonewall.seccomp import is_filtered


def trunks(router: Router, limiter: Limiter, engine: Engine | None) -> list[TrunkView]:
    """Every trunk: its legs, who was refused, and how well it is."""
    return [
        TrunkView(
            name=name,
            kind="carrier" if place.side is Side.CALLER else "pbx",
            calls=limiter.calls(name),
            refused=limiter.refused[name],
            calls_elsewhere=limiter.calls_elsewhere(name),
            hops=engine.hops(name) if engine is not None else (),
            registration=engine.registration(name) if engine is not None else None,
        )
        for name, place in router.places.items()
    ]


def health(
    calls: int, engine: Engine | None, media: Media | None, counted: Counted | None
) -> dict[str, int | bool]:
    """What there is now. `counted`: media's last count."""
    present = engine.counters() if engine is not None else {}
    return {
        "filtered": is_filtered(),
        "media": media is not None and media.connected,
        "calls": calls,
        "legs": present.get("legs", 0),
        "dialogs": present.get("dialogs", 0),
        "transactions": present.get("transactions", 0),
        "strangers": present.get("strangers", 0),
        "payers": counted.payers if counted else 0,
        "sessions": counted.sessions if counted else 0,
        "leaks": counted.leaks if counted else 0,
        "descriptors": counted.descriptors if counted else 0,
    }
