"""A whole Tonewall over HTTPS: its commands find and verify it, a renewal takes effect under a feed
that goes on, and a broken one is a fault; the tools for voice bots likewise."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import ssl
import sys
from datetime import timedelta
from pathlib import Path

import httpx

from tests.complaints import expect_error
from tests.stack import TOKEN, Stack, free_port, running, until
from tests.wire.certificates import Authority
from tests.wire.conftest import Peers


async def tonewall(*arguments: str) -> tuple[int, str]:
    """The status of `tonewall` and what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "b2bua.cli", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "COLUMNS": "300", "TONEWALL_TOKEN": TOKEN},
    )  # fmt: skip
    printed, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, printed.decode()


def renew(authority: Authority, certificate: Path, key: Path) -> None:
    issued = authority.issue("pay.example", life=timedelta(days=90))
    for made, place in zip(issued, (certificate, key), strict=True):
        shutil.copyfile(made, place)


async def test_tonewall_over_https(peers: Peers) -> None:
    directory = peers.directory
    authority, certificate, key = Authority(directory), directory / "api.pem", directory / "api.key"
    renew(authority, certificate, key)
    api = {"tls_certificate": str(certificate), "tls_key": str(key)}
    stack = Stack(directory, free_port(), free_port(), extra={"api": api})
    async with running(stack):
        assert stack.api_url.startswith("https://127.0.0.1:")
        conf = str(stack.conf)
        for command in (["health"], ["ladder"], ["payments", "list"]):
            status, said = await tonewall(*command, "-c", conf)
            assert status == 0, said
        _, said = await tonewall("doctor", "-c", conf)
        assert "over HTTPS" in said
        assert "running Tonewall" in said
        assert "does not answer" not in said
        # By its name and its authority, as the agents' browsers verify it, and the scraper.
        trust = ssl.create_default_context(cafile=authority.file)
        headers = {"Authorization": f"Bearer {TOKEN}", "Host": "pay.example"}
        async with httpx.AsyncClient(verify=trust, headers=headers, trust_env=False) as agent:
            extensions = {"sni_hostname": "pay.example"}
            answer = await agent.get(f"{stack.api_url}/metrics", extensions=extensions)
            assert "tonewall_calls" in answer.text
            feed = await agent.send(
                agent.build_request("GET", f"{stack.api_url}/v1/feed", extensions=extensions), stream=True
            )
            renew(authority, certificate, key)
            status, said = await tonewall("health", "-c", conf)
            assert status == 0, said
            assert json.loads(said)["faults"] == []
            renew(authority, certificate, key)  # the first who asks after it is another command
            status, said = await tonewall("payments", "list", "-c", conf)
            assert status == 0, said
            key.write_text("no key")
            status, said = await tonewall("health", "-c", conf)
            assert (status, json.loads(said)["status"]) == (0, "degraded"), said
            assert json.loads(said)["faults"][0]["what"] == "certificate"
            expect_error("api_certificate_unusable")
            assert await anext(feed.aiter_bytes())  # over all of that
            await feed.aclose()


async def test_plain_http_beyond_loopback_is_refused_and_told_what_to_do(peers: Peers) -> None:
    conf = peers.directory / "sip.conf"
    conf.write_text("[api]\naddress = 0.0.0.0\ntokens = desk:0123456789abcdef\n[pbx]\nhost = pbx.example\n")
    for command in ("run", "doctor"):
        status, said = await tonewall(command, "-c", str(conf))
        assert status != 0
        for remedy in ("[api] tls_certificate: expected a PEM file", "127.0.0.1", "plain_http = yes"):
            assert remedy in said, said


async def test_the_tools_of_voice_bots_over_https(peers: Peers) -> None:
    directory = peers.directory
    authority, certificate, key = Authority(directory), directory / "mcp.pem", directory / "mcp.key"
    renew(authority, certificate, key)
    status, said = await tonewall("mcp", "--address", "0.0.0.0")
    assert (status, "--tls-certificate" in said) == (2, True)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "b2bua.cli", "mcp", "--port", "0", "--tls-certificate", str(certificate),
        "--tls-key", str(key), stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        url = (await process.stdout.readline()).decode().split()[2].rstrip(",")
        assert url.startswith("https://127.0.0.1:")
        trust = ssl.create_default_context(cafile=authority.file)
        async with httpx.AsyncClient(verify=trust, trust_env=False) as bot:

            async def answers() -> bool:
                answer = await bot.post(url, extensions={"sni_hostname": "pay.example"})
                return answer.status_code == 401

            await until(answers, "the tools to answer")
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()
