"""Builds the copies of the audit log that the settings want."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from b2bua.audit.copier import Copier, Copies, CopyTarget
from b2bua.audit.https_target import HttpsTarget
from b2bua.audit.recorder import Recorder
from b2bua.audit.syslog_target import SyslogTarget
from b2bua.config.audit_settings import AuditSettings
from b2bua.notify.tls import client_context
from tonewall.ini import ConfigError


def build_copies(settings: AuditSettings, recorder: Recorder, now: Callable[[], float]) -> Copies:
    """What is to be started with the log of `recorder`. Raises ConfigError where a certificate
    cannot be used."""
    directory = settings.directory
    if directory is None or not (settings.syslog or settings.copy_to):
        return Copies()
    try:
        context = client_context(
            *map(_path, (settings.copy_ca, settings.copy_certificate, settings.copy_key))
        )
    except OSError:  # ssl.SSLError, too
        raise ConfigError(
            "[audit] copy_ca, copy_certificate, copy_key: expected certificates and a key without a "
            "password, as PEM files"
        ) from None
    targets: list[CopyTarget] = []
    if settings.syslog:
        targets.append(SyslogTarget(settings.syslog, context))
    if settings.copy_to:
        targets.append(HttpsTarget(settings.copy_to, context, settings.copy_token.get_secret_value()))
    return Copies([Copier(directory, target, lambda: recorder.last, now) for target in targets])


def _path(path: Path | None) -> str:
    return str(path or "")
