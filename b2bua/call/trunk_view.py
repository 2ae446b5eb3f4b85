"""What may be seen of the trunks."""

from __future__ import annotations

import msgspec


class HopView(msgspec.Struct, frozen=True, kw_only=True):
    """One address of a trunk. `usable`: whether new calls go there now."""

    address: str
    port: int
    transport: str
    usable: bool


class TrunkView(msgspec.Struct, frozen=True, kw_only=True):
    """One trunk. `calls`: its legs now; `refused`: the calls that its limits have refused since the
    start; `calls_elsewhere`: the legs that other instances have on it, which its limit counts,
    too."""

    name: str
    kind: str  # "carrier" or "pbx"
    calls: int
    refused: int
    hops: tuple[HopView, ...] = ()
    calls_elsewhere: int = 0
    registration: str | None = None  # how far ours is there, where there is to be one
