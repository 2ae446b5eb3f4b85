"""Makes texts of a provider fit for a screen, a log and a code."""

from __future__ import annotations

import re

_CODE = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_MAX_TEXT = 200
_MAX_REFERENCE = 2000


def clean_text(text: str | None) -> str:
    """Printable, and not longer than a line or two."""
    return "".join(sign if sign.isprintable() else " " for sign in (text or "")[:_MAX_TEXT])


def clean_reference(text: str | None) -> str:
    """What the provider calls a payment, or nothing where that is not printable or too long to be
    one: cut short it would name nothing."""
    found = text or ""
    return found if found.isprintable() and len(found) <= _MAX_REFERENCE else ""


def clean_code(code: object) -> str:
    """A code of the provider's as it is, or nothing where it is none."""
    text = str(code) if isinstance(code, str | int) else ""
    return text if _CODE.fullmatch(text) else ""
