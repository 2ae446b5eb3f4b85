"""Decodes the call records that lie on disk, those of older versions too.

Rule 1: what a version has renamed is read by its new name, so that an update loses no count.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from b2bua.call.cdr import CallRecord

_RENAMED: Final = {"strangers": "foreign_source"}  # counters of a leg: old name, new name
# A quotation mark inside of a text has a backslash before it, so only a key looks like this.
_OLD_KEYS: Final = tuple(f'"{old}":'.encode() for old in _RENAMED)
_DECODER: Final = msgspec.json.Decoder(CallRecord)


def decode_record(data: bytes) -> CallRecord:
    """The call record of one JSON object. Raises msgspec.DecodeError."""
    if not any(key in data for key in _OLD_KEYS):
        return _DECODER.decode(data)
    return msgspec.convert(_renamed(msgspec.json.decode(data)), CallRecord)


def _renamed(record: Any) -> Any:
    for name in ("caller_leg", "agent_leg"):
        leg = record.get(name) if isinstance(record, dict) else None
        counters = leg.get("counters") if isinstance(leg, dict) else None
        if isinstance(counters, dict):
            for old in _RENAMED.keys() & counters:
                counters.setdefault(_RENAMED[old], counters.pop(old))
    return record
