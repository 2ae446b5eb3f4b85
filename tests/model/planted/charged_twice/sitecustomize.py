"""A payer that charges each card twice, under two keys."""

import sys

if "provider_adapters.payer.process" in sys.orig_argv:
    import msgspec

    # Of the module, not of `__main__`, which is another: so what both share is changed.
    from provider_adapters import connector

    _charge = connector.Connector.charge

    def charge(self, order, card):
        yield from _charge(
            self, msgspec.structs.replace(order, idempotency_key=f"{order.idempotency_key}b"), card
        )
        return (yield from _charge(self, order, card))

    connector.Connector.charge = charge
