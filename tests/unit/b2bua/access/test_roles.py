"""Every route and every event of the feed, as each role: what is permitted is written out here a
second time, by people."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from functools import cache
from typing import Any, cast

import httpx
import msgspec
import pytest
from fastapi import FastAPI

from b2bua.access.authority import Authority, NotPermitted
from b2bua.access.permissions import PERMISSIONS
from b2bua.access.principal import Principal
from b2bua.access.roles import ALL_SCOPES, Role, Scope, parse_roles, parse_scopes
from b2bua.access.teams import Teams
from b2bua.access.tokens import Tokens
from b2bua.api.description import read_operations
from b2bua.api.http import create_app
from b2bua.call.order import Order
from b2bua.call.service_view import Fault
from b2bua.call.view import CallView, CaptureStage, PaymentView
from provider_adapters.payment import Approved
from tests.browser.fake_desk import FakeDesk

ORDER = {"transaction_id": "INV-2041", "amount": 4990, "currency": "EUR"}
SECRET = "-token-for-the-tests"  # behind the name
NAMES = {role: f"{role}-1" for role in Role}
CALLS = ("own", "colleagues", "strangers", "nobodys")

EVERYBODY = {
    "get_health", "get_liveness", "get_readiness", "get_agent", "list_currencies", "get_form", "list_forms",
    "list_reasons", "get_link_offer", "describe_sign_in", "sign_in", "stay_signed_in", "change_password",
    "sign_out", "sign_out_everywhere",
}  # fmt: skip
SEEN_BY_AGENTS = ["list_calls", "get_call", "list_payments", "get_payment", "get_link_qr", "follow_calls"]
TAKEN_BY_AGENTS = {
    "announce_payment", "withdraw_payment", "release_mask", "start_payment", "ask_field", "skip_field",
    "reset_fields", "slow_keys", "submit_card", "cancel_payment", "take_over_payment", "create_payment",
    "start_prepared_payment", "cancel_prepared_payment", "open_claim", "get_claim", "close_claim",
    "open_link", "open_link_in_call", "close_link", "send_receipt",
}  # fmt: skip
OF_SUPERVISORS = ["capture_payment", "void_payment", "refund_payment", "settle_payment", "reconcile_payments"]
LADDERS = ["list_ladders", "get_ladder", "draw_ladder"]
WEBHOOKS = ["list_webhooks", "list_deliveries", "redeliver_webhook"]
EMBED = "create_embed_token"
PERMITTED: dict[Role, list[str]] = {
    Role.AGENT: [*EVERYBODY, *SEEN_BY_AGENTS, *TAKEN_BY_AGENTS],
    Role.SUPERVISOR: [
        *EVERYBODY, *SEEN_BY_AGENTS, *TAKEN_BY_AGENTS, *OF_SUPERVISORS, *LADDERS, "list_trunks",
        "get_statistics", "get_statistics_table",
    ],
    Role.INTEGRATION: [
        *EVERYBODY, *SEEN_BY_AGENTS, *TAKEN_BY_AGENTS, *OF_SUPERVISORS, *LADDERS, *WEBHOOKS, EMBED,
        "list_trunks"
    ],
    Role.ADMINISTRATOR: [*EVERYBODY, *LADDERS, *WEBHOOKS, "list_trunks", "get_metrics", "follow_calls",
        "get_log_level", "set_log_level", "record_packets",
        "export_personal_data", "erase_personal_data"],
    Role.METRICS: [*EVERYBODY, "get_metrics"],
    Role.AUDITOR: [*EVERYBODY, "read_audit", "get_audit_checkpoint"],
}  # fmt: skip
REACHED: dict[Role, tuple[str, ...]] = {
    Role.AGENT: ("own",),
    Role.SUPERVISOR: ("own", "colleagues", "nobodys"),
    Role.INTEGRATION: CALLS,
}
PATHS = {
    operation.name: (method, path)
    for path, item in read_operations().items()
    for method, operation in item.items()
}


def tokens() -> Tokens:
    text = ", ".join(f"{name}:{name}{SECRET}" for name in NAMES.values())
    return Tokens.parse(text, ", ".join(f"{name}:{role}" for role, name in NAMES.items()))


def owner(role: Role, whose: str) -> str:
    return {"own": NAMES[role], "colleagues": "cleo", "strangers": "sam", "nobodys": ""}[whose]


def payment(payment_id: str, agent: str) -> PaymentView:
    order = msgspec.convert(ORDER, Order)
    return PaymentView(
        id=payment_id, stage=CaptureStage.FINISHED, order=order, started_by=agent, agent=agent,
        started_at="2026-12-01T10:00:00+00:00",
    )  # fmt: skip


def prepare(role: Role) -> FakeDesk:
    desk = FakeDesk()
    for whose in CALLS:
        desk.up(f"call-{whose}", agent=owner(role, whose))
        desk.note(payment(f"payment-{whose}", owner(role, whose)))
    return desk


class Replaced:
    """The desk of an app that is asked more than once: making an app takes a tenth of a second."""

    def __init__(self) -> None:
        self.desk = FakeDesk()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.desk, name)


def make_app(role: Role) -> tuple[Replaced, FastAPI]:
    desk = Replaced()
    authority = Authority(Teams.parse(f"north:{NAMES[role]} cleo, south:sam"))
    return desk, create_app(cast("FakeDesk", desk), authenticators=[tokens()], authority=authority)


app_of = cache(make_app)


def client(desk: FakeDesk, role: Role, *, own: bool = False) -> httpx.AsyncClient:
    """`own`: an app for this one alone, as a feed needs: it keeps its loop."""
    replaced, app = (make_app if own else app_of)(role)
    replaced.desk = desk
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False),
        base_url="http://tonewall.test",
        headers={"Authorization": f"Bearer {NAMES[role]}{SECRET}"},
    )


def test_what_is_written_here_is_about_every_operation() -> None:
    assert set(PATHS) == {each for names in PERMITTED.values() for each in names}


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("operation", sorted(set(PATHS) - {"follow_calls"}))
async def test_a_route_answers_those_alone_who_may(operation: str, role: Role) -> None:
    method, path = PATHS[operation]
    for whose in CALLS if "{" in path else CALLS[:1]:
        desk = prepare(role)
        address = path.replace("{call_id}", f"call-{whose}").replace("{payment_id}", f"payment-{whose}")
        async with client(desk, role) as somebody:
            answer = await somebody.request(method, address.replace("{claim_id}", "x"))
        permitted = operation in PERMITTED[role]
        if "call_id" in path or "payment_id" in path:
            # Ladders and recordings are not of one person's calls.
            permitted = permitted and (
                operation in (*LADDERS, "record_packets") or whose in REACHED.get(role, ())
            )
        assert (answer.status_code != 403) is permitted, (whose, answer.text)
        assert answer.status_code != 401
        if not permitted:
            assert not desk.asked


@pytest.mark.parametrize("role", Role)
async def test_lists_have_what_one_may_see(role: Role) -> None:
    async with client(prepare(role), role) as somebody:
        for path, word in (("/v1/calls", "call"), ("/v1/payments", "payment")):
            answer = await somebody.get(path)
            if role in REACHED:
                assert {each["id"] for each in answer.json()} == {f"{word}-{each}" for each in REACHED[role]}
            else:
                assert answer.status_code == 403


@pytest.mark.parametrize("role", Role)
async def test_the_feed_has_the_events_that_one_may_see(role: Role) -> None:
    desk = prepare(role)
    async with follow(desk, role) as events:
        for whose in CALLS:
            desk.change_owner(f"call-{whose}", owner(role, whose))
            desk.tell(payment(f"later-{whose}", owner(role, whose)))
        desk.fail(Fault(what="disk", says="It is full.", stops=None))
        if "follow_calls" not in PERMITTED[role]:
            assert events.status == 403
            return
        found = [event async for event in events.until("service")]
    seen = {f"call-{whose}" for whose in REACHED.get(role, ())}
    assert set(found[0][1]["ids"]) == seen
    assert {data["id"] for name, data in found if name == "call"} == seen
    paid = {data["id"] for name, data in found if name == "payment"}
    assert {each for each in paid if each.startswith("later")} == {
        f"later-{whose}" for whose in REACHED.get(role, ())
    }


async def test_a_call_that_becomes_anothers_is_named_no_more() -> None:
    desk = prepare(Role.AGENT)
    async with follow(desk, Role.AGENT) as events:
        desk.change_owner("call-nobodys", NAMES[Role.AGENT])
        desk.change_owner("call-own", "sam")
        desk.change_owner("call-own", "sam")  # its later steps are not named either
        desk.fail(Fault(what="disk", says="It is full.", stops=None))
        found = [event async for event in events.until("service")]
    assert [(name, data.get("ids", data.get("id"))) for name, data in found[:-1] if name != "payment"] == [
        ("calls", ["call-own"]),
        ("call", "call-own"),
        ("call", "call-nobodys"),
        ("calls", ["call-nobodys"]),
    ]


async def test_a_program_that_reads_calls_sees_no_payment_in_them() -> None:
    desk = prepare(Role.INTEGRATION)
    desk.up("c-1", agent="sam")
    await desk.start_capture("c-1", msgspec.convert(ORDER, Order), "sam")
    authority = Authority()
    reader = Principal(
        name="wallboard", roles=frozenset({Role.INTEGRATION}), scopes=frozenset({Scope.CALLS_READ})
    )
    seen = authority.sight(reader, desk.find_call("c-1"))
    assert isinstance(seen, CallView)
    assert seen.capture is None
    assert authority.sight(reader, payment("p-1", "sam")) is None


@pytest.mark.parametrize("scope", Scope)
def test_a_scope_permits_its_own_operations_and_those_of_everybody(scope: Scope) -> None:
    program = Principal(name="crm", roles=frozenset({Role.INTEGRATION}), scopes=frozenset({scope}))
    authority = Authority()
    found = {name for name in PERMISSIONS if authority.reach(program, name)}
    assert found == {name for name, row in PERMISSIONS.items() if row.everybody or row.scope is scope}
    metrics = Principal(name="crm", roles=frozenset({Role.METRICS}), scopes=ALL_SCOPES)
    reached = {
        name for name, row in PERMISSIONS.items() if authority.reach(metrics, name) and not row.everybody
    }
    assert reached == {"get_metrics"}


async def test_an_agent_prepares_for_their_own_calls_only() -> None:
    desk = prepare(Role.AGENT)
    async with client(desk, Role.AGENT) as agent:
        body = {**ORDER, "find_by": {"caller": "+48123456789"}}
        assert (await agent.post("/v1/payments", json=body)).status_code == 201
        assert desk.asked[-1][2].agent == NAMES[Role.AGENT]
        theirs = {**ORDER, "find_by": {"agent": "sam"}}
        assert (await agent.post("/v1/payments", json=theirs)).status_code == 403
        # What is bound to another's call is started by nobody else.
        found = desk.bind(desk.prepared_payments(1)[0], "call-strangers")
        assert (await agent.post(f"/v1/payments/{found.id}/start")).status_code == 403
        saved = {**ORDER, "saved_from": "payment-own"}
        assert (await agent.post("/v1/payments", json=saved)).status_code == 403


async def test_a_call_of_another_cannot_be_looked_for_by_its_number() -> None:
    class Numbered(FakeDesk):
        def find_call(self, name: str) -> CallView:
            return super().find_call("call-strangers" if name.startswith("caller:") else name)

    desk = Numbered()
    desk.up("call-strangers", agent="sam")
    async with client(desk, Role.AGENT) as agent:
        assert (await agent.get("/v1/calls/caller:+48123456789")).status_code == 404
        assert (await agent.get("/v1/calls/call-strangers")).status_code == 403


async def test_a_supervisor_gives_back_up_to_the_limit_however_it_is_divided() -> None:
    desk = prepare(Role.SUPERVISOR)
    for name in ("refunded", "voided"):
        paid = payment(name, NAMES[Role.SUPERVISOR])
        desk.note(msgspec.structs.replace(paid, outcome=Approved(reference="r")))
    app = create_app(desk, authenticators=[tokens()], authority=Authority(None, {"EUR": 3000}))

    async def ask(role: Role, what: str, body: dict[str, int], key: str) -> int:
        headers = {"Authorization": f"Bearer {NAMES[role]}{SECRET}", "Idempotency-Key": key}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://t", headers=headers) as somebody:
            return (await somebody.post(f"/v1/payments/{what}", json=body)).status_code

    assert await ask(Role.SUPERVISOR, "refunded/refunds", {}, "all-of-it") == 403
    assert await ask(Role.SUPERVISOR, "refunded/refunds", {"amount": 3001}, "too-much") == 403
    assert await ask(Role.SUPERVISOR, "refunded/refunds", {"amount": 2000}, "first") == 202
    desk.decide("refunded", Approved(reference="r"))
    assert await ask(Role.SUPERVISOR, "refunded/refunds", {"amount": 1001}, "second") == 403
    assert await ask(Role.SUPERVISOR, "refunded/refunds", {"amount": 2000}, "first") == 202  # as answered
    assert await ask(Role.SUPERVISOR, "refunded/refunds", {"amount": 1000}, "third") == 202
    assert await ask(Role.SUPERVISOR, "voided/voids", {}, "void") == 403
    assert await ask(Role.INTEGRATION, "voided/voids", {}, "void") == 202
    # Who is a program beside, but has no scope for it, has the limit.
    both = Principal(name="x", roles=frozenset({Role.SUPERVISOR, Role.INTEGRATION}))
    with pytest.raises(NotPermitted, match="refund_limit"):
        Authority(None, {"EUR": 3000}).require_refund(both, 3001, "EUR")
    with pytest.raises(NotPermitted):
        Authority(None, {"EUR": 3000}).require_refund(both, 1, "PLN")


def test_roles_that_are_none_are_refused_with_those_that_there_are() -> None:
    assert parse_roles("agent+auditor") == {Role.AGENT, Role.AUDITOR}
    assert parse_scopes("all") == ALL_SCOPES
    for text in ("", "root", "agent,auditor", "agent+"):
        with pytest.raises(ValueError, match="supervisor"):
            parse_roles(text)
    with pytest.raises(ValueError, match="calls:read"):
        parse_scopes("calls")
    for roles in ("ann", "ann:root", "ann:agent, ann:auditor", "cleo:agent"):
        with pytest.raises(ValueError, match="roles"):
            Tokens.parse("ann:a-token-for-the-tests", roles)
    assert Tokens.parse("ann:a-token-for-the-tests").principal("ann").roles == {Role.AGENT}


class follow:  # noqa: N801  # reads as a verb
    """The feed of a role, read as it comes."""

    def __init__(self, desk: FakeDesk, role: Role) -> None:
        self._client = client(desk, role, own=True)
        self._desk = desk
        self.status = 0

    async def __aenter__(self) -> follow:
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue()
        app = self._client._transport.app  # type: ignore[attr-defined]
        header = self._client.headers["Authorization"].encode()
        scope = {
            "type": "http", "method": "GET", "path": "/v1/feed", "query_string": b"", "http_version": "1.1",
            "headers": [(b"authorization", header)], "client": ("127.0.0.1", 1), "server": ("t", 80),
            "scheme": "http", "raw_path": b"/v1/feed", "root_path": "",
        }  # fmt: skip
        started = asyncio.Event()

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
            else:
                started.set()
                self._chunks.put_nowait(message.get("body", b""))

        self._gone = asyncio.Event()

        async def receive() -> dict[str, Any]:
            if not hasattr(self, "_asked"):
                self._asked = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await self._gone.wait()
            return {"type": "http.disconnect"}

        self._task = asyncio.create_task(app(scope, receive, send))
        await asyncio.wait_for(started.wait(), 10)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._gone.set()
        await self._task
        await self._client.aclose()

    async def until(self, last: str) -> AsyncIterator[tuple[str, Any]]:
        """The events to the first of this name."""
        rest = ""
        while True:
            rest += (await asyncio.wait_for(self._chunks.get(), 10)).decode()
            *events, rest = rest.split("\n\n")
            for event in events:
                fields = dict(line.split(": ", 1) for line in event.splitlines() if ": " in line)
                if "event" not in fields:
                    continue
                yield fields["event"], msgspec.json.decode(fields["data"])
                if fields["event"] == last:
                    return


def test_every_pair_of_roles_may_what_either_may() -> None:
    authority = Authority()
    for one, two in itertools.combinations(Role, 2):
        for operation in PERMISSIONS:
            both, first, second = (
                authority.reach(Principal(name="x", roles=frozenset(roles), scopes=ALL_SCOPES), operation)
                for roles in ({one, two}, {one}, {two})
            )
            assert both == max(first, second)
