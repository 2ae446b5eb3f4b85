"""Knows how many decimals each currency has (ISO 4217's minor units), and writes amounts as decimal
numbers for providers that take them so.

The API and the agent's page ask here too: browsers' own tables differ from ISO 4217 for some
currencies, and a wrong exponent is a wrong amount.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from provider_adapters.minor_units import AmountNotPayable

_BY_EXPONENT: Final = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: """
        AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD
        CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS
        GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD
        LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB
        PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP
        SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG
    """,
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}

MINOR_UNITS: Final[dict[str, int]] = dict(
    sorted((code, exponent) for exponent, codes in _BY_EXPONENT.items() for code in codes.split())
)
"""Decimals of each currency: 4990 of a currency with 2 is 49.90; of one with 0 it is 4990."""


def write_decimal(amount: int, currency: str) -> str:
    """An amount in minor units as a decimal number: 1998 EUR is `19.98`, 1998 JPY `1998`. Raises
    AmountNotPayable for a currency that ISO 4217 does not list."""
    exponent = MINOR_UNITS.get(currency)
    if exponent is None:
        raise AmountNotPayable
    return str(Decimal(amount).scaleb(-exponent))


def read_decimal(value: Decimal, currency: str) -> int | None:
    """A decimal number in minor units; None where it is no whole number of them, or the currency is
    not listed: then it is not what was asked for."""
    exponent = MINOR_UNITS.get(currency)
    if exponent is None or not value.is_finite():
        return None
    units = value.scaleb(exponent)
    return int(units) if units == units.to_integral_value() else None
