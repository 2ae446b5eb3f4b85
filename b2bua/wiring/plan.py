"""The plan of calls of the settings."""

from __future__ import annotations

from b2bua.api.tls import ServerTls
from b2bua.api.ways_in import WaysIn
from b2bua.audit.recorder import Recorder
from b2bua.config.assembly import (
    agent_charging,
    build_forms,
    build_pseudonyms,
    build_router,
    trunk_limits,
    trunk_policies,
)
from b2bua.config.settings import SignallingSettings
from b2bua.shared.instances import Instances
from b2bua.switchboard.draining import Drain
from b2bua.switchboard.installed_files import InstalledFiles
from b2bua.switchboard.interfaces import Plan
from b2bua.switchboard.webhooks import Webhooks


def build_plan(
    settings: SignallingSettings,
    audit: Recorder | None,
    tls: ServerTls | None,
    ways: WaysIn,
    webhooks: Webhooks,
    drain: Drain,
    shared: Instances | None = None,
) -> Plan:
    """Where calls go, and how they are treated. Raises ConfigError."""
    return Plan(
        router=build_router(settings),
        limits=trunk_limits(settings),
        policies=trunk_policies(settings),
        other_audio=settings.general.other_audio,
        max_media=settings.general.max_media,
        ring_time=settings.general.ring_time,
        guard_time=settings.general.guard_time,
        agent_charging=agent_charging(settings),
        forms=build_forms(settings),
        audit=audit.fault if audit is not None else lambda: None,
        certificate=tls.fault if tls is not None else lambda: None,
        sign_ins=ways.wrong_tries,
        identity=ways.identity,
        webhooks=webhooks.fault,
        webhook_health=webhooks.health,
        recorder=audit,
        installed=InstalledFiles(key=settings.general.signer),
        extensions=settings.api.agent_of,
        feature_codes=settings.feature_codes.codes(),
        pseudonyms=build_pseudonyms(settings),
        drain=drain,
        elsewhere=shared,
        shared=shared.fault if shared is not None else lambda: None,
    )
