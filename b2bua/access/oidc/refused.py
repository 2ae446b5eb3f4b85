"""Names why somebody was not signed in: words of ours, never the provider's."""

from __future__ import annotations

from enum import StrEnum


class Why(StrEnum):
    """Why a sign-in came to nothing."""

    NOT_BEGUN = "not_begun"  # forged, used, too old, or begun in another browser
    MIXED_UP = "provider_mixed_up"  # an answer of another provider than the one that was asked
    DENIED = "denied"  # by the provider, or by the person
    PROVIDER = "provider_error"  # it takes our request for wrong: settings, here or there
    UNAVAILABLE = "provider_unavailable"
    CODE = "code_refused"
    TOKEN = "token_invalid"  # noqa: S105
    NO_NAME = "no_name"
    NO_ROLE = "no_role"


class SignInRefused(Exception):
    """Somebody was not signed in. `why`; `name`: who it was, where that is known; `detail`: of the
    log, a word of ours."""

    def __init__(self, why: Why, detail: str = "", name: str = "") -> None:
        super().__init__(detail or why)
        self.why, self.detail, self.name = why, detail, name
