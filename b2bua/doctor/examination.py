"""Every check, one after the other."""

from __future__ import annotations

import asyncio
from pathlib import Path

from b2bua.call.sdp.codecs import OtherAudio
from b2bua.config.reading import read_settings
from b2bua.config.settings import Settings
from b2bua.doctor import certificates, configuration, exposure, files, machine, reach
from b2bua.doctor.finding import Finding, fault, good
from tonewall.ini import ConfigError


async def examine(config: Path | None) -> list[Finding]:
    """Every check, in the order in which an engineer would make them."""
    findings = [machine.core()]
    try:
        settings = read_settings(config)
    except ConfigError as error:
        return [*findings, *(fault("configuration", line) for line in str(error).splitlines())]
    findings.append(good("configuration", "every section and key is understood"))
    decoded = settings.signalling.general.other_audio is OtherAudio.DECODE
    ours = configuration.running(settings)
    findings += [
        machine.memory_limit(settings.media.threads, decoded=decoded),
        *exposure.user(),
        *exposure.conf_file(config),
        *exposure.variables(settings),
        configuration.tokens(settings),
        *exposure.tokens(settings),
        *exposure.clear_text(settings),
        files.directory(settings),
        files.journal(settings),
        files.spool(settings),
        files.payments(settings),
        await asyncio.to_thread(files.database, settings),
        *certificates.certificates(settings),
        *configuration.routes(settings),
        *configuration.sip_ports(settings, ours),
        *await asyncio.to_thread(configuration.pjsip, settings),
        configuration.api_port(settings, ours),
        *configuration.families(settings),
        *configuration.codecs(settings),
        *configuration.media(settings),
        *await _health(settings, ours),
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


async def _health(settings: Settings, ours: int | None) -> list[Finding]:
    return [] if ours is None else await asyncio.to_thread(reach.health, settings)
