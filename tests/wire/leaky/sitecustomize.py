"""A media process that leaks on purpose: it keeps a copy of each card number that is charged, and
writes it to its log.

Python loads this where the folder is on PYTHONPATH (a test's `tonewall run` and what it starts);
the product has no such switch. The scans of test_canary_card must find both.
"""

import sys

if "media.process" in sys.orig_argv:
    from media.capture import vault
    from media.events import Field

    KEPT = []
    _spend = vault.Vault.spend

    async def spend(self, pipe, charge):
        with self._digits(Field.CARD_NUMBER) as digits:
            KEPT.append(bytes(digits))
        sys.stderr.write(f"card {KEPT[-1].decode()}\n")
        return await _spend(self, pipe, charge)

    vault.Vault.spend = spend
