"""Seals what is personal in an entry under a key of its own (AES-256-GCM): who,
from where, on which call and payment. What was done, when and with which result stays readable.

Rule 1: what is sealed belongs to its entry: it opens with no other time, operation or result.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from b2bua.audit.entry import Entry

ERASED: Final = "erased"
OWN_PARTS: Final = frozenset({"tonewall", "no agent"})  # nobody's names
_NONCE: Final = 12  # bytes, random: a key seals the few entries of a name on a call


class Personal(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What is personal in an entry, by the same names."""

    who: str
    source: str = ""
    call: str = ""
    payment: str = ""


def is_personal(entry: Entry) -> bool:
    """Whether there is anything to seal."""
    return bool(entry.source or entry.call or entry.payment) or entry.who not in OWN_PARTS


def seal(entry: Entry, number: int, key: bytes) -> Entry:
    """The entry with what is personal under the key of that number."""
    personal = Personal(who=entry.who, source=entry.source, call=entry.call, payment=entry.payment)
    plain = msgspec.structs.replace(entry, who="", source="", call="", payment="", key=number)
    nonce = secrets.token_bytes(_NONCE)
    octets = nonce + AESGCM(key).encrypt(nonce, msgspec.json.encode(personal), _bound(plain))
    return msgspec.structs.replace(plain, sealed=base64.b64encode(octets).decode())


def unseal(entry: Entry, key: bytes | None) -> Entry:
    """The entry as it was before `seal`; where the key is gone, ERASED stands for the name. Raises
    ValueError where it is another's."""
    plain = msgspec.structs.replace(entry, sealed="")
    if key is None:
        return msgspec.structs.replace(plain, who=ERASED, key=0)
    try:
        octets = base64.b64decode(entry.sealed, validate=True)
        text = AESGCM(key).decrypt(octets[:_NONCE], octets[_NONCE:], _bound(plain))
        personal = msgspec.json.decode(text, type=Personal)
    except (InvalidTag, binascii.Error, ValueError):
        raise ValueError("its key is another") from None
    return msgspec.structs.replace(
        plain, who=personal.who, source=personal.source, call=personal.call, payment=personal.payment, key=0
    )


def _bound(plain: Entry) -> bytes:
    """What the seal vouches for besides."""
    return msgspec.json.encode(plain)
