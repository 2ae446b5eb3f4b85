"""Targets of a peer as DNS gave them, and the order in which a call tries them (RFC 3263 section 4,
RFC 2782). Sans-IO.

Rule 1: the order (`order_hops`) is drawn anew for each call; the random source is a parameter.
Rule 2: whatever DNS said, a peer has no more than MAX_HOPS hops.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import groupby

from b2bua.sip.hop import Hop, Transport

MAX_HOPS = 16


@dataclass(frozen=True, slots=True)
class Target:
    """One server of a peer: an SRV record's target, or the host itself. `rank`: the place of its
    transport, best first."""

    name: str
    port: int
    transport: Transport
    addresses: tuple[str, ...]
    rank: int = 0
    priority: int = 0
    weight: int = 0

    def hops(self, trunk: str) -> list[Hop]:
        """Return a hop for each address."""
        return [Hop(address, self.port, self.transport, trunk=trunk) for address in self.addresses]


@dataclass(frozen=True, slots=True)
class Located:
    """All that DNS said of a peer. `ttl`: seconds that it may be used, the least of all
    records'."""

    targets: tuple[Target, ...]
    ttl: float

    @property
    def addresses(self) -> frozenset[str]:
        """All addresses of the targets."""
        return frozenset(address for target in self.targets for address in target.addresses)


def limit_targets(targets: Iterable[Target]) -> tuple[Target, ...]:
    """The best of them, with MAX_HOPS addresses in all."""
    kept: list[Target] = []
    room = MAX_HOPS
    for target in sorted(targets, key=lambda target: (target.rank, target.priority, -target.weight)):
        if target.addresses and room:
            kept.append(replace(target, addresses=target.addresses[:room]))
            room -= len(kept[-1].addresses)
    return tuple(kept)


def order_hops(targets: Iterable[Target], trunk: str, draw: Callable[[], float]) -> list[Hop]:
    """The hops in the order in which one call tries them. `draw` gives numbers of [0, 1).

    Ranks and priorities ascend; within a priority each next target is drawn by its share of the
    weights that are left.
    """
    hops: list[Hop] = []
    ranked = sorted(targets, key=_precedence)
    for _, group in groupby(ranked, key=_precedence):
        left = list(group)
        while left:
            hops += left.pop(_draw_index([target.weight for target in left], draw())).hops(trunk)
    return list(dict.fromkeys(hops))


def _precedence(target: Target) -> tuple[int, int]:
    return target.rank, target.priority


def _draw_index(weights: list[int], at: float) -> int:
    """The index that a number of [0, 1) falls on. RFC 2782: weight 0 has a very small chance beside
    other weights."""
    shares = [weight or (0.01 if any(weights) else 1.0) for weight in weights]
    mark = at * sum(shares)
    for index, share in enumerate(shares):
        mark -= share
        if mark < 0:
            return index
    return len(shares) - 1  # the sum was rounded


def numeric_host(host: str) -> str | None:
    """The host, where it is a numeric address, without brackets; None for a name."""
    try:
        return str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return None
