"""Reads and writes what all links have: URL, reference and expiry."""

from __future__ import annotations

from datetime import UTC, datetime

from provider_adapters.payment import Link, Unknown
from provider_adapters.text import clean_reference

_MAX_URL = 2000


def opened(url: str, reference: str, expires_at: float) -> Link | Unknown:
    """The link as the provider made it; Unknown where a customer could not be sent there."""
    fit = url.startswith("https://") and url.isascii() and url.isprintable() and len(url) <= _MAX_URL
    kept = clean_reference(reference)
    if not fit or not kept:
        return Unknown(reason="answer_not_understood")
    return Link(url=url, reference=kept, expires_at=expires_at)


def write_time(moment: float) -> str:
    """Seconds since the epoch as RFC 3339 has them, whole and in UTC."""
    return datetime.fromtimestamp(int(moment), UTC).isoformat()


def read_time(text: str | None, otherwise: float) -> float:
    """The time in seconds since the epoch; `otherwise` where it is none."""
    try:
        return datetime.fromisoformat(text or "").timestamp()
    except (ValueError, OverflowError):
        return otherwise
