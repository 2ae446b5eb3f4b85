"""Checks for exposure: weak tokens, clear text on a network, files that others read, misspelt
variables."""

from __future__ import annotations

import difflib
import ipaddress
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from b2bua.config.settings import SECTIONS, SEVERAL, Settings
from b2bua.doctor.finding import Finding, fault, good, warn
from tonewall.ini import FILE, NAMED, PREFIX, secret_keys, variable_name
from tonewall.keeper import VARIABLE as KEEPER
from tonewall.process import ENDED_BY, SUPERVISOR

_EXAMPLES = ("change-me", "changeme", "example", "secret", "password", "0123456789", "abcdefgh")
_MIN_DIFFERENT = 8  # characters of a token
_NOT_SETTINGS = {NAMED, SUPERVISOR, ENDED_BY, KEEPER, "TONEWALL_TOKEN", "TONEWALL_TOKEN_FILE"}


def check_secrets(settings: Settings) -> list[Finding]:
    """Tokens, keys and passwords that can be guessed, by their names only."""
    findings = []
    for number, entry in enumerate(settings.signalling.api.tokens.get_secret_value().split(","), start=1):
        name, _, token = entry.strip().partition(":")
        if token.startswith("sha256:"):
            continue
        where = f"[api] tokens: that of {name}" if name.isprintable() else f"[api] tokens: number {number}"
        if any(word in token.lower() for word in _EXAMPLES[:3]):
            findings.append(
                fault("agents' tokens", f"{where} is an example's: openssl rand -base64 24 | tr +/ -_")
            )
        elif len(set(token)) < _MIN_DIFFERENT or any(word in token.lower() for word in _EXAMPLES):
            findings.append(
                warn("agents' tokens", f"{where} can be guessed: openssl rand -base64 24 | tr +/ -_")
            )
    key = settings.provider.api_key.get_secret_value()
    if any(word in key.lower() for word in _EXAMPLES[:2]):
        findings.append(
            fault("provider's key", "[provider] api_key is the example's: take what the provider gave you")
        )
    findings += [
        warn("trunk's password", f"[{header}] password has fewer than 8 characters, and can be guessed")
        for header, trunk in settings.signalling.trunks.items()
        if 0 < len(trunk.password.get_secret_value()) < 8
    ]
    return findings


def check_api_transport(settings: Settings) -> list[Finding]:
    """How tokens reach the API."""
    api = settings.signalling.api
    if api.tls_certificate:
        return [good("API", f"over HTTPS, at {api.address} port {api.port}")]
    if not ipaddress.ip_address(api.address).is_loopback:
        text = f"[api] plain_http: {api.address} is reached from the network in clear, tokens included"
        return [warn("API in clear", f"{text}: set tls_certificate, or put a TLS proxy in front of loopback")]
    if not api.proxies:
        text = "HTTP on loopback: for this machine alone, or a TLS proxy; name that one in trusted_proxies"
        return [good("API", text)]
    return [good("API", f"HTTP on loopback, behind the proxies {api.trusted_proxies}")]


def check_clear_text(settings: Settings) -> list[Finding]:
    """How the API is reached, and SRTP keys over plain SIP."""
    own = settings.signalling
    findings = check_api_transport(settings)
    findings += [
        warn(
            f"{header}'s SRTP",
            f"[{header}] srtp = yes, but its keys cross in SDP over {trunk.transport or 'what DNS prefers'}: "
            "whoever reads that hears the call; set transport = tls",
        )
        for header, trunk in own.trunks.items()
        if trunk.srtp and trunk.transport != "tls"
    ]
    return findings


def check_conf_file(path: Path | None) -> list[Finding]:
    """sip.conf must not be readable by everybody, nor writable by others."""
    if path is None:
        return []
    mode = path.stat().st_mode
    if mode & stat.S_IROTH:
        return [warn("sip.conf", f"{path} holds secrets and can be read by everybody: chmod o= {path}")]
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        return [warn("sip.conf", f"{path} can be changed by others: chmod go-w {path}")]
    return [good("sip.conf", f"{path} is not for everybody")]


def check_variables(settings: Settings, environment: Mapping[str, str] | None = None) -> list[Finding]:
    """Variables named TONEWALL_… that no key reads."""
    return [warn("environment", text) for text in unread_variables(settings, environment)]


def unread_variables(settings: Settings, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """A text for each variable that no key reads, with the nearest name that one does."""
    environment = os.environ if environment is None else environment
    own = settings.signalling
    headers = [each for each in SECTIONS if each not in SEVERAL] + [*own.trunks, *own.routes]
    headers += [*own.agent_groups, *own.forms, *own.fields, *own.clients, *own.webhooks]
    headers += [*settings.providers, *settings.webhooks, *settings.prompts]
    models = {header: SECTIONS[header.partition(" ")[0]] for header in headers}
    known = {variable_name(header, key) for header in headers for key in models[header].model_fields}
    known |= {variable_name(header, key) + FILE for header in headers for key in secret_keys(models[header])}
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known | _NOT_SETTINGS:
            near = difflib.get_close_matches(name, known, 1)
            yield f"{name}: nothing reads it" + (f"; did you mean {near[0]}?" if near else "")


def check_user() -> list[Finding]:
    """Tonewall should not run as root."""
    if os.geteuid() != 0:
        return []
    return [
        warn("user", "root: run Tonewall, and this doctor, as a user of its own (systemd: User=tonewall)")
    ]
