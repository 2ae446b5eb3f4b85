"""Words of the pages that say why somebody was not signed in, in English and Polish."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from b2bua.access.oidc.refused import Why


@dataclass(frozen=True, slots=True)
class Words:
    """One sentence in each language."""

    en: str
    pl: str

    def of(self, language: str) -> str:
        """The sentence in `en` or `pl`."""
        return self.pl if language == "pl" else self.en


TITLE: Final = Words("You are not signed in", "Nie zalogowano")
AGAIN: Final = Words("Sign in again", "Zaloguj się ponownie")
BACK: Final = Words("Back to the first page", "Powrót do strony głównej")
NOT_LOGGED: Final = Words(
    "The audit log cannot be written, so nobody is signed in now. Try again soon.",
    "Nie można zapisać dziennika audytu, więc nikt nie może się teraz zalogować. Spróbuj za chwilę.",
)
NO_SESSION: Final = Words(
    "Your sign-in could not be kept. Try again soon.",
    "Nie udało się zapisać logowania. Spróbuj za chwilę.",
)
REASONS: Final[dict[Why, Words]] = {
    Why.NOT_BEGUN: Words(
        "This sign-in has run out, was used already, or was begun in another browser.",
        "To logowanie wygasło, zostało już użyte albo zaczęto je w innej przeglądarce.",
    ),
    Why.MIXED_UP: Words(
        "The answer came from another identity provider than the one that was asked. If it happens again, "
        "tell {contact}.",
        "Odpowiedź przyszła od innego dostawcy tożsamości niż pytany. Jeśli to się powtórzy, powiadom: "
        "{contact}.",
    ),
    Why.DENIED: Words(
        "The identity provider has not let you in, or you went back.",
        "Dostawca tożsamości nie wpuścił Cię albo przerwano logowanie.",
    ),
    Why.PROVIDER: Words(
        "The identity provider does not take our request as it is. Tell {contact}.",
        "Dostawca tożsamości nie przyjmuje naszego żądania. Powiadom: {contact}.",
    ),
    Why.UNAVAILABLE: Words(
        "The identity provider does not answer as it should. Try again in a minute; who has another way "
        "to sign in can use it.",
        "Dostawca tożsamości nie odpowiada prawidłowo. Spróbuj za minutę albo zaloguj się inaczej, jeśli "
        "masz taką możliwość.",
    ),
    Why.CODE: Words(
        "The identity provider did not confirm this sign-in. If it happens again, tell {contact}.",
        "Dostawca tożsamości nie potwierdził tego logowania. Jeśli to się powtórzy, powiadom: {contact}.",
    ),
    Why.TOKEN: Words(
        "What the identity provider says of you could not be verified. If it happens again, tell {contact}.",
        "Nie udało się zweryfikować odpowiedzi dostawcy tożsamości. Jeśli to się powtórzy, powiadom: "
        "{contact}.",
    ),
    Why.NO_NAME: Words(
        "The identity provider gives no name for you that can be used here. Ask {contact}.",
        "Dostawca tożsamości nie podaje nazwy, której można tu użyć. Zapytaj: {contact}.",
    ),
    Why.NO_ROLE: Words(
        "The identity provider knows you, but none of your groups may do anything here. Ask {contact} for a "
        "role.",
        "Dostawca tożsamości Cię zna, ale żadna z Twoich grup nie ma tu uprawnień. Poproś o rolę: {contact}.",
    ),
}
STATUS: Final[dict[Why, int]] = {
    Why.NOT_BEGUN: 400,
    Why.MIXED_UP: 400,
    Why.DENIED: 403,
    Why.PROVIDER: 502,
    Why.UNAVAILABLE: 503,
    Why.CODE: 403,
    Why.TOKEN: 403,
    Why.NO_NAME: 403,
    Why.NO_ROLE: 403,
}
