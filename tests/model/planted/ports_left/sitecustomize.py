"""A media process that keeps the ports of every other session when it closes it."""

import sys

if "media.process" in sys.orig_argv:
    import itertools

    from media.events import LegCounters
    from media.service.relayed_session import RelayedSession

    _close, _number = RelayedSession.close, itertools.count(1)

    def close(self):
        return (LegCounters(), LegCounters()) if next(_number) % 2 else _close(self)

    RelayedSession.close = close
