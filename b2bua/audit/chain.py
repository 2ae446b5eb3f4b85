"""Chains lines by their hashes, and signs some of them.

A line is JSON: its number, the SHA-256 of the line before it, and an entry or a checkpoint. A
checkpoint is signed (Ed25519, RFC 8032), and so is the head, which says what the last line is, and
the next one while that is being written. Whoever has no key can change, remove, move or add no line
without a trace.

Rule 1: nothing here touches a file or a clock.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Final, Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from b2bua.audit.entry import Entry

GENESIS: Final = hashlib.sha256(b"tonewall audit log").hexdigest()  # before the first line
MAX_LINE: Final = 16_384  # bytes; an entry is far shorter
# What a signature is for: one of these is never taken for the other.
_CHECKPOINT = b"tonewall audit checkpoint\n"
_HEAD = b"tonewall audit head\n"


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """All lines before it are as they were at this time; `why`: what it was made for."""

    at: str
    why: Literal["start", "count", "time", "file", "stop"]
    signature: str = ""


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One line; `previous`: the hash of the one before it, in hexadecimal."""

    number: int
    previous: str
    entry: Entry | None = None
    checkpoint: Checkpoint | None = None


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The last line: its number and its hash; and those of the line up to which more are being
    written, the same where none are."""

    number: int
    hash: str
    next_number: int
    next_hash: str
    signature: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the chain is: the number and the hash of its last line."""

    number: int = 0
    hash: str = GENESIS

    def after(self, line: bytes) -> Place:
        """The same behind one more line, without its line feed."""
        return Place(self.number + 1, hash_of(line))


def hash_of(line: bytes) -> str:
    """SHA-256 of a line, without its line feed."""
    return hashlib.sha256(line).hexdigest()


def write_entry(place: Place, entry: Entry) -> bytes:
    """The line behind `place`. Raises ValueError where it is too long."""
    line = msgspec.json.encode(Line(number=place.number + 1, previous=place.hash, entry=entry))
    if len(line) > MAX_LINE:
        raise ValueError(f"an entry of {len(line)} bytes, limit {MAX_LINE}")
    return line


def write_checkpoint(place: Place, checkpoint: Checkpoint, key: Ed25519PrivateKey) -> bytes:
    """The signed line behind `place`."""
    line = Line(number=place.number + 1, previous=place.hash, checkpoint=checkpoint)
    signed = msgspec.structs.replace(checkpoint, signature=_sign(key, _CHECKPOINT + _unsigned(line)))
    return msgspec.json.encode(msgspec.structs.replace(line, checkpoint=signed))


def write_head(place: Place, following: Place, key: Ed25519PrivateKey) -> bytes:
    """The signed head of a chain that ends at `place`, while the lines up to `following` are being
    written."""
    head = Head(number=place.number, hash=place.hash, next_number=following.number, next_hash=following.hash)
    return msgspec.json.encode(
        msgspec.structs.replace(head, signature=_sign(key, _HEAD + msgspec.json.encode(head)))
    )


def read_line(line: bytes) -> Line:
    """Raises ValueError for what no line can be. Only what this module writes is one, to the byte:
    nothing stands in a line that is not in its fields."""
    read = msgspec.json.decode(line, type=Line)
    if (read.entry is None) == (read.checkpoint is None) or msgspec.json.encode(read) != line:
        raise ValueError("no line of an audit log")
    return read


def read_head(text: bytes, key: Ed25519PublicKey) -> Head:
    """Raises ValueError for what the key did not sign."""
    head = msgspec.json.decode(text, type=Head)
    unsigned = msgspec.json.encode(msgspec.structs.replace(head, signature=""))
    if not _is_signed(key, head.signature, _HEAD + unsigned):
        raise ValueError("not signed by this key")
    return head


def is_signed(line: Line, key: Ed25519PublicKey) -> bool:
    """Whether a checkpoint bears the key's signature."""
    return line.checkpoint is not None and _is_signed(
        key, line.checkpoint.signature, _CHECKPOINT + _unsigned(line)
    )


def _unsigned(line: Line) -> bytes:
    assert line.checkpoint is not None
    checkpoint = msgspec.structs.replace(line.checkpoint, signature="")
    return msgspec.json.encode(msgspec.structs.replace(line, checkpoint=checkpoint))


def _sign(key: Ed25519PrivateKey, text: bytes) -> str:
    return base64.b64encode(key.sign(text)).decode()


def _is_signed(key: Ed25519PublicKey, signature: str, text: bytes) -> bool:
    try:
        octets = base64.b64decode(signature, validate=True)
        if base64.b64encode(octets).decode() != signature:
            return False
        key.verify(octets, text)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True
