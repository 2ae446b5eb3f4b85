"""HTTPS of the API on real sockets: its certificate and its renewal, the limits of handshakes, and
the commands that verify it."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
import uvloop

from b2bua.api.http import create_app
from b2bua.api.own_certificate import OWN_CERTIFICATE, FollowedCertificate, pinned, running_api
from b2bua.api.server import Serving, serve
from b2bua.api.tls import ServerTls, TlsFiles
from tests.browser.fake_desk import FakeDesk
from tests.everybody import everybody
from tests.stack import until
from tests.wire.certificates import Authority

TOKEN = "0123456789abcdef0123"
AUTH = {"Authorization": f"Bearer {TOKEN}"}
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.fixture(params=[asyncio.DefaultEventLoopPolicy, uvloop.EventLoopPolicy], ids=["asyncio", "uvloop"])
def event_loop_policy(request: pytest.FixtureRequest) -> Any:
    """On both loops: `tonewall run` has uvloop, `tonewall mcp` may not."""
    return request.param()


class Site:
    """A certificate in files that are renewed in place, and who trusts them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authority = Authority(directory)
        self.certificate, self.key = directory / "api.pem", directory / "api.key"
        self.renew()

    def renew(self, life: timedelta = timedelta(days=90)) -> None:
        certificate, key = self.authority.issue("127.0.0.1", "pay.example", life=life)
        shutil.copyfile(certificate, self.certificate)
        shutil.copyfile(key, self.key)

    def tls(self, **more: str) -> ServerTls:
        files = TlsFiles(str(self.certificate), str(self.key), **more)
        return ServerTls(files, self.directory / OWN_CERTIFICATE)

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.authority.file)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@contextlib.asynccontextmanager
async def served(tls: ServerTls | None, **options: Any) -> AsyncIterator[Serving]:
    app = create_app(FakeDesk(), authenticators=everybody(f"ann:{TOKEN}"))
    serving = await serve(app, tls=tls, **options)
    try:
        yield serving
    finally:
        await serving.close()


def client(serving: Serving, trust: ssl.SSLContext | bool) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=serving.url, verify=trust, headers=AUTH, trust_env=False)


async def shown(serving: Serving, trust: ssl.SSLContext) -> int:
    """The serial number of the certificate that a new connection shows."""
    _, writer = await asyncio.open_connection(serving.host, serving.port, ssl=trust)
    number = int(writer.get_extra_info("peercert")["serialNumber"], 16)
    writer.transport.abort()
    return number


