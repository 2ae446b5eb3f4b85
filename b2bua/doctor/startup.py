"""What `tonewall run` looks at before it starts anything: what would fail then names itself now.

Rule 1: only what cannot work is a refusal. What works for some calls, or for some days, is a line
        in the log.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from b2bua.config.settings import Settings
from b2bua.doctor import certificates, configuration, exposure, files
from b2bua.doctor.finding import Level
from tonewall.log import get_logger

log = get_logger(__name__)


def refusals(settings: Settings) -> list[str]:
    """Why it cannot start, a line each with the key, file or port; none where it can."""
    return [*files.refusals(settings), *certificates.unusable(settings), *_taken(settings)]


def _taken(settings: Settings) -> Iterator[str]:
    findings = [
        *configuration.sip_ports(settings),
        configuration.api_port(settings),
        *configuration.codecs(settings),
    ]
    if settings.media.engine == "own":
        findings += [each for each in configuration.media(settings) if each.what.endswith("media address")]
    pid = configuration.running(settings)
    also = f" (a Tonewall with this [general] directory runs already, process {pid})" if pid else ""
    for each in findings:
        if each.level is Level.FAULT:
            yield f"{each.says}{also if ' port ' in each.says else ''}"


def say_warnings(settings: Settings, config: Path | None) -> None:
    """Log what does not keep it from starting; `tonewall doctor` says more."""
    findings = [
        *certificates.certificates(settings),
        *configuration.families(settings),
        *exposure.clear_text(settings),
        *exposure.tokens(settings),
        *exposure.variables(settings),
        *exposure.conf_file(config),
        *exposure.user(),
    ]
    for found in findings:
        if found.level is not Level.GOOD:
            log.warning("doctor_warning", what=found.what, why=found.says[:200])
