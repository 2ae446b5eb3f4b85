"""Values of header fields: lists, parameters and addresses, with quoted strings (RFC 3261 sections
7.3.1, 20 and 25.1).

Rule 1: nothing between quotes, or between the brackets around a URI, separates anything.
Rule 2: the URI of an address is what its own brackets hold, or what stands before the first `;`:
        brackets elsewhere are another parameter's.
"""

from __future__ import annotations

import re

from b2bua.sip.message.octets import printable

# A From or To value as nearly all are: no quotes or brackets where they could mislead, the tag
# right behind the URI.
_PLAIN_TAG = re.compile(r"""(?:"[^"\\<>]*"[ ]*|[^"<>;,:]*)<[^<>"]*>;tag=([A-Za-z0-9.!%*_+`'~-]+)""")
_QUOTED = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_PAIR = re.compile(r"\\(.)", re.DOTALL)
# Where a value begins so, it is a URI without brackets; a display name may hold a colon, too.
_URI = re.compile(r"(?:sips?|tel|urn|https?|im|pres|mailto|xmpp):[^ \t]", re.IGNORECASE)


def split_quoted(text: str, separator: str) -> list[str]:
    """Split at a separator, but not inside quotes or angle brackets; the parts are stripped."""
    if '"' not in text and "<" not in text:
        return [part.strip() for part in text.split(separator)]
    parts, start, quoted, bracket, escaped = [], 0, False, False, False
    for at, char in enumerate(text):
        if escaped:
            escaped = False
        elif quoted:
            quoted, escaped = char != '"', char == "\\"
        elif char == '"':
            quoted = True
        elif char in "<>":
            bracket = char == "<"
        elif char == separator and not bracket:
            parts.append(text[start:at].strip())
            start = at + 1
    parts.append(text[start:].strip())
    return parts


def parse_parameters(text: str) -> dict[str, str]:
    """`;a=b;c` as a dict with lower-case names; a parameter without value has the value "". Of two
    alike the first counts."""
    found: dict[str, str] = {}
    plain = '"' not in text and "<" not in text
    for part in text.split(";") if plain else split_quoted(text, ";"):
        name, _, value = part.partition("=")
        name = name.strip()
        if name:
            found.setdefault(name.lower(), value.strip())
    return found


def unquote(text: str) -> str:
    """A quoted string's content; what is no quoted string stays as it is."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    return _PAIR.sub(r"\1", text[1:-1])


def parse_name_addr(value: str) -> tuple[str, str, str]:
    """Display name (unquoted, fit to be shown), URI and header parameters of a From, To, Contact,
    Route, … value."""
    value = value.strip()
    start = -1 if _URI.match(value) else _find_bracket(value)
    if start < 0:
        uri, _, rest = value.partition(";")
        return "", uri.strip(), rest
    end = value.find(">", start)
    if end < 0:
        return "", value, ""  # no address at all
    return printable(unquote(value[:start].strip())), value[start + 1 : end].strip(), value[end + 1 :]


def _find_bracket(value: str) -> int:
    """Where the bracket is that opens the URI; -1 where there is none."""
    at = 0
    while True:
        start, quote = value.find("<", at), value.find('"', at)
        if start < 0 or quote < 0 or start < quote:
            return start
        quoted = _QUOTED.match(value, quote)
        if quoted is None:
            return -1  # it does not end
        at = quoted.end()


def tag_of(value: str) -> str:
    """The tag of a From or To value, or ""."""
    plain = _PLAIN_TAG.fullmatch(value)
    if plain is not None:
        return plain[1]
    if "tag" not in value.lower():
        return ""
    return parse_parameters(parse_name_addr(value)[2]).get("tag", "")