async def everything(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(10):
        try:
            return await reader.read(-1)
        except OSError:
            return b""


async def test_the_api_is_served_over_https_and_says_so_to_browsers(site: Site) -> None:
    async with served(site.tls()) as serving, client(serving, site.trust()) as agent:
        assert serving.url.startswith("https://127.0.0.1:")
        answer = await agent.get("/v1/me")
        assert answer.json()["agent"] == "ann"
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
    async with served(None) as serving, client(serving, True) as agent:
        assert "strict-transport-security" not in (await agent.get("/v1/me")).headers


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
async def test_old_versions_and_ciphers_are_refused(site: Site) -> None:
    async with served(site.tls()) as serving:
        old = site.trust()
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        old.set_ciphers("ALL:@SECLEVEL=0")
        weak = site.trust()
        weak.maximum_version = ssl.TLSVersion.TLSv1_2
        weak.set_ciphers("AES128-SHA:AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA")
        for context in (old, weak):
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await asyncio.open_connection(serving.host, serving.port, ssl=context)
        good = site.trust()
        good.maximum_version = ssl.TLSVersion.TLSv1_2
        assert await shown(serving, good)


async def test_a_renewed_certificate_is_shown_next_and_open_connections_go_on(site: Site) -> None:
    async with served(site.tls()) as serving, client(serving, site.trust()) as agent:
        stream = await agent.send(agent.build_request("GET", "/v1/feed"), stream=True)
        before = await shown(serving, site.trust())
        site.renew()
        after = await shown(serving, site.trust())
        assert before != after
        assert (await agent.get("/v1/me")).status_code == 200
        assert await anext(stream.aiter_bytes())
        await stream.aclose()
        # What our own commands know it by is the new one, too.
        assert await shown(serving, running_api(site.directory) or site.trust()) == after


@pytest.mark.parametrize("how", ["cut off", "key of another", "gone", "empty"])
async def test_a_new_file_that_cannot_be_used_leaves_the_old_and_is_a_fault(site: Site, how: str) -> None:
    tls = site.tls()
    async with served(tls) as serving:
        before = await shown(serving, site.trust())
        assert tls.fault() is None
        content = site.certificate.read_bytes()
        if how == "gone":
            site.certificate.unlink()
        elif how == "key of another":
            shutil.copyfile(site.authority.issue("pay.example")[1], site.key)
        else:
            site.certificate.write_bytes(content[: 200 if how == "cut off" else 0])
        with structlog.testing.capture_logs() as lines:
            assert await shown(serving, site.trust()) == before
            assert await shown(serving, site.trust()) == before
        events = [each["event"] for each in lines if each["log_level"] == "error"]
        assert events == ["api_certificate_unusable"]  # once, not for each connection
        fault = tls.fault()
        assert fault is not None
        assert (fault.what, fault.stops) == ("certificate", None)
        assert str(site.directory) not in fault.says
        site.renew()
        assert await shown(serving, site.trust()) != before
        assert tls.fault() is None


def test_a_certificate_that_ends_soon_or_has_ended_is_a_fault(site: Site) -> None:
    says = []
    for life in (timedelta(days=90), timedelta(days=3), timedelta(hours=-1)):
        site.renew(life)
        fault = site.tls().fault()
        says.append(fault.says if fault is not None else "")
    assert says[0] == ""
    assert "expires in 2 days" in says[1]
    assert "has expired" in says[2]


async def test_a_handshake_that_never_ends_is_ended_and_gives_its_place_back(site: Site) -> None:
    async with served(site.tls(), connections=8, handshake_time=0.3) as serving:
        for _ in range(3):
            # One address has a quarter of the places, but four at least.
            mute = [await asyncio.open_connection(serving.host, serving.port) for _ in range(6)]
            ended = await asyncio.gather(*(everything(reader) for reader, _ in mute))
            assert not any(ended)
            for _, writer in mute:
                writer.close()
        async with client(serving, site.trust()) as agent:
            assert (await agent.get("/v1/me")).status_code == 200


async def test_open_connections_and_handshakes_count_together(site: Site) -> None:
    async with served(site.tls(), connections=8) as serving:
        held = [await asyncio.open_connection(serving.host, serving.port, ssl=site.trust()) for _ in range(8)]
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection(serving.host, serving.port, ssl=site.trust())
        held[0][1].write(GET)
        assert (await everything(held[0][0])).startswith(b"HTTP/1.1 200 ")

        async def place_is_free() -> bool:
            try:
                return bool(await shown(serving, site.trust()))
            except (ssl.SSLError, ConnectionError):
                return False

        await until(place_is_free, "a place for one more")
        for _, writer in held:
            writer.transport.abort()


async def test_a_request_behind_the_handshake_at_once_is_answered(site: Site) -> None:
    """The client's last octets of the handshake and its request in one packet."""
    async with served(site.tls()) as serving:
        for _ in range(20):
            to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = site.trust().wrap_bio(to_client, to_server, server_hostname="pay.example")
            reader, writer = await asyncio.open_connection(serving.host, serving.port)
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    writer.write(to_server.read())
                    to_client.write(await reader.read(65536))
            tls.write(GET)
            writer.write(to_server.read())
            answer = b""
            while not answer.startswith(b"HTTP/1.1 200 "):
                with contextlib.suppress(ssl.SSLWantReadError):
                    answer += tls.read(65536)
                if not answer:
                    to_client.write(await reader.read(65536))
            writer.transport.abort()


async def test_what_is_no_tls_is_closed_and_others_go_on(site: Site) -> None:
    async with served(site.tls()) as serving:
        for octets in (GET, b"\x16\x03\x01\xff\xff" + b"x" * 70_000, b"\0" * 10):
            reader, writer = await asyncio.open_connection(serving.host, serving.port)
            writer.write(octets)
            assert b"HTTP/1.1" not in await everything(reader)
            writer.close()
        async with client(serving, site.trust()) as agent:
            assert (await agent.get("/v1/me")).status_code == 200


async def test_our_own_commands_accept_the_certificate_that_is_in_force_and_no_other(site: Site) -> None:
    async with served(site.tls()) as serving:
        async with client(serving, pinned(site.certificate)) as agent:
            assert (await agent.get("/v1/me")).status_code == 200
        other = Path(site.authority.issue("127.0.0.1")[0])  # of the same authority, for the same name
        async with client(serving, pinned(other)) as agent:
            with pytest.raises(httpx.ConnectError):
                await agent.get("/v1/me")
    site.renew(timedelta(hours=-1))
    async with served(site.tls()) as serving, client(serving, pinned(site.certificate)) as agent:
        assert (await agent.get("/v1/me")).status_code == 200  # expired, and still the one we mean


async def test_who_follows_the_file_outlives_a_renewal(site: Site) -> None:
    transport = httpx.AsyncHTTPTransport(verify=FollowedCertificate(site.certificate), retries=1)
    async with served(site.tls()) as serving, httpx.AsyncClient(transport=transport, headers=AUTH) as bot:
        url = f"https://127.0.0.1:{serving.port}/v1/me"
        assert (await bot.get(url, headers={"Connection": "close"})).status_code == 200
        site.renew()
        assert (await bot.get(url, headers={"Connection": "close"})).status_code == 200
        shutil.copyfile(site.authority.issue("127.0.0.1")[0], site.certificate)  # of another key
        with pytest.raises(httpx.ConnectError):
            await bot.get(url)
    with pytest.raises(OSError, match="no certificate in PEM"):
        FollowedCertificate(site.key)


def test_files_that_hold_no_certificate_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    with pytest.raises(OSError, match="no certificate in PEM"):
        pinned(tmp_path / "empty.pem")
    assert running_api(tmp_path) is None
