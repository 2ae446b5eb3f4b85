"""Draws what a number of calls needs, and writes it as tables of docs/scale.md: `make scale`, or
`python -m tests.benchmark.scale_plot [--check]`."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Final

from tests.architecture.generated import write_or_check
from tests.benchmark.scaling import Costs, Needs, simulate

ROOT: Final = Path(__file__).parents[2]
PLOT: Final = ROOT / "docs" / "img" / "scale.svg"
PAGE: Final = ROOT / "docs" / "scale.md"
DRAWN: Final = (1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000)
LISTED: Final = (1_000, 10_000, 100_000, 200_000)
LONG, SHORT = 180.0, 60.0  # seconds that a call lasts
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 500, 20, 320
_LOW, _HIGH = 0.001, 10.0
_COLOURS: Final = {"media": "#0b6e4f", "signalling": "#1f4e9e", "Redis": "#b3261e", "edge": "#8a5a00"}


def costs_table() -> Iterator[str]:
    """A row a cost."""
    yield "| cost | µs of a core | from |"
    yield "|---|---|---|"
    for each in fields(Costs):
        yield f"| `{each.name}` | {each.default:g} | {each.metadata['from']} |"


def needs_table() -> Iterator[str]:
    """A row a number of calls and a length."""
    yield (
        "| calls at once | of seconds | instances | media, cores in all | signalling, fullest core | "
        "writes to Redis a second | Redis, core | edge, cores | fullest |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for talk in (LONG, SHORT):
        for calls in LISTED:
            needs = simulate(calls, talk)
            fullest = max(needs.shares, key=needs.shares.__getitem__)
            yield (
                f"| {calls:,} | {talk:g} | {needs.instances} | {calls * Costs().packet * 100 / 1e6:.1f} | "
                f"{needs.signalling:.2f} | {needs.beats:,.0f} | {needs.redis:.2f} | {needs.edge:.2f} | "
                f"{fullest}, {needs.shares[fullest]:.0%} |"
            )


def draw() -> str:
    """The picture: how full each part is, by the calls at once."""
    long = [simulate(calls, LONG) for calls in DRAWN]
    short = [simulate(calls, SHORT) for calls in DRAWN]
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 380" '
        'font-family="sans-serif" font-size="12">',
        "<title>How full each part is, by the calls at once</title>",
        '<rect width="640" height="380" fill="#fff"/>',
        *_axes(),
        *(_curve(long, part) for part in _COLOURS),
        _curve(short, "Redis", dashed=True),
        *_names({part: long[-1].shares[part] for part in _COLOURS}, short[-1].shares["Redis"]),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _x(calls: float) -> float:
    low, high = math.log10(DRAWN[0]), math.log10(DRAWN[-1])
    return _LEFT + (math.log10(calls) - low) / (high - low) * (_RIGHT - _LEFT)


def _y(share: float) -> float:
    low, high = math.log10(_LOW), math.log10(_HIGH)
    return _BOTTOM - (math.log10(max(share, _LOW)) - low) / (high - low) * (_BOTTOM - _TOP)


def _axes() -> Iterator[str]:
    for share, name in ((0.001, "0.1 %"), (0.01, "1 %"), (0.1, "10 %"), (1.0, "full"), (10.0, "10 times")):
        y, colour = _y(share), "#b3261e" if share == 1 else "#ccc"
        yield f'<path d="M{_LEFT} {y:.1f}H{_RIGHT}" stroke="{colour}" fill="none"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{name}</text>'
    for calls in DRAWN:
        yield f'<path d="M{_x(calls):.1f} {_BOTTOM}v5" stroke="#555" fill="none"/>'
        yield f'<text x="{_x(calls):.1f}" y="{_BOTTOM + 20}" text-anchor="middle">{calls // 1000}</text>'
    middle = (_LEFT + _RIGHT) / 2
    yield f'<text x="{middle:.0f}" y="{_BOTTOM + 45}" text-anchor="middle">thousand calls at once</text>'


def _curve(needs: Sequence[Needs], part: str, *, dashed: bool = False) -> str:
    path = " ".join(f"{_x(each.calls):.1f},{_y(each.shares[part]):.1f}" for each in needs)
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    return f'<polyline points="{path}" fill="none" stroke="{_COLOURS[part]}" stroke-width="2"{dash}/>'


def _names(last: Mapping[str, float], short: float) -> Iterator[str]:
    """Beside the end of each curve, and none upon another."""
    named = [(_y(share), part, part) for part, share in last.items()]
    below = 0.0
    for y, name, part in sorted([*named, (_y(short), "Redis, calls of 60 s", "Redis")]):
        below = max(y, below + 15)
        yield f'<text x="{_RIGHT + 8}" y="{below + 4:.1f}" fill="{_COLOURS[part]}">{name}</text>'


def page(text: str) -> str:
    """docs/scale.md with its tables as they are now: each begins with its head and ends with a line
    that is no row."""
    for rows in (list(costs_table()), list(needs_table())):
        before, head, after = text.partition(f"{rows[0]}\n")
        assert head, rows[0]
        rest = after.splitlines(keepends=True)
        while rest and rest[0].startswith("|"):
            del rest[0]
        text = before + "".join(f"{row}\n" for row in rows) + "".join(rest)
    return text


def main() -> int:
    """Status 1 where `--check` finds something stale."""
    return max(write_or_check(PLOT, draw()), write_or_check(PAGE, page(PAGE.read_text())))


if __name__ == "__main__":
    sys.exit(main())
