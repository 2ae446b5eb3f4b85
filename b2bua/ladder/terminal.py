"""Formats a ladder for the terminal: in its width and colours, in plain ASCII where necessary.

Rule 1: readable without colours: arrows, words, and a shaded middle while the call is masked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.text import Text

from b2bua.ladder.layout import CALLER_LEG, Row, Sheet, Tone

STYLES = {
    Tone.REQUEST: "cyan",
    Tone.PROVISIONAL: "",
    Tone.SUCCESS: "green",
    Tone.FAILURE: "red",
    Tone.EVENT: "bold",
    Tone.MASK: "bold magenta",
    Tone.PAYMENT: "bold yellow",
    Tone.GAP: "dim",
}
_ASCII = str.maketrans({"│": "|", "─": "-", "▶": ">", "◀": "<", "▒": "#", "◆": "*", "…": "~", "·": "-"})
_MIDDLE = 9
_MIN_ARROW, _GOOD_ARROW, _MAX_ARROW = 12, 26, 30  # columns for an arrow
_MIN_DETAILS = 24  # columns below which details are left out


@dataclass(frozen=True, slots=True)
class Columns:
    """The layout of a line. `lanes`: the column of each; `details`: their width, 0 for none."""

    clock: bool
    lanes: tuple[int, int, int, int]
    details: int

    @classmethod
    def fit_width(cls, width: int) -> Columns:
        """The layout for a terminal of so many columns."""
        clock = width >= 24 + 2 * _MIN_ARROW + _MIDDLE + 4
        begin = 24 if clock else 10
        room = width - begin - _MIDDLE - 4
        span = max(_MIN_ARROW, min(_MAX_ARROW, room // 2))
        if room - 2 * _GOOD_ARROW >= _MIN_DETAILS:  # details are worth narrower arrows
            span = _GOOD_ARROW
        lanes = (begin, begin + span + 1, begin + span + _MIDDLE + 2, begin + 2 * span + _MIDDLE + 3)
        details = width - lanes[3] - 2
        return cls(clock, lanes, details if details >= _MIN_DETAILS else 0)


def format_ladder(sheet: Sheet, width: int, *, ascii_only: bool = False) -> Iterator[Text]:
    """The lines of a whole ladder."""
    columns = Columns.fit_width(width)
    yield from format_head(sheet, columns, ascii_only=ascii_only)
    for row in sheet.rows:
        yield format_row(row, columns, ascii_only=ascii_only)


def format_head(sheet: Sheet, columns: Columns, *, ascii_only: bool = False) -> Iterator[Text]:
    """The lines above the first row: caller and callee, times of a mask, the names of the lanes."""
    first, second, third, fourth = columns.lanes
    canvas = _Canvas(fourth + 1, ascii_only)
    canvas.put_text((second + third) // 2 - 3, "Tonewall", "bold")
    names = _Canvas(fourth + 1, ascii_only)
    room = (second - first) - len(sheet.lanes[1]) - 1
    names.put_text(first, sheet.lanes[0][: max(room, 4)], "bold")
    names.put_text(second - len(sheet.lanes[1]) + 1, sheet.lanes[1], "")
    names.put_text(third, sheet.lanes[2], "")
    last = sheet.lanes[3][: max(room, 4)]
    names.put_text(fourth - len(last) + 1, last, "bold")
    yield _styled_text(f"{sheet.title}: {sheet.subtitle}", "bold", ascii_only)
    if sheet.masked:
        yield _styled_text(
            f"▒ masked, no key reaches the agent: {', '.join(sheet.masked)}", "magenta", ascii_only
        )
    yield Text()
    yield canvas.to_text()
    yield names.to_text()


def format_row(row: Row, columns: Columns, *, ascii_only: bool = False) -> Text:
    """The line of a row."""
    lanes = columns.lanes
    canvas = _Canvas(lanes[3] + 1 + (columns.details + 1 if columns.details else 0), ascii_only)
    canvas.put_text(0, f"{row.clock} {row.after:>10}" if columns.clock else f"{row.after:>9}", "dim")
    if row.masked:
        canvas.put_text(lanes[CALLER_LEG] + 1, "▒" * _MIDDLE, "magenta")
    for lane in lanes:
        canvas.put_text(lane, "│", "dim")
    style = STYLES[row.tone]
    if row.start == row.end:
        at = lanes[row.start] + (2 if row.start == CALLER_LEG else 1)
        peer = f" · {row.detail}" if row.detail and not columns.details else ""
        canvas.put_text(at, f"◆ {row.label}{peer} "[: lanes[3] - at], style)
    else:
        left = min(row.start, row.end)
        room = lanes[left + 1] - lanes[left] - 1
        canvas.put_text(lanes[left] + 1, _arrow(row.label, room, to_left=row.end < row.start), style)
    if columns.details:
        canvas.put_text(lanes[3] + 2, _cut(row.detail, columns.details), "dim")
    return canvas.to_text()


def _arrow(label: str, room: int, *, to_left: bool) -> str:
    words = f" {_cut(label, room - 5)} "
    shaft = "─" * (room - len(words) - 2)
    return f"◀{shaft}{words}─" if to_left else f"─{words}{shaft}▶"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _styled_text(text: str, style: str, ascii_only: bool) -> Text:
    canvas = _Canvas(len(text), ascii_only)
    canvas.put_text(0, text, style)
    return canvas.to_text()


class _Canvas:
    """One line of characters, each put over what was there."""

    def __init__(self, width: int, ascii_only: bool) -> None:
        self._characters = [" "] * width
        self._styles = [""] * width
        self._ascii = ascii_only

    def put_text(self, at: int, text: str, style: str) -> None:
        for place, character in enumerate(text, at):
            if 0 <= place < len(self._characters):
                self._characters[place], self._styles[place] = character, style

    def to_text(self) -> Text:
        shown = "".join(self._characters)
        if self._ascii:
            shown = shown.translate(_ASCII).encode("ascii", "replace").decode()
        text = Text(no_wrap=True, overflow="crop")
        begin = 0
        for place in range(1, len(shown) + 1):
            if place == len(shown) or self._styles[place] != self._styles[begin]:
                text.append(shown[begin:place], self._styles[begin])
                begin = place
        text.rstrip()
        return text
