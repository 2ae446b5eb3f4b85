"""Opens what this Tonewall shares with others."""

from __future__ import annotations

from b2bua.config.settings import SignallingSettings
from b2bua.shared.holder import own_holder
from b2bua.shared.instances import Instances
from tonewall.ini import ConfigError


def open_shared(settings: SignallingSettings, calls: int | None = None) -> Instances | None:
    """All instances at the Redis of `[shared]`; None where there is none. `calls`: the descriptor
    of our file of calls, where there is one. Raises ConfigError where
    its library is missing, OSError."""
    shared = settings.shared
    if not shared.redis:
        return None
    try:
        return Instances(
            shared.redis,
            shared.name(settings.general.port),
            own_holder(calls),
            password=shared.password.get_secret_value(),
            trust=shared.ca_file,
        )
    except ImportError:
        raise ConfigError("[shared] redis: its library is missing; install tonewall[redis]") from None
