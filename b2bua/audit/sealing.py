"""Seals what is personal in an entry (AES-256-GCM): who and from where under one key, on which call
and payment under another. What was done, when and with which result stays readable.

Rule 1: what is sealed belongs to its entry: it opens with no other time, operation or result.
Rule 2: who is erased takes no call along: what was done on it can still be read.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from b2bua.audit.entry import Entry

ERASED: Final = "erased"
OWN_PARTS: Final = frozenset({"", "tonewall", "media", "no agent"})  # nobody's names
_NONCE: Final = 12  # bytes, random: a key seals the few entries of a name on a call
T = TypeVar("T")


class Person(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Who acted, and from where, by the names of an entry."""

    who: str
    source: str = ""


class About(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """On which call and payment, by the names of an entry."""

    call: str = ""
    payment: str = ""


@dataclass(frozen=True, slots=True)
class Key:
    """A record key, and its number."""

    number: int
    octets: bytes


def names_person(entry: Entry) -> bool:
    """Whether it says who acted, or from where."""
    return bool(entry.source) or entry.who not in OWN_PARTS


def names_call(entry: Entry) -> bool:
    """Whether it is about a call or a payment."""
    return bool(entry.call or entry.payment)


def seal(entry: Entry, person: Key | None, about: Key | None) -> Entry:
    """The entry with who acted under one key, the call and payment under the other; None: that
    stays as it is."""
    plain = entry
    if person is not None:
        plain = msgspec.structs.replace(plain, who="", source="", key=person.number)
    if about is not None:
        plain = msgspec.structs.replace(plain, call="", payment="", call_key=about.number)
    sealed = sealed_call = ""
    if person is not None:
        sealed = _encrypt(Person(who=entry.who, source=entry.source), person, plain)
    if about is not None:
        sealed_call = _encrypt(About(call=entry.call, payment=entry.payment), about, plain)
    return msgspec.structs.replace(plain, sealed=sealed, sealed_call=sealed_call)


def unseal(entry: Entry, key: bytes | None, call_key: bytes | None) -> Entry:
    """The entry as it was before `seal`. Where a key is gone, ERASED stands for the name, and for
    the call with the number of its key, by which its entries still belong together. Raises
    ValueError where a key is another's."""
    plain = msgspec.structs.replace(entry, sealed="", sealed_call="")
    person, about = Person(who=entry.who, source=entry.source), About(call=entry.call, payment=entry.payment)
    if entry.sealed:
        person = Person(who=ERASED) if key is None else _decrypt(entry.sealed, Person, key, plain)
    if entry.sealed_call and call_key is None:
        about = About(call=f"{ERASED}-{entry.call_key}")
    elif entry.sealed_call and call_key is not None:
        about = _decrypt(entry.sealed_call, About, call_key, plain)
    return msgspec.structs.replace(
        plain, who=person.who, source=person.source, call=about.call, payment=about.payment, key=0, call_key=0
    )


def _encrypt(content: Person | About, key: Key, plain: Entry) -> str:
    nonce = secrets.token_bytes(_NONCE)
    octets = nonce + AESGCM(key.octets).encrypt(nonce, msgspec.json.encode(content), _bound(plain))
    return base64.b64encode(octets).decode()


def _decrypt(sealed: str, kind: type[T], key: bytes, plain: Entry) -> T:
    try:
        octets = base64.b64decode(sealed, validate=True)
        text = AESGCM(key).decrypt(octets[:_NONCE], octets[_NONCE:], _bound(plain))
        return msgspec.json.decode(text, type=kind)
    except (InvalidTag, binascii.Error, ValueError):
        raise ValueError("its key is another") from None


def _bound(plain: Entry) -> bytes:
    """What a seal vouches for besides."""
    return msgspec.json.encode(plain)
