"""What the shipped prompts say, by language and name.

Rule 1: every language has the same names, but for the forms of numbers and currencies, which differ
        (b2bua/call/spoken_amount.py).
Rule 2: no prompt names a key, for each form sets its own; `confirm` alone does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_ENGLISH: Final = {
    "welcome": "You can now pay by keys of your telephone.",
    "card_number": "Please key the number of your card.",
    "card_number.error": "The card number is not right. Please key it again.",
    "card_number.error.card_brand": "We do not take this kind of card. Please key the number of another.",
    "card_number.error.check_digit": "One digit of the card number is wrong. Please key it again.",
    "expiry": "Please key the expiry date of your card. Two digits for the month, and two for the year.",
    "expiry.error": "The expiry date is not right. Please key two digits for the month, two for the year.",
    "expiry.error.past": "That date has passed. Please key the expiry date again.",
    "expiry.error.year_first": "Please key the month first, and then the year.",
    "security_code": "Please key the security code. The last three digits on the back of your card.",
    "security_code.amex": "Please key the security code. The four digits on the front of your card.",
    "security_code.error": "The security code is not right. Please key it again.",
    "field": "Please key the digits that you were asked for.",
    "field.confirm": "Please key it once more, to confirm it.",
    "field.error": "That is not right. Please key it again.",
    "field.error.length": "The number of digits does not fit. Please key it again.",
    "unheard": "We have not received a key. Please use the keys of your telephone.",
    "complete": "Thank you. You have keyed everything.",
    "amount": "The amount is",
    "confirm": "To pay, press the hash key. To speak to a person, press star, and then zero.",
    "charging": "Please wait. Your payment is being made.",
    "approved": "Your payment was approved. Thank you.",
    "declined": "Your payment was declined.",
    "failed": "The payment could not be completed.",
    "unknown": "It is not certain yet whether your payment was made. Please do not pay again.",
    "transfer": "Please wait. We are connecting you to a person.",
    "goodbye": "Thank you for your call. Goodbye.",
    "code_done": "Done.",
    "code_refused": "That is not possible now.",
    "number-hundred": "hundred",
    "number-thousand": "thousand",
    "number-and": "and",
    "currency-gbp-one": "pound",
    "currency-gbp-other": "pounds",
    "currency-gbp-minor-one": "penny",
    "currency-gbp-minor-other": "pence",
    "currency-eur-one": "euro",
    "currency-eur-other": "euros",
    "currency-eur-minor-one": "cent",
    "currency-eur-minor-other": "cents",
    "currency-usd-one": "dollar",
    "currency-usd-other": "dollars",
    "currency-usd-minor-one": "cent",
    "currency-usd-minor-other": "cents",
    "currency-pln-one": "zloty",
    "currency-pln-other": "zlotys",
    "currency-pln-minor-one": "grosh",
    "currency-pln-minor-other": "groshy",
}
_ENGLISH_NUMBERS: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
_ENGLISH_TENS: Final = "twenty thirty forty fifty sixty seventy eighty ninety"

_POLISH: Final = {
    "welcome": "Teraz możesz zapłacić za pomocą klawiszy telefonu.",
    "card_number": "Proszę wpisać numer karty.",
    "card_number.error": "Numer karty jest nieprawidłowy. Proszę wpisać go ponownie.",
    "card_number.error.card_brand": "Nie przyjmujemy kart tego rodzaju. Proszę wpisać numer innej karty.",
    "card_number.error.check_digit": "Jedna z cyfr numeru karty jest błędna. Proszę wpisać numer ponownie.",
    "expiry": "Proszę wpisać datę ważności karty. Dwie cyfry miesiąca i dwie cyfry roku.",
    "expiry.error": "Data ważności jest nieprawidłowa. Proszę wpisać dwie cyfry miesiąca i dwie cyfry roku.",
    "expiry.error.past": "Ta data już minęła. Proszę wpisać datę ważności ponownie.",
    "expiry.error.year_first": "Proszę wpisać najpierw miesiąc, a potem rok.",
    "security_code": "Proszę wpisać kod zabezpieczający. Trzy ostatnie cyfry na odwrocie karty.",
    "security_code.amex": "Proszę wpisać kod zabezpieczający. Cztery cyfry z przodu karty.",
    "security_code.error": "Kod zabezpieczający jest nieprawidłowy. Proszę wpisać go ponownie.",
    "field": "Proszę wpisać cyfry, o które poprosiliśmy.",
    "field.confirm": "Proszę wpisać to jeszcze raz, aby potwierdzić.",
    "field.error": "To nie jest prawidłowe. Proszę wpisać ponownie.",
    "field.error.length": "Liczba cyfr się nie zgadza. Proszę wpisać ponownie.",
    "unheard": "Nie otrzymaliśmy żadnego klawisza. Proszę użyć klawiszy telefonu.",
    "complete": "Dziękujemy. Wszystko zostało wpisane.",
    "amount": "Kwota do zapłaty to",
    "confirm": "Aby zapłacić, naciśnij krzyżyk. Aby porozmawiać z konsultantem, naciśnij gwiazdkę i zero.",
    "charging": "Proszę czekać. Płatność jest w toku.",
    "approved": "Płatność została przyjęta. Dziękujemy.",
    "declined": "Płatność została odrzucona.",
    "failed": "Płatność nie mogła zostać zakończona.",
    "unknown": "Nie jest jeszcze pewne, czy płatność została wykonana. Proszę nie płacić ponownie.",
    "transfer": "Proszę czekać. Łączymy z konsultantem.",
    "goodbye": "Dziękujemy za rozmowę. Do widzenia.",
    "code_done": "Wykonano.",
    "code_refused": "Teraz to niemożliwe.",
    "number-thousand-one": "tysiąc",
    "number-thousand-few": "tysiące",
    "number-thousand-many": "tysięcy",
    "number-and": "i",
    "currency-pln-one": "złoty",
    "currency-pln-few": "złote",
    "currency-pln-many": "złotych",
    "currency-pln-minor-one": "grosz",
    "currency-pln-minor-few": "grosze",
    "currency-pln-minor-many": "groszy",
    "currency-eur-one": "euro",
    "currency-eur-few": "euro",
    "currency-eur-many": "euro",
    "currency-eur-minor-one": "cent",
    "currency-eur-minor-few": "centy",
    "currency-eur-minor-many": "centów",
    "currency-gbp-one": "funt",
    "currency-gbp-few": "funty",
    "currency-gbp-many": "funtów",
    "currency-gbp-minor-one": "pens",
    "currency-gbp-minor-few": "pensy",
    "currency-gbp-minor-many": "pensów",
    "currency-usd-one": "dolar",
    "currency-usd-few": "dolary",
    "currency-usd-many": "dolarów",
    "currency-usd-minor-one": "cent",
    "currency-usd-minor-few": "centy",
    "currency-usd-minor-many": "centów",
}
_POLISH_NUMBERS: Final = (
    "zero jeden dwa trzy cztery pięć sześć siedem osiem dziewięć dziesięć jedenaście dwanaście trzynaście "
    "czternaście piętnaście szesnaście siedemnaście osiemnaście dziewiętnaście"
)
_POLISH_TENS: Final = (
    "dwadzieścia trzydzieści czterdzieści pięćdziesiąt sześćdziesiąt siedemdziesiąt osiemdziesiąt "
    "dziewięćdziesiąt"
)
_POLISH_HUNDREDS: Final = "sto dwieście trzysta czterysta pięćset sześćset siedemset osiemset dziewięćset"


def _numbers(words: str, step: int = 1, first: int = 0) -> dict[str, str]:
    return {f"number-{first + step * at}": word for at, word in enumerate(words.split())}


SENTENCES: Final[Mapping[str, Mapping[str, str]]] = {
    "en": _ENGLISH | _numbers(_ENGLISH_NUMBERS) | _numbers(_ENGLISH_TENS, 10, 20),
    "pl": _POLISH
    | _numbers(_POLISH_NUMBERS)
    | _numbers(_POLISH_TENS, 10, 20)
    | _numbers(_POLISH_HUNDREDS, 100, 100),
}
