"""Checks that the company's identity provider can sign people in: its description, its keys, its
clock."""

from __future__ import annotations

import time

from b2bua.access.oidc.provider import Provider
from b2bua.access.oidc.refused import SignInRefused
from b2bua.config.settings import Settings
from b2bua.doctor.finding import Finding, fault, good, warn
from tonewall.ini import ConfigError

_WHAT = "identity provider"


async def check_identity(settings: Settings) -> list[Finding]:
    """A finding each; none where nobody signs in there."""
    oidc = settings.signalling.oidc
    if not oidc.issuer:
        return []
    try:
        provider = oidc.provider()
    except ConfigError as error:
        return [fault(_WHAT, str(error))]
    try:
        return await _examine(provider, oidc.clock_skew)
    finally:
        await provider.close()


async def _examine(provider: Provider, skew: float) -> list[Finding]:
    try:
        described = await provider.describe()
    except SignInRefused as error:
        text = f"{provider.issuer} does not describe itself ({error.detail}); see [oidc] issuer and ca_file"
        return [fault(_WHAT, text)]
    found = [good(_WHAT, f"{provider.issuer} describes itself"), _compare_clock(provider.date, skew)]
    try:
        keys = await provider.keys(None)
        found.append(good(_WHAT, f"{len(keys.keys)} of its keys can be used"))
    except SignInRefused:
        text = "its keys of signatures cannot be read, so nobody can sign in; see the log, and its jwks_uri"
        found.append(fault(_WHAT, text))
    if not described.end_session_endpoint:
        text = "it has no way out (end_session_endpoint): who signs out here stays signed in there"
        found.append(warn(_WHAT, text))
    return found


def _compare_clock(date: float | None, skew: float) -> Finding:
    if date is None:
        return warn(_WHAT, "its answers have no date, so its clock cannot be compared")
    ahead = date - time.time()
    if abs(ahead) > skew + 1:  # dates are of whole seconds
        text = f"its clock is {ahead:+.0f} seconds from ours: set both by NTP; see [oidc] clock_skew"
        return fault(_WHAT, text)
    return good(_WHAT, f"its clock and ours differ by {abs(ahead):.0f} seconds")
