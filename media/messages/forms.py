"""Says how a company has cards keyed: the part of `[form]` that a capture needs."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

BRANDS: Final = ("visa", "mastercard", "amex", "discover", "jcb", "diners", "unionpay", "maestro")
EndingKey = Literal["#", "*", ""]


class CardForm(msgspec.Struct, frozen=True, kw_only=True):
    """How a company has cards keyed.

    `brands`: of BRANDS, those that it takes; empty: all cards. `security_code`: whether it is asked
    for; an optional one may be skipped. `end_key`, `clear_key`: as in FormDescription. `tries`: how
    often one field may be refused before the capture ends; 0: as often as it takes. `key_timeout`,
    `capture_timeout`: as in MediaSettings, in seconds; None: as there.
    """

    name: str = "card"
    brands: tuple[str, ...] = ()
    security_code: Literal["required", "optional", "never"] = "required"
    end_key: EndingKey = "#"
    clear_key: EndingKey = "*"
    tries: int = 0
    key_timeout: float | None = None
    capture_timeout: float | None = None
