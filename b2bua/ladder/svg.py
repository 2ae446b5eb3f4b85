"""Draws a ladder as SVG, in light or dark as its reader prefers, without external resources.

Rule 1: every text is escaped; nothing of a view becomes markup.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from xml.sax.saxutils import escape

from b2bua.ladder.layout import AGENT_LEG, CALLER_LEG, Row, Sheet, Tone

MEDIA_TYPE: Final = "image/svg+xml"
_LANES: Final = (200, 460, 640, 900)  # of each lane, in pixels from the left
_WIDTH, _DETAILS, _TOP, _HEIGHT = 1340, 916, 112, 28
_MIDDLE: Final = (_LANES[CALLER_LEG] + _LANES[AGENT_LEG]) // 2
_CHARACTER: Final = 7.3  # pixels, of the labels' type
_LIGHT: Final = (
    "--ink:#1f2328;--soft:#59636e;--line:#c3cad1;--paper:#ffffff;--request:#0550ae;--provisional:#59636e;"
    "--success:#116329;--failure:#a40e26;--event:#59636e;--mask:#6639ba;--payment:#953800;--gap:#59636e;--band:#ece3fb"
)
_DARK: Final = (
    "--ink:#e6edf3;--soft:#9198a1;--line:#3d444d;--paper:#0d1117;--request:#79c0ff;--provisional:#9198a1;"
    "--success:#7ee787;--failure:#ffa198;--event:#9198a1;--mask:#d2a8ff;--payment:#ffb77c;--gap:#9198a1;--band:#2d1f4a"
)
_STYLE: Final = (
    f"svg{{{_LIGHT}}}@media(prefers-color-scheme:dark){{svg{{{_DARK}}}}}"
    "text{font:12px ui-monospace,Menlo,Consolas,monospace;fill:var(--ink)}"
    ".title{font-size:16px;font-weight:bold}.name{font-weight:bold;text-anchor:middle}"
    ".soft,.detail{fill:var(--soft)}.detail{font-size:11px}.label,.middle{text-anchor:middle}.after{text-anchor:end}"
    ".paper{fill:var(--paper)}.lane{stroke:var(--line);stroke-width:2}.band{fill:var(--band)}"
    + "".join(
        f".{tone} line{{stroke:var(--{tone});stroke-width:1.5}}.{tone} path,.{tone} .label,.{tone} .words"
        f"{{fill:var(--{tone})}}"
        for tone in Tone
    )
    + ".words,.mask .words{font-weight:bold}"
)


def draw(sheet: Sheet) -> str:
    """The picture, as a whole document."""
    height = _TOP + _HEIGHT * len(sheet.rows) + 24
    arrows = sum(row.start != row.end for row in sheet.rows)
    masked = f" Masked from {', and from '.join(sheet.masked)}." if sheet.masked else " It was never masked."
    about = (
        f"{sheet.subtitle}. {arrows} messages between {sheet.lanes[0]}, Tonewall and "
        f"{sheet.lanes[3]}.{masked}"
    )
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} '
        f'{height}" '
        'role="img" aria-labelledby="title about">',
        f'<title id="title">{escape(sheet.title)}: message flow</title>',
        f'<desc id="about">{escape(about)}</desc>',
        f"<style>{_STYLE}</style>",
        f'<rect class="paper" width="{_WIDTH}" height="{height}"/>',
        f'<text class="title" x="16" y="30">{escape(sheet.title)}</text>',
        f'<text class="soft" x="16" y="50">{escape(sheet.subtitle)}</text>',
        *_bands(sheet),
        *_lanes(sheet, height),
    ]
    for number, row in enumerate(sheet.rows):
        lines += _row(row, _TOP + _HEIGHT * number + 18)
    return "\n".join([*lines, "</svg>", ""])


def _lanes(sheet: Sheet, height: int) -> Iterator[str]:
    yield f'<text class="name" x="{_MIDDLE}" y="76">Tonewall</text>'
    for lane, (x, name) in enumerate(zip(_LANES, sheet.lanes, strict=True)):
        ours = lane in (CALLER_LEG, AGENT_LEG)
        kind = "label soft" if ours else "name"
        shown = escape(_cut(name, 300, _CHARACTER))
        yield f'<text class="{kind}" x="{x}" y="{94 if ours else 86}">{shown}</text>'
        yield f'<line class="lane" x1="{x}" y1="{_TOP - 10}" x2="{x}" y2="{height - 16}"/>'


def _bands(sheet: Sheet) -> Iterator[str]:
    """Coloured bands behind our own lanes, for the time of a mask."""
    begun: int | None = None
    for number, row in enumerate((*sheet.rows, None)):
        masked = row is not None and row.masked
        if masked and begun is None:
            begun = number
        elif begun is not None and not masked:
            x, y = _LANES[CALLER_LEG], _TOP + _HEIGHT * begun
            size = f'width="{_LANES[AGENT_LEG] - x}" height="{_HEIGHT * (number - begun)}"'
            yield f'<rect class="band" x="{x}" y="{y}" {size}><title>masked</title></rect>'
            begun = None


def _row(row: Row, y: int) -> Iterator[str]:
    spoken = f"{row.after} s: {row.label}" + (", masked" if row.masked else "")
    yield f'<g class="{row.tone}"><title>{escape(spoken)}</title>'
    if row.clock:
        yield f'<text class="soft" x="16" y="{y}">{escape(row.clock)}</text>'
        yield f'<text class="after" x="184" y="{y}">{escape(row.after)}</text>'
    if row.start == row.end:
        x = _LANES[row.start] + 8
        yield f'<text class="words" x="{x}" y="{y}">{escape(row.label)}</text>'
    else:
        yield from _arrow(row, y)
        if row.masked:
            yield f'<text class="detail middle" x="{_MIDDLE}" y="{y}">masked</text>'
    if row.detail:
        detail = escape(_cut(row.detail, _WIDTH - _DETAILS, 6.65))
        yield f'<text class="detail" x="{_DETAILS}" y="{y}">{detail}</text>'
    yield "</g>"


def _arrow(row: Row, y: int) -> Iterator[str]:
    start, end = _LANES[row.start], _LANES[row.end]
    back = 8 if end < start else -8
    label = _cut(row.label, abs(end - start) - 16, _CHARACTER)
    yield f'<text class="label" x="{(start + end) // 2}" y="{y - 2}">{escape(label)}</text>'
    yield f'<line x1="{start}" y1="{y + 4}" x2="{end + back // 2}" y2="{y + 4}"/>'
    yield f'<path d="M{end} {y + 4}l{back} -4v8z"/>'


def _cut(text: str, pixels: int, character: float) -> str:
    most = int(pixels / character)
    return text if len(text) <= most else text[: most - 1] + "…"
