"""Every check, one after the other."""

from __future__ import annotations

import asyncio
from pathlib import Path

from b2bua.call.codecs import OtherAudio
from b2bua.doctor import configuration, machine, reach
from b2bua.doctor.finding import Finding, fault, good
from b2bua.settings import read
from tonewall.ini import ConfigError


async def examine(config: Path | None) -> list[Finding]:
    """Every check, in the order in which an engineer would make them."""
    findings = [machine.core()]
    try:
        settings = read(config)
    except ConfigError as error:
        return [*findings, *(fault("configuration", line) for line in str(error).splitlines())]
    findings.append(good("configuration", "every section and key is understood"))
    decoded = settings.signalling.general.other_audio is OtherAudio.DECODE
    findings += [
        machine.memory_limit(settings.media.threads, decoded=decoded),
        configuration.tokens(settings),
        configuration.directory(settings),
        *configuration.routes(settings),
        *configuration.sip_ports(settings),
        *await asyncio.to_thread(configuration.pjsip, settings),
        configuration.api_port(settings),
        *configuration.media(settings),
    ]
    general = settings.signalling.general
    peers = asyncio.gather(
        *(reach.peer(header, trunk, general) for header, trunk in settings.signalling.trunks.items())
    )
    provider = asyncio.create_task(reach.provider(settings))
    return [
        *findings,
        *(finding for peer in await peers for finding in peer),
        *await reach.rtpengine(settings),
        await provider,
    ]
