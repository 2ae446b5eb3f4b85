"""Runs every check, one after the other."""

from __future__ import annotations

import asyncio
from pathlib import Path

from b2bua.call.sdp.codecs import OtherAudio
from b2bua.config.reading import read_settings
from b2bua.config.settings import Settings
from b2bua.doctor import (
    certificates,
    configuration,
    database,
    exposure,
    files,
    identity,
    machine,
    prompts,
    reach,
    release,
    shared,
)
from b2bua.doctor.finding import Finding, fault, good
from tonewall.ini import ConfigError


async def examine(config: Path | None) -> list[Finding]:
    """The findings of every check. `config`: sip.conf, or None for the environment alone."""
    findings = [machine.check_core(), machine.check_system_calls()]
    try:
        settings = read_settings(config)
    except ConfigError as error:
        return [*findings, *(fault("configuration", line) for line in str(error).splitlines())]
    findings.append(good("configuration", "every section and key is understood"))
    decoded = settings.signalling.general.other_audio is OtherAudio.DECODE
    ours = configuration.running_b2bua(settings)
    findings += [
        machine.check_memory_limit(settings.media.threads, decoded=decoded),
        *exposure.check_user(),
        *exposure.check_conf_file(config),
        *exposure.check_variables(settings),
        configuration.check_tokens(settings),
        *exposure.check_secrets(settings),
        *exposure.check_clear_text(settings),
        files.check_directory(settings),
        files.check_journal(settings),
        files.check_spool(settings),
        files.check_payments(settings),
        await asyncio.to_thread(database.check_database, settings),
        await asyncio.to_thread(release.check_files, settings.signalling.general.signer),
        *certificates.check_certificates(settings),
        *configuration.check_routes(settings),
        *configuration.check_sip_ports(settings, ours),
        *await asyncio.to_thread(configuration.check_pjsip, settings),
        configuration.check_api_port(settings, ours),
        *configuration.check_address_families(settings),
        *configuration.check_decoder(settings),
        *await asyncio.to_thread(prompts.check_prompts, settings),
        *configuration.check_media(settings),
        *await _health(settings, ours),
    ]
    general = settings.signalling.general
    peers = asyncio.gather(
        *(reach.check_peer(header, trunk, general) for header, trunk in settings.signalling.trunks.items())
    )
    providers = asyncio.create_task(reach.check_providers(settings))
    identities = asyncio.create_task(identity.check_identity(settings))
    instances = asyncio.create_task(shared.check_shared(settings))
    return [
        *findings,
        *(finding for peer in await peers for finding in peer),
        *await reach.check_rtpengine(settings),
        *await providers,
        *await identities,
        *await instances,
    ]


async def _health(settings: Settings, ours: int | None) -> list[Finding]:
    return [] if ours is None else await asyncio.to_thread(reach.check_health, settings)
