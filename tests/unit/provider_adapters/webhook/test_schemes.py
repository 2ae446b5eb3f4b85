"""What each scheme believes, and what it refuses: right, wrong, old, missing, torn, garbage."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provider_adapters.notice import Notice
from provider_adapters.payment import Approved, Declined, Failed
from provider_adapters.registry import ADAPTERS
from provider_adapters.webhook import braintree as braintree_scheme
from provider_adapters.webhook.scheme import SCHEMES, BadSignature, Stale, Unreadable, load_scheme
from tests.signed_webhooks import (
    ADYEN_KEY,
    BRAINTREE_SECRET,
    NOW,
    ROWS,
    SQUARE_KEY,
    SQUARE_URL,
    TEXT_SECRET,
    Signed,
    adyen,
    adyen_item,
    braintree_sample,
    braintree_xml,
    checkout,
    gateway,
    govuk_pay,
    of_body,
    square,
    stripe_event,
)

every_scheme = pytest.mark.parametrize("name", SCHEMES)


def read(name: str, signed: Signed, now: float = NOW) -> tuple[Notice, ...]:
    return load_scheme(name).read(signed.headers, signed.body, ROWS[name].secret, now)


@every_scheme
def test_a_right_request_gives_its_notice(name: str) -> None:
    (notice,) = read(name, ROWS[name].right())
    assert isinstance(notice.claim, Approved)
    assert notice.event
    assert notice.key or notice.reference


@every_scheme
def test_with_one_bit_of_the_body_or_of_the_signature_changed_nothing_is_believed(name: str) -> None:
    signed = ROWS[name].right()
    whole = read(name, signed)
    refused = 0
    for at in range(len(signed.body)):
        torn = signed.body[:at] + bytes([signed.body[at] ^ 1]) + signed.body[at + 1 :]
        try:
            # What is not signed may change: spaces, and fields beside those that are.
            assert read(name, Signed(signed.headers, torn)) == whole
        except BadSignature:
            refused += 1
    assert refused > 60
    for header, value in signed.headers.items():
        wrong = {**signed.headers, header: value[:-1] + ("0" if value[-1] != "0" else "1")}
        with pytest.raises(BadSignature):
            read(name, Signed(wrong, signed.body))


@every_scheme
def test_another_secret_fits_nothing(name: str) -> None:
    signed = ROWS[name].right()
    other = {
        "adyen": "00" * 32,
        "braintree": BRAINTREE_SECRET[:-1] + ("0" if BRAINTREE_SECRET[-1] != "0" else "1"),
        "square": f"{SQUARE_URL}|another-key-of-a-test",
    }.get(name, "whsec_fedcba9876543210")
    assert load_scheme(name).check_secret(other) == ""
    with pytest.raises(BadSignature):
        load_scheme(name).read(signed.headers, signed.body, other, NOW)


@every_scheme
def test_without_a_signature_nothing_is_believed(name: str) -> None:
    signed = ROWS[name].right()
    if signed.headers:
        with pytest.raises(BadSignature):
            read(name, Signed({}, signed.body))
    for body in (b"", b"{}", b"[]", b"null", b"\xff\xfe", b"[" * 60_000, b"a=b&" * 9000):
        with pytest.raises(BadSignature):
            read(name, Signed({}, body))


@every_scheme
def test_a_secret_is_checked_before_it_is_used(name: str) -> None:
    scheme = load_scheme(name)
    assert scheme.check_secret(ROWS[name].secret) == ""
    for wrong in ("", "short", "with a space in the middle of it", "é" * 64):
        assert scheme.check_secret(wrong).startswith("expected")


@every_scheme
@settings(max_examples=150, deadline=None)
@given(
    headers=st.dictionaries(
        st.sampled_from(["stripe-signature", "cko-signature", "pay-signature", "x"]), st.text(max_size=80)
    ),
    body=st.one_of(
        st.binary(max_size=300),
        st.text(alphabet="bt_signaturepayload=&|%0A<!>[]", max_size=200).map(lambda text: text.encode()),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: (
                st.lists(inner)
                | st.dictionaries(
                    st.sampled_from(["notificationItems", "NotificationRequestItem", "amount", "id", "data"]),
                    inner,
                )
            ),
        ).map(lambda value: json.dumps(value).encode()),
    ),
)
def test_garbage_is_never_believed_and_breaks_nothing(
    name: str, headers: dict[str, str], body: bytes
) -> None:
    with pytest.raises(BadSignature):
        read(name, Signed(headers, body))


@pytest.mark.parametrize("name", ["checkout", "govuk_pay"])
@given(value=st.recursive(st.none() | st.text() | st.integers(), st.lists))
@settings(max_examples=50, deadline=None)
def test_what_is_signed_and_no_event_is_said_to_be_so(name: str, value: object) -> None:
    header = {"checkout": "cko-signature", "govuk_pay": "pay-signature"}[name]
    with pytest.raises(Unreadable):
        read(name, of_body(header, {"of": value}))


def test_what_has_a_scheme_and_an_adapter_has_one_name() -> None:
    assert set(ROWS) == set(SCHEMES)
    assert set(ADAPTERS) & set(SCHEMES) >= {"adyen", "govuk_pay", "stripe"}


# --- Adyen ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "success", "about", "claim"),
    [
        ("AUTHORISATION", "true", "charge", Approved),
        ("AUTHORISATION", "false", "charge", Declined),
        ("CAPTURE", "true", "capture", Approved),
        ("CAPTURE", "false", "capture", Failed),
        ("CAPTURE_FAILED", "true", "capture", Failed),
        ("REFUND", "true", "refund", Approved),
        ("REFUND", "false", "refund", Failed),
        ("REFUND_FAILED", "true", "refund", Failed),
        ("REFUNDED_REVERSED", "true", "refund", Failed),
        ("CANCELLATION", "true", "void", Approved),
        ("CANCELLATION", "false", "void", Failed),
        ("AUTHORISATION", "perhaps", "charge", type(None)),
        ("REFUND_FAILED", "false", "refund", type(None)),
    ],
)
def test_adyens_events_say_what_became_of_what(code: str, success: str, about: str, claim: type) -> None:
    (notice,) = read("adyen", adyen(adyen_item(eventCode=code, success=success)))
    assert (notice.about, notice.key, notice.reference) == (about, "key-1", "QFQTPCQ8HXSKGK82")
    assert isinstance(notice.claim, claim)
    assert (notice.amount, notice.currency) == (1999, "EUR")


def test_adyens_other_events_are_taken_and_say_nothing() -> None:
    for code in ("CHARGEBACK", "REPORT_AVAILABLE", "RECURRING_CONTRACT"):
        assert read("adyen", adyen(adyen_item(eventCode=code))) == ()


def test_of_several_items_each_has_to_be_signed() -> None:
    second = adyen_item(merchantReference="key-2")
    assert [each.key for each in read("adyen", adyen(adyen_item(), second))] == ["key-1", "key-2"]
    with pytest.raises(BadSignature):
        read("adyen", adyen(adyen_item(), second | {"merchantReference": "key-3"}))
    with pytest.raises(BadSignature):
        read("adyen", adyen(adyen_item() | {"additionalData": {}}))


def test_a_field_with_a_colon_which_could_be_two_is_never_acted_upon() -> None:
    moved = {"merchantAccountCode": "Shoes:key-1", "merchantReference": "1999"}
    item = adyen_item(**moved, amount={"currency": "EUR", "value": 1})
    assert read("adyen", adyen(item)) == ()


def test_what_adyen_does_not_sign_is_not_used() -> None:
    whole = read("adyen", adyen(adyen_item()))
    more = adyen_item()
    more["additionalData"] |= {"authCode": "1", "tokenization.storedPaymentMethodId": "forged"}
    assert read("adyen", adyen(more | {"reason": "forged", "eventDate": "1970-01-01"})) == whole


def test_adyens_amounts_are_ours_in_its_own_decimals() -> None:
    item = adyen_item(amount={"currency": "CLP", "value": 199900})
    assert read("adyen", adyen(item))[0].amount == 1999
    assert read("adyen", adyen(adyen_item(amount={"currency": "CLP", "value": 199901})))[0].amount == -1


def test_the_same_event_has_the_same_id_and_another_success_another() -> None:
    ids = {
        read("adyen", adyen(adyen_item(success=success, eventCode=code)))[0].event
        for success in ("true", "false")
        for code in ("CAPTURE", "AUTHORISATION")
    }
    assert len(ids) == 4
    assert read("adyen", adyen(adyen_item())) == read("adyen", adyen(adyen_item()))


# --- Stripe ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("away", [-300, 0, 300])
def test_a_time_within_the_tolerance_is_taken(away: float) -> None:
    assert len(read("stripe", stripe_event(at=NOW + away))) == 1


@pytest.mark.parametrize("away", [-301, 301, -86_400])
def test_a_time_outside_of_it_is_stale(away: float) -> None:
    with pytest.raises(Stale):
        read("stripe", stripe_event(at=NOW + away))


def test_of_several_signatures_one_has_to_fit() -> None:
    signed = stripe_event()
    stamp, _, right = signed.headers["stripe-signature"].partition(",")
    several = f"{stamp},v1={'0' * 64},{right},v0={'1' * 64}"
    assert read("stripe", Signed({"stripe-signature": several}, signed.body))
    for wrong in (f"{stamp},v1={'0' * 64}", stamp, right, f"{stamp},{stamp},{right}", f"{stamp},{right[1:]}"):
        with pytest.raises(BadSignature):
            read("stripe", Signed({"stripe-signature": wrong}, signed.body))


@pytest.mark.parametrize(
    ("kind", "status", "claim"),
    [
        ("payment_intent.succeeded", "succeeded", Approved),
        ("payment_intent.amount_capturable_updated", "requires_capture", Approved),
        ("payment_intent.payment_failed", "requires_payment_method", Declined),
        ("payment_intent.canceled", "canceled", Failed),
        ("payment_intent.processing", "processing", type(None)),
    ],
)
def test_stripes_intents_say_their_state(kind: str, status: str, claim: type) -> None:
    (notice,) = read("stripe", stripe_event(kind, status=status))
    assert (notice.about, notice.key, notice.reference) == ("charge", "key-1", "pi_1")
    assert isinstance(notice.claim, claim)


@pytest.mark.parametrize(
    ("status", "claim"), [("succeeded", Approved), ("failed", Failed), ("pending", type(None))]
)
def test_stripes_refunds_are_known_by_their_reference(status: str, claim: type) -> None:
    signed = stripe_event("refund.updated", id="re_1", object="refund", status=status)
    (notice,) = read("stripe", signed)
    assert (notice.about, notice.key, notice.reference) == ("refund", "", "re_1")
    assert isinstance(notice.claim, claim)


def test_stripes_other_objects_say_nothing() -> None:
    assert read("stripe", stripe_event("customer.created", object="customer")) == ()


# --- the others -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "about", "reference", "claim"),
    [
        ("payment_approved", "charge", "pay_1", Approved),
        ("payment_declined", "charge", "pay_1", Declined),
        ("payment_expired", "charge", "pay_1", Failed),
        ("payment_captured", "capture", "act_1", Approved),
        ("payment_capture_declined", "capture", "act_1", Failed),
        ("payment_refunded", "refund", "act_1", Approved),
        ("payment_void_declined", "void", "act_1", Failed),
    ],
)
def test_checkouts_events_say_what_became_of_what(kind: str, about: str, reference: str, claim: type) -> None:
    (notice,) = read("checkout", checkout(kind))
    assert (notice.about, notice.key, notice.reference) == (about, "key-1", reference)
    assert isinstance(notice.claim, claim)
    assert read("checkout", checkout("dispute_received")) == ()


@pytest.mark.parametrize(
    ("kind", "claim"),
    [
        ("card_payment_succeeded", Approved),
        ("card_payment_captured", Approved),
        ("card_payment_failed", Declined),
        ("card_payment_expired", Failed),
        ("card_payment_started", type(None)),
    ],
)
def test_govuk_pays_messages_name_the_payment(kind: str, claim: type) -> None:
    (notice,) = read("govuk_pay", govuk_pay(kind))
    assert (notice.key, notice.reference) == ("", "hu20sqlact5260q2nanm0q8u93")
    assert isinstance(notice.claim, claim)
    assert read("govuk_pay", govuk_pay("card_payment_refunded")) == ()


def test_braintrees_own_library_believes_what_we_believe() -> None:
    library = gateway()
    for kind in ("transaction_settled", "transaction_settlement_declined"):
        sample = library.webhook_testing.sample_notification(kind, "abc123")
        theirs = library.webhook_notification.parse(sample["bt_signature"], sample["bt_payload"])
        (ours,) = read("braintree", braintree_sample(kind))
        assert theirs.transaction.id == ours.reference == "abc123"
    assert isinstance(read("braintree", braintree_sample("transaction_settled"))[0].claim, Approved)
    declined = read("braintree", braintree_sample("transaction_settlement_declined"))[0]
    assert isinstance(declined.claim, Declined)
    assert read("braintree", braintree_sample("check")) == ()


def test_braintrees_order_is_our_key_and_its_time_the_notices() -> None:
    (notice,) = read(
        "braintree",
        braintree_xml(
            "<notification><timestamp>2027-01-15T08:00:00Z</timestamp><kind>transaction_settled</kind><subject>"
            "<transaction><id>abc</id><order-id>key-1</order-id></transaction></subject></notification>"
        ),
    )
    assert (notice.key, notice.reference, notice.at) == ("key-1", "abc", 1_800_000_000.0)


@pytest.mark.parametrize(
    "document",
    [
        '<!DOCTYPE n [<!ENTITY a "aa">]><n>&a;</n>',
        '<!DOCTYPE n SYSTEM "file:///etc/passwd"><n/>',
        "<n>" * 40 + "</n>" * 40,
        "<n>",
        "",
        "<n>&unknown;</n>",
        '<?xml version="1.0" encoding="utf-7"?>',
    ],
)
def test_a_document_with_a_type_an_entity_or_no_end_is_not_read(document: str) -> None:
    with pytest.raises(Unreadable):
        braintree_scheme.read_texts(document.encode())


@pytest.mark.parametrize(
    ("kind", "status", "claim", "about"),
    [
        ("payment", "COMPLETED", Approved(reference="p-1"), "charge"),
        ("payment", "FAILED", Declined(reason="declined", reference="p-1"), "charge"),
        ("payment", "CANCELED", Declined(reason="declined", reference="p-1"), "charge"),
        ("payment", "PENDING", None, "charge"),
        ("refund", "COMPLETED", Approved(reference="p-1"), "refund"),
        ("refund", "REJECTED", Failed(reason="request_refused", code="REJECTED"), "refund"),
        ("refund", "PENDING", None, "refund"),
    ],
)
def test_squares_payments_are_known_by_their_order(kind: str, status: str, claim: object, about: str) -> None:
    (notice,) = read("square", square(kind, status=status))
    assert (notice.claim, notice.about) == (claim, about)
    assert notice.reference == ("order-1" if kind == "payment" else "p-1")
    assert read("square", square("dispute")) == ()


def test_squares_signature_is_of_one_url() -> None:
    signed = square()
    scheme = load_scheme("square")
    with pytest.raises(BadSignature):
        scheme.read(signed.headers, signed.body, f"{SQUARE_URL}/|{SQUARE_KEY}", NOW)
    for unfit in (SQUARE_KEY, f"http://x.example|{SQUARE_KEY}", f"{SQUARE_URL}|short"):
        assert scheme.check_secret(unfit)


def test_secrets_stand_for_no_account() -> None:
    assert ADYEN_KEY not in repr(adyen(adyen_item()))
    assert TEXT_SECRET not in repr(stripe_event())
