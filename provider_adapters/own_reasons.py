"""Lists why a payment failed, or is not known, in words of Tonewall itself, with the sentence that
the agent reads: what happened between the agent's request and the provider.

Rule: as in `reasons`, whose words are the providers'; a word stands in one of the two tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from provider_adapters.reasons import REASONS, Reason

HTTP_ERROR = "http_error"
"""The word for `http_500` and all others of its kind; `{}` in its sentences is the number."""

OWN_REASONS: Mapping[str, Reason] = MappingProxyType(
    {
        "nothing_charged": Reason("Nothing was charged."),
        HTTP_ERROR: Reason("The provider answered with the error {}."),
        "adapter_failed": Reason(
            "The provider's adapter made an error.",
            "The log of the payers has the place of the error; report it.",
        ),
        "already_sent": Reason("This payment was sent once before."),
        "amount_differs": Reason(
            "The provider approved another amount than was asked for.",
            "Look the charge up at the provider, and settle it there by hand.",
        ),
        "answer_not_understood": Reason("The provider's answer could not be understood."),
        "answer_too_large": Reason("The provider's answer was too large to be read."),
        "bad_card": Reason("The card's data was not complete."),
        "bad_fields": Reason("What was keyed was not complete, so nothing was sent."),
        "bad_idempotency_key": Reason("The payment's key was not allowed, so nothing was sent."),
        "certificate_not_trusted": Reason(
            "The provider could not prove who it is, so nothing was sent.",
            "Look at ca_file and url in [provider], and at the clock of this machine.",
        ),
        "circuit_open": Reason(
            "The provider has failed several times in a row, so nothing was sent to it.",
            "Look at the provider's state; [provider] breaker_pause says when it is tried again.",
        ),
        "client_certificate_refused": Reason(
            "The other side did not accept our certificate, so nothing was sent.",
            "Look at tls_certificate and tls_key in [provider], and at how long they are good.",
        ),
        "connection_lost": Reason("The connection was lost while the provider was at work."),
        "currency_differs": Reason(
            "The provider approved another currency than was asked for.",
            "Look the charge up at the provider, and settle it there by hand.",
        ),
        "error_leaves_it_open": Reason("The provider's error does not say whether the payment was made."),
        "host_not_found": Reason(
            "The provider's address was not found, so nothing was sent.",
            "Look at url in [provider], and at the name servers of this machine.",
        ),
        "idempotency_error": Reason(
            "The provider had another payment under the same key.",
            "Look at what stands under the payment's id at the provider.",
        ),
        "in_progress": Reason("The provider is still at work on the payment."),
        "journal_failed": Reason(
            "The payment could not be noted down, so nothing was sent.",
            "Look at [provider] journal: is its disk full or read-only?",
        ),
        "journal_too_young": Reason(
            "The payment journal is newer than this payment, and cannot say whether it was sent.",
            "Look the payment up at the provider by its id.",
        ),
        "key_of_another_charge": Reason("The payment's key belongs to another payment, so nothing was sent."),
        "link_closed": Reason("The payment link was closed, and nobody paid it."),
        "link_expired": Reason("The payment link has expired, and nobody paid it."),
        "link_not_known": Reason(
            "The payment journal has no such link, and cannot say whether it was paid.",
            "Look the payment up at the provider by its id.",
        ),
        "no_answer_in_time": Reason("The provider did not answer in time."),
        "no_connection": Reason("The provider could not be reached, so nothing was sent."),
        "no_connection_in_time": Reason("The provider could not be reached in time, so nothing was sent."),
        "no_such_provider": Reason(
            "The payment's provider is not configured here, so nothing was sent.",
            "Look at the [provider] sections, and at `provider` of the routes.",
        ),
        "not_cancelled": Reason("The order could not be cancelled at the provider: it may still be paid."),
        "not_captured": Reason(
            "The bank approved the payment, but the money was not taken.",
            "Capture or cancel it at the provider by hand.",
        ),
        "not_decided": Reason(
            "The provider has not said what became of the payment. A person has to look.",
            "Look the payment up at the provider by its id, and settle it there by hand.",
        ),
        "not_reachable": Reason("The provider could not be reached."),
        "not_sent": Reason("It was not sent."),
        "not_supported": Reason("The provider does not offer this, so nothing was sent."),
        "order_stands_already": Reason("The provider had an order under the same key already."),
        "outcome_not_found": Reason("Nobody could tell what became of the payment."),
        "outcome_not_recorded": Reason("The process that sent it ended before it could note the outcome."),
        "payer_failed": Reason("The payment process made an error."),
        "payer_gone": Reason("The payment process ended."),
        "payer_silent": Reason("The payment process did not answer."),
        "payment_method_used": Reason("The provider had taken the card's data already."),
        "pending": Reason("The provider has not decided yet."),
        "reference_not_known": Reason(
            "The provider has not said yet under which reference it has the payment, so nothing was sent.",
            "The provider's webhook brings the reference; or do it in the provider's own tools.",
        ),
        "reconciler_gone": Reason("The process that speaks with the provider ended."),
        "settled_by_person": Reason("Somebody looked it up at the provider, and settled it here."),
        "timeout": Reason("The provider did not answer in time."),
        "tls_failed": Reason("No protected connection to the provider could be made, so nothing was sent."),
        "token_used": Reason("The provider had taken a card for this payment already."),
        "withheld": Reason("The provider's word quoted the card, and is not shown."),
    }
)  # fmt: skip

ALL_REASONS: Mapping[str, Reason] = MappingProxyType({**OWN_REASONS, **REASONS})
"""Every word that an outcome may have as its reason."""


def explain(reason: str) -> str:
    """The English sentence for any reason; empty for a word that has none."""
    number = reason.removeprefix("http_")
    found = ALL_REASONS.get(HTTP_ERROR if number != reason and number.isdigit() else reason)
    if found is None:
        return ""
    return found.en.replace("{}", number)
