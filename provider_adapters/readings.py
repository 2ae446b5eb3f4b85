"""What a text says once its encodings are undone: for finding a card in it that is not written
plainly.

Rule 1: at most DEPTH encodings one over the other are undone, and a text is cut at LONGEST
        characters, so that the work is bounded whatever a provider sends.
Rule 2: a piece that does not decode is passed over; nothing raises.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import unquote

DEPTH = 2
LONGEST = 4096
_HEX = re.compile(r"(?:0x)?((?:[0-9A-Fa-f]{2}[ :.-]?){3,})")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{4,}")
_BASE32 = re.compile(r"[A-Z2-7]{5,}", re.IGNORECASE)


def readings(text: str) -> Iterator[str]:
    """The text itself and what it says decoded, each once."""
    seen = {text[:LONGEST]}
    level = [text[:LONGEST]]
    yield text[:LONGEST]
    for _ in range(DEPTH):
        deeper = []
        for each in level:
            for decoded in _decoded(each):
                if decoded not in seen:
                    seen.add(decoded)
                    deeper.append(decoded)
                    yield decoded
        level = deeper


def _decoded(text: str) -> Iterator[str]:
    yield unicodedata.normalize("NFKC", text)
    yield unquote(text, errors="replace")
    yield html.unescape(text)
    for found in _HEX.finditer(text):
        yield _printed(bytes.fromhex(re.sub(r"[ :.-]", "", found[1])))
    for found in _BASE64.finditer(text):
        run = found[0].replace("-", "+").replace("_", "/")
        for skipped in range(4):  # what stands before it in the same run shifts it
            piece = run[skipped:]
            with_padding = (
                piece[: len(piece) // 4 * 4] if len(piece) % 4 == 1 else piece + "=" * (-len(piece) % 4)
            )
            try:
                yield _printed(base64.b64decode(with_padding))
            except binascii.Error:
                continue
    for found in _BASE32.finditer(text):
        piece = found[0].upper()
        try:
            yield _printed(base64.b32decode(piece + "=" * (-len(piece) % 8)))
        except binascii.Error:
            continue


def _printed(data: bytes) -> str:
    """ASCII as it is, everything else as a space; also where it is UTF-16."""
    return "".join(chr(octet) if 0x20 <= octet < 0x7F else "" if octet == 0 else " " for octet in data)
