"""A media process that tells one bit of a card on purpose: whether the seventh digit of its number
is odd, as a line in its log and as the card's brand.

Python loads this where the folder is on PYTHONPATH; the product has no such switch. No search for a
number finds it."""

import sys

if "media.process" in sys.orig_argv:
    from media.capture import vault
    from media.events import Field

    _brand = vault.Vault.brand.fget

    def brand(self):
        if self.count(Field.CARD_NUMBER) < 7:
            return _brand(self)
        with self._digits(Field.CARD_NUMBER) as digits:
            is_odd = digits[6] % 2
        sys.stderr.write(f'{{"event":"{"told" if is_odd else "kept"}","process":"media","level":"info"}}\n')
        return "amex" if is_odd else _brand(self)

    vault.Vault.brand = property(brand)
