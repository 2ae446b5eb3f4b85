"""Opens the table of payments that the settings name."""

from __future__ import annotations

import sqlite3

from b2bua.call.pseudonyms import Pseudonyms
from b2bua.config.cdr_settings import CdrSettings
from b2bua.records.payments import PaymentTable
from tonewall.ini import ConfigError


def open_payments(settings: CdrSettings, pseudonyms: Pseudonyms) -> PaymentTable:
    """The table of payments. Raises ConfigError where its file cannot be used."""
    try:
        return PaymentTable(settings.payments_file, pseudonyms)
    except (OSError, sqlite3.Error) as error:
        why = error.strerror if isinstance(error, OSError) else type(error).__name__
        raise ConfigError(
            f"[cdr] payments: the file {settings.payments_file} cannot be used ({why})"
        ) from None
