"""The sections of sip.conf: every key in the file and in the environment, and the example that we
ship."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from b2bua.config.assembly import agent_charging, build_forms, trunk_policies
from b2bua.config.link_settings import LinkSettings
from b2bua.config.reading import read_settings, read_signalling
from b2bua.config.settings import SECTIONS
from media.events import CaptureForm, card_fields
from tonewall.ini import (
    ConfigError,
    Section,
    load,
    read_file,
    secret_keys,
    to_environment,
    variable_name,
)

EXAMPLE = Path(__file__).parents[4] / "sip.conf.example"
OPERATIONS = EXAMPLE.with_name("docs") / "operations.md"
WEBHOOK_SECRET = Path(__file__).parents[3] / "fixtures" / "webhook-secret"
PSEUDONYM_KEY = Path(__file__).parents[3] / "fixtures" / "pseudonym-key"
AUDIT_KEY = Path(__file__).parents[3] / "fixtures" / "audit-key.pem"
KEY_FILE = Path(__file__).parents[3] / "fixtures" / "provider-key"
PUBLIC_KEY_FILE = KEY_FILE.with_name("public-key.pem")
PUBLIC_KEY = (
    '{"crv": "P-256", "x": "AughCQ_DDxQnUHyrcn97VXdUCK8o-NwW4OetLJm44rU", "'
    'y": "-p2J6GX0pkxovH6mfxbCIIUR2Bcd41wMDfbUxro7Ml8", "kty": "EC"}'
)
SECRET = "sk-live-7c4fe1-aaaaaaaaaaaa"
# A value for every key that is not its default.
OTHER = {
    ("general", "bind"): "127.0.0.9",
    ("general", "port"): "5070",
    ("general", "advertised"): "198.51.100.7",
    ("general", "listen"): "udp:127.0.0.5:5070, tcp:[::1]:5070",
    ("general", "tls_certificate"): str(EXAMPLE),
    ("general", "tls_key"): str(EXAMPLE),
    ("general", "realm"): "login.example",
    ("general", "log_level"): "debug",
    ("general", "log_format"): "text",
    ("general", "directory"): "/tmp/tonewall-test",
    ("general", "spare"): "no",
    ("cdr", "url"): f"postgresql+psycopg://cdr:{SECRET}@db.example/cdr",
    ("cdr", "spool"): "/tmp/other.spool",
    ("cdr", "retention"): "30",
    ("cdr", "payments"): "/tmp/other.sqlite",
    ("notify", "webhook_url"): "https://crm.example/hook",
    ("notify", "webhook_secret"): WEBHOOK_SECRET.read_text().strip(),
    ("notify", "webhook_secret_file"): str(WEBHOOK_SECRET),
    ("cdr", "pseudonym_key_file"): str(PSEUDONYM_KEY),
    ("notify", "ca_file"): str(EXAMPLE),
    ("notify", "events"): "*",
    ("shared", "redis"): "rediss://tonewall@redis.example:6380/1",
    ("shared", "password"): SECRET,
    ("shared", "ca_file"): str(EXAMPLE),
    ("shared", "instance"): "one.b",
    ("webhook", "url"): "https://crm.example/hook",
    ("webhook", "events"): "payment.charged, tonewall.payment.refund*",
    ("webhook", "secret_file"): str(WEBHOOK_SECRET),
    ("webhook", "ca_file"): str(EXAMPLE),
    ("links", "expires"): "3600",
    ("links", "webhook_url"): "https://links.example/hook",
    ("links", "webhook_secret"): WEBHOOK_SECRET.read_text().strip(),
    ("links", "webhook_secret_file"): str(WEBHOOK_SECRET),
    ("links", "ca_file"): str(EXAMPLE),
    ("audit", "directory"): "/tmp/tonewall-audit",
    ("audit", "key_file"): str(AUDIT_KEY),
    ("audit", "required"): "yes",
    ("audit", "retention"): "30",
    ("audit", "erasable"): "yes",
    ("audit", "syslog"): "tls:log.example:6514",
    ("audit", "copy_to"): "https://log.example/tonewall",
    ("audit", "copy_token"): "a-token-of-the-log",
    ("audit", "copy_token_file"): str(KEY_FILE),
    ("audit", "copy_ca"): str(EXAMPLE),
    ("audit", "copy_certificate"): str(EXAMPLE),
    ("audit", "copy_key"): str(EXAMPLE),
    ("audit", "reports"): "/tmp/tonewall-reports",
    ("general", "ring_time"): "30",
    ("general", "ladders"): "50",
    ("general", "drain_time"): "600",
    ("general", "guard_time"): "2.5",
    ("general", "release_time"): "90",
    ("general", "engine"): "pjsua2",
    ("general", "other_audio"): "mute",
    ("general", "max_media"): "3",
    ("general", "manifest_key"): "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3",
    ("carrier", "mask"): "mute-on-key",
    ("carrier", "key_pause"): "3.5",
    ("carrier", "capture_tones"): "yes",
    ("carrier", "placeholder_tone"): "yes",
    ("carrier", "info_digits"): "yes",
    ("carrier", "slow_keys"): "yes",
    ("carrier", "pre_mask"): "answer",
    ("carrier", "pre_mask_time"): "60",
    ("pbx", "dtmf"): "rfc4733",
    ("pbx", "feature_codes"): "yes",
    ("feature_codes", "start"): "11",
    ("feature_codes", "submit"): "22",
    ("feature_codes", "skip"): "",
    ("feature_codes", "ask"): "7",
    ("feature_codes", "cancel"): "99",
    ("feature_codes", "protect"): "6",
    ("feature_codes", "release"): "8",
    ("feature_codes", "short_code"): "5",
    ("feature_codes", "prompts"): "placeholder",
    ("feature_codes", "language"): "pl",
    **{
        (trunk, key): value
        for trunk in ("carrier", "pbx")
        for key, value in {
            "host": "other.example",
            "port": "5080",
            "transport": "tls",
            "match": "192.0.2.0/24, 2001:db8::/32",
            "redirect": "follow",
            "bind": "127.0.0.5",
            "tcp_switch": "no",
            "keepalive": "25",
            "tls_ca": str(EXAMPLE),
            "tls_certificate": str(EXAMPLE),
            "tls_key": str(EXAMPLE),
            "tls_name": "sip.other.example",
            "tls_verify_client": "yes",
            "session_expires": "600",
            "session_minimum": "120",
            "probe": "30",
            "username": "someone",
            "password": SECRET,
            "challenge": "yes",
            "registration": "yes",
            "user": "4930555",
            "expires": "600",
            "realm": "realm.example",
            "domain": "domain.example",
            "contact_host": "pay.example",
            "media_address": "2001:db8::9",
            "media_advertised": "198.51.100.9",
            "nat": "yes",
            "srtp": "yes",
            "trust": "yes",
            "x_headers": "X-Account, P-Charge-Info",
            "reference_headers": "User-to-User, X-Order-Id",
            "shown_headers": "User-to-User, X-Customer-Ref",
            "user_parameters": "npdi, rn",
            "user_phone": "yes",
            "identity": "yes",
            "media": "audio, video",
            "prack": "supported",
            "numbers": "plain",
            "country": "49",
            "national_prefix": "8",
            "international_prefix": "810",
            "max_calls": "30",
            "max_rate": "2.5",
            "merchant_account": "North",
            "statement": "NORTH SHOES",
            "metadata": "city=berlin",
        }.items()
    },
    ("carrier", "refer"): "yes",
    ("pbx", "refer"): "no",
    ("route", "source"): "carrier",
    ("route", "callee"): "/(100|200)/",
    ("route", "caller"): "+49, +43",
    ("route", "to"): "pbx",
    ("route", "spread"): "yes",
    ("route", "mask"): "mute",
    ("route", "callee_as"): "9",
    ("route", "provider"): "default, backup",
    ("route", "merchant_account"): "Shoes",
    ("route", "statement"): "SHOES LTD",
    ("route", "metadata"): "desk=7, team=blue",
    ("route", "caller_as"): "0",
    ("route", "refuse"): "403",
    ("route", "ends_in"): "form",
    ("route", "then"): "pbx/700",
    ("route", "person"): "pbx",
    ("route", "otherwise"): "pbx/*98",
    ("route", "amount"): "4990",
    ("route", "currency"): "EUR",
    ("route", "description"): "Shoes",
    ("route", "order_header"): "X-Order",
    ("route", "cards"): "2",
    ("route", "silence"): "8",
    ("route", "silences"): "2",
    ("route", "confirm"): "no",
    ("route", "agent_gone"): "pbx/501",
    ("route", "time_limit"): "90",
    ("media", "address"): "127.0.0.8",
    ("media", "advertised"): "198.51.100.8",
    ("media", "threads"): "2",
    ("media", "realtime"): "yes",
    ("media", "coalescing"): "0.001",
    ("media", "masked_coalescing"): "0.003",
    ("media", "dscp"): "0",
    ("media", "ports"): "30000-30099",
    ("media", "engine"): "rtpengine",
    ("media", "rtpengine"): "127.0.0.1:2223, [::1]:2224/0.5",
    ("media", "rtpengine_digits"): "127.0.0.1:2230",
    ("media", "field_pause"): "1.5",
    ("media", "refusal_pause"): "4",
    ("media", "number_pause"): "8",
    ("media", "media_timeout"): "61",
    ("media", "key_timeout"): "11",
    ("media", "capture_timeout"): "12",
    ("media", "ready_timeout"): "13",
    ("media", "quiet_time"): "14",
    ("api", "address"): "127.0.0.7",
    ("api", "port"): "8443",
    ("api", "tls_certificate"): str(EXAMPLE),
    ("api", "tls_key"): str(EXAMPLE),
    ("api", "plain_http"): "yes",
    ("access", "directory"): "/var/lib/tonewall/access",
    ("access", "session_life"): "3600",
    ("api", "client_ca"): str(EXAMPLE),
    ("api", "client_crl"): str(EXAMPLE),
    ("client", "certificate"): "dns:other.example",
    ("client", "role"): "metrics",
    ("client", "scopes"): "calls:read",
    ("oauth", "issuer"): "https://login.example/tenant",
    ("oauth", "audience"): "https://pay.example",
    ("oauth", "jwks_url"): "https://login.example/keys",
    ("oauth", "ca_file"): str(EXAMPLE),
    ("oauth", "token_types"): "at+jwt, jwt",
    ("oauth", "algorithms"): "ES256",
    ("oauth", "scope_prefix"): "tonewall/",
    ("oauth", "role_claim"): "roles",
    ("oauth", "roles"): "scrapers:metrics",
    ("oauth", "leeway"): "60",
    ("oidc", "issuer"): "https://id.example/realms/pay",
    ("oidc", "client_id"): "tonewall",
    ("oidc", "client_secret"): SECRET,
    ("oidc", "client_secret_file"): str(KEY_FILE),
    ("oidc", "redirect_uri"): "https://pay.example/sign-in/oidc/callback",
    ("oidc", "scopes"): "openid",
    ("oidc", "audience"): "pay",
    ("oidc", "name_claim"): "sub",
    ("oidc", "groups_claim"): "realm_access.roles",
    ("oidc", "roles"): "contact-centre:agent, team-leads:agent+supervisor",
    ("oidc", "teams"): "north-desk:north",
    ("oidc", "clock_skew"): "30",
    ("oidc", "ca_file"): str(EXAMPLE),
    ("oidc", "contact"): "the service desk, 4711",
    ("access", "totp_required"): "supervisor administrator",
    ("api", "trusted_proxies"): "192.0.2.1, 2001:db8::/64",
    ("api", "frame_ancestors"): "https://crm.example, https://crm.example:8443",
    ("api", "origins"): "https://crm.example, http://localhost:3000",
    ("api", "messages"): str(Path(__file__).parents[4] / "b2bua" / "api" / "web" / "messages"),
    ("api", "language"): "de",
    ("api", "connections"): "64",
    ("api", "healthz"): "no",
    ("api", "openapi"): "no",
    ("api", "idle_time"): "600",
    ("api", "roles"): "agent:supervisor, *:auditor+metrics",
    ("api", "teams"): "north:agent ben",
    ("api", "refund_limit"): "EUR 500.00, JPY 9000",
    ("api", "extensions"): "agent:201, agent:202",
    ("api", "tokens"): f"agent:{SECRET}",
    ("carrier", "form"): "card",
    ("pbx", "form"): "card",
    ("route", "form"): "card",
    ("agent_group", "form"): "card",
    ("form", "fields"): "card_number, expiry",
    ("form", "optional"): "security_code",
    ("form", "confirm"): "card_number",
    ("form", "result"): "token",
    ("form", "deliver_to"): "crm",
    ("field", "kind"): "secret",
    ("field", "label"): "Membership",
    ("field", "min_length"): "3",
    ("field", "max_length"): "9",
    ("field", "check"): "luhn",
    ("field", "last_shown"): "2",
    ("field", "countries"): "DE, AT",
    ("field", "date_format"): "yyyymmdd",
    ("field", "min_age"): "18",
    ("field", "card_numbers"): "allow",
    ("form", "brands"): "visa, amex",
    ("form", "security_code"): "optional",
    ("form", "end_key"): "none",
    ("form", "clear_key"): "none",
    ("form", "tries"): "3",
    ("form", "key_timeout"): "20",
    ("form", "capture_timeout"): "90",
    ("form", "prompts"): "placeholder",
    ("form", "language"): "pl",
    ("form", "agent_tones"): "yes",
    ("prompts", "directory"): "/tmp/prompts",
    ("prompts", "placeholders"): "no",
    ("agent_group", "agents"): "agent",
    ("agent_group", "merchant_account"): "Boots",
    ("agent_group", "statement"): "BOOTS LTD",
    ("agent_group", "metadata"): "team=red",
    ("provider", "adapter"): "connector",
    ("provider", "url"): "https://other.example/v2",
    ("provider", "api_key"): SECRET,
    ("provider", "api_key_file"): str(KEY_FILE),
    ("provider", "api_user"): "public-key",
    ("provider", "merchant_account"): "Shoes",
    ("provider", "statement"): "SHOES LTD",
    ("provider", "ca_file"): str(EXAMPLE),
    ("provider", "tls_certificate"): str(EXAMPLE),
    ("provider", "tls_key"): str(EXAMPLE),
    ("provider", "encryption_key"): PUBLIC_KEY,
    ("provider", "encryption_key_file"): str(PUBLIC_KEY_FILE),
    ("provider", "key_header"): "X-Api-Key",
    ("provider", "idempotent"): "yes",
    ("provider", "call_id"): "yes",
    ("provider", "timeout"): "5",
    ("provider", "inquiry_time"): "6",
    ("provider", "token_type"): "reusable",
    ("provider", "journal"): "/tmp/journal.jsonl",
    ("provider", "ready"): "3",
    ("provider", "breaker_failures"): "0",
    ("provider", "breaker_pause"): "60",
    ("webhooks", "port"): "8444",
    ("webhooks", "address"): "127.0.0.6",
    ("webhooks", "tls_certificate"): str(EXAMPLE),
    ("webhooks", "tls_key"): str(EXAMPLE),
    ("webhooks", "secret"): SECRET,
    ("webhooks", "secret_file"): str(KEY_FILE),
    ("webhooks", "connections"): "65",
    ("webhooks", "request_time"): "11",
}
WRONG = {
    ("access", "directory"): "beside/me",
    ("api", "tls_certificate"): "/nowhere/api.pem",
    ("api", "client_ca"): "/nowhere/ca.pem",
    ("api", "trusted_proxies"): "10.0.0.1/8",
    ("api", "address"): "localhost",
    ("client", "certificate"): "erp",
    ("client", "role"): "owner",
    ("client", "scopes"): "everything",
    ("oauth", "issuer"): "http://login.example",
    ("oauth", "algorithms"): "HS256",
    ("oauth", "roles"): "crm:integration",
    ("oauth", "ca_file"): "/nowhere/ca.pem",
    ("oidc", "issuer"): "http://id.example",
    ("oidc", "redirect_uri"): "https://pay.example/",
    ("oidc", "scopes"): "profile",
    ("oidc", "name_claim"): " ",
    ("oidc", "roles"): "crm:integration",
    ("oidc", "teams"): "north",
    ("oidc", "clock_skew"): "301",
    ("oidc", "ca_file"): "/nowhere/ca.pem",
    ("general", "bind"): "localhost",
    ("general", "port"): "65536",
    ("general", "listen"): "udp:localhost:5060",
    ("general", "tls_certificate"): "/nowhere/own.pem",
    ("general", "realm"): "two words",
    ("general", "log_level"): "loud",
    ("general", "guard_time"): "0",
    ("general", "release_time"): "0",
    ("general", "engine"): "another",
    ("general", "other_audio"): "pass",
    ("general", "max_media"): "17",
    ("carrier", "mask"): "none",
    ("carrier", "key_pause"): "0",
    ("general", "ring_time"): "-1",
    ("general", "ladders"): "-1",
    ("carrier", "host"): "a b",
    ("carrier", "port"): "sip",
    ("carrier", "transport"): "sctp",
    ("carrier", "match"): "192.0.2.0/24, everybody",
    ("carrier", "redirect"): "perhaps",
    ("carrier", "x_headers"): "X-Account, Via, X-Bad Name",
    ("pbx", "x_headers"): "X-Account, p-asserted-identity",
    ("carrier", "reference_headers"): "From",
    ("carrier", "shown_headers"): "X-A, X-B, X-C, X-D, X-E, X-F, X-G, X-H, X-I",
    ("pbx", "shown_headers"): "Via",
    ("pbx", "reference_headers"): "X-Order, P-Asserted-Identity",
    ("carrier", "user_parameters"): "npdi; rn",
    ("carrier", "user_phone"): "perhaps",
    ("carrier", "probe"): "-1",
    ("carrier", "session_minimum"): "89",
    ("carrier", "tls_ca"): "/nowhere/ca.pem",
    ("pbx", "nat"): "perhaps",
    ("carrier", "media_address"): "::",
    ("pbx", "media_advertised"): "pbx.example",
    ("pbx", "srtp"): "maybe",
    ("carrier", "expires"): "10",
    ("pbx", "media"): "audio; video",
    ("pbx", "prack"): "always",
    ("pbx", "numbers"): "short",
    ("pbx", "country"): "049",
    ("pbx", "max_rate"): "-3",
    ("route", "callee"): "/(/",
    ("route", "statement"): "A name of more than twenty-two characters",
    ("route", "metadata"): "desk 7",
    ("route", "refuse"): "200",
    ("route", "ends_in"): "tears",
    ("route", "then"): "/700",
    ("route", "person"): "pbx/7 0",
    ("route", "currency"): "euro",
    ("route", "description"): "4111 1111 1111 1111",
    ("route", "order_header"): "X Order",
    ("route", "cards"): "0",
    ("pbx", "statement"): "A name of more than twenty-two characters",
    ("carrier", "metadata"): "city berlin",
    ("route", "form"): "nowhere",
    ("form", "brands"): "visa, dankort",
    ("form", "fields"): "card_number, shoe_size",
    ("form", "confirm"): "postcode",
    ("field", "kind"): "letters",
    ("field", "max_length"): "33",
    ("field", "check"): "mod10",
    ("field", "last_shown"): "5",
    ("field", "countries"): "DE, GB",
    ("field", "min_age"): "-1",
    ("feature_codes", "start"): "1234",
    ("feature_codes", "ask"): "444",
    ("feature_codes", "cancel"): "*",
    ("feature_codes", "release"): "1.5",
    ("feature_codes", "short_code"): "7",
    ("form", "security_code"): "perhaps",
    ("form", "end_key"): "zero",
    ("form", "tries"): "-1",
    ("form", "key_timeout"): "never",
    ("form", "prompts"): "nowhere",
    ("form", "language"): "Polish!",
    ("form", "agent_tones"): "loud",
    ("agent_group", "agents"): " , ",
    ("agent_group", "statement"): "A name of more than twenty-two characters",
    ("agent_group", "metadata"): "team red",
    ("media", "address"): "0.0.0.0",
    ("media", "threads"): "0",
    ("media", "dscp"): "64",
    ("media", "ports"): "20001-20002",
    ("media", "field_pause"): "0",
    ("media", "refusal_pause"): "-1",
    ("media", "number_pause"): "never",
    ("media", "media_timeout"): "-1",
    ("media", "key_timeout"): "soon",
    ("media", "engine"): "another",
    ("media", "rtpengine"): "localhost:2223",
    ("media", "rtpengine_digits"): "127.0.0.1:0",
    ("api", "port"): "-1",
    ("api", "idle_time"): "901",
    ("api", "extensions"): "desk-1:201, desk-2:201",
    ("cdr", "retention"): "-1",
    ("audit", "key_file"): "/nowhere/audit.pem",
    ("audit", "retention"): "-1",
    ("audit", "syslog"): "udp:log.example:514",
    ("audit", "copy_to"): "http://log.example/",
    ("audit", "copy_token_file"): "/nowhere/token",
    ("audit", "copy_ca"): "/nowhere/ca.pem",
    ("audit", "copy_certificate"): "/nowhere/client.pem",
    ("audit", "copy_key"): "/nowhere/client.key",
    ("provider", "adapter"): "nobody",
    ("provider", "url"): "http://plain.example",
    ("provider", "api_key"): "with space",
    ("provider", "api_key_file"): "/nowhere/key",
    ("provider", "api_user"): "user:name",
    ("provider", "statement"): "A name of more than twenty-two characters",
    ("provider", "ca_file"): "/nowhere/ca.pem",
    ("provider", "tls_certificate"): "/nowhere/client.pem",
    ("provider", "tls_key"): "/nowhere/client.key",
    ("provider", "encryption_key"): "{}",
    ("provider", "encryption_key_file"): "/nowhere/public.jwk",
    ("provider", "key_header"): "Host",
    ("provider", "idempotent"): "perhaps",
    ("provider", "call_id"): "perhaps",
    ("provider", "token_type"): "many",
    ("provider", "ready"): "0",
    ("provider", "breaker_failures"): "-1",
    ("provider", "breaker_pause"): "0",
    ("notify", "webhook_url"): "http://crm.example/hook",
    ("notify", "webhook_secret"): "whsec_c2hvcnQ=",
    ("notify", "webhook_secret_file"): "/nowhere/secret",
    ("cdr", "pseudonym_key_file"): "/nowhere/key",
    ("notify", "ca_file"): "/nowhere/ca.pem",
    ("notify", "events"): "outcome, digits",
    ("shared", "redis"): "redis://redis.example",
    ("shared", "ca_file"): "/nowhere/ca.pem",
    ("shared", "instance"): "one two",
    ("webhook", "url"): "http://crm.example/hook",
    ("webhook", "events"): "payment.charged, digits",
    ("webhook", "secret_file"): "/nowhere/secret",
    ("webhook", "ca_file"): "/nowhere/ca.pem",
    ("links", "expires"): "299",
    ("links", "webhook_url"): "http://links.example/hook",
    ("links", "webhook_secret"): "whsec_c2hvcnQ=",
    ("links", "webhook_secret_file"): "/nowhere/secret",
    ("links", "ca_file"): "/nowhere/ca.pem",
    ("webhooks", "port"): "65536",
    ("webhooks", "address"): "localhost",
    ("webhooks", "tls_certificate"): "/nowhere/hooks.pem",
    ("webhooks", "secret_file"): "/nowhere/secret",
    ("webhooks", "connections"): "0",
    ("webhooks", "request_time"): "0",
}
KEYS = [(name, key) for name, model in SECTIONS.items() for key in model.model_fields]
every_key = pytest.mark.parametrize(("section", "key"), KEYS, ids=lambda part: part)


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for section, key in KEYS:
        monkeypatch.delenv(variable_name(section, key), raising=False)


def example() -> dict[str, dict[str, str]]:
    """The example, with a route that lets all calls through, and a group of its agent."""
    more = {"route": {"to": "pbx, carrier"}, "agent_group": {"agents": "desk-1"}, "form": {"tries": "0"}}
    more["field"] = {"min_length": "4", "max_length": "8"}
    return {**read_file(EXAMPLE), **more, "prompts": {}, "client": {}, "webhook": {}}


def plain(value: object) -> object:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


# --- every key ------------------------------------------------------------------------------------


@every_key
def test_every_key_is_also_an_environment_variable_which_wins(section: str, key: str):
    model: type[Section] = SECTIONS[section]
    from_file = load(model, example(), {})
    name = f"TONEWALL_{section.upper()}_{key.upper()}"
    given = load(model, example(), {name: OTHER[section, key]})
    assert given == load(model, {**example(), section: {**example()[section], key: OTHER[section, key]}}, {})
    if OTHER[section, key] != plain(getattr(from_file, key)):
        assert plain(getattr(given, key)) != plain(getattr(from_file, key))


SECRETS = [(section, key) for section, model in SECTIONS.items() for key in secret_keys(model)]


@pytest.mark.parametrize(("section", "key"), SECRETS)
def test_every_secret_is_also_read_from_a_file_as_the_docs_list_it(section: str, key: str, tmp_path: Path):
    name = f"{variable_name(section, key)}_FILE"
    (tmp_path / "secret").write_text(OTHER[section, key] + "\n")
    given = load(SECTIONS[section], example(), {name: str(tmp_path / "secret")})
    assert getattr(given, key).get_secret_value() == OTHER[section, key]
    assert f"| `{name}` |" in OPERATIONS.read_text()


def test_a_secret_in_a_variable_wins_over_the_file_that_sip_conf_names():
    values = {"provider": {**example()["provider"], "api_key_file": str(KEY_FILE)}}
    given = load(SECTIONS["provider"], values, {"TONEWALL_PROVIDER_API_KEY": SECRET})
    assert plain(given.api_key) == SECRET


def test_a_secret_in_a_variable_and_in_the_file_of_another_is_refused(monkeypatch: pytest.MonkeyPatch):
    for key, value in (("PROVIDER_API_KEY", SECRET), ("CDR_URL", SECRET), ("PBX_PASSWORD", SECRET)):
        monkeypatch.setenv(f"TONEWALL_{key}", value)
        monkeypatch.setenv(f"TONEWALL_{key}_FILE", str(KEY_FILE))
    with pytest.raises(ConfigError) as caught:
        read_settings(EXAMPLE)
    assert str(caught.value).count("are both given; keep one") == 3
    assert SECRET not in str(caught.value)


@every_key
def test_every_key_has_a_description_for_whoever_gets_it_wrong(section: str, key: str):
    assert SECTIONS[section].model_fields[key].description


@pytest.mark.parametrize(("section", "key"), WRONG, ids=lambda part: part)
def test_a_wrong_value_is_explained_without_repeating_it(section: str, key: str, tmp_path: Path):
    values = example()
    values[section][key] = WRONG[section, key]
    path = tmp_path / "sip.conf"
    path.write_text(
        "".join(
            f"[{name}]\n{''.join(f'{k} = {v}{chr(10)}' for k, v in part.items())}"
            for name, part in values.items()
        )
    )
    with pytest.raises(ConfigError) as caught:
        read_settings(path)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"[{section}] {key}: ")
    assert "xpected" in line or "should" in line
    assert WRONG[section, key] not in line.replace(f"[{section}] {key}", "") or len(WRONG[section, key]) < 3


def test_a_trunk_is_not_reached_by_a_transport_that_nothing_listens_by():
    sections = example()
    sections["pbx"]["transport"] = "tls"
    with pytest.raises(ConfigError) as caught:
        read_signalling(sections)
    assert str(caught.value).startswith("[pbx] transport: nothing listens by tls; add tls:ADDRESS")


@pytest.mark.parametrize("name", SECTIONS)
def test_no_value_is_in_any_fault_of_a_section(name: str):
    values = dict.fromkeys(SECTIONS[name].model_fields, SECRET)
    with pytest.raises(ConfigError) as caught:
        load(SECTIONS[name], {name: values}, {})
    assert SECRET not in str(caught.value)


@every_key
def test_no_key_that_is_misspelt_goes_unnoticed(section: str, key: str):
    values = {**example()[section], f"{key}x": SECRET}
    with pytest.raises(ConfigError) as caught:
        load(SECTIONS[section], {section: values}, {})
    assert str(caught.value).startswith(f"[{section}] {key}x: unknown key; did you mean ")
    assert SECRET not in str(caught.value)


def test_every_fault_of_the_file_is_told_at_once(tmp_path: Path):
    path = tmp_path / "sip.conf"
    path.write_text("[general]\nport = x\n[media]\nports = y\n")
    with pytest.raises(ConfigError) as caught:
        read_settings(path)
    names = [line.split(":")[0] for line in str(caught.value).splitlines()]
    assert names == [
        "[general] port",
        "[carrier] host",
        "[pbx] host",
        "[media] ports",
        "[api] tokens",
        "[provider] url",
        "[provider] api_key",
    ]


# --- the rules over several keys ------------------------------------------------------------------


def test_the_wildcard_needs_an_address_to_advertise():
    values = {"bind": "0.0.0.0"}
    with pytest.raises(ConfigError, match=r"^\[general\] advertised: expected the address"):
        load(SECTIONS["general"], {"general": values}, {})
    load(SECTIONS["general"], {"general": {**values, "advertised": "198.51.100.7"}}, {})


@pytest.mark.parametrize(
    "ports", ["", "20000", "20000-", "20000-20002", "1022-2000", "20000-65536", "30000-20000", "a-b"]
)
def test_a_range_of_ports_has_two_pairs_and_begins_even(ports: str):
    with pytest.raises(ConfigError, match=r"^\[media\] ports: expected low-high"):
        load(SECTIONS["media"], {"media": {"ports": ports}}, {})


@pytest.mark.parametrize(
    "url", ["ftp://a.example", "https://", "https://u:p@a.example", "https://a.example/?q=1"]
)
def test_a_provider_is_reached_by_https_and_by_nothing_else(url: str):
    values = {**example()["provider"], "url": url}
    with pytest.raises(ConfigError, match=r"^\[provider\] url: expected") as caught:
        load(SECTIONS["provider"], {"provider": values}, {})
    assert "a.example" not in str(caught.value)


RTPENGINE = {"engine": "rtpengine", "rtpengine": "127.0.0.1:2223", "rtpengine_digits": "127.0.0.1:2230"}


@pytest.mark.parametrize(
    ("section", "values", "fault"),
    [
        ("media", {"rtpengine": ""}, "[media] rtpengine: expected ADDRESS:PORT"),
        ("media", {"rtpengine_digits": ""}, "[media] rtpengine_digits: expected ADDRESS:PORT"),
        ("carrier", {"mask": "mask"}, "[carrier] mask: expected mute"),
        ("carrier", {"mask": "mute-on-key"}, "[carrier] mask: expected mute"),
        ("pbx", {"srtp": "yes"}, "[pbx] srtp: expected no"),
        ("pbx", {"media_address": "192.0.2.7"}, "[pbx] media_address: expected none"),
        ("pbx", {"dtmf": "rfc4733"}, "[pbx] dtmf: expected as-is"),
        ("carrier", {"capture_tones": "yes"}, "[carrier] capture_tones: expected no"),
        ("carrier", {"placeholder_tone": "yes"}, "[carrier] placeholder_tone: expected no"),
        ("general", {"other_audio": "decode"}, "[general] other_audio: expected refuse"),
        ("form", {"agent_tones": "yes"}, "[form] agent_tones: expected no"),
    ],
)
def test_what_rtpengine_cannot_do_is_told_before_a_call_needs_it(
    section: str, values: dict[str, str], fault: str, tmp_path: Path
):
    sections = {**example(), "media": {**example()["media"], **RTPENGINE}}
    sections["carrier"]["mask"] = "mute"
    sections["general"]["other_audio"] = "refuse"
    path = tmp_path / "sip.conf"
    for changed in (False, True):
        if changed:
            sections[section] |= values
        path.write_text(
            "".join(
                f"[{name}]\n{''.join(f'{k} = {v}{chr(10)}' for k, v in part.items())}"
                for name, part in sections.items()
            )
        )
        if not changed:
            assert [str(server) for server in read_settings(path).media.servers()] == ["127.0.0.1:2223"]
    with pytest.raises(ConfigError) as caught:
        read_settings(path)
    assert str(caught.value).startswith(fault)


ADYEN = {"adapter": "adyen", "url": "https://checkout-test.adyen.com/v72", "merchant_account": "Shoes"}


def test_webhooks_are_those_of_the_provider_of_their_name(tmp_path: Path):
    path = tmp_path / "sip.conf"
    sections = example()
    del sections["webhooks"]
    sections["provider shop"] = {**sections["provider"], **ADYEN, "api_key": "k"}
    sections["webhooks shop"] = {"port": "8444", "secret": "ab" * 32}

    def write() -> None:
        path.write_text(
            "".join(
                f"[{name}]\n{''.join(f'{k} = {v}{chr(10)}' for k, v in part.items())}"
                for name, part in sections.items()
            )
        )

    write()
    settings = read_settings(path)
    shop = settings.provider_of("webhooks shop")
    assert shop is not None
    assert shop.adapter == "adyen"
    assert settings.provider_of("webhooks") is settings.provider
    sections["webhooks other"] = sections.pop("webhooks shop")
    write()
    with pytest.raises(ConfigError, match=r"^\[webhooks other\]: expected a section \[provider other\]"):
        read_settings(path)


@pytest.mark.parametrize(
    ("provider", "webhooks", "fault"),
    [
        (ADYEN, {"secret": "ab" * 32}, ""),
        (ADYEN, {"port": "0", "address": "192.0.2.1"}, ""),
        (ADYEN, {}, "[webhooks] secret: expected the HMAC key of the webhook, 64 hexadecimal digits"),
        (ADYEN, {"secret": "no digits"}, "[webhooks] secret: expected the HMAC key"),
        (
            ADYEN,
            {"secret": "ab" * 32, "address": "192.0.2.1"},
            "[webhooks] tls_certificate: expected a PEM file, since address is not loopback",
        ),
        (ADYEN, {"secret": "ab" * 32, "address": "192.0.2.1", "tls_certificate": str(EXAMPLE)}, ""),
        ({}, {"secret": SECRET}, "[webhooks] port: expected 0: of connector no webhooks are read"),
    ],
)
def test_webhooks_are_taken_only_where_they_can_be_believed(
    provider: dict[str, str], webhooks: dict[str, str], fault: str, tmp_path: Path
):
    sections = example()
    sections["provider"] = {**sections["provider"], **provider}
    sections["webhooks"] = {"port": "8444", **webhooks}
    path = tmp_path / "sip.conf"
    path.write_text(
        "".join(
            f"[{name}]\n{''.join(f'{k} = {v}{chr(10)}' for k, v in part.items())}"
            for name, part in sections.items()
        )
    )
    if not fault:
        read_settings(path)
        return
    with pytest.raises(ConfigError) as caught:
        read_settings(path)
    assert str(caught.value).startswith(fault)


# --- who gets which part --------------------------------------------------------------------------


def test_the_signalling_process_needs_nothing_of_media_or_provider():
    values = {name: part for name, part in example().items() if name in ("general", "carrier", "pbx", "api")}
    own = read_signalling(values)
    handed = own.environment()
    assert not [name for name in handed if name.startswith(("TONEWALL_PROVIDER", "TONEWALL_MEDIA"))]


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_survives_being_handed_to_a_child(name: str):
    values = {name: {key: OTHER[name, key] for key in SECTIONS[name].model_fields}}
    settings = load(SECTIONS[name], values, {})
    assert load(SECTIONS[name], {}, to_environment(settings)) == settings


# --- several trunks and routes --------------------------------------------------------------------

SEVERAL = """
[general]
[carrier north]
host = 192.0.2.1
[carrier south]
host = 192.0.2.2
password = {secret}
[pbx]
host = 192.0.2.3
[route berlin]
callee = +4930
to = pbx
[route]
to = south, north
[agent_group boots]
agents = desk-1
statement = BOOTS
form = shop
[form]
[form shop]
brands = visa
security_code = never
"""


def several(text: str, tmp_path: Path) -> dict[str, dict[str, str]]:
    path = tmp_path / "sip.conf"
    path.write_text(text)
    return {**read_file(path), "api": example()["api"]}


def test_several_trunks_and_routes_keep_their_names_and_order_on_their_way_to_the_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    own = read_signalling(several(SEVERAL.format(secret=SECRET), tmp_path))
    assert list(own.trunks) == ["carrier north", "carrier south", "pbx"]
    assert list(own.routes) == ["route berlin", "route"]
    assert own.agent_groups["agent_group boots"].statement == "BOOTS"
    shop = CaptureForm(name="shop", brands=("visa",), fields=card_fields("never"))
    assert build_forms(own) == {"card": CaptureForm(), "shop": shop}
    assert agent_charging(own)["desk-1"].form == shop
    assert [each.charging.form for each in trunk_policies(own).values()] == [CaptureForm()] * 3
    assert own.trunks["carrier south"].password.get_secret_value() == SECRET
    for name, value in own.environment().items():
        monkeypatch.setenv(name, value)
    assert read_signalling({}) == own


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ("[carrier pbx]\nhost = h", "[pbx]: there is a trunk pbx already"),
        ("[route x]\nto = nord", "[route x] to: nord is no trunk; expected some of north, south, pbx"),
        ("[route x]\nsource = south\nto = north", "[route x] to: expected a pbx"),
        ("[route x]\nsource = pbx\nto = pbx", "[route x] to: expected a carrier"),
        ("[route x]\ncallee = +49", "[route x] to: expected trunks to go to"),
        (
            "[route x]\ncallee = /(1)/\ncallee_as = \\2\nto = pbx",
            "[route x] callee: expected a regular expression",
        ),
        (
            "[carrier x]\nhost = h\nnumbers = national",
            "[carrier x] country: expected the country calling code",
        ),
        ("[carrier x]\nhost = h\nregistration = yes", "[carrier x] user: expected who we are there"),
        ("[pbx x]\nhost = dynamic", "[pbx x] password: expected username and password"),
        ("[carrier x]\nhost = a b", "[carrier x] host: expected a host name"),
        (
            "[agent_group x]\nagents = desk-9",
            "[agent_group x] agents: desk-9 has no token; expected names of [api] tokens (desk-1)",
        ),
        (
            "[agent_group x]\nagents = desk-1",
            "[agent_group x] agents: desk-1 is in [agent_group boots] already; expected each agent in one",
        ),
        (
            "[carrier x]\nhost = 192.0.2.9\nform = shoe",
            "[carrier x] form: there is no such form; expected one of card, shop",
        ),
        (
            "[route x]\nto = pbx\nagent_gone = nord/501",
            "[route x] agent_gone: nord is no trunk; expected one of",
        ),
        (
            "[pbx x]\nhost = h\nmedia_address = 192.0.2.77\n[route x]\nto = pbx\nagent_gone = x/501",
            "[route x] agent_gone: expected places on trunks with the media_address of the agents'",
        ),
        (
            "[route x]\nto = pbx\nthen = pbx/1",
            "[route x] then: expected ends_in = form beside it",
        ),
        ("[form x]\nlanguage = Polish!", "[form x] language"),
        ("[form x]\nend_key = star", "[form x] clear_key: expected another key than end_key"),
        ("[agent_group x]\nstatement = X", "[agent_group x] agents: expected names of [api] tokens"),
        ("[oidc]\nissuer = https://id.example", "[oidc] issuer: expected [access] directory as well"),
        (
            "[access]\ndirectory = /a\n[oidc]\nissuer = https://id.example\nclient_id = t\nroles = a:agent",
            "[oidc] redirect_uri: expected, since issuer is given",
        ),
    ],
)
def test_what_is_wrong_between_trunks_and_routes_is_told(more: str, fault: str, tmp_path: Path):
    with pytest.raises(ConfigError) as caught:
        read_signalling(several(SEVERAL.format(secret=SECRET) + more + "\n", tmp_path))
    (line,) = str(caught.value).splitlines()
    assert line.startswith(fault)


def test_people_who_sign_in_have_extensions_and_groups_without_a_token(tmp_path: Path):
    more = "[access]\ndirectory = /a\n[agent_group x]\nagents = ann\nstatement = X\n"
    own = read_signalling(several(SEVERAL.format(secret=SECRET) + more, tmp_path))
    assert own.agent_groups["agent_group x"].agents == "ann"


# --- the example ----------------------------------------------------------------------------------


def shown() -> dict[tuple[str, str], tuple[bool, str]]:
    """Every key of the example: whether it is commented out, and its value. Keys of [pbx] that are
    those of [carrier] are not repeated there."""
    found: dict[tuple[str, str], tuple[bool, str]] = {}
    section = ""
    for line in EXAMPLE.read_text().splitlines():
        if header := re.fullmatch(r";?\[(\w+)\]", line.strip()):
            section = header[1]
        elif entry := re.match(r"(;?)(\w+) *=(.*)", line):
            value = re.split(r"(?:^|\s);", entry[3], maxsplit=1)[0].strip()
            found[section, entry[2]] = (bool(entry[1]), value)
    for key in SECTIONS["pbx"].model_fields:
        if ("pbx", key) not in found:
            found["pbx", key] = found["carrier", key]
    return found


def test_the_example_is_a_configuration(tmp_path: Path):
    settings = read_settings(EXAMPLE)
    assert settings.provider.url == "https://payments.example"


def test_the_example_shows_every_key_of_every_section_and_no_other():
    assert sorted(shown()) == sorted(KEYS)


@every_key
def test_what_the_example_comments_out_is_the_default(section: str, key: str):
    commented, value = shown()[section, key]
    default: Any = SECTIONS[section].model_fields[key].default
    if not commented:
        return
    assert default is not PydanticUndefined, "a key without a default is to be given"
    if not value:
        assert plain(default) in ("", None)
        return
    required = {name: part for name, part in example()[section].items() if name != key}
    assert plain(getattr(load(SECTIONS[section], {section: {**required, key: value}}, {}), key)) == plain(
        default
    )


@pytest.mark.parametrize(
    ("section", "values", "fault"),
    [
        ("general", {"listen": "tcp:192.0.2.10:5060"}, "[general] listen: expected one udp address"),
        ("carrier", {"transport": "tcp"}, "[carrier] transport: expected udp"),
        ("carrier", {"username": "someone"}, "[carrier] username: expected none"),
        ("pbx", {"probe": "30"}, "[pbx] probe: expected 0"),
        ("pbx", {"redirect": "follow"}, "[pbx] redirect: expected relay"),
    ],
)
def test_what_the_pjsua2_engine_cannot_do_is_told_before_a_call_needs_it(
    section: str, values: dict[str, str], fault: str, tmp_path: Path
):
    sections = example()
    path = tmp_path / "sip.conf"
    for engine in ("own", "pjsua2"):
        sections["general"]["engine"] = engine
        path.write_text(
            "".join(
                f"[{name}]\n"
                f"{''.join(f'{k} = {v}{chr(10)}' for k, v in (part | values if name == section else part).items())}"  # noqa: E501
                for name, part in sections.items()
            )
        )
        if engine == "own":
            assert not [line for line in faults_of(path) if "pjsua2" in line]
    assert [line for line in faults_of(path) if line.startswith(fault) and "engine = pjsua2" in line]


def faults_of(path: Path) -> list[str]:
    try:
        read_settings(path)
    except ConfigError as error:
        return str(error).splitlines()
    return []


def test_the_example_names_the_keys_of_a_carrier_that_a_pbx_does_not_have():
    comment = EXAMPLE.read_text().partition("; The side on which agents are")[2].partition("[pbx]")[0]
    for key in SECTIONS["carrier"].model_fields:
        assert (key in re.findall(r"[a-z_]+", comment)) == (key not in SECTIONS["pbx"].model_fields), key


# --- payment links --------------------------------------------------------------------------------


def test_a_service_for_links_needs_a_secret(tmp_path: Path) -> None:
    own = {"webhook_url": "https://links.example/hook"}
    assert load(LinkSettings, {"links": own}, {}).faults() == [
        "[links] webhook_secret: expected whsec_ and base64, since webhook_url is given"
    ]
    file = {"webhook_secret_file": str(WEBHOOK_SECRET)}
    settings = load(LinkSettings, {"links": own | file}, {})
    assert settings.faults() == []
    assert settings.webhook_secret.get_secret_value() == WEBHOOK_SECRET.read_text().strip()
    (tmp_path / "secret").write_text("not-a-secret\n")
    with pytest.raises(ConfigError, match="whsec_") as refused:
        load(LinkSettings, {"links": own | {"webhook_secret_file": str(tmp_path / "secret")}}, {})
    assert "not-a-secret" not in str(refused.value)
