"""Recognises card schemes by the first digits of a number (ISO/IEC 7812-1)."""

from __future__ import annotations

from dataclasses import dataclass

from media.capture.check import Digits


@dataclass(frozen=True, slots=True)
class Brand:
    """A card scheme: the lengths that it issues, and the one after which a pause is an end, in
    digits."""

    name: str
    lengths: tuple[int, ...]
    usual: int | None = None

    @property
    def is_known(self) -> bool:
        """Whether its ranges are listed here."""
        return self is not OTHER


_VISA = Brand("visa", (13, 16, 19), usual=16)
_MASTERCARD = Brand("mastercard", (16,))
_AMEX = Brand("amex", (15,))
_DISCOVER = Brand("discover", (16, 17, 18, 19), usual=16)
_JCB = Brand("jcb", (16, 17, 18, 19), usual=16)
_DINERS = Brand("diners", (14, 15, 16, 17, 18, 19), usual=14)
_DINERS_16 = Brand("diners", (16, 17, 18, 19), usual=16)
_UNIONPAY = Brand("unionpay", (16, 17, 18, 19))
_MAESTRO = Brand("maestro", tuple(range(12, 20)))
# ISO/IEC 7812-1 allows 19 digits at most; no scheme issues fewer than 12.
OTHER = Brand("other", tuple(range(12, 20)))

# Issuer identification number ranges (ISO/IEC 7812), as the schemes publish them for acquirers:
# first and last prefix of each range, both of one length. Where two ranges fit, the longer prefix
# wins.
_RANGES: tuple[tuple[bytes, bytes, Brand], ...] = (
    (b"4", b"4", _VISA),
    (b"51", b"55", _MASTERCARD),
    (b"2221", b"2720", _MASTERCARD),  # since 2017
    (b"34", b"34", _AMEX),
    (b"37", b"37", _AMEX),
    (b"6011", b"6011", _DISCOVER),
    (b"644", b"649", _DISCOVER),
    (b"65", b"65", _DISCOVER),
    (b"3528", b"3589", _JCB),
    (b"36", b"36", _DINERS),
    (b"300", b"305", _DINERS_16),
    (b"3095", b"3095", _DINERS_16),
    (b"38", b"39", _DINERS_16),
    (b"62", b"62", _UNIONPAY),
    (b"8100", b"8171", _UNIONPAY),
    (b"50", b"50", _MAESTRO),
    (b"56", b"58", _MAESTRO),
    (b"5893", b"5893", _MAESTRO),
    (b"63", b"63", _MAESTRO),
    (b"67", b"67", _MAESTRO),
)


def find_brand(number: Digits) -> Brand | None:
    """The brand by the number's first digits; None while they say nothing, `other` once they fit no
    range."""
    best: Brand | None = None
    length = 0
    for first, last, brand in _RANGES:
        if len(first) > length and starts_within(number, first, last):
            best, length = brand, len(first)
    if best is None and len(number) >= max(len(first) for first, _, _ in _RANGES):
        return OTHER
    return best


def starts_within(number: Digits, first: bytes, last: bytes) -> bool:
    """Whether the first digits lie between these two, which have one length."""
    if len(number) < len(first):
        return False
    return not _starts_below(number, first) and not _starts_above(number, last)


def _starts_below(number: Digits, bound: bytes) -> bool:
    for index, limit in enumerate(bound):
        if number[index] != limit:
            return number[index] < limit
    return False


def _starts_above(number: Digits, bound: bytes) -> bool:
    for index, limit in enumerate(bound):
        if number[index] != limit:
            return number[index] > limit
    return False
