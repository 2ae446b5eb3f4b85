"""Builds what `[api]` says of teams and limits."""

from __future__ import annotations

from b2bua.access.authority import Authority
from b2bua.access.teams import Teams
from b2bua.config.limits import read_limits
from b2bua.config.settings import ApiSettings


def build_authority(settings: ApiSettings) -> Authority:
    """Who may do what, with these settings."""
    return Authority(Teams.parse(settings.teams), read_limits(settings.refund_limit))
