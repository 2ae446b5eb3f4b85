"""A company's own service as a provider: what it may have, and what does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from b2bua.config.reading import read_settings
from b2bua.config.settings import Settings
from provider_adapters.payer.environment import read_accounts
from tonewall.ini import ConfigError

EXAMPLE = Path(__file__).parents[4] / "sip.conf.example"
PUBLIC_KEY_FILE = Path(__file__).parents[3] / "fixtures" / "public-key.pem"

SERVICES = """
[general]
[carrier]
host = 192.0.2.1
[pbx]
host = 192.0.2.2
[api]
tokens = desk:0123456789abcdef0123
[provider]
url = https://pay.example.com
api_key = k
[provider crm]
adapter = delivery
url = https://crm.example.com/tonewall
{more}
[form card]
[form direct-debit]
fields = sort_code, account_number
result = deliver
deliver_to = crm
"""


def read_services(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "sip.conf"
    path.write_text(text)
    return read_settings(path)


def test_a_service_that_knows_us_by_a_certificate_needs_no_key(tmp_path: Path):
    more = f"tls_certificate = {EXAMPLE}\nencryption_key_file = {PUBLIC_KEY_FILE}\nidempotent = yes"
    settings = read_services(tmp_path, SERVICES.format(more=more))
    assert settings.providers["provider crm"].api_key.get_secret_value() == ""
    account = read_accounts(settings.provider_environment())[1]
    assert (account.adapter, account.name, account.api_key) == ("delivery", "crm", "")
    assert (account.idempotent, account.call_id, account.tls_certificate) == (True, False, str(EXAMPLE))
    assert account.encryption_key == PUBLIC_KEY_FILE.read_text()


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        (("[provider]\nurl", "[provider]\nidempotent = yes\nurl"), "[provider] idempotent: expected with"),
        (("[provider]\nurl", "[provider]\nkey_header = X-Key\nurl"), "[provider] key_header: expected with"),
        (
            ("[provider]\nurl", f"[provider]\ntls_key = {EXAMPLE}\nurl"),
            "[provider] tls_certificate: expected",
        ),
        (("api_key = k", "api_key ="), "[provider] api_key: expected printable ASCII"),
        (("{more}", "encryption_key = garbage"), "[provider crm] encryption_key: expected a public key"),
        (("{more}", f"encryption_key_file = {EXAMPLE}"), "[provider crm] encryption_key_file: expected"),
        (
            ("{more}", "encryption_key_file = /dev/null"),
            "[provider crm] encryption_key_file: expected a key, in PEM or a JWK; the file is empty",
        ),
        (
            ("[form card]", "[provider default]\nurl = https://pay.example.org\napi_key = k\n[form card]"),
            "[provider default]: [provider] is called default already; expected a name of its own",
        ),
        (("[form card]", "[form]\n[form card]"), "[form card]: [form] is called card already"),
        (
            ("[form card]", "[field]\nmax_length = 4\n[field field]\nmax_length = 5\n[form card]"),
            "[field field]: [field] is called field already",
        ),
        (
            ("{more}", "api_user = x\nkey_header = X-Key\napi_key = k"),
            "[provider crm] api_user: expected none",
        ),
        (("https://crm", "http://crm"), "[provider crm] url: expected a URL that begins with https://"),
        (
            ("[form card]", "[route]\nprovider = crm\nto = pbx\n[form card]"),
            "[route] provider: crm is a company",
        ),
        (
            ("[provider]\nurl = https://pay.example.com\napi_key = k\n", ""),
            "[form card] result: expected deliver, since no [provider] section charges cards",
        ),
        (("deliver_to = crm", "deliver_to = sms"), "[form direct-debit] deliver_to: expected the name"),
        (("deliver_to = crm", "deliver_to = default"), "[form direct-debit] deliver_to: expected the name"),
    ],
)
def test_what_does_not_fit_a_service_is_said_at_the_start(
    tmp_path: Path, changed: tuple[str, str], fault: str
):
    text = SERVICES.replace(*changed).replace("{more}", "")
    with pytest.raises(ConfigError) as caught:
        read_services(tmp_path, text)
    assert fault in str(caught.value)


def test_a_company_that_only_delivers_needs_no_payment_provider(tmp_path: Path):
    text = SERVICES.replace("[provider]\nurl = https://pay.example.com\napi_key = k\n", "").format(more="")
    assert read_services(tmp_path, text.replace("[form card]\n", "")).provider_names == ["crm"]


def test_a_service_stands_behind_the_payment_providers(tmp_path: Path):
    first, _, second = SERVICES.partition("[provider]\nurl = https://pay.example.com\napi_key = k\n")
    text = (first + second + "[provider late]\nurl = https://pay.example.com\napi_key = k\n").format(more="")
    with pytest.raises(ConfigError, match=r"\[provider crm\] adapter: expected a payment provider first"):
        read_services(tmp_path, text)
