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
        "nothing_charged": Reason("Nothing was charged.", "Niczego nie pobrano."),
        HTTP_ERROR: Reason(
            "The provider answered with the error {}.", "Operator płatności odpowiedział błędem {}."
        ),
        "adapter_failed": Reason(
            "The provider's adapter made an error.",
            "Wystąpił błąd adaptera operatora płatności.",
            "The log of the payers has the place of the error; report it.",
        ),
        "already_sent": Reason(
            "This payment was sent once before.", "Ta płatność została już raz wysłana."
        ),
        "amount_differs": Reason(
            "The provider approved another amount than was asked for.",
            "Operator zatwierdził inną kwotę, niż zlecono.",
            "Look the charge up at the provider, and settle it there by hand.",
        ),
        "answer_not_understood": Reason(
            "The provider's answer could not be understood.",
            "Odpowiedź operatora płatności jest niezrozumiała.",
        ),
        "answer_too_large": Reason(
            "The provider's answer was too large to be read.",
            "Odpowiedź operatora płatności jest zbyt długa.",
        ),
        "bad_card": Reason("The card's data was not complete.", "Dane karty były niepełne."),
        "bad_fields": Reason(
            "What was keyed was not complete, so nothing was sent.",
            "Wprowadzone dane były niepełne, więc niczego nie wysłano.",
        ),
        "bad_idempotency_key": Reason(
            "The payment's key was not allowed, so nothing was sent.",
            "Klucz płatności jest niedozwolony, więc niczego nie wysłano.",
        ),
        "certificate_not_trusted": Reason(
            "The provider could not prove who it is, so nothing was sent.",
            "Operator nie potwierdził swojej tożsamości, więc niczego nie wysłano.",
            "Look at ca_file and url in [provider], and at the clock of this machine.",
        ),
        "circuit_open": Reason(
            "The provider has failed several times in a row, so nothing was sent to it.",
            "Operator kilka razy z rzędu nie odpowiadał prawidłowo, więc niczego nie wysłano.",
            "Look at the provider's state; [provider] breaker_pause says when it is tried again.",
        ),
        "client_certificate_refused": Reason(
            "The other side did not accept our certificate, so nothing was sent.",
            "Druga strona nie przyjęła naszego certyfikatu, więc niczego nie wysłano.",
            "Look at tls_certificate and tls_key in [provider], and at how long they are good.",
        ),
        "connection_lost": Reason(
            "The connection was lost while the provider was at work.",
            "Połączenie zostało przerwane, gdy operator przetwarzał płatność.",
        ),
        "currency_differs": Reason(
            "The provider approved another currency than was asked for.",
            "Operator zatwierdził inną walutę, niż zlecono.",
            "Look the charge up at the provider, and settle it there by hand.",
        ),
        "error_leaves_it_open": Reason(
            "The provider's error does not say whether the payment was made.",
            "Błąd operatora nie mówi, czy płatność wykonano.",
        ),
        "host_not_found": Reason(
            "The provider's address was not found, so nothing was sent.",
            "Nie znaleziono adresu operatora, więc niczego nie wysłano.",
            "Look at url in [provider], and at the name servers of this machine.",
        ),
        "idempotency_error": Reason(
            "The provider had another payment under the same key.",
            "Operator miał inną płatność z tym samym kluczem.",
            "Look at what stands under the payment's id at the provider.",
        ),
        "in_progress": Reason(
            "The provider is still at work on the payment.", "Operator nadal przetwarza płatność."
        ),
        "journal_failed": Reason(
            "The payment could not be noted down, so nothing was sent.",
            "Płatności nie udało się zapisać, więc niczego nie wysłano.",
            "Look at [provider] journal: is its disk full or read-only?",
        ),
        "journal_too_young": Reason(
            "The payment journal is newer than this payment, and cannot say whether it was sent.",
            "Dziennik płatności jest nowszy niż ta płatność i nie wiadomo, czy ją wysłano.",
            "Look the payment up at the provider by its id.",
        ),
        "key_of_another_charge": Reason(
            "The payment's key belongs to another payment, so nothing was sent.",
            "Klucz należy do innej płatności, więc niczego nie wysłano.",
        ),
        "link_closed": Reason(
            "The payment link was closed, and nobody paid it.",
            "Link do płatności został zamknięty i nikt go nie opłacił.",
        ),
        "link_expired": Reason(
            "The payment link has expired, and nobody paid it.",
            "Link do płatności wygasł i nikt go nie opłacił.",
        ),
        "link_not_known": Reason(
            "The payment journal has no such link, and cannot say whether it was paid.",
            "Dziennik płatności nie zna tego linku i nie wiadomo, czy go opłacono.",
            "Look the payment up at the provider by its id.",
        ),
        "no_answer_in_time": Reason(
            "The provider did not answer in time.", "Operator nie odpowiedział na czas."
        ),
        "no_connection": Reason(
            "The provider could not be reached, so nothing was sent.",
            "Nie można połączyć się z operatorem, więc niczego nie wysłano.",
        ),
        "no_connection_in_time": Reason(
            "The provider could not be reached in time, so nothing was sent.",
            "Nie udało się na czas połączyć z operatorem, więc niczego nie wysłano.",
        ),
        "no_such_provider": Reason(
            "The payment's provider is not configured here, so nothing was sent.",
            "Operator tej płatności nie jest tu skonfigurowany, więc niczego nie wysłano.",
            "Look at the [provider] sections, and at `provider` of the routes.",
        ),
        "not_cancelled": Reason(
            "The order could not be cancelled at the provider: it may still be paid.",
            "Zlecenia nie udało się anulować u operatora: nadal może zostać opłacone.",
        ),
        "not_captured": Reason(
            "The bank approved the payment, but the money was not taken.",
            "Bank zatwierdził płatność, ale pieniędzy nie pobrano.",
            "Capture or cancel it at the provider by hand.",
        ),
        "not_decided": Reason(
            "The provider has not said what became of the payment. A person has to look.",
            "Operator nie podał, co stało się z płatnością. Ktoś musi to sprawdzić.",
            "Look the payment up at the provider by its id, and settle it there by hand.",
        ),
        "not_reachable": Reason(
            "The provider could not be reached.", "Nie można połączyć się z operatorem."
        ),
        "not_sent": Reason("It was not sent.", "Nie zostało wysłane."),
        "not_supported": Reason(
            "The provider does not offer this, so nothing was sent.",
            "Operator tego nie oferuje, więc niczego nie wysłano.",
        ),
        "order_stands_already": Reason(
            "The provider had an order under the same key already.",
            "Operator miał już zlecenie z tym samym kluczem.",
        ),
        "outcome_not_found": Reason(
            "Nobody could tell what became of the payment.",
            "Nie udało się ustalić, co stało się z płatnością.",
        ),
        "outcome_not_recorded": Reason(
            "The process that sent it ended before it could note the outcome.",
            "Proces, który to wysłał, zakończył się przed zapisaniem wyniku.",
        ),
        "payer_failed": Reason("The payment process made an error.", "Wystąpił błąd procesu płatności."),
        "payer_gone": Reason("The payment process ended.", "Proces płatności zakończył się."),
        "payer_silent": Reason(
            "The payment process did not answer.", "Proces płatności nie odpowiedział."
        ),
        "payment_method_used": Reason(
            "The provider had taken the card's data already.", "Operator przyjął już dane tej karty."
        ),
        "pending": Reason(
            "The provider has not decided yet.", "Operator jeszcze nie podjął decyzji."
        ),
        "reference_not_known": Reason(
            "The provider has not said yet under which reference it has the payment, so nothing was sent.",
            "Operator nie podał jeszcze numeru tej płatności, więc niczego nie wysłano.",
            "The provider's webhook brings the reference; or do it in the provider's own tools.",
        ),
        "reconciler_gone": Reason(
            "The process that speaks with the provider ended.",
            "Proces łączący się z operatorem zakończył się.",
        ),
        "settled_by_person": Reason(
            "Somebody looked it up at the provider, and settled it here.",
            "Ktoś sprawdził to u operatora i rozliczył tutaj.",
        ),
        "timeout": Reason("The provider did not answer in time.", "Operator nie odpowiedział na czas."),
        "tls_failed": Reason(
            "No protected connection to the provider could be made, so nothing was sent.",
            "Nie udało się nawiązać bezpiecznego połączenia, więc niczego nie wysłano.",
        ),
        "token_used": Reason(
            "The provider had taken a card for this payment already.",
            "Operator przyjął już kartę dla tej płatności.",
        ),
        "withheld": Reason(
            "The provider's word quoted the card, and is not shown.",
            "Słowo operatora cytowało kartę i nie jest pokazywane.",
        ),
    }
)  # fmt: skip

ALL_REASONS: Mapping[str, Reason] = MappingProxyType({**OWN_REASONS, **REASONS})
"""Every word that an outcome may have as its reason."""


def explain(reason: str, language: str = "en") -> str:
    """The sentence for any reason, in this language or in English; empty for a word that has
    none."""
    number = reason.removeprefix("http_")
    found = ALL_REASONS.get(HTTP_ERROR if number != reason and number.isdigit() else reason)
    if found is None:
        return ""
    return (found.pl if language == "pl" else found.en).replace("{}", number)
