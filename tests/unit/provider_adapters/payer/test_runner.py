"""The runner's rules that need no provider: what it refuses, what it trusts, what it never
retries."""

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from provider_adapters import registry
from provider_adapters.account import Account, https_url
from provider_adapters.base import Notes, Request, Response
from provider_adapters.errors import StillOpen
from provider_adapters.payer import runner as runner_module
from provider_adapters.payer.environment import BadAccount, read_account
from provider_adapters.payer.runner import LARGEST_ANSWER, NotRepeatable, Runner, tls_context
from provider_adapters.payment import Approved, Failed, Outcome, Unknown
from provider_adapters.settings import ProviderSettings
from tonewall.ini import ConfigError, load, to_environment

COMPLETE = {
    "adapter": "connector", "url": "https://pay.example.com", "api_key": "k", "journal": "/j",
    "timeout": "3", "inquiry_time": "0.2", "token_type": "none",
}  # fmt: skip


def account(**changes: Any) -> Account:
    return read_account({f"TONEWALL_PROVIDER_{k.upper()}": str(v) for k, v in (COMPLETE | changes).items()})


@pytest.fixture(autouse=True)
def _quick_repetitions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "_MIN_WAIT", 0.01)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


# --- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://pay.example.com", "begins with https://"),
        ("pay.example.com", "begins with https://"),
        ("https://", "host name"),
        ("https://me:sesame@pay.example.com", "credentials go into api_key"),
        ("https://pay.example.com/?a=b", "without ? or #"),
        ("https://pay.example.com:port", "such as https://"),
    ],
)
def test_a_url_that_is_not_plain_https_is_refused_with_what_was_expected(url: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=r"\[provider\] url") as caught:
        load(ProviderSettings, {"provider": {"url": url, "api_key": "k"}}, {})
    assert expected in str(caught.value)
    assert "sesame" not in str(caught.value)
    with pytest.raises(BadAccount) as also:
        account(url=url)
    assert expected in str(also.value)


def test_there_is_no_key_that_turns_verification_off() -> None:
    for key in ("verify", "insecure", "tls_verify", "ssl"):
        with pytest.raises(ConfigError, match="unknown key"):
            load(ProviderSettings, {"provider": {"url": "https://a", "api_key": "k", key: "no"}}, {})


@pytest.mark.parametrize(
    ("key", "value"),
    [("adapter", "nobody"), ("timeout", "0"), ("timeout", "soon"), ("token_type", "many"),
    ("ca_file", "/nowhere.pem"),
     ("api_key", "two words"), ("inquiry_time", "-1"), ("ready", "0")],
)  # fmt: skip
def test_a_wrong_value_is_named_with_its_key_and_not_quoted(key: str, value: str) -> None:
    with pytest.raises(ConfigError, match=rf"\[provider\] {key}: .*TONEWALL_PROVIDER_{key.upper()}"):
        load(ProviderSettings, {"provider": {"url": "https://a", "api_key": "k", key: value}}, {})


def test_a_payer_reads_what_its_parent_wrote(tmp_path: Path) -> None:
    section = {"url": "https://pay.example.com/base/", "api_key": "k", "journal": str(tmp_path / "j")}
    settings = load(ProviderSettings, {"provider": section}, {})
    found = read_account(to_environment(settings))
    assert (found.url, found.timeout, found.token_type) == ("https://pay.example.com/base", 30.0, "none")
    assert found.patience > found.timeout + found.inquiry_time


def test_a_payer_started_by_hand_needs_only_what_has_no_default() -> None:
    found = read_account({"TONEWALL_PROVIDER_URL": "https://a", "TONEWALL_PROVIDER_API_KEY": "k"})
    assert found.adapter == "connector"
    with pytest.raises(BadAccount, match=r"\[provider\] api_key: .*TONEWALL_PROVIDER_API_KEY"):
        read_account({"TONEWALL_PROVIDER_URL": "https://a"})


def test_every_adapter_of_the_registry_loads() -> None:
    for name in registry.ADAPTERS:
        assert registry.load(account(adapter=name))


# --- TLS ------------------------------------------------------------------------------------------


