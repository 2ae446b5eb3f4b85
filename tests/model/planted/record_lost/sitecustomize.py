"""A b2bua that loses the record of each call that was paid in."""

import sys

if "b2bua.app" in sys.orig_argv:
    from b2bua.records.store import RecordStore

    _put = RecordStore.put

    def put(self, record):
        if not any(capture.outcome for capture in record.captures):
            _put(self, record)

    RecordStore.put = put
