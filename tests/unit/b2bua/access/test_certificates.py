"""Programs that are known by the certificate of their connection: on real sockets, with strangers'
certificates, ended ones and revoked ones."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import FastAPI, Request

from b2bua.access.certificates import STATE, CertificateAuthenticator, Client, parse_mark
from b2bua.access.roles import Role, Scope
from b2bua.api.server import Serving, serve
from b2bua.api.stream import Streams
from b2bua.api.tls import ServerTls, TlsFiles
from tests.stack import until
from tests.wire.certificates import Authority

PROGRAM = frozenset({Role.INTEGRATION})
READ = frozenset({Scope.CALLS_READ})
Own = tuple[str, str]


@pytest.fixture(params=[asyncio.DefaultEventLoopPolicy, uvloop.EventLoopPolicy], ids=["asyncio", "uvloop"])
def event_loop_policy(request: pytest.FixtureRequest) -> Any:
    """On both loops, whose TLS differs."""
    return request.param()


class Site:
    """A server's certificate, and the authority of its clients with what it has revoked."""

    def __init__(self, directory: Path) -> None:
        self.server = Authority(directory, "server")
        self.clients = Authority(directory, "clients")
        self.crl = self.clients.revoke()
        certificate, key = self.server.issue("127.0.0.1")
        self.tls = ServerTls(TlsFiles(certificate, key, self.clients.file, self.crl))

    def program(self, name: str = "crm.example", **options: Any) -> Own:
        return self.clients.issue(name, **options)

    def trust(self, own: Own | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.server.file)
        if own is not None:
            context.load_cert_chain(*own)
        return context


def read(own: Own) -> x509.Certificate:
    return x509.load_pem_x509_certificate(Path(own[0]).read_bytes())


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@contextlib.asynccontextmanager
async def served(site: Site, *clients: Client, now: Any = time.time) -> AsyncIterator[Serving]:
    """A server that says who asks."""
    app = FastAPI()
    app.state.streams = Streams()
    authenticator = CertificateAuthenticator({each.mark: each for each in clients}, now)

    @app.get("/who")
    async def who(request: Request) -> dict[str, Any]:
        found = await authenticator.authenticate(request.scope)
        return {"name": found.name if found is not None else None, "shown": STATE in request.scope["state"]}

    serving = await serve(app, tls=site.tls)
    try:
        yield serving
    finally:
        await serving.close()


def client(serving: Serving, trust: ssl.SSLContext) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=serving.url, verify=trust, trust_env=False)


async def who(serving: Serving, trust: ssl.SSLContext, **headers: str) -> Any:
    async with client(serving, trust) as program:
        return (await program.get("/who", headers=headers)).json()["name"]


CRM = Client("crm", parse_mark("dns:CRM.example"), PROGRAM, READ)


async def test_a_program_is_known_by_a_name_of_its_certificate(site: Site) -> None:
    async with served(site, CRM) as serving:
        assert await who(serving, site.trust(site.program())) == "crm"
        assert await who(serving, site.trust()) is None  # none is shown: tokens are still good
        assert await who(serving, site.trust(site.program("crm.example.evil.example"))) is None
        # A token of its own decides alone, right or wrong.
        assert await who(serving, site.trust(site.program()), Authorization="Bearer wrong") is None


async def test_a_program_is_known_by_fingerprint_or_subject(site: Site) -> None:
    own = site.program(common="erp")
    certificate = read(own)
    colons = certificate.fingerprint(hashes.SHA256()).hex(":").upper()
    for mark in (f"sha256:{colons}", "subject:CN=erp"):
        async with served(site, Client("erp", parse_mark(mark), PROGRAM, READ)) as serving:
            assert await who(serving, site.trust(own)) == "erp"
            other = site.program(common="other")
            assert await who(serving, site.trust(other)) is None


async def test_a_certificate_of_two_programs_is_that_of_neither(site: Site) -> None:
    own = site.program(common="erp")
    async with served(site, CRM, Client("erp", "subject:CN=erp", PROGRAM, READ)) as serving:
        assert await who(serving, site.trust(own)) is None


@pytest.mark.parametrize("kind", ["of another authority", "ended", "revoked", "of nobody"])
async def test_a_certificate_that_is_not_good_makes_no_connection(
    site: Site, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "other").mkdir()
    own = {
        "of another authority": lambda: Authority(tmp_path / "other", "clients").issue("crm.example"),
        "ended": lambda: site.program(life=timedelta(hours=-1)),
        "revoked": site.program,
        "of nobody": lambda: site.server.issue("crm.example"),
    }[kind]()
    if kind == "revoked":
        site.clients.revoke(own[0])
    async with served(site, CRM) as serving:
        with pytest.raises((httpx.ReadError, httpx.ConnectError, httpx.RemoteProtocolError)):
            await who(serving, site.trust(own))
        assert await who(serving, site.trust(site.program())) == "crm"


async def test_a_certificate_that_is_revoked_ends_its_connection_and_no_other(site: Site) -> None:
    one, two = site.program(), site.program()
    async with served(site, CRM) as serving, client(serving, site.trust()) as person:
        reader, writer = await asyncio.open_connection(serving.host, serving.port, ssl=site.trust(one))
        writer.write(b"GET /who HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"crm" in await reader.readuntil(b"}")
        await person.get("/who")
        (kept,) = (each for each in person._transport._pool.connections)  # type: ignore[attr-defined]
        site.clients.revoke(one[0])
        async with asyncio.timeout(20):
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
        writer.transport.abort()
        assert (await person.get("/who")).status_code == 200
        assert kept in person._transport._pool.connections  # type: ignore[attr-defined]
        assert await who(serving, site.trust(two)) == "crm"


async def test_a_connection_that_outlives_its_certificate_is_nobody_s(site: Site) -> None:
    shift = 0.0
    async with (
        served(site, CRM, now=lambda: time.time() + shift) as serving,
        client(serving, site.trust(site.program(life=timedelta(hours=1)))) as program,
    ):
        assert (await program.get("/who")).json()["name"] == "crm"
        shift = 3601.0
        assert (await program.get("/who")).json() == {"name": None, "shown": True}


async def test_what_a_certificate_says_holds_until_it_ends(site: Site) -> None:
    certificate = read(site.program())
    now = time.time()
    authenticator = CertificateAuthenticator({CRM.mark: CRM}, lambda: now)
    scope = {"headers": [], "state": {STATE: certificate.public_bytes(Encoding.DER)}}
    principal = await authenticator.authenticate(scope)
    assert principal is not None
    assert (principal.method, principal.scopes) == ("certificate", READ)
    assert authenticator.holds(principal)
    now = certificate.not_valid_after_utc.timestamp()
    assert not authenticator.holds(principal)
    assert await authenticator.authenticate({"headers": [], "state": {STATE: b"no certificate"}}) is None


@pytest.mark.parametrize(
    "text", ["", "crm", "sha256:abc", "sha1:" + "ab" * 20, "dns:", "email:x@y", "sha256:" + "zz" * 32]
)
def test_a_mark_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected sha256:FINGERPRINT"):
        parse_mark(text)


async def test_clients_are_verified_by_sessions_of_tls_1_2_too(site: Site) -> None:
    """A resumed session must not outlive a revocation."""
    own = site.program()
    trust = site.trust(own)
    trust.maximum_version = ssl.TLSVersion.TLSv1_2
    async with served(site, CRM) as serving:
        assert await who(serving, trust) == "crm"
        site.clients.revoke(own[0])

        async def is_refused() -> bool:
            try:
                return await who(serving, trust) is None
            except httpx.TransportError:
                return True

        await until(is_refused, "the revocation to be in force")
