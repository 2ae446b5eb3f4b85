"""The client verifies what the product signs, and refuses the rest."""

from __future__ import annotations

import base64
import json

import pytest

from b2bua.notify.signer import Signer
from tonewall.client import WebhookRefused, verify_webhook

NOW = 1_800_000_000
EVENT = {"id": "evt_1", "type": "tonewall.payment.charged", "subject": "p-1", "data": {"id": "p-1"}}
BODY = json.dumps(EVENT).encode()
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
PRIVATE = Signer("whsk_" + base64.b64encode(bytes(range(32))).decode())
KEYS = {"secret": (Signer(SECRET), SECRET), "public key": (PRIVATE, PRIVATE.public_key)}
every_key = pytest.mark.parametrize("signer", KEYS.values(), ids=KEYS)


@every_key
def test_an_event_of_the_product_is_genuine(signer: tuple[Signer, str]):
    by, key = signer
    headers = {name.title(): value for name, value in by.sign("evt_1", NOW, BODY).items()}
    assert verify_webhook(BODY, headers, SECRET.replace("A", "B"), key, now=NOW + 299.0) == EVENT


@every_key
def test_what_was_changed_in_any_way_is_refused(signer: tuple[Signer, str]):
    by, key = signer
    good = by.sign("evt_1", NOW, BODY)
    for body, headers, keys, now in (
        (BODY + b" ", good, (key,), NOW),
        (BODY, good | {"webhook-id": "evt_2"}, (key,), NOW),
        (BODY, good | {"webhook-timestamp": str(NOW + 1)}, (key,), NOW),
        (BODY, good | {"webhook-timestamp": "\u0661"}, (key,), NOW),
        (BODY, good | {"webhook-signature": "v1,"}, (key,), NOW),
        (BODY, good | {"webhook-signature": "v1,@@ v1a,AAAA v9,AAAA"}, (key,), NOW),
        (BODY, {}, (key,), NOW),
        (BODY, good, (), NOW),
        (BODY, good, ("whsec_@@", "whpk_AAAA", "nothing"), NOW),
        (BODY, good, (key,), NOW + 301),
        (BODY, good, (key,), NOW - 301),
        (b"[]", by.sign("evt_1", NOW, b"[]"), (key,), NOW),
        (BODY, by.sign("evt_other", NOW, BODY), (key,), NOW),
    ):
        with pytest.raises(WebhookRefused):
            verify_webhook(body, headers, *keys, now=now)
    with pytest.raises(WebhookRefused):  # a public key is no secret that a stranger could sign by
        verify_webhook(BODY, Signer(SECRET).sign("evt_1", NOW, BODY), "whpk_" + SECRET[6:], now=NOW)
