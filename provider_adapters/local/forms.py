"""Reads a form whose names say where a value stands, such as `card[number]` and `items[0]`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

_STEP = re.compile(r"[^\[\]]+")


def read_form(body: bytes) -> Mapping[str, Any]:
    """Texts, and objects of these; a list is an object of its positions. Raises ValueError."""
    found: dict[str, Any] = {}
    for name, value in parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body)):
        *steps, last = _STEP.findall(name) or [name]
        place = found
        for step in steps:
            place = place.setdefault(step, {})
            if not isinstance(place, dict):
                raise ValueError("a value that is a text and an object")
        place[last] = value
    return found
