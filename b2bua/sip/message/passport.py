"""Identity headers (STIR, RFC 8224): those still valid for the INVITE that we send are kept.

Rule 1: Tonewall signs nothing and verifies nothing. It keeps a signature end to end only where what
        it signs is what we send: the calling and called numbers, and the fingerprints of the media
        keys; else it is dropped, since a receiver would have to take it for a forgery.
Rule 2: the compact form (without its claims) is dropped: nobody can tell what it says without the
        signer's certificate.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

_FORM = re.compile(r"[A-Za-z0-9_-]{1,2048}\.([A-Za-z0-9_-]{1,4096})\.[A-Za-z0-9_-]{1,1024}(?:;[!-~]{0,512})?")
_FINGERPRINT = re.compile(rb"(?m)^a=fingerprint:([A-Za-z0-9-]{1,16})[ ]+([0-9A-Fa-f:]{1,256})\r?$")


class _Party(msgspec.Struct, frozen=True):
    tn: str | list[str] = ""

    @property
    def numbers(self) -> frozenset[str]:
        given = [self.tn] if isinstance(self.tn, str) else self.tn
        return frozenset(number_digits(number) for number in given if number_digits(number))


class _MediaKey(msgspec.Struct, frozen=True):
    alg: str
    dig: str


class Claims(msgspec.Struct, frozen=True):
    """The payload of a PASSporT (RFC 8225), as far as it names what an INVITE names too."""

    orig: _Party
    dest: _Party
    div: _Party = _Party()
    mky: list[_MediaKey] = []


@dataclass(frozen=True, slots=True)
class SignedContent:
    """What we are about to send: numbers that the caller is given as, the called one, the session
    description."""

    callers: tuple[str, ...]
    callee: str
    offer: bytes


def number_digits(user: str) -> str:
    """A number in the form that is signed (RFC 8224 section 8.3); "" for what is none."""
    bare = re.sub(r"[-.() ]", "", user.partition(";")[0]).removeprefix("+")
    return bare if bare.isascii() and bare.isdigit() and len(bare) <= 32 else ""


def parse_claims(value: str) -> Claims | None:
    """What an Identity header says; None for the compact form and for what cannot be read."""
    match = _FORM.fullmatch(value.replace(" ", ""))
    if match is None:
        return None
    try:
        payload = base64.urlsafe_b64decode(match[1] + "=" * (-len(match[1]) % 4))
        return msgspec.json.decode(payload, type=Claims)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        return None


def keep_valid(values: Sequence[str], signed: SignedContent) -> tuple[str, ...]:
    """Those that say what we send, in their order. One of an earlier target stays where a kept
    diversion (RFC 8946) leads on from it."""
    read = [(value, said) for value in values if (said := parse_claims(value)) is not None]
    callers = {number_digits(user) for user in signed.callers} - {""}
    keys = _fingerprints(signed.offer)
    true = [
        (value, said)
        for value, said in read
        if said.orig.numbers & callers and _keys(said.mky) in (keys, None)
    ]
    targets, kept = {number_digits(signed.callee)} - {""}, set[str]()
    for _ in true:
        for value, said in true:
            if value not in kept and said.dest.numbers & targets:
                kept.add(value)
                targets |= said.div.numbers
    return tuple(value for value, _ in true if value in kept)


def _keys(given: Iterable[_MediaKey]) -> frozenset[tuple[str, str]] | None:
    keys = frozenset((key.alg.lower(), key.dig.replace(":", "").upper()) for key in given)
    return keys or None  # no claim about keys


def _fingerprints(offer: bytes) -> frozenset[tuple[str, str]]:
    found = _FINGERPRINT.findall(offer)
    return frozenset(
        (name.decode().lower(), value.decode().replace(":", "").upper()) for name, value in found
    )
