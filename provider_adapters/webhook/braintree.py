"""Braintree's webhooks: a form with `bt_signature` and `bt_payload`, an HMAC-SHA1 in hexadecimal
digits over the payload, which is XML in base64.

Source: Braintree's Python library. The HMAC's key is the SHA-1 of the private key. That digest is
the secret here, beside the public key, so that this process cannot speak for the account. Where
the URL is entered, a GET brings a challenge, which is signed by the same key: of hexadecimal digits
alone, so that the answer is no signature of any payload that can be read. The signature has no time
in it, and the notification no id: what is played again is known by the digest of its payload, and
is a hint to look at most.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl
from xml.parsers import expat

from provider_adapters.notice import Claim, Notice
from provider_adapters.payment import Approved, Declined
from provider_adapters.text import clean_text
from provider_adapters.webhook.scheme import BadSignature, Unreadable, same

ANSWER = b"{}"
_SECRET = re.compile(r"[a-z0-9]{8,64}\|[0-9a-f]{40}")
_CHALLENGE = re.compile(r"[a-f0-9]{20,32}")
_PAYLOAD = re.compile(r"[A-Za-z0-9+/=\n]+")
_MAX_FIELDS, _MAX_SIGNATURES, _MAX_DEPTH = 8, 8, 32
_TRANSACTION = ("notification", "subject", "transaction")
_KIND, _AT = ("notification", "kind"), ("notification", "timestamp")
_CLAIMED = frozenset({"transaction_settled", "transaction_settlement_declined", "transaction_disbursed"})


def check_secret(secret: str) -> str:
    """What was expected of the secret; empty where it is fit."""
    fit = _SECRET.fullmatch(secret) is not None
    return (
        "" if fit else "expected PUBLIC_KEY|DIGEST, with the SHA-1 of the private key, 40 hexadecimal digits"
    )


def read(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> tuple[Notice, ...]:
    """The notices in a request. Raises BadSignature, Unreadable."""
    try:
        fields = dict(parse_qsl(body.decode("ascii"), max_num_fields=_MAX_FIELDS))
    except ValueError:  # of which UnicodeDecodeError is one
        raise BadSignature from None
    payload = fields.get("bt_payload", "")
    _check(fields.get("bt_signature", ""), payload, secret)
    try:
        document = base64.b64decode(payload.replace("\n", ""), validate=True)
    except binascii.Error:
        raise Unreadable from None
    texts = read_texts(document)
    kind, reference = texts.get(_KIND, ""), texts.get((*_TRANSACTION, "id"), "")
    if kind not in _CLAIMED:
        return ()
    return (
        Notice(
            event=hashlib.sha256(document).hexdigest(),
            key=texts.get((*_TRANSACTION, "order-id"), ""),
            reference=reference,
            claim=_claim(kind, reference),
            at=_seconds(texts.get(_AT, ""), now),
        ),
    )


def answer_challenge(query: str, secret: str) -> bytes | None:
    """See Challenged."""
    try:
        challenge = dict(parse_qsl(query, max_num_fields=_MAX_FIELDS)).get("bt_challenge", "")
    except ValueError:
        return None
    if not _CHALLENGE.fullmatch(challenge):
        return None
    public, _, digest = secret.partition("|")
    return f"{public}|{_sign(digest, challenge)}".encode()


def _sign(digest: str, text: str) -> str:
    return hmac.new(bytes.fromhex(digest), text.encode(), hashlib.sha1).hexdigest()


def _check(header: str, payload: str, secret: str) -> None:
    public, _, digest = secret.partition("|")
    if not _PAYLOAD.fullmatch(payload):
        raise BadSignature
    pairs = [each.partition("|") for each in header.split("&")][:_MAX_SIGNATURES]
    given = [signature for name, _, signature in pairs if name == public]
    right = [_sign(digest, signed) for signed in (payload, payload + "\n")]
    if not any(same(each, fit) for each in given for fit in right):
        raise BadSignature


def _claim(kind: str, reference: str) -> Claim:
    if kind == "transaction_settlement_declined":
        return Declined(reason="declined", reference=clean_text(reference), code=kind)
    return Approved(reference=clean_text(reference))


def _seconds(timestamp: str, otherwise: float) -> float:
    try:
        return datetime.strptime(timestamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return otherwise


def read_texts(document: bytes) -> dict[tuple[str, ...], str]:
    """The text of each element by its path, of the last where there are several. Raises Unreadable,
    for a document type or an entity of its own too."""
    parser = expat.ParserCreate("utf-8")
    path: list[str] = []
    texts: dict[tuple[str, ...], str] = {}

    def refuse(*_: object) -> None:
        raise Unreadable

    def begin(name: str, _attributes: object) -> None:
        path.append(name)
        if len(path) > _MAX_DEPTH:
            raise Unreadable
        texts[tuple(path)] = ""

    def end(_name: str) -> None:
        path.pop()

    def add(text: str) -> None:
        texts[tuple(path)] += text

    parser.StartElementHandler, parser.EndElementHandler = begin, end
    parser.CharacterDataHandler, parser.buffer_text = add, True
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    try:
        parser.Parse(document, True)
    except (expat.ExpatError, ValueError):
        raise Unreadable from None
    return {where: text.strip() for where, text in texts.items()}
