"""Opens the ways in of people, as the settings want them: passwords, the identity provider, and the
sessions that both begin."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fastapi import FastAPI

from b2bua.access.oidc.client import SignIn as ProviderSignIn
from b2bua.access.sessions import Sessions
from b2bua.access.sign_in import SignIn, SignInResult
from b2bua.api.oidc_routes import PATH, OidcPages, add_oidc
from b2bua.audit.recorder import Recorder
from b2bua.call.service_view import Fault
from b2bua.config.access import open_sessions, open_sign_in
from b2bua.config.page_messages import Messages
from b2bua.config.settings import SignallingSettings
from tonewall.tasks import BackgroundTasks


@dataclass(frozen=True, slots=True)
class WaysIn:
    """The ways there are. `contact`: whom people ask whom the identity provider does not let in."""

    sessions: Sessions | None
    passwords: SignIn | None
    provider: ProviderSignIn | None
    contact: str

    @property
    def oidc_start(self) -> str:
        """Where a sign-in at the identity provider begins; empty: there is none."""
        return PATH if self.provider is not None else ""

    def add_pages(self, app: FastAPI, audit: Recorder | None, messages: Mapping[str, Messages]) -> None:
        """Serve the pages of the identity provider's sign-in. `messages`: their sentences."""
        if self.provider is not None and self.sessions is not None:
            add_oidc(app, OidcPages(self.provider, self.sessions, audit, self.contact, messages))

    def start(self, tasks: BackgroundTasks) -> None:
        """Look now and then whether the identity provider is there."""
        if self.provider is not None:
            tasks.start(self.provider.provider.watch(), "identity provider")

    def wrong_tries(self) -> Fault | None:
        """That many come, where it is so."""
        return self.passwords.alarm.fault() if self.passwords is not None else None

    def identity(self) -> Fault | None:
        """That the identity provider does not answer, where it is so."""
        return self.provider.provider.fault() if self.provider is not None else None

    async def close(self) -> None:
        """Close what is open."""
        if self.provider is not None:
            await self.provider.close()
        if self.sessions is not None:
            self.sessions.close()
        if self.passwords is not None:
            self.passwords.close()  # tries that wait would keep the process for seconds


def open_ways_in(
    settings: SignallingSettings, clock: Callable[[], float], count: Callable[[SignInResult], None]
) -> WaysIn:
    """Those of the settings. `clock`: seconds since the epoch that never run backwards; `count`:
    told of each sign-in. Raises ConfigError."""
    return WaysIn(
        open_sessions(settings, clock),
        open_sign_in(settings, time.time, count),
        settings.oidc.sign_in(),
        settings.oidc.contact,
    )
