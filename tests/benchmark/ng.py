"""rtpengine's ng control protocol: a cookie, a space and one bencoded dictionary in a UDP datagram, each way."""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Mapping, Sequence

Value = int | str | bytes | Sequence["Value"] | Mapping[str, "Value"]


class NgError(Exception):
    """rtpengine refused, did not answer, or answered what is not bencode."""


def encode(value: Value) -> bytes:
    """Bencode. Dictionaries must be sorted by key."""
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


def decode(text: bytes) -> Value:
    """The one value that `text` holds, strings as bytes, keys as str. Raises NgError."""
    try:
        value, end = _decode(text, 0)
    except (ValueError, IndexError):
        raise NgError("not bencode") from None
    if end != len(text):
        raise NgError("more than one value")
    return value


def _decode(text: bytes, at: int) -> tuple[Value, int]:
    kind = text[at : at + 1]
    if kind == b"i":
        end = text.index(b"e", at)
        return int(text[at + 1 : end]), end + 1
    if kind in (b"l", b"d"):
        items: list[Value] = []
        at += 1
        while text[at : at + 1] != b"e":
            item, at = _decode(text, at)
            items.append(item)
        if kind == b"l":
            return items, at + 1
        keys = [key.decode() for key in items[::2] if isinstance(key, bytes)]
        return dict(zip(keys, items[1::2], strict=True)), at + 1
    colon = text.index(b":", at)
    start, length = colon + 1, int(text[at:colon])
    if len(text) < start + length:
        raise ValueError
    return text[start : start + length], start + length


class NgClient:
    """Asks one rtpengine. Repeats what got no answer, under the same cookie, which rtpengine answers from memory."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(address)
        self._socket.settimeout(0.3)
        self._serials = itertools.count(1)

    def ask(self, command: str, tries: int = 20, /, **keys: Value) -> dict[str, Value]:
        """The answer's dictionary; underscores in `keys` stand for hyphens. Raises NgError."""
        cookie = b"bench%d" % next(self._serials)
        named = {name.replace("_", "-"): value for name, value in keys.items()}
        request = cookie + b" " + encode({"command": command, **named})
        for _ in range(tries):
            try:
                self._socket.send(request)
                answer_cookie, _, body = self._socket.recv(65535).partition(b" ")
            except TimeoutError:
                continue
            except ConnectionRefusedError:  # not listening yet
                time.sleep(0.1)
                continue
            if answer_cookie != cookie:
                continue
            answer = decode(body)
            if not isinstance(answer, dict) or answer.get("result") not in (b"ok", b"pong"):
                raise NgError(f"{command} was refused: {answer}")
            return answer
        raise NgError(f"no answer to {command}")

    def close(self) -> None:
        self._socket.close()
