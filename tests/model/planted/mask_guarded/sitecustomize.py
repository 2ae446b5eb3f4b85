"""A media process that takes a mask off in the first pause after its capture, however that
ended."""

import sys

if "media.process" in sys.orig_argv:
    from media.service import unmasking

    def may_go_off(self, mask, session, now):
        wait = self._times.guard_time
        return now - max(mask.since, mask.last_key) >= wait and unmasking._is_quiet(session, wait)

    unmasking.Unmasking._may_go_off = may_go_off
