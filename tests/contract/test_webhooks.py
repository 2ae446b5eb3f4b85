"""The webhooks that our tests play fit Adyen's own description of them, and the libraries of
providers find them well signed."""

from __future__ import annotations

import json
from typing import Any

import pytest
import stripe
from Adyen import util
from openapi_schema_validator import OAS31Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from provider_adapters.webhook.scheme import BadSignature, load_scheme
from tests.contract.described import spec_path
from tests.signed_webhooks import ADYEN_KEY, NOW, TEXT_SECRET, adyen, adyen_item, stripe_event

EVENTS = (
    "AUTHORISATION", "CAPTURE", "CAPTURE_FAILED", "CANCELLATION", "REFUND", "REFUND_FAILED",
    "REFUNDED_REVERSED",
)  # fmt: skip


def described() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(spec_path("adyen-webhooks-v1.json").read_text())
    return found


@pytest.mark.parametrize("event", EVENTS)
def test_what_is_played_fits_adyens_description(event: str) -> None:
    document = described()
    operation = document["webhooks"][f"/{event}"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    resource = Resource(contents=document, specification=DRAFT202012)
    registry: Registry[Any] = Registry().with_resource("urn:spec", resource)
    absolute = json.loads(json.dumps(schema).replace('"#/', '"urn:spec#/'))
    original = {} if event == "AUTHORISATION" else {"originalReference": "9913140798220028"}
    item = adyen_item(eventCode=event, **original)
    if event != "AUTHORISATION":
        del item["reason"]
    body = json.loads(adyen(item).body)
    assert [error.message for error in OAS31Validator(absolute, registry=registry).iter_errors(body)] == []
    body["notificationItems"][0]["NotificationRequestItem"]["success"] = True
    assert list(OAS31Validator(absolute, registry=registry).iter_errors(body)), "it notices a wrong one"


def test_adyens_own_examples_are_read_once_they_are_signed() -> None:
    scheme, read = load_scheme("adyen"), 0
    for name, example in described()["components"]["examples"].items():
        for wrapped in example["value"].get("notificationItems", []):
            item = wrapped["NotificationRequestItem"]
            if "pspReference" not in item or "amount" not in item:
                continue
            more = {key: value for key, value in item.items() if key != "additionalData"}
            notices = scheme.read({}, adyen(adyen_item(**more)).body, ADYEN_KEY, NOW)
            assert len(notices) == (item["eventCode"] in EVENTS), name
            read += 1
    assert read > 20


@pytest.mark.parametrize("reference", ["key-1", "with:colon", "back\\slash", "ünicode", ""])
@pytest.mark.parametrize("forged", [False, True])
def test_adyens_library_believes_what_we_believe(reference: str, forged: bool) -> None:
    item = adyen_item(merchantReference=reference)
    if forged:
        item["success"] = "false"
    body = adyen(item).body
    theirs = util.is_valid_hmac_notification(json.loads(body), ADYEN_KEY)
    try:
        load_scheme("adyen").read({}, body, ADYEN_KEY, NOW)
    except BadSignature:
        ours = False
    else:
        ours = True
    assert ours == theirs == (not forged)


@pytest.mark.parametrize("header", ["t=1,v1=0", "v1=0", "t=x,v1=0", "", "t=1"])
def test_stripes_library_refuses_what_we_refuse(header: str) -> None:
    body = stripe_event().body
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.WebhookSignature.verify_header(body.decode(), header, TEXT_SECRET)
    with pytest.raises(BadSignature):
        load_scheme("stripe").read({"stripe-signature": header}, body, TEXT_SECRET, NOW)
    assert load_scheme("stripe").read(stripe_event().headers, body, TEXT_SECRET, NOW)
