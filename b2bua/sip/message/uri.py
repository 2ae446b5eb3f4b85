"""SIP, SIPS and tel URIs, parsed by their meaning (RFC 3261 section 19.1, RFC 3966, RFC 5954).

Rule 1: what has one meaning is read, though the grammar does not have it: an underscore in a host,
        `#` in a user part, an empty parameter, `=` within a value. What could mean two things is
        refused.
Rule 2: a number's own parameters (`;npdi`, `;isub=1`) are no part of the number.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Self
from urllib.parse import unquote

from b2bua.sip.message.name_addr import parse_parameters, split_quoted
from b2bua.sip.message.octets import fits_a_line

SCHEMES = frozenset({"sip", "sips", "tel"})
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*)")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f<>]")
_NUMBER = re.compile(r"\+?[0-9A-Fa-f*#.()-]{1,64}")  # RFC 3966: global and local numbers
_DIGIT = re.compile(r"[0-9*#]")


@dataclass(frozen=True, slots=True)
class Uri:
    """One URI. `text`: as it came; `scheme`, `host`: in lower case, the host without brackets, ""
    of a tel URI.

    `user`: unescaped as far as it can be printed, without the parameters of a number;
    `user_parameters`: these, as they came, each behind its `;`; `parameters`: of the URI;
    `headers`: behind the `?`, as they came.
    """

    text: str
    scheme: str
    user: str
    user_parameters: str
    host: str
    port: int | None
    parameters: str
    headers: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError."""
        found = _SCHEME.match(text)
        if found is None or _FORBIDDEN.search(text) is not None:
            raise ValueError("no URI")
        scheme, rest = found[1].lower(), text[found.end() :]
        if scheme == "tel":
            number, _, of = rest.partition(";")
            if _NUMBER.fullmatch(number) is None or _DIGIT.search(number) is None:
                raise ValueError("no telephone number")
            return cls(text, scheme, number, _join_parameters(of), "", None, "", "")
        if scheme not in SCHEMES:
            raise ValueError("not a SIP URI")
        userinfo, at, place = rest.partition("@")
        if not at:
            userinfo, place = "", rest
        place, _, headers = place.partition("?")
        address, _, of = place.partition(";")
        host, port = _split_hostport(address)
        listed = _join_parameters(of)
        user, own = _split_user(
            userinfo.partition(":")[0], parse_parameters(listed).get("user", "").lower() == "phone"
        )
        if at and not user:  # though there is a password, or a parameter of a number
            raise ValueError("an empty user")
        return cls(text, scheme, user, own, host, port, listed, headers)

    @property
    def parameter_map(self) -> dict[str, str]:
        """The URI's parameters, names in lower case."""
        return parse_parameters(self.parameters)

    @property
    def without_headers(self) -> str:
        """The URI as it came, without what is behind its `?`; a `?` of the user's stays."""
        return self.text if self.scheme == "tel" else self.text.removesuffix(f"?{self.headers}")

    def parameters_without(self, *names: str) -> str:
        """The URI's parameters without these."""
        return "".join(
            f";{each}"
            for each in self.parameters.split(";")
            if each and each.partition("=")[0].lower() not in names
        )

    def __str__(self) -> str:
        return self.text


@lru_cache(maxsize=256)
def parse_cached(text: str) -> Uri:
    """The same for what comes again and again. Raises ValueError."""
    return Uri.parse(text)


def _join_parameters(text: str) -> str:
    """Parameters, each behind its `;`, the empty ones gone."""
    return "".join(f";{part}" for part in split_quoted(text, ";") if part and part != "=")


def _split_user(text: str, is_phone: bool) -> tuple[str, str]:
    """User and the parameters of a number. In `alice;day=tuesday` the `;` is alice's own."""
    number, semicolon, own = text.partition(";")
    if semicolon and (is_phone or (_NUMBER.fullmatch(number) and _DIGIT.search(number))):
        return _unescape(number), _join_parameters(own)
    return _unescape(text), ""


def _unescape(text: str) -> str:
    if "%" not in text:
        return text
    plain = unquote(text, errors="surrogateescape")
    # What would end a line, or hide in one, stays escaped.
    return plain if fits_a_line(plain) else text


def _split_hostport(text: str) -> tuple[str, int | None]:
    """Raises ValueError."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or "%" in host:
            raise ValueError("no IPv6 reference")
        # RFC 5954 section 3.1: as RFC 3986 has it, with an IPv4 address at its end or without.
        host = str(ipaddress.IPv6Address(host))
        colon, port = rest[:1], rest[1:]
        if colon not in {"", ":"}:
            raise ValueError("no port")
    else:
        host, colon, port = text.partition(":")
        if _HOST.fullmatch(host) is None:
            raise ValueError("no host")
        host = host.lower()
    if not colon:
        return host, None
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65535):
        raise ValueError("no port")
    return host, int(port)
