"""Checks that the Redis by which instances know of one another answers."""

from __future__ import annotations

from b2bua.config.settings import Settings
from b2bua.doctor.finding import Finding, fault, good
from b2bua.shared.connection import read_names
from b2bua.shared.ownership import NAMES
from b2bua.shared.presence import MAX_NAMES

_WHAT = "other instances"


async def check_shared(settings: Settings) -> list[Finding]:
    """One finding; none where this Tonewall is alone."""
    shared = settings.signalling.shared
    if not shared.redis:
        return []
    try:
        password = shared.password.get_secret_value()
        names = await read_names(shared.redis, password, shared.ca_file, NAMES, MAX_NAMES)
    except ImportError:
        return [fault(_WHAT, "the library of Redis is missing; install tonewall[redis]")]
    except OSError as error:
        return [fault(_WHAT, f"Redis does not answer as it should ({error}); see [shared]")]
    own = shared.name(settings.signalling.general.port)
    others = [name for name in names if name != own]
    there = f"others with names there: {len(others)}" if others else "no other has a name there yet"
    return [good(_WHAT, f"Redis answers; we are {own}, and {there}")]
