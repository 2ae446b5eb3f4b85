"""The b2bua that carries the calls, and the spare that waits to be the next."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator, Mapping

from b2bua.config.settings import SignallingSettings
from b2bua.config.trunk_settings import CarrierSettings
from b2bua.supervise.signalling_channel import SignallingChannel
from b2bua.supervise.succession import Kind, Starter, Succession, Waiting
from b2bua.telemetry.choice import telemetry_environment
from tonewall.process import card_environment, plain_environment


def b2bua_processes(
    settings: Callable[[], SignallingSettings],
    arguments: list[str],
    start: Starter,
    sockets: Callable[[], Mapping[str, int]],
    channel: SignallingChannel,
    name: Callable[[int], None],
    stop: asyncio.Event,
) -> Succession:
    """One b2bua after another. `settings`: those in force; `arguments`: those of its module;
    `sockets`: what all of them inherit; `name`: is given the process id of the one that carries
    calls, 0: none does."""

    @contextlib.contextmanager
    def carrying(waiting: Waiting) -> Iterator[None]:
        name(waiting.child.pid)
        try:
            with channel.following(waiting.channel):
                yield
        finally:
            name(0)  # its number may be another's soon

    module = ["b2bua.app", *arguments]
    kind = Kind(
        lambda pulse: [*module, "--pulse", str(pulse)],
        lambda: _environment(settings()),
        sockets,
    )
    return Succession(kind, start, carrying, stop, stop)


def _environment(settings: SignallingSettings) -> dict[str, str]:
    # Keys that come as SIP INFO pass through it: then what it frees is overwritten as well.
    by_info = any(isinstance(each, CarrierSettings) and each.info_digits for each in settings.trunks.values())
    make_environment = card_environment if by_info else plain_environment
    return make_environment(settings.environment() | telemetry_environment(os.environ))