def test_tls_is_1_2_or_newer_and_verified(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    context = tls_context(None)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.keylog_filename is None


def test_a_ca_file_replaces_the_public_authorities(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    with pytest.raises(ssl.SSLError):
        tls_context(str(tmp_path / "empty.pem"))


def test_http_libraries_are_silent_even_at_debug_level() -> None:
    for name in ("httpx", "httpcore", "httpcore.connection", "httpcore.http11"):
        assert not logging.getLogger(name).isEnabledFor(logging.CRITICAL)


# --- settling, with the far end at httpx's own seam -----------------------------------------------


class Wire(httpx.AsyncBaseTransport):
    """The far end, at httpx's own seam: each request takes the next of `steps`, an answer or an
    exception."""

    def __init__(self, *steps: int | tuple[int, bytes] | Exception) -> None:
        self.steps = list(steps)
        self.methods: list[str] = []
        self.urls: list[str] = []
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.methods.append(request.method)
        self.urls.append(str(request.url))
        self.requests.append(request)
        await request.extensions["trace"]("http11.send_request_headers.started", {})
        step = self.steps.pop(0) if self.steps else 503
        if isinstance(step, Exception):
            raise step
        status, content = step if isinstance(step, tuple) else (step, b"")
        away = {"location": "https://elsewhere.example/"}
        return httpx.Response(
            status, headers=away if status == 302 else None, stream=httpx.ByteStream(content)
        )


def charging(method: str = "POST") -> Generator[Request, Response, Outcome]:
    response = yield Request(method, "/c", body={"a": 1}, may_charge=True)
    return Approved(reference="r") if response.status == 200 else Unknown(reason=f"http_{response.status}")


def inquiry(notes: Notes) -> Generator[Request, Response, Outcome | None]:
    response = yield Request("GET", "/c/1")
    return {200: Approved(reference="asked"), 404: Failed(reason="no_such_charge")}.get(response.status)


async def settle(wire: Wire, flow: Any = None, **changes: Any) -> Outcome:
    runner = Runner(account(**changes))
    runner._client._transport = wire
    try:
        return await runner.settle(charging() if flow is None else flow, inquiry)
    finally:
        await runner.close()


@pytest.mark.parametrize(
    "fault",
    [httpx.ReadTimeout(""), httpx.ReadError(""), httpx.RemoteProtocolError(""), httpx.WriteError(""),
    OSError(),
     500, 302, (200, b"x" * (LARGEST_ANSWER + 1))],
)  # fmt: skip
async def test_a_charge_without_a_clear_answer_is_asked_for_and_never_sent_again(fault: Any) -> None:
    wire = Wire(fault, 503, httpx.ReadError(""), 200)
    assert await settle(wire, inquiry_time=10) == Approved(reference="asked")
    assert wire.methods == ["POST", "GET", "GET", "GET"]


async def test_an_inquiry_that_finds_nothing_means_not_charged() -> None:
    assert await settle(Wire(httpx.ReadError(""), 404)) == Failed(reason="no_such_charge")


async def test_a_path_is_put_behind_the_accounts_url_and_an_empty_one_adds_nothing() -> None:
    def two() -> Generator[Request, Response, Outcome]:
        yield Request("GET", "")
        return (yield from charging())

    wire = Wire(200, 200)
    await settle(wire, two(), url="https://pay.example.com/v1/")
    assert wire.urls == ["https://pay.example.com/v1", "https://pay.example.com/v1/c"]


@pytest.mark.parametrize("is_form", [False, True])
async def test_a_request_is_signed_over_the_octets_that_leave_anew_each_time(is_form: bool) -> None:
    signed: list[tuple[bytes, float]] = []

    def sign(body: bytes, now: float) -> dict[str, str]:
        signed.append((body, now))
        return {"Signature": f"s-{len(signed)}"}

    def one() -> Generator[Request, Response, Outcome]:
        body = {"amount": 19.98, "text": "zażółć"}
        response = yield Request(
            "POST", "/c", body=body, is_form=is_form, sign=sign, may_charge=True, repeatable=True
        )
        return Approved(reference=str(response.status))

    wire = Wire(500, 200)
    before = time.time()
    assert await settle(wire, one(), inquiry_time=10) == Approved(reference="200")
    sent = [(request.content, request.headers["signature"]) for request in wire.requests]
    assert sent == [(signed[0][0], "s-1"), (signed[1][0], "s-2")]
    assert before <= signed[0][1] < signed[1][1] <= time.time()


async def test_inquiries_end_with_the_inquiry_time() -> None:
    wire = Wire(httpx.ReadTimeout(""))
    assert await settle(wire) == Unknown(reason="no_answer_in_time")
    assert wire.methods.count("POST") == 1
    wire = Wire(httpx.ReadTimeout(""))
    assert await settle(wire, inquiry_time=0) == Unknown(reason="no_answer_in_time")
    assert wire.methods == ["POST"]


async def test_a_fault_before_the_request_that_charges_is_a_failure() -> None:
    def two_steps() -> Generator[Request, Response, Outcome]:
        yield Request("POST", "/prepare", body={})
        return (yield from charging())

    wire = Wire(httpx.ReadTimeout(""))
    assert await settle(wire, two_steps()) == Failed(reason="no_answer_in_time")
    assert wire.methods == ["POST"]


async def test_an_adapter_that_breaks_after_sending_leaves_it_to_the_inquiry() -> None:
    def broken() -> Generator[Request, Response, Outcome]:
        yield Request("POST", "/c", may_charge=True)
        raise KeyError("4111111111111111")

    def broken_at_once() -> Generator[Request, Response, Outcome]:
        raise KeyError("4111111111111111")
        yield

    assert await settle(Wire(200, 200), broken()) == Approved(reference="asked")
    assert await settle(Wire(), broken_at_once()) == Failed(reason="adapter_failed")


def repeating() -> Generator[Request, Response, Outcome]:
    response = yield Request("POST", "/c", body={"a": 1}, may_charge=True, repeatable=True)
    return Approved(reference="r") if response.status == 200 else Unknown(reason=f"http_{response.status}")


@pytest.mark.parametrize("fault", [httpx.ReadTimeout(""), httpx.ReadError(""), OSError(), 500, 503])
async def test_a_charge_whose_key_makes_it_safe_is_sent_again_until_it_is_answered(fault: Any) -> None:
    wire = Wire(fault, fault, 200)
    assert await settle(wire, repeating(), inquiry_time=10) == Approved(reference="r")
    assert wire.methods == ["POST", "POST", "POST"]


async def test_a_repetition_ends_with_the_inquiry_time_and_stays_open() -> None:
    wire = Wire(httpx.ReadTimeout(""))
    assert await settle(wire, repeating(), inquiry_time=0) == Unknown(reason="no_answer_in_time")
    assert wire.methods == ["POST"]


async def test_all_requests_of_a_charge_share_its_time() -> None:
    """A payer is given up after it: what it sends later nobody would hear of."""

    class Slow(Wire):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await asyncio.sleep(0.2)
            return await super().handle_async_request(request)

    def five_steps() -> Generator[Request, Response, Outcome]:
        for number in range(4):
            yield Request("POST", f"/prepare/{number}", body={})
        return (yield from charging())

    wire = Slow(200, 200, 200, 200, 200)
    loop = asyncio.get_running_loop()
    started = loop.time()
    outcome = await settle(wire, five_steps(), timeout=0.5, inquiry_time=0.2)
    assert isinstance(outcome, Failed)
    assert loop.time() - started < 0.7
    assert "/c" not in wire.methods
    assert len(wire.methods) < 4


@pytest.mark.parametrize("status", [401, 403, 409, 429])
async def test_a_repetition_that_is_refused_at_the_door_says_nothing_of_the_first(status: int) -> None:
    def strict() -> Generator[Request, Response, Outcome]:
        response = yield Request("POST", "/c", body={}, may_charge=True, repeatable=True)
        return Failed(reason="refused") if response.status < 500 else Unknown(reason="open")

    wire = Wire(httpx.ReadTimeout(""), *[status] * 50)
    assert await settle(wire, strict(), inquiry_time=0.3) == Unknown(reason=f"http_{status}")
    wire = Wire(httpx.ReadTimeout(""), status, 422)
    assert await settle(wire, strict(), inquiry_time=5) == Failed(reason="refused"), "the same key was judged"
    assert await settle(Wire(status), strict()) == Failed(reason="refused"), "nothing was sent before it"


async def repeat(wire: Wire, flow: Generator[Request, Response, Outcome]) -> tuple[Outcome, bool]:
    """What a later runner gets for a request that an earlier one sent; whether it has an answer."""
    runner = Runner(account(inquiry_time=0.3), is_repetition=True)
    runner._client._transport = wire
    try:
        return await runner.drive(flow), runner.has_repeated
    finally:
        await runner.close()


async def test_a_later_runner_repeats_only_what_was_promised_to_be_done_once() -> None:
    wire = Wire(200)
    with pytest.raises(NotRepeatable):
        await repeat(wire, charging())
    assert wire.methods == []
    assert await repeat(wire, repeating()) == (Approved(reference="r"), True)


@pytest.mark.parametrize("status", [401, 403, 409, 429])
async def test_a_refusal_at_the_door_says_nothing_to_a_later_runner(status: int) -> None:
    with pytest.raises(StillOpen):
        await repeat(Wire(*[status] * 50), repeating())
    assert await repeat(Wire(status, 200), repeating()) == (Approved(reference="r"), True)


async def test_a_failure_before_the_repetition_is_none_of_its_answers() -> None:
    def two_steps() -> Generator[Request, Response, Outcome]:
        response = yield Request("POST", "/token", body={})
        return Failed(reason=f"http_{response.status}")

    assert await repeat(Wire(401), two_steps()) == (Failed(reason="http_401"), False)
    assert await repeat(Wire(*[500] * 50), repeating()) == (Unknown(reason="http_500"), False)


async def test_a_step_is_noted_before_it_leaves_and_its_notes_reach_the_inquiry() -> None:
    noted: list[tuple[str, int]] = []
    asked: list[Notes] = []

    def two_steps() -> Generator[Request, Response, Outcome]:
        yield Request("POST", "/prepare", body={}, step="prepare")
        yield Request("POST", "/c", body={}, may_charge=True, step="charge", notes={"id": "p-1"})
        return Unknown(reason="open")

    def asking(notes: Notes) -> Generator[Request, Response, Outcome | None]:
        asked.append(notes)
        return (yield from inquiry(notes))

    wire = Wire(200, 500, 200)
    runner = Runner(account(inquiry_time=5), lambda request: noted.append((request.step, len(wire.methods))))
    runner._client._transport = wire
    assert await runner.settle(two_steps(), asking) == Approved(reference="asked")
    assert noted == [("prepare", 0), ("charge", 1)]
    assert asked == [{"id": "p-1"}]
    await runner.close()


async def test_a_step_that_cannot_be_noted_is_not_sent() -> None:
    def full(_: Request) -> None:
        raise OSError(28, "No space left on device")

    def one_step() -> Generator[Request, Response, Outcome]:
        yield Request("POST", "/c", body={}, may_charge=True, step="charge")
        return Approved(reference="r")

    wire = Wire(200)
    runner = Runner(account(), full)
    runner._client._transport = wire
    assert await runner.settle(one_step(), inquiry) == Failed(reason="journal_failed")
    assert wire.methods == []
    await runner.close()


async def test_where_nobody_listens_nothing_was_sent() -> None:
    runner = Runner(account(url=f"https://127.0.0.1:{free_port()}"))
    assert await runner.settle(charging(), inquiry) == Failed(reason="no_connection")
    await runner.close()


async def test_a_name_that_does_not_exist_is_a_failure() -> None:
    runner = Runner(account(url="https://pay.invalid"))
    assert await runner.settle(charging(), inquiry) == Failed(reason="host_not_found")
    await runner.close()


@pytest.mark.parametrize("greeting", [b"", b"HTTP/1.1 400 Bad\r\n\r\n"])
async def test_a_server_that_does_not_speak_tls_is_a_failure(greeting: bytes) -> None:
    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        if greeting:
            await writer.drain()
        else:
            await reader.read()  # until the client gives up
        writer.close()

    server = await asyncio.start_server(on_connection, "127.0.0.1", 0)
    async with server:
        runner = Runner(account(url=f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeout=0.5))
        outcome = await runner.settle(charging(), inquiry)
        await runner.close()
    assert outcome == Failed(reason="tls_failed" if greeting else "no_connection_in_time")


def test_a_base_url_loses_its_last_slash() -> None:
    assert https_url("https://pay.example.com/base/") == "https://pay.example.com/base"
