"""Copies lines to a service over HTTPS: a batch is the body of a POST, newline-delimited JSON.

Rule 1: taken is an answer of 2xx, whatever its body.
Rule 2: no proxy and no setting from the environment, no redirect; no URL, header or body in a log.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final

import httpx

from b2bua.audit.copier import NotCopied
from b2bua.audit.log_reader import NumberedLine
from b2bua.notify.address import check_url
from b2bua.notify.tls import is_untrusted
from tonewall.version import VERSION

_PATIENCE: Final = 30.0  # seconds for a batch
for _name in ("httpx", "httpcore"):
    # httpx logs URLs, httpcore at debug level every header: the token.
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)
    logging.getLogger(_name).propagate = False


class HttpsTarget:
    """The service at a URL. `token`: sent with each batch, where there is one. Raises ValueError
    where no batch may be sent there."""

    name = "copy_to"

    def __init__(
        self, url: str, context: ssl.SSLContext, token: str = "", patience: float = _PATIENCE
    ) -> None:
        """`patience`: seconds for a batch."""
        self.to, self._patience = check_url(url), patience
        self._context, self._headers = context, {"User-Agent": f"Tonewall/{VERSION}"}
        self._headers["Content-Type"] = "application/x-ndjson"
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    async def send(self, lines: Sequence[NumberedLine]) -> None:
        """Return once the service has taken all. Raises NotCopied."""
        body = b"".join(line.octets for line in lines)
        client = httpx.AsyncClient(
            verify=self._context, trust_env=False, follow_redirects=False, timeout=self._patience
        )
        try:
            async with asyncio.timeout(self._patience), client, self._post(client, body) as answer:
                if not answer.is_success:
                    raise NotCopied(f"http_{answer.status_code}")
        except (TimeoutError, httpx.TimeoutException):
            raise NotCopied("timeout") from None
        except httpx.ConnectError as error:
            why = "certificate_not_trusted" if is_untrusted(error) else "unreachable"
            raise NotCopied(why) from None
        except (httpx.HTTPError, OSError):
            raise NotCopied("connection_lost") from None

    def _post(self, client: httpx.AsyncClient, body: bytes) -> AbstractAsyncContextManager[httpx.Response]:
        return client.stream("POST", self.to, content=body, headers=self._headers)
