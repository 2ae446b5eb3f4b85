"""Model of `[shared]`: the Redis by which several Tonewalls act as one."""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import ClassVar, Final
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from b2bua.config.values import check_readable
from tonewall.ini import Section

_INSTANCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_EXPECTED: Final = (
    "expected rediss://HOST:PORT/NUMBER, redis:// of this machine's own address, or unix:///PATH; the user "
    "before an @, the password in password_file"
)


class SharedSettings(Section):
    """`[shared]` of sip.conf."""

    section: ClassVar[str] = "shared"

    redis: str = Field(
        "",
        description="the Redis or Valkey of all instances: rediss://USER@HOST:PORT/0, redis:// on loopback, "
        "or unix:///PATH; empty: this Tonewall is alone",
    )
    password: SecretStr = Field(SecretStr(""), description="its password")
    ca_file: str = Field(
        "", description="certificate authorities to trust for it instead of the public ones, as a PEM file"
    )
    instance: str = Field(
        "", description="our name among the instances, another for each; empty: the host's name and our port"
    )

    @field_validator("redis")
    @classmethod
    def _is_redis(cls, value: str) -> str:
        if not value:
            return value
        try:
            parts = urlsplit(value)
            clear = parts.password is None and not parts.query and not parts.fragment and (parts.port or 1)
        except ValueError:
            raise ValueError(_EXPECTED) from None
        fits = {
            "unix": not parts.hostname and len(parts.path) > 1,
            "redis": _is_loopback(parts.hostname or ""),
            "rediss": bool(parts.hostname),
        }
        if not clear or not fits.get(parts.scheme, False):
            raise ValueError(_EXPECTED)
        return value

    @field_validator("ca_file")
    @classmethod
    def _is_file(cls, value: str) -> str:
        return check_readable(value)

    @field_validator("instance")
    @classmethod
    def _is_name(cls, value: str) -> str:
        if value and not _INSTANCE.fullmatch(value):
            raise ValueError("expected a letter or a digit, then up to 62 letters, digits, dots, - and _")
        return value

    def name(self, port: int) -> str:
        """What we are called; `port`: our own for SIP."""
        return self.instance or f"{socket.gethostname()}-{port}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
