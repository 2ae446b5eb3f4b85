"""Starts what the b2bua process does beside its calls."""

from __future__ import annotations

from b2bua.api.ways_in import WaysIn
from b2bua.config.audit_log import start_log
from b2bua.config.settings import SignallingSettings
from b2bua.shared.instances import Instances
from b2bua.switchboard.housekeeping import prune_payments
from b2bua.switchboard.interfaces import Plan
from b2bua.switchboard.switchboard import Switchboard
from b2bua.switchboard.webhooks import Webhooks
from tonewall.tasks import BackgroundTasks


def start_housekeeping(
    settings: SignallingSettings,
    board: Switchboard,
    plan: Plan,
    ways: WaysIn,
    webhooks: Webhooks,
    shared: Instances | None,
) -> BackgroundTasks:
    """Start what is done now and then, beside the calls."""
    housekeeping = BackgroundTasks()
    start_log(plan.recorder, settings.audit, housekeeping)
    ways.start(housekeeping)
    housekeeping.start(plan.installed.watch(plan.recorder), "comparison of files")
    housekeeping.start(webhooks.run(), "webhooks")
    if shared is not None:
        housekeeping.start(shared.run(board.calls_by_trunk), "instances")
    housekeeping.start(prune_payments(board, settings.cdr.retention), "retention")
    return housekeeping
