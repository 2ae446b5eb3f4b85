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
    """What the agent reads, in English; the other languages are in the messages of the page.
    `operator`: what whoever runs Tonewall has to do; empty where that is nothing."""

    en: str
    operator: str = ""


REASONS: Mapping[str, Reason] = MappingProxyType(
    {
        "declined": Reason("The bank declined the card. Ask for another card."),
        "insufficient_funds": Reason("There is not enough money on the account. Ask for another card."),
        "limit_exceeded": Reason(
            "The card's limit is reached. Ask for another card, or to raise the limit at the bank.",
        ),
        "expired_card": Reason("The card has expired. Ask for another card."),
        "invalid_number": Reason("The card number is not valid. Ask for the number again."),
        "invalid_expiry": Reason("The expiry date does not match the card. Ask for it again."),
        "invalid_security_code": Reason("The security code does not match the card. Ask for it again."),
        "card_not_supported": Reason("Cards of this kind are not accepted. Ask for another card."),
        "restricted_card": Reason(
            "The bank does not allow this payment with the card. Ask for another card."
        ),
        "suspected_fraud": Reason("The payment was refused. Ask for another card."),
        "authentication_required": Reason(
            "The bank wants the customer to confirm the payment online. Send a payment link, or ask "
            "for another card.",
            "The provider asks for 3-D Secure: see that it treats the account's payments as MOTO.",
        ),
        "issuer_unavailable": Reason(
            "The bank cannot be reached. Try again in a few minutes, or ask for another card.",
        ),
        "try_again_later": Reason("The provider could not do it now. Try again in a few minutes."),
        "duplicate": Reason(
            "The provider takes this for a payment that was made just now. Look at the order first.",
        ),
        "amount_not_allowed": Reason("The provider does not take this amount. Check the amount."),
        "currency_not_supported": Reason(
            "The provider does not take this currency. Check the currency.",
            "Have the currency enabled at the provider.",
        ),
        "moto_not_enabled": Reason(
            "Payments by phone are not enabled at the provider. Tell your supervisor.",
            "Ask the provider to enable MOTO (mail order/telephone order) for the account.",
        ),
        "raw_card_not_enabled": Reason(
            "The provider takes no card number from us. Tell your supervisor.",
            "Ask the provider to enable raw card data for the account; it will ask for your PCI DSS papers.",
        ),
        "key_refused": Reason(
            "The provider does not know us any more. Tell your supervisor.",
            "Look at api_key and api_user in [provider]: the key is wrong, expired or lacks a permission.",
        ),
        "account_refused": Reason(
            "The provider does not serve the account. Tell your supervisor.",
            "Look at merchant_account in [provider], and at the account's state at the provider.",
        ),
        "request_refused": Reason(
            "The provider did not understand the request. Nothing was charged. Tell your supervisor.",
            "The provider's code says what it did not like.",
        ),
        "fields_refused": Reason("The company's service did not accept what was keyed. Ask for it again."),
        "cancelled": Reason("The payment was cancelled at the provider. Nothing was charged."),
        "no_such_charge": Reason(
            "The provider has no such charge. Nothing was charged. It is safe to try again."
        ),
    }
)
