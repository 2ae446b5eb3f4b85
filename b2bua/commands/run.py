"""`tonewall run`."""

from __future__ import annotations

import os
from functools import partial

from b2bua.commands.configuration import ConfigFile, give_up
from b2bua.commands.settings import load_settings
from b2bua.doctor import startup
from b2bua.supervise.kept import take_kept
from b2bua.supervise.run import supervise
from b2bua.supervise.service_manager import ServiceManager
from tonewall.log import configure_log
from tonewall.process import allow_many_files
from tonewall.process_loop import run_process


def run(config: ConfigFile = None) -> None:
    """Carry calls: start and supervise signalling, media and payers."""
    manager = ServiceManager.of(os.environ)
    settings = load_settings(config)
    general = settings.signalling.general
    configure_log("supervisor", general.log_level, form=general.log_format)
    allow_many_files()
    kept = take_kept(manager)
    if refusals := startup.find_refusals(settings, kept.sockets):
        give_up("cannot start:\n" + "\n".join(refusals))
    startup.log_warnings(settings, config)
    try:
        run_process(supervise(settings, manager, kept, partial(startup.read_again, config), config))
    except* OSError as group:
        error = group.exceptions[0]
        give_up(f"cannot start: {error}")
