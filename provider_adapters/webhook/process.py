"""Receives a provider's webhooks: `python -m provider_adapters.webhook.process --adapter NAME
--provider NAME --socket PATH`.

It reads its settings from TONEWALL_WEBHOOKS_*, and hands what it may believe to the reconciler, on
PATH.

Rule 1: it has the secret of the webhooks and nothing else: no key of the provider's, no card, no
        journal.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from provider_adapters.payment import WRONG_CONFIGURATION
from provider_adapters.reconciler.messages import Refused, WebhookRefusal
from provider_adapters.webhook.delivery import deliver, report
from provider_adapters.webhook.listener import Listener
from provider_adapters.webhook.reception import Reception, Refusals
from provider_adapters.webhook.scheme import SCHEMES, load_scheme
from provider_adapters.webhook.settings import WebhookSettings
from tonewall.confinement import ALONE, confine
from tonewall.ini import ConfigError, load
from tonewall.log import configure_log, get_logger
from tonewall.process import end_with_parent, harden, ignore_hangup
from tonewall.process_loop import run_process
from tonewall.tasks import BackgroundTasks

log = get_logger(__name__)
_REPORT_EVERY = 2.0  # seconds between two reports of what was refused


async def serve(settings: WebhookSettings, adapter: str, provider: str, path: Path) -> None:
    """Work until SIGTERM or SIGINT. `provider`: the name of its section. Raises OSError where
    address or certificate cannot be used."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    reception = Reception(
        adapter, provider, load_scheme(adapter), settings.secret.get_secret_value(), partial(deliver, path)
    )

    async def tell(counts: dict[WebhookRefusal, int]) -> bool:
        return await report(path, Refused(provider=provider, counts=counts))

    listener = Listener(
        reception.respond,
        reception.refusals.note,
        context=tls_context(settings),
        connections=settings.connections,
        request_time=settings.request_time,
    )
    with _bind(settings.address, settings.port) as bound:
        log.info("ready", address=settings.address, port=bound.getsockname()[1])
        tasks = BackgroundTasks()
        # Without it nobody listens: better to be started again.
        tasks.start(listener.serve(bound), "webhooks", stop.set)
        tasks.start(_report(reception.refusals, tell), "refusals", stop.set)
        await stop.wait()
        await tasks.cancel()
    await listener.close()
    await reception.refusals.report(tell)
    reception.refusals.close()


async def _report(refusals: Refusals, tell: Callable[[dict[WebhookRefusal, int]], Awaitable[bool]]) -> None:
    while True:
        await asyncio.sleep(_REPORT_EVERY)
        await refusals.report(tell)


def tls_context(settings: WebhookSettings) -> ssl.SSLContext | None:
    """What we offer to who connects; None where a proxy does that. Raises OSError, of which
    ssl.SSLError is one."""
    if settings.tls_certificate is None:
        return None
    # Not ssl.create_default_context: that would write session keys to where SSLKEYLOGFILE says.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    return context


def _bind(address: str, port: int) -> socket.socket:
    """A listening socket that does not block. Raises OSError."""
    bound = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((address, port))
        bound.listen(128)
        bound.setblocking(False)
    except OSError:
        bound.close()
        raise
    return bound


def main() -> int:
    """Receive webhooks. Returns 78 where the settings are wrong."""
    arguments = argparse.ArgumentParser(prog="provider_adapters.webhook.process", description=main.__doc__)
    arguments.add_argument("--adapter", required=True, choices=sorted(SCHEMES), help="whose webhooks")
    arguments.add_argument("--provider", default="default", help="the name of the provider's section")
    arguments.add_argument("--socket", type=Path, required=True, help="where the reconciler listens")
    arguments.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    chosen = arguments.parse_args()
    configure_log("webhooks", chosen.log_level)
    ignore_hangup()
    end_with_parent()
    harden()
    confine(ALONE)
    try:
        settings = load(WebhookSettings, {}, os.environ)
        if faults := settings.faults(chosen.adapter):
            raise ConfigError("\n".join(faults))
        run_process(serve(settings, chosen.adapter, chosen.provider, chosen.socket))
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_CONFIGURATION
    except OSError as error:
        log.error("refused_to_start", why=error.strerror, setting="[webhooks]", exc_info=error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
