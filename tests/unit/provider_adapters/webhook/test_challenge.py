"""The challenge by which Braintree asks whether the secret is known; its own library judges."""

from __future__ import annotations

import pytest

from provider_adapters.notice import Notice
from provider_adapters.webhook.braintree import answer_challenge, read
from provider_adapters.webhook.listener import HttpRequest
from provider_adapters.webhook.reception import Reception
from provider_adapters.webhook.scheme import BadSignature, Unreadable, load_scheme
from tests.signed_webhooks import BRAINTREE_SECRET, ROWS, braintree_form, gateway

CHALLENGE = "20f9f8ed05f77439fe955c977e4c8a53"


async def keep(_: tuple[Notice, ...]) -> bool:
    raise AssertionError("there is nothing to keep")


def reception(adapter: str) -> Reception:
    return Reception(adapter, "default", load_scheme(adapter), ROWS[adapter].secret, keep)


def get(adapter: str, query: str) -> HttpRequest:
    return HttpRequest("GET", f"/webhooks/{adapter}", {}, b"", query)


@pytest.mark.parametrize("challenge", [CHALLENGE, "a" * 20, "0123456789abcdef01234"])
async def test_a_challenge_is_answered_as_the_library_would(challenge: str) -> None:
    answer = await reception("braintree").respond(get("braintree", f"x=1&bt_challenge={challenge}"))
    assert answer.status == 200
    assert answer.body.decode() == gateway().webhook_notification.verify(challenge)


@pytest.mark.parametrize(
    "query",
    [
        "", "bt_challenge=", *(f"bt_challenge={bad}" for bad in ("a" * 19, "a" * 33, "A" * 20, "g" * 20)),
        "bt_challenge=" + "a" * 20 + "%0a", "&".join("ab=1" for _ in range(99)),
    ],
)  # fmt: skip
async def test_what_is_no_challenge_is_refused_and_counted(query: str) -> None:
    desk = reception("braintree")
    answer = await desk.respond(get("braintree", query))
    assert (answer.status, answer.body) == (400, b"")
    assert desk.refusals.counts == {"unreadable": 1}


@pytest.mark.parametrize("adapter", sorted(set(ROWS) - {"braintree"}))
async def test_others_answer_no_get(adapter: str) -> None:
    answer = await reception(adapter).respond(get(adapter, f"bt_challenge={CHALLENGE}"))
    assert (answer.status, answer.body) == (405, b"")


def test_the_answer_signs_nothing_that_would_be_believed() -> None:
    for challenge in (CHALLENGE, "a" * 20, "0" * 32, "abcdef0123456789abcd"):
        proof = answer_challenge(f"bt_challenge={challenge}", BRAINTREE_SECRET)
        assert proof is not None
        with pytest.raises((Unreadable, BadSignature)):
            read({}, braintree_form(proof.decode(), challenge).body, BRAINTREE_SECRET, 0.0)
