"""Puts changed settings in force in the b2bua process, without touching a call that is up.

Rule 1: everything is made first; where anything cannot be, nothing has changed.
Rule 2: calls that are up keep what they began with; the next call, request and event of a feed
        follow the new settings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from b2bua.access.tokens import Tokens
from b2bua.audit.entry import Result
from b2bua.audit.recorder import Recorder
from b2bua.config.assembly import agent_charging, build_router, build_trunks, trunk_limits, trunk_policies
from b2bua.config.audit_log import digest
from b2bua.config.reading import read_signalling
from b2bua.config.settings import SignallingSettings
from b2bua.switchboard.interfaces import Plan, RunningEngine
from b2bua.switchboard.supervised import ReloadSettings
from b2bua.switchboard.switchboard import Switchboard
from tonewall.ini import ConfigError
from tonewall.log import get_logger

log = get_logger(__name__)


class Reload:
    """What a reload changes in one process. `plan`: as at the start; `look_again`: has each feed
    see whether its reader may read on."""

    def __init__(
        self,
        plan: Plan,
        tokens: Tokens,
        audit: Recorder | None,
        look_again: Callable[[], None],
        engine: RunningEngine,
    ) -> None:
        self._plan, self._tokens, self._audit = plan, tokens, audit
        self._look_again, self._engine = look_again, engine

    def apply(self, board: Switchboard, request: ReloadSettings, environment: Mapping[str, str]) -> str:
        """Put these settings in force. Returns why they cannot be; "" where they are."""
        try:
            settings = read_signalling({}, environment)
            plan = replan(self._plan, settings)
            tokens = Tokens.parse(settings.api.tokens.get_secret_value(), settings.api.roles)
            trunks = build_trunks(settings)
            self._engine.check_trunks(trunks)
        except (ConfigError, ValueError) as error:  # neither text has a value in it
            return str(error)
        except OSError as error:
            return (
                f"a certificate or key of a trunk cannot be used ({error.strerror or type(error).__name__})"
            )
        self._engine.change_trunks(trunks)
        self._plan = plan
        plan.drain.drain_time = settings.general.drain_time
        board.replan(plan)
        self._tokens.replace(tokens)
        self._look_again()
        log.info("settings_reloaded", agent=request.by, count=len(request.reloaded))
        self._note(request, settings)
        return ""

    def _note(self, request: ReloadSettings, settings: SignallingSettings) -> None:
        if self._audit is None:
            return
        self._audit.configuration = digest(settings)
        details: dict[str, str | int] = {"by": request.by, "reloaded": ", ".join(request.reloaded)[:1000]}
        self._audit.note(self._audit.entry("supervisor", "reload_settings", Result.NOTED, details=details))


def replan(plan: Plan, settings: SignallingSettings) -> Plan:
    """The plan with what a reload changes in it. Raises ConfigError."""
    return replace(
        plan,
        router=build_router(settings),
        limits=trunk_limits(settings),
        policies=trunk_policies(settings),
        ring_time=settings.general.ring_time,
        agent_charging=agent_charging(settings),
        extensions=settings.api.agent_of,
    )
