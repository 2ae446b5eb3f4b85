"""Messages to a service: signed, to HTTPS alone, in order, and tried until they are taken."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from b2bua.notify.address import check_url
from b2bua.notify.deliveries import Deliveries, Result
from b2bua.notify.message import Message
from b2bua.notify.signature import decode_secret, sign
from b2bua.notify.signer import Signer
from tests.stack import until
from tonewall.tasks import BackgroundTasks

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


def message(number: int, subject: str = "p-1", *, life: float = 1000.0) -> Message:
    return Message(id=f"msg_{number}", subject=subject, kind="test", body=b"{}", created_at=0.0, until=life)


# --- signatures -----------------------------------------------------------------------------------


def test_a_signature_is_that_of_the_specification() -> None:
    # https://github.com/standard-webhooks/standard-webhooks: the example of its libraries.
    key = decode_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_another_time_id_or_body_has_another_signature() -> None:
    key = decode_secret(SECRET)
    found = {
        sign(key, *values)["webhook-signature"]
        for values in (("a", 1, b"x"), ("a", 2, b"x"), ("b", 1, b"x"), ("a", 1, b"y"))
    }
    assert len(found) == 4
    wanted = base64.b64encode(hmac.new(bytes(range(32)), b"a.1.x", hashlib.sha256).digest()).decode()
    assert f"v1,{wanted}" in found


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_x!", "whsec_c2hvcnQ=", "whsec_" + "A" * 100],
)
def test_a_secret_that_is_none_is_refused_without_being_quoted(secret: str) -> None:
    with pytest.raises(ValueError, match="expected whsec_") as refused:
        decode_secret(secret)
    assert not secret or secret == "whsec_" or secret not in str(refused.value)


# --- addresses ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example/hook?x=1",
        "https://a.example:8443/",
        "http://127.0.0.1:8/",
        "http://[::1]/",
        "http://localhost/x",
    ],
)
def test_messages_go_to_https_and_in_clear_to_this_machine(url: str) -> None:
    assert check_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "", "a.example", "http://a.example/", "ftp://a.example/", "https://", "https:///x", "https://u@a.example/",
        "https://a.example/ x", "https://a.example:x/", "https://a.example/#f", "http://127.0.0.1.example/",
        "https://ä.example/",
    ],
)  # fmt: skip
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="expected https://"):
        check_url(url)


# --- deliveries -----------------------------------------------------------------------------------


class Line:
    """A service that answers as the test says, and what was noted."""

    def __init__(self, kept_free: int = 0) -> None:
        self.now = 0.0
        self.refuses = ""
        self.sent: list[str] = []
        self.noted: list[tuple[str, Result, str]] = []
        self.held: asyncio.Event | None = None
        self.at_once = 0
        self.most = 0
        self.tasks = BackgroundTasks()
        self.deliveries = Deliveries(self.send, self.note, lambda: self.now, self.tasks, kept_free=kept_free)

    async def send(self, each: Message, now: float) -> str:
        self.sent.append(each.id)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        if self.held is not None:
            await self.held.wait()
        self.at_once -= 1
        return self.refuses

    async def note(self, each: Message, result: Result, reason: str) -> None:
        self.noted.append((each.id, result, reason))

    async def idle(self) -> None:
        await until(lambda: not len(self.tasks), "the attempts to end")

    def after(self, seconds: float) -> None:
        self.now += seconds
        self.deliveries.look()


async def test_of_one_subject_each_waits_for_the_one_before_and_others_do_not() -> None:
    line = Line()
    line.refuses = "http_500"
    line.deliveries.add(message(1))
    line.deliveries.add(message(2))
    await line.idle()
    assert line.sent == ["msg_1"]
    line.deliveries.add(message(3, "p-2"))
    await line.idle()
    assert line.sent == ["msg_1", "msg_3"]
    line.refuses = ""
    line.after(2)
    await line.idle()
    assert line.sent == ["msg_1", "msg_3", "msg_1", "msg_3", "msg_2"]
    assert line.deliveries.health()["waiting_webhooks"] == 0
    assert line.deliveries.reason == ""


async def test_pauses_grow_to_five_minutes() -> None:
    line = Line()
    line.refuses = "timeout"
    line.deliveries.add(message(1, life=1e9))
    await line.idle()
    pauses = []
    for _ in range(10):
        before = len(line.sent)
        passed = 0.0
        while len(line.sent) == before:
            line.after(1)
            passed += 1
            await line.idle()
        pauses.append(passed)
    assert pauses == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert line.noted[-1] == ("msg_1", "failing", "timeout")
    assert line.deliveries.health()["oldest_waiting_webhook"] == line.now


async def test_at_its_time_it_is_given_up_and_the_next_is_sent() -> None:
    line = Line()
    line.refuses = "unreachable"
    line.deliveries.add(message(1, life=3.0))
    line.deliveries.add(message(2))
    await line.idle()
    line.after(3)
    await line.idle()
    assert line.noted[1:] == [("msg_1", "given_up", "unreachable"), ("msg_2", "failing", "unreachable")]
    assert line.deliveries.health()["given_up_webhooks"] == 1


async def test_what_is_superseded_is_not_sent_again() -> None:
    line = Line()
    line.refuses = "http_503"
    line.deliveries.add(message(1))
    await line.idle()
    line.refuses = ""
    line.deliveries.add(message(2), only=True)
    await line.idle()
    assert line.sent == ["msg_1", "msg_2"]


@pytest.mark.parametrize(("answer", "result"), [("", "delivered"), ("http_503", "given_up")])
async def test_what_is_superseded_on_its_way_ends_before_the_next(answer: str, result: Result) -> None:
    line = Line()
    line.held = asyncio.Event()
    line.deliveries.add(message(1))
    await until(lambda: line.sent, "the attempt")
    line.deliveries.add(message(2), only=True)
    line.after(1)
    assert line.sent == ["msg_1"]
    line.refuses = answer
    held, line.held = line.held, None
    held.set()
    await line.idle()
    assert line.sent == ["msg_1", "msg_2"]
    assert line.noted[0] == ("msg_1", result, answer)


async def test_eight_are_sent_at_once() -> None:
    line = Line()
    line.held = asyncio.Event()
    for number in range(20):
        line.deliveries.add(message(number, f"p-{number}"))
    await until(lambda: line.at_once == 8, "eight attempts")
    line.held.set()
    await line.idle()
    assert (line.most, len(set(line.sent)), len(line.sent)) == (8, 20, 20)


# --- the last message of a subject ----------------------------------------------------------------


def progress(number: int, subject: str = "p-1") -> Message:
    return Message(
        id=f"msg_{number}",
        subject=subject,
        kind="test",
        body=b"{}",
        created_at=0.0,
        until=60.0,
        is_kept=False,
    )


async def test_the_last_is_sent_behind_what_waits_where_the_service_is_well() -> None:
    line = Line()
    line.held = asyncio.Event()
    for number in range(3):
        line.deliveries.add(progress(number))
    line.deliveries.add(message(3), last=True)
    line.held.set()
    await line.idle()
    assert line.sent == ["msg_0", "msg_1", "msg_2", "msg_3"]
    assert len(line.deliveries) == line.deliveries.count_of("p-1") == 0


async def test_the_last_does_not_wait_for_what_has_failed() -> None:
    line = Line()
    line.refuses = "timeout"
    for number in range(3):
        line.deliveries.add(progress(number))
    await line.idle()
    line.refuses = ""
    line.deliveries.add(message(3), last=True)
    await line.idle()
    assert line.sent == ["msg_0", "msg_3"]
    assert line.deliveries.health()["given_up_webhooks"] == 3


async def test_the_last_waits_for_one_failure_at_most() -> None:
    line = Line()
    line.held = asyncio.Event()
    for number in range(4):
        line.deliveries.add(progress(number))
    await until(lambda: line.sent, "the attempt")
    line.deliveries.add(message(4), last=True)
    line.refuses = "timeout"
    held, line.held = line.held, None
    held.set()
    await line.idle()
    assert line.sent == ["msg_0", "msg_4"]  # which fails as well, and is tried again
    assert line.noted[0] == ("msg_0", "given_up", "timeout")
    line.refuses = ""
    line.after(2)
    await line.idle()
    assert line.sent == ["msg_0", "msg_4", "msg_4"]
    assert len(line.deliveries) == 0


async def test_what_is_kept_is_not_dropped_for_the_last() -> None:
    line = Line()
    line.refuses = "timeout"
    line.deliveries.add(message(1), last=True)
    await line.idle()
    line.deliveries.add(message(2), last=True)
    line.refuses = ""
    line.after(2)
    await line.idle()
    assert line.sent == ["msg_1", "msg_1", "msg_2"]


async def test_progress_leaves_room_for_ends() -> None:
    line = Line(kept_free=2)
    line.held = asyncio.Event()
    for number in range(20):
        line.deliveries.add(progress(number, f"p-{number}"))
    await until(lambda: line.at_once == 6, "six attempts")
    line.deliveries.add(message(30, "p-30"), last=True)
    await until(lambda: line.at_once == 7, "the end's attempt")
    assert line.sent[-1] == "msg_30"
    line.held.set()
    await line.idle()
    assert (line.most, len(set(line.sent))) == (7, 21)


# --- keys of events -------------------------------------------------------------------------------


def test_a_signature_by_a_private_key_is_verified_by_the_public_one() -> None:
    signer = Signer("whsk_" + base64.b64encode(bytes(range(32))).decode())
    headers = signer.sign("evt_1", 7, b"{}")
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(signer.public_key.removeprefix("whpk_")))
    version, _, signature = headers["webhook-signature"].partition(",")
    assert version == "v1a"
    public.verify(base64.b64decode(signature), b"evt_1.7.{}")
    with pytest.raises(InvalidSignature):
        public.verify(base64.b64decode(signature), b"evt_1.8.{}")


def test_a_secret_signs_as_before_and_has_no_public_key() -> None:
    signer = Signer(SECRET)
    assert signer.sign("a", 1, b"x") == sign(bytes(range(32)), "a", 1, b"x")
    assert signer.public_key == ""


@pytest.mark.parametrize("key", [b"", b"short", bytes(33), bytes(64)])
def test_a_private_key_that_is_none_is_refused_without_being_quoted(key: bytes) -> None:
    text = base64.b64encode(key).decode()
    with pytest.raises(ValueError, match="expected whsk_") as refused:
        Signer("whsk_" + text)
    assert not text or text not in str(refused.value)
