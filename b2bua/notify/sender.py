"""Posts a message to a service over HTTPS, and says whether it was taken.

Rule 1: taken is an answer of 2xx, whatever its body: no answer is read beyond its headers.
Rule 2: TLS 1.2 or newer, certificate and host name verified. Plain HTTP goes to loopback alone.
Rule 3: no proxy and no setting from the environment, no redirect; no URL, header or body in a log.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final
from urllib.parse import urlsplit

import httpx

from b2bua.notify.address import check_url
from b2bua.notify.message import Message
from b2bua.notify.signer import Signer
from b2bua.notify.tls import client_context, is_untrusted
from tonewall.version import VERSION

_PATIENCE: Final = 15.0  # seconds for one attempt, all of it
_AT_ONCE: Final = 8  # connections
for _name in ("httpx", "httpcore"):
    # httpx logs URLs, httpcore at debug level every header: the signature.
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)
    logging.getLogger(_name).propagate = False


class Sender:
    """One service. Raises ValueError where URL or secret are none, and OSError or ssl.SSLError
    where `ca_file` holds no certificates."""

    def __init__(
        self,
        url: str,
        secret: str,
        ca_file: str = "",
        patience: float = _PATIENCE,
        content_type: str = "application/json",
    ) -> None:
        """`secret`: see Signer; `patience`: seconds for one attempt."""
        self._url, self._signer, self._patience = check_url(url), Signer(secret), patience
        self._content_type = content_type
        self._client = httpx.AsyncClient(
            verify=client_context(ca_file),
            trust_env=False,
            follow_redirects=False,
            timeout=patience,
            # A new connection for each: an old one may be closed as it is used.
            limits=httpx.Limits(max_connections=_AT_ONCE, max_keepalive_connections=0),
            headers={"User-Agent": f"Tonewall/{VERSION}", "Accept-Encoding": "identity"},
        )

    @property
    def host(self) -> str:
        """Where the service is: its name or address, with the port where the URL has one."""
        return urlsplit(self._url).netloc

    @property
    def public_key(self) -> str:
        """See Signer."""
        return self._signer.public_key

    async def send(self, message: Message, now: float) -> str:
        """Send it once. Empty where it was taken, else a word that says why not. `now`: seconds
        since the epoch."""
        headers = self._signer.sign(message.id, int(now), message.body)
        headers["Content-Type"] = self._content_type
        post = self._client.stream("POST", self._url, content=message.body, headers=headers)
        try:
            async with asyncio.timeout(self._patience), post as answer:
                return "" if answer.is_success else f"http_{answer.status_code}"
        except (TimeoutError, httpx.TimeoutException):
            return "timeout"
        except httpx.ConnectError as error:
            return "certificate_not_trusted" if is_untrusted(error) else "unreachable"
        except (httpx.HTTPError, OSError):
            return "connection_lost"

    async def close(self) -> None:
        """Close what is open."""
        await self._client.aclose()
