"""Plays a company's identity provider: npm's oidc-provider, which nobody here wrote."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.stack import until

_DIRECTORY = Path(__file__).parent / "oidc_provider"
SECRET = "a-secret-of-the-tests-of-32-letters"
AUDIENCE = "https://pay.example"


@contextlib.asynccontextmanager
async def identity_provider(port: int, keys: list[Any], directory: Path) -> AsyncIterator[str]:
    """The issuer's URL, once it answers; `keys`: private JWKs, the first of which signs. A skipped
    test where something for it is missing."""
    node = shutil.which("node")
    if node is None or not (_DIRECTORY / "node_modules" / "oidc-provider").is_dir():
        pytest.skip("oidc-provider is not installed; `make build/.npm` does it")
    file = directory / "keys.json"
    file.write_text(json.dumps({"keys": [each.as_dict(private=True) for each in keys]}))
    with (directory / "provider.log").open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            node, str(_DIRECTORY / "provider.js"), str(port), str(file), stdout=output, stderr=output
        )
    issuer = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient(trust_env=False) as client:

            async def answers() -> bool:
                with contextlib.suppress(httpx.TransportError):
                    found = await client.get(f"{issuer}/.well-known/openid-configuration")
                    return found.status_code == 200
                return False

            await until(answers, f"the identity provider; see {directory / 'provider.log'}")
        yield issuer
    finally:
        process.kill()
        await process.wait()


async def access_token(
    issuer: str,
    *,
    scope: str = "calls:read",
    resource: str = AUDIENCE,
    client: str = "crm",
    certificate: str = "",
) -> str:
    """A token by client credentials (RFC 6749 section 4.4) for a resource (RFC 8707).
    `certificate`: in PEM, to which it is bound."""
    form = {"grant_type": "client_credentials", "scope": scope}
    if resource:
        form["resource"] = resource
    headers = {"client-certificate": quote(certificate)} if certificate else {}
    async with httpx.AsyncClient(trust_env=False, headers=headers) as http:
        answer = await http.post(f"{issuer}/token", data=form, auth=(client, SECRET))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])
