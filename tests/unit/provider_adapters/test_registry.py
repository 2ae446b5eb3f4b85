"""What the registry says of each provider: its sandbox, and the card that is charged there."""

from urllib.parse import urlsplit

import pytest

from provider_adapters.currency import MINOR_UNITS
from provider_adapters.registry import ADAPTERS, Row, TestCard
from provider_adapters.settings import ProviderSettings
from tonewall.ini import ConfigError, load

EACH = pytest.mark.parametrize("name", sorted(ADAPTERS))


def is_valid(number: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(number))]
    return sum(value // 10 + value % 10 for value in doubled) % 10 == 0


@EACH
def test_a_published_card_is_one_and_its_currency_is_listed(name: str) -> None:
    row = ADAPTERS[name]
    card = row.test_card
    assert is_valid(card.number)
    assert 1 <= int(card.expiry[:2]) <= 12
    assert len(card.expiry) == 4
    assert len(card.code) == 3
    assert row.test_currency in MINOR_UNITS


@EACH
def test_the_live_url_is_no_sandbox(name: str) -> None:
    row = ADAPTERS[name]
    assert not row.is_sandbox(row.url or "https://live.example/v72", "sk_live_4711")
    assert not row.is_sandbox("https://payments.example", row.test_key)
    if row.test_url:
        assert row.is_sandbox(row.test_url, row.test_key + "4711")
    if row.test_key:
        assert not row.is_sandbox(row.test_url, "4711"), "the key decides"


@EACH
@pytest.mark.parametrize("host", ["127.0.0.1:8443", "localhost", "[::1]:8443", "127.8.9.1"])
def test_this_machine_is_a_sandbox(name: str, host: str) -> None:
    assert ADAPTERS[name].is_sandbox(f"https://{host}/pay", "any")


@pytest.mark.parametrize(
    "url",
    ["https://localhost.example", "https://127.0.0.1.example", "https://10.0.0.1", "https://192.168.1.1"],
)
def test_another_machine_is_none(url: str) -> None:
    assert not ADAPTERS["connector"].is_sandbox(url, "any")


@pytest.mark.parametrize(
    ("url", "is_sandbox"),
    [
        ("https://k8x.api.sandbox.checkout.com", True),
        ("https://k8x.api.checkout.com", False),
        ("https://api.sandbox.checkout.com.example", False),
        ("https://fakeapi.sandbox.checkout.com", False),
    ],
)
def test_a_sandbox_of_many_hosts_is_known_by_the_end_of_their_names(url: str, is_sandbox: bool) -> None:
    assert ADAPTERS["checkout"].is_sandbox(url, "sk") is is_sandbox


def test_a_row_without_anything_is_no_sandbox() -> None:
    assert not Row("Nobody", "Nobody").is_sandbox("", "")
    assert TestCard("4111111111111111").code == "123"


def test_a_url_that_is_missing_is_named_with_the_providers_sandbox() -> None:
    given = {"adapter": "adyen", "api_key": "k", "merchant_account": "ShoesLtd"}
    with pytest.raises(ConfigError) as caught:
        load(ProviderSettings, {"provider": given}, {})
    row = ADAPTERS["adyen"]
    assert str(caught.value).startswith("[provider] url: missing; Adyen's sandbox is at ")
    assert row.test_url in str(caught.value)
    with pytest.raises(ConfigError, match=r"\[provider\] url: missing"):
        load(ProviderSettings, {"provider": {"api_key": "k"}}, {})


@pytest.mark.parametrize("name", [name for name, row in ADAPTERS.items() if row.url])
def test_a_url_that_is_the_same_for_all_may_be_missing(name: str) -> None:
    row = ADAPTERS[name]
    given = {"adapter": name, "api_key": "k"} | dict.fromkeys(row.needs, "x")
    assert load(ProviderSettings, {"provider": given}, {}).url == row.url
    assert urlsplit(row.url).scheme == "https"
