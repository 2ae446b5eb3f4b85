"""An identity provider of the tests' own: its keys, and tokens good and bad."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

AUDIENCE = "https://pay.example"


class Issuer:
    """Serves its description and its keys over HTTP on loopback. `documents`: by path, to be
    changed."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}, private=True)
        self.url = ""
        self.documents: dict[str, Any] = {}
        self.asked: list[str] = []
        self.status = 200

    def publish(self, *keys: Any, **more: Any) -> None:
        """The keys that are served."""
        self.documents["/jwks"] = {"keys": [each.as_dict(private=False) for each in keys], **more}

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        claims = {
            "iss": self.url, "aud": AUDIENCE, "sub": "crm", "client_id": "crm", "iat": now, "exp": now + 300,
            "jti": "1", "scope": "calls:read payments:take openid",
        }  # fmt: skip
        return {name: value for name, value in (claims | changes).items() if value is not None}

    def token(self, key: Any = None, header: dict[str, Any] | None = None, **changes: Any) -> str:
        """A token with claims changed, None: left out."""
        head = {"alg": "RS256", "typ": "at+jwt", "kid": "one", **(header or {})}
        head = {name: value for name, value in head.items() if value is not None}
        return jwt.encode(head, self.claims(**changes), key or self.key, algorithms=[head["alg"]])

    def forged(self, header: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
        """A token that no library makes: any header, and any signature over it."""
        parts = [_encode(json.dumps(each).encode()) for each in (header, self.claims())]
        return ".".join([*parts, _encode(sign(".".join(parts).encode()))])

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
            self.asked.append(path)
            status = self.status if path in self.documents else 404
            body = json.dumps(self.documents.get(path, {})).encode()
            head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + body)
            await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def running_issuer() -> AsyncIterator[Issuer]:
    """An issuer that answers."""
    issuer = Issuer()
    server = await asyncio.start_server(issuer.answer, "127.0.0.1", 0)
    issuer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    issuer.documents["/.well-known/openid-configuration"] = {
        "issuer": issuer.url,
        "jwks_uri": f"{issuer.url}/jwks",
    }
    issuer.publish(issuer.key)
    async with server:
        yield issuer


def unsigned(token: str) -> str:
    """The same claims with `alg` none."""
    head = _encode(b'{"alg":"none","typ":"at+jwt","kid":"one"}')
    return f"{head}.{token.split('.')[1]}."


def _encode(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def curve_key(kid: str) -> ECKey:
    """Another key, on a curve."""
    return ECKey.generate_key("P-256", {"kid": kid, "use": "sig"}, private=True)
