"""Writes a body as a form whose names say where a value stands: `card[number]=…`, `items[0]=…`.

Source: the URL Standard's application/x-www-form-urlencoded; the brackets are the convention of the
providers that take forms.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlencode


def encode_form(body: Mapping[str, object]) -> bytes:
    """The body in ASCII. None and empty objects are left out; truth is `true` or `false`."""
    return urlencode([(name, value) for name, value in _flatten(body)]).encode("ascii")


def _flatten(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    match value:
        case None:
            return
        case bool():
            yield name, "true" if value else "false"
        case Mapping():
            for key, each in value.items():
                yield from _flatten(each, f"{name}[{key}]" if name else str(key))
        case Sequence() if not isinstance(value, str):
            for index, each in enumerate(value):
                yield from _flatten(each, f"{name}[{index}]")
        case _:
            yield name, str(value)
