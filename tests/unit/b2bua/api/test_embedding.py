"""Forms in pages of the company, as their enemies see them: tokens, origins and frames."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from b2bua.access.embed_tokens import MOST, CreatorOver, EmbedTokens, TooManyTokens
from b2bua.access.permissions import EMBEDDED
from b2bua.access.principal import Principal
from b2bua.access.roles import Role, Scope
from b2bua.access.tokens import Tokens
from b2bua.api.http import create_app
from tests.browser.fake_desk import FakeDesk
from tests.unit.b2bua.api.audited_app import Disk, served

CRM, EVIL = "https://crm.example", "https://evil.example"
ORDER = {"transaction_id": "INV-2041", "amount": 4990, "currency": "EUR"}
PROGRAM = Principal(name="crm", roles=frozenset({Role.INTEGRATION}), scopes=frozenset(Scope))
TOKENS = "crm:a-token-of-the-crm-1, ann:a-token-of-ann-12, boss:a-token-of-boss-1"
ROLES = "crm:integration, ann:agent, boss:supervisor+administrator"


class Clock:
    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


class Creators:
    """Says of creators whether they hold, as a test wants it."""

    well = True

    async def authenticate(self, scope: Any) -> None:
        return None

    def holds(self, principal: Principal) -> bool:
        return self.well


@pytest.fixture
def desk() -> FakeDesk:
    desk = FakeDesk()
    desk.up("c-1", agent="ann")
    desk.up("c-2", agent="ben")
    desk.up("c-3")
    return desk


@asynccontextmanager
async def company(desk: FakeDesk, token: str = "a-token-of-the-crm-1", **options: Any) -> AsyncIterator[
    httpx.AsyncClient
]:  # fmt: skip
    options = {"origins": [CRM], "frame_ancestors": [CRM], **options}
    app = create_app(desk, authenticators=[Tokens.parse(TOKENS, ROLES)], **options)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://t", headers=headers) as client:
        yield client


async def ask(client: httpx.AsyncClient, **body: Any) -> dict[str, str]:
    """A token; the headers that show it."""
    answer = await client.post("/v1/embed-tokens", json={"agent": "ann", **body})
    assert answer.status_code == 201, answer.text
    return {"Authorization": f"Bearer {answer.json()['token']}"}


def bearer(token: str) -> dict[str, Any]:
    return {"headers": [(b"authorization", f"Bearer {token}".encode())]}


async def test_a_token_reaches_the_calls_of_its_agent_and_one_for_a_call_that_one(desk: FakeDesk) -> None:
    async with company(desk) as crm:
        ann, ben = await ask(crm), await ask(crm, agent="ben", call="c-3")
        assert [each["id"] for each in (await crm.get("/v1/calls", headers=ann)).json()] == ["c-1"]
        assert [each["id"] for each in (await crm.get("/v1/calls", headers=ben)).json()] == ["c-3"]
        for headers, call, status in [
            (ann, "c-1", 201), (ann, "c-2", 403), (ann, "c-3", 403),
            (ben, "c-2", 403), (ben, "c-3", 201),
        ]:  # fmt: skip
            answer = await crm.post(f"/v1/calls/{call}/capture", json=ORDER, headers=headers)
            assert answer.status_code == status, answer.text
        assert (await crm.get("/v1/me", headers=ben)).json()["roles"] == ["agent"]
        assert (await crm.post("/v1/embed-tokens", json={"agent": "x", "call": "c-9"})).status_code == 404


async def test_a_token_opens_nothing_but_what_a_form_does_whoever_it_is_for(desk: FakeDesk) -> None:
    async with company(desk) as crm:
        boss = await ask(crm, agent="boss")
        one = await ask(crm, agent="boss", call="c-3")
        paths = (await crm.get("/openapi.json")).json()["paths"]
        for path, method, operation in [
            (path, method, each["operationId"])
            for path, item in paths.items()
            for method, each in item.items()
        ]:
            if operation in EMBEDDED or not path.startswith(("/v1", "/metrics", "/sign-out")):
                continue
            for headers in (boss, one):
                address = path.replace("{call_id}", "c-3")
                assert (await crm.request(method, address, headers=headers)).status_code == 403, operation
        assert desk.asked == []


async def test_only_a_program_with_the_scope_gets_tokens_and_none_where_nothing_is_embedded(
    desk: FakeDesk,
) -> None:
    for token in ("a-token-of-ann-12", "a-token-of-boss-1"):
        async with company(desk, token) as somebody:
            assert (await somebody.post("/v1/embed-tokens", json={"agent": "ann"})).status_code == 403
    async with company(desk, origins=[], frame_ancestors=[]) as crm:
        answer = await crm.post("/v1/embed-tokens", json={"agent": "ann"})
        assert (answer.status_code, "[api] origins" in answer.text) == (409, True)
        assert (await crm.get("/embed")).status_code == 404
        assert (await crm.get("/embed/tonewall-payment.js")).status_code == 404
        assert "access-control-allow-origin" not in (await crm.get("/", headers={"Origin": CRM})).headers


@pytest.mark.parametrize(
    "body",
    [{}, {"agent": ""}, {"agent": "4000000000000002"}, {"agent": "a b"}, {"agent": "ann", "expires_in": 901},
     {"agent": "ann", "expires_in": 0}, {"agent": "ann", "roles": ["supervisor"]}],
)  # fmt: skip
async def test_a_wrong_request_gets_no_token(desk: FakeDesk, body: dict[str, Any]) -> None:
    async with company(desk) as crm:
        answer = await crm.post("/v1/embed-tokens", json=body)
        assert answer.status_code == 422
        assert "4000000000000002" not in answer.text


async def test_a_token_ends_by_its_time_and_with_its_creator() -> None:
    clock, creators = Clock(), Creators()
    tokens = EmbedTokens([creators], clock, clock)
    token, principal = tokens.issue(PROGRAM, "ann", "", 60)
    scope = bearer(token)
    assert await tokens.authenticate(scope) == principal
    assert await tokens.authenticate(bearer(token[:-1])) is None
    creators.well = False
    assert (await tokens.authenticate(scope), tokens.holds(principal)) == (None, False)
    creators.well = True
    assert tokens.holds(principal)
    clock.at += 60
    assert (await tokens.authenticate(scope), tokens.holds(principal)) == (None, False)
    assert tokens.holds(PROGRAM)  # of others it says nothing


async def test_a_token_lives_no_longer_than_its_creators_and_there_are_only_so_many() -> None:
    clock = Clock()
    tokens = EmbedTokens([], clock, clock)
    short = Principal(name="crm", roles=frozenset({Role.INTEGRATION}), expires_at=clock.at + 30)
    assert tokens.issue(short, "ann", "", 900)[1].expires_at == clock.at + 30
    with pytest.raises(CreatorOver):
        tokens.issue(Principal(name="crm", roles=frozenset(), expires_at=clock.at), "ann", "", 900)
    for _ in range(MOST - 1):
        tokens.issue(PROGRAM, "ann", "", 60)
    with pytest.raises(TooManyTokens):
        tokens.issue(PROGRAM, "ann", "", 60)
    clock.at += 60
    tokens.issue(PROGRAM, "ann", "", 60)


async def test_who_got_a_token_for_whom_is_in_the_audit_log_and_so_is_what_it_did(
    tmp_path: Path, desk: FakeDesk
) -> None:
    disk = Disk(tmp_path / "audit")
    async with served(disk, desk, origins=[CRM]) as (crm, _):
        headers = await ask(crm, agent="cleo", call="c-3", expires_in=120)
        await crm.post("/v1/calls/c-3/capture", json=ORDER, headers=headers)
    entries = disk.entries()
    [given] = [each for each in entries if each["what"] == "embed_token"]
    known = given["details"]["credential"]
    assert (given["who"], given["call"], given["details"]) == (
        "ann", "c-3", {"agent": "cleo", "credential": known, "seconds": 120},
    )  # fmt: skip
    [start] = [each for each in entries if (each["what"], each["result"]) == ("start_payment", "asked")]
    assert (start["who"], start["details"]) == ("cleo", {"credential": known})
    assert headers["Authorization"].removeprefix("Bearer ") not in str(entries)


async def test_where_the_audit_log_is_required_and_full_there_is_no_token(
    tmp_path: Path, desk: FakeDesk
) -> None:
    disk = Disk(tmp_path / "audit")
    disk.is_full = True
    async with served(disk, desk, required=True, origins=[CRM]) as (crm, _):
        assert (await crm.post("/v1/embed-tokens", json={"agent": "ann"})).status_code == 503


async def test_other_origins_get_no_permission_and_none_gets_cookies(desk: FakeDesk) -> None:
    async with company(desk) as crm:
        for origin in (EVIL, "null", "https://crm.example.evil.example", "http://crm.example"):
            asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            for answer in (
                await crm.options("/v1/calls/c-1/capture", headers=asked),
                await crm.get("/v1/calls", headers={"Origin": origin}),
                await crm.get("/embed/tonewall-payment.js", headers={"Origin": origin}),
            ):
                assert "access-control-allow-origin" not in answer.headers
        asked = {"Origin": CRM, "Access-Control-Request-Method": "POST",
                 "Access-Control-Request-Headers": "authorization,content-type"}  # fmt: skip
        allowed = await crm.options("/v1/calls/c-1/capture", headers=asked)
        assert allowed.status_code == 200
        for answer in (allowed, await crm.get("/v1/calls", headers={"Origin": CRM})):
            assert answer.headers["access-control-allow-origin"] == CRM
            assert "Origin" in answer.headers["vary"]
            assert "access-control-allow-credentials" not in answer.headers
        assert "default-src 'none'" in allowed.headers["content-security-policy"]
        wrong = await crm.get("/v1/calls", headers={"Origin": CRM, "Authorization": "Bearer of-nobody"})
        assert (wrong.status_code, wrong.headers["access-control-allow-origin"]) == (401, CRM)


async def test_the_form_alone_is_framed_and_by_the_pages_that_are_named(desk: FakeDesk) -> None:
    async with company(desk, frame_ancestors=[CRM, "http://localhost:3000"]) as crm:
        framed = await crm.get("/embed")
        assert framed.headers["content-security-policy"].endswith(
            "frame-ancestors https://crm.example http://localhost:3000"
        )
        assert "x-frame-options" not in framed.headers
        assert 'content="https://crm.example http://localhost:3000"' in framed.text
        for path in ("/", "/v1/calls", "/embed/frame.js"):
            answer = await crm.get(path)
            assert answer.headers["content-security-policy"].endswith("frame-ancestors 'self'")
            assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    async with company(desk, frame_ancestors=[]) as crm:  # the component without the frame
        assert (await crm.get("/embed")).status_code == 404
        assert (await crm.get("/embed/tonewall-payment.js")).status_code == 200
