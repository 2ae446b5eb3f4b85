"""Checks before `tonewall run` starts a process, so that a fault names its key, file or port.

Rule 1: only a fault that lets nothing work is a refusal. One that spares some calls, or comes
        later, is a warning in the log.
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterator, Mapping
from pathlib import Path

from b2bua.access.tokens import Tokens
from b2bua.api.bound_socket import socket_name
from b2bua.config.reading import read_settings
from b2bua.config.settings import Settings
from b2bua.doctor import certificates, configuration, exposure, files
from b2bua.doctor.finding import Level
from b2bua.telemetry.choice import read_choice, telemetry_environment
from tonewall.ini import ConfigError
from tonewall.log import get_logger

log = get_logger(__name__)


def find_refusals(settings: Settings, stored: Container[str] = ()) -> list[str]:
    """The reasons against a start, a line each with the key, file or port. `stored`: the names of
    sockets that are bound for us already."""
    return [
        *files.find_refusals(settings),
        *certificates.find_unusable(settings),
        *_faults_of_ports(settings, stored),
        *_faults_of_telemetry(os.environ),
    ]


def read_again(config: Path | None) -> Settings:
    """The settings, checked as before a start but for what a running Tonewall holds. Raises
    ConfigError."""
    settings = read_settings(config)
    api = settings.signalling.api
    try:
        Tokens.parse(api.tokens.get_secret_value(), api.roles)
    except ValueError as error:
        raise ConfigError(f"[api] tokens: {error}") from None
    if refusals := [*files.find_refusals(settings), *certificates.find_unusable(settings)]:
        raise ConfigError("\n".join(refusals))
    return settings


def _faults_of_telemetry(environment: Mapping[str, str]) -> Iterator[str]:
    try:
        read_choice(telemetry_environment(environment))
    except ConfigError as error:
        yield str(error)


def _faults_of_ports(settings: Settings, stored: Container[str]) -> Iterator[str]:
    api = settings.signalling.api
    findings = [
        *configuration.check_sip_ports(settings, stored=stored),
        *([] if socket_name(api.address, api.port) in stored else [configuration.check_api_port(settings)]),
        *configuration.check_decoder(settings),
    ]
    if settings.media.engine == "own":
        findings += [
            each for each in configuration.check_media(settings) if each.what.endswith("media address")
        ]
    pid = configuration.running_b2bua(settings)
    also = f" (a Tonewall with this [general] directory runs already, process {pid})" if pid else ""
    for each in findings:
        if each.level is Level.FAULT:
            yield f"{each.text}{also if ' port ' in each.text else ''}"


def log_warnings(settings: Settings, config: Path | None) -> None:
    """Log the findings that let it start; `tonewall doctor` shows all."""
    findings = [
        *certificates.check_certificates(settings),
        *configuration.check_address_families(settings),
        *exposure.check_clear_text(settings),
        *exposure.check_secrets(settings),
        *exposure.check_variables(settings),
        *exposure.check_conf_file(config),
        *exposure.check_user(),
    ]
    for found in findings:
        if found.level is not Level.GOOD:
            log.warning("doctor_warning", what=found.what, why=found.text[:200])
