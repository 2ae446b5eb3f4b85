"""Programs of a whole Tonewall: known by key, certificate and OAuth token, each within its scopes,
revoked under a feed, and named in the audit log."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys
from datetime import timedelta
from typing import Any

import httpx
import pytest

from b2bua.audit.signing_key import make_key
from tests.stack import TOKEN, Stack, free_port, running
from tests.unit.b2bua.access.issuer import AUDIENCE, running_issuer
from tests.wire.certificates import Authority
from tests.wire.conftest import Peers


async def tonewall(*arguments: str) -> str:
    """What `tonewall` printed on standard output."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "b2bua.cli", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "COLUMNS": "300"},
    )  # fmt: skip
    printed, said = await process.communicate()
    assert process.returncode == 0, said.decode()
    return printed.decode()


async def may(stack: Stack, trust: ssl.SSLContext, token: str = "") -> tuple[Any, int, int]:
    """Who it is by `/v1/me`, and the statuses of reading calls and of preparing a payment."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with httpx.AsyncClient(
        base_url=stack.api_url, verify=trust, headers=headers, trust_env=False, timeout=60
    ) as program:
        me = await program.get("/v1/me")
        if me.status_code != 200:  # one try: those that follow are answered later and later
            return None, me.status_code, me.status_code
        order = {"amount": 100, "currency": "EUR", "transaction_id": "o-1", "call": {"caller": "123"}}
        prepared = await program.post("/v1/payments", json=order)
        calls = await program.get("/v1/calls")
        return me.json().get("agent"), calls.status_code, prepared.status_code


async def test_programs_by_key_certificate_and_oauth(peers: Peers) -> None:
    directory = peers.directory
    make_key(directory / "audit.pem")
    authority, clients = Authority(directory), Authority(directory, "clients")
    certificate, key = authority.issue("127.0.0.1", life=timedelta(days=90))
    crm, erp = clients.issue("crm.example"), clients.issue("erp.example")
    async with running_issuer() as issuer:
        extra = {
            "access": {"directory": str(directory / "access")},
            "audit": {"directory": str(directory / "audit"), "key_file": str(directory / "audit.pem")},
            "api": {
                "tls_certificate": certificate, "tls_key": key, "client_ca": clients.file,
                "client_crl": clients.revoke(),
            },
            "client crm": {"certificate": "dns:crm.example", "scopes": "calls:read"},
            "oauth": {"issuer": issuer.url, "audience": AUDIENCE},
        }  # fmt: skip
        stack = Stack(directory, free_port(), free_port(), extra=extra)
        async with running(stack):
            plain, known, stranger = (ssl.create_default_context(cafile=authority.file) for _ in range(3))
            known.load_cert_chain(*crm)
            stranger.load_cert_chain(*erp)
            assert (await may(stack, plain))[1:] == (401, 401)
            assert (await may(stack, known))[::2] == ("crm", 403)
            assert (await may(stack, known))[1] == 200
            assert (await may(stack, stranger))[1:] == (401, 401)
            assert (await may(stack, known, "tw_0123456789ab_" + "x" * 43))[1:] == (401, 401)
            # OAuth: what the token's scopes say.
            assert await may(stack, plain, issuer.token(scope="calls:read", client_id="bot")) == (
                "bot",
                200,
                403,
            )
            assert (await may(stack, plain, issuer.token(aud="https://erp.example")))[1] == 401
            # A key that a command makes while it runs, and revokes under a feed.
            made = await tonewall(
                "token", "create", "--name", "wallboard", "--role", "integration", "--scope", "calls:read",
                "-c", str(stack.conf),
            )  # fmt: skip
            token = made.strip()
            assert await may(stack, plain, token) == ("wallboard", 200, 403)
            headers = {"Authorization": f"Bearer {token}"}
            async with (
                httpx.AsyncClient(
                    base_url=stack.api_url, verify=plain, trust_env=False, timeout=60
                ) as program,
                program.stream("GET", "/v1/feed", headers=headers) as feed,
            ):
                chunks = feed.aiter_bytes()
                assert await anext(chunks)
                await tonewall("token", "revoke", "wallboard", "-c", str(stack.conf))
                assert (await may(stack, plain, token))[1:] == (401, 401)
                async for _ in chunks:  # until its end
                    pass
            # A certificate that is revoked while it runs.
            clients.revoke(crm[0])
            with pytest.raises(httpx.TransportError):
                await may(stack, known)
            assert (await may(stack, plain, TOKEN))[0] == "test"
        shown = await tonewall("audit", "show", str(directory / "audit"), "--json")
        noted = [json.loads(line) for line in shown.splitlines()]
        assert [each["result"] for each in noted if each["what"] == "create_token"] == ["asked", "done"]
        assert [each["result"] for each in noted if each["what"] == "revoke_token"] == ["asked", "done"]
        refused = {each["who"] for each in noted if each["result"] == "refused"}
        assert {"crm", "bot", "wallboard"} <= refused, noted
        credentials = {each.get("details", {}).get("credential", "").partition(":")[0] for each in noted}
        assert {"certificate", "oauth", "key"} <= credentials
        assert token.split("_", 2)[2] not in shown
