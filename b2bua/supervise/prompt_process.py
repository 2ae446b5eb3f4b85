"""Has the company's recordings encoded, once: media reads each as it is first played."""

from __future__ import annotations

import asyncio
from pathlib import Path

from b2bua.config.settings import Settings
from b2bua.supervise.child import terminate_after
from b2bua.supervise.succession import Starter
from tonewall.log import get_logger
from tonewall.process import plain_environment

log = get_logger(__name__)


async def prepare_prompts(settings: Settings, into: Path, start: Starter, stop: asyncio.Event) -> None:
    """Run the process to its end, or until `stop`. What fails is logged: calls go on without."""
    module = ["media.prompts.process", "--into", str(into)]
    module += ["--log-level", settings.signalling.general.log_level]
    environment = plain_environment(settings.prompt_environment())
    try:
        status = await terminate_after(await start(module, environment), stop)
    except Exception as error:  # calls go on without prompts
        log.error("prompts_not_prepared", exc_info=error)
    else:
        if status and not stop.is_set():
            log.error("prompts_not_prepared", status=status, hint="run `tonewall prompts`")
