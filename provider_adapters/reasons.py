"""Lists why a charge was declined or failed, in one vocabulary for all providers, with the sentence
that the agent reads.

Rule 1: an adapter maps its provider's codes to these words, and keeps the code beside the word for
        the provider's support.
Rule 2: a sentence says what to do next, not what a computer thinks; it never blames the customer,
        and never tells a thief that a card is reported stolen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Reason:
    """What the agent reads, in English and Polish. `operator`: what whoever runs Tonewall has to
    do; empty where that is nothing."""

    en: str
    pl: str
    operator: str = ""


REASONS: Mapping[str, Reason] = MappingProxyType(
    {
        "declined": Reason(
            "The bank declined the card. Ask for another card.",
            "Bank odrzucił płatność. Poproś o inną kartę.",
        ),
        "insufficient_funds": Reason(
            "There is not enough money on the account. Ask for another card.",
            "Na koncie jest za mało środków. Poproś o inną kartę.",
        ),
        "limit_exceeded": Reason(
            "The card's limit is reached. Ask for another card, or to raise the limit at the bank.",
            "Limit karty został przekroczony. Poproś o inną kartę lub o podniesienie limitu w banku.",
        ),
        "expired_card": Reason(
            "The card has expired. Ask for another card.",
            "Karta straciła ważność. Poproś o inną kartę.",
        ),
        "invalid_number": Reason(
            "The card number is not valid. Ask for the number again.",
            "Numer karty jest nieprawidłowy. Poproś o numer jeszcze raz.",
        ),
        "invalid_expiry": Reason(
            "The expiry date does not match the card. Ask for it again.",
            "Data ważności nie zgadza się z kartą. Poproś o nią jeszcze raz.",
        ),
        "invalid_security_code": Reason(
            "The security code does not match the card. Ask for it again.",
            "Kod zabezpieczający nie zgadza się z kartą. Poproś o niego jeszcze raz.",
        ),
        "card_not_supported": Reason(
            "Cards of this kind are not accepted. Ask for another card.",
            "Karty tego rodzaju nie są przyjmowane. Poproś o inną kartę.",
        ),
        "restricted_card": Reason(
            "The bank does not allow this payment with the card. Ask for another card.",
            "Bank nie zezwala na tę płatność kartą. Poproś o inną kartę.",
        ),
        "suspected_fraud": Reason(
            "The payment was refused. Ask for another card.",
            "Płatność została odrzucona. Poproś o inną kartę.",
        ),
        "authentication_required": Reason(
            "The bank wants the customer to confirm the payment online. Send a payment link, or ask for "
            "another card.",
            "Bank wymaga potwierdzenia płatności w internecie. Wyślij link do płatności albo poproś o inną "
            "kartę.",
            "The provider asks for 3-D Secure: see that it treats the account's payments as MOTO.",
        ),
        "issuer_unavailable": Reason(
            "The bank cannot be reached. Try again in a few minutes, or ask for another card.",
            "Bank jest nieosiągalny. Spróbuj za kilka minut albo poproś o inną kartę.",
        ),
        "try_again_later": Reason(
            "The provider could not do it now. Try again in a few minutes.",
            "Operator płatności nie mógł tego teraz wykonać. Spróbuj za kilka minut.",
        ),
        "duplicate": Reason(
            "The provider takes this for a payment that was made just now. Look at the order first.",
            "Operator uznał to za płatność, którą przed chwilą wykonano. Najpierw sprawdź zamówienie.",
        ),
        "amount_not_allowed": Reason(
            "The provider does not take this amount. Check the amount.",
            "Operator nie przyjmuje tej kwoty. Sprawdź kwotę.",
        ),
        "currency_not_supported": Reason(
            "The provider does not take this currency. Check the currency.",
            "Operator nie przyjmuje tej waluty. Sprawdź walutę.",
            "Have the currency enabled at the provider.",
        ),
        "moto_not_enabled": Reason(
            "Payments by phone are not enabled at the provider. Tell your supervisor.",
            "Płatności telefoniczne nie są włączone u operatora. Powiadom przełożonego.",
            "Ask the provider to enable MOTO (mail order/telephone order) for the account.",
        ),
        "raw_card_not_enabled": Reason(
            "The provider takes no card number from us. Tell your supervisor.",
            "Operator nie przyjmuje od nas numeru karty. Powiadom przełożonego.",
            "Ask the provider to enable raw card data for the account; it will ask for your PCI DSS papers.",
        ),
        "key_refused": Reason(
            "The provider does not know us any more. Tell your supervisor.",
            "Operator płatności nas nie rozpoznaje. Powiadom przełożonego.",
            "Look at api_key and api_user in [provider]: the key is wrong, expired or lacks a permission.",
        ),
        "account_refused": Reason(
            "The provider does not serve the account. Tell your supervisor.",
            "Operator nie obsługuje tego konta. Powiadom przełożonego.",
            "Look at merchant_account in [provider], and at the account's state at the provider.",
        ),
        "request_refused": Reason(
            "The provider did not understand the request. Nothing was charged. Tell your supervisor.",
            "Operator nie zrozumiał zlecenia. Niczego nie pobrano. Powiadom przełożonego.",
            "The provider's code says what it did not like.",
        ),
        "fields_refused": Reason(
            "The company's service did not accept what was keyed. Ask for it again.",
            "System firmy nie przyjął wprowadzonych danych. Poproś o nie jeszcze raz.",
        ),
        "cancelled": Reason(
            "The payment was cancelled at the provider. Nothing was charged.",
            "Płatność została anulowana u operatora. Niczego nie pobrano.",
        ),
        "no_such_charge": Reason(
            "The provider has no such charge. Nothing was charged. It is safe to try again.",
            "Operator nie ma takiej płatności. Niczego nie pobrano. Można spróbować ponownie.",
        ),
    }
)
