"""rtpengine's ng protocol: a cookie, a space and one bencoded dictionary in a datagram, each way.

Rule 1: an answer counts only if it has our cookie, is whole, and says `ok` or `pong`.
Rule 2: keys come out as str, all other text as bytes; nothing is nested deeper than `_DEEPEST`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Value = int | str | bytes | Sequence["Value"] | Mapping[str, "Value"]
Answer = Mapping[str, Value]

_DEEPEST = 16
_MAX_NUMBER_LENGTH = 20


class NgError(Exception):
    """What came is no answer, or says no."""


class NgRefused(NgError):
    """The server understood and refused; `reason` is its own."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def request(cookie: bytes, command: str, keys: Mapping[str, Value]) -> bytes:
    """The datagram that asks for `command`."""
    return cookie + b" " + encode({"command": command, **keys})


def parse_answer(cookie: bytes, datagram: bytes) -> Answer | None:
    """What the server says to `cookie`; None: it is of another. Raises NgError, NgRefused."""
    said, _, body = datagram.partition(b" ")
    if said != cookie:
        return None
    value = decode_value(body)
    if not isinstance(value, Mapping):
        raise NgError("not a dictionary")
    if value.get("result") not in (b"ok", b"pong"):
        reason = value.get("error-reason")
        raise NgRefused(reason.decode(errors="replace") if isinstance(reason, bytes) else "no reason given")
    return value


def encode(value: Value) -> bytes:
    """Bencode; keys in their order, as it must be."""
    match value:
        case int():
            return b"i%de" % value
        case str():
            return encode(value.encode())
        case bytes():
            return b"%d:%b" % (len(value), value)
        case Mapping():
            return b"d" + b"".join(encode(key) + encode(value[key]) for key in sorted(value)) + b"e"
        case _:
            return b"l" + b"".join(encode(item) for item in value) + b"e"


def decode_value(text: bytes) -> Value:
    """The one value that `text` holds. Raises NgError."""
    try:
        value, end = _value(text, 0, 0)
    except (ValueError, IndexError):
        raise NgError("not bencode") from None
    if end != len(text):
        raise NgError("more than one value")
    return value


def _value(text: bytes, at: int, depth: int) -> tuple[Value, int]:
    kind = text[at : at + 1]
    if kind == b"i":
        end = text.index(b"e", at)
        return _parse_number(text[at + 1 : end]), end + 1
    if kind in (b"l", b"d"):
        if depth == _DEEPEST:
            raise ValueError
        items: list[Value] = []
        at += 1
        while text[at : at + 1] != b"e":
            item, at = _value(text, at, depth + 1)
            items.append(item)
        if kind == b"l":
            return items, at + 1
        return {_decode_key(key): item for key, item in zip(items[::2], items[1::2], strict=True)}, at + 1
    colon = text.index(b":", at)
    start, length = colon + 1, _parse_number(text[at:colon])
    if length < 0 or len(text) < start + length:
        raise ValueError
    return text[start : start + length], start + length


def _parse_number(text: bytes) -> int:
    if not text.removeprefix(b"-").isdigit() or len(text) > _MAX_NUMBER_LENGTH:
        raise ValueError
    return int(text)


def _decode_key(key: Value) -> str:
    if not isinstance(key, bytes):
        raise ValueError
    return key.decode()
