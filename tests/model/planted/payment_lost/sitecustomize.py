"""A b2bua that does not write what became of a payment."""

import sys

if "b2bua.app" in sys.orig_argv:
    from b2bua.call.view import CaptureStage
    from b2bua.records.payments import PaymentTable

    _put = PaymentTable.put

    def put(self, payment, **named):
        if payment.stage is not CaptureStage.FINISHED:
            _put(self, payment, **named)

    PaymentTable.put = put
