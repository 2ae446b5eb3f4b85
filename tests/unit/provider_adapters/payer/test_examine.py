"""What an examination's result means, in words."""

import pytest

from provider_adapters import registry
from provider_adapters.account import Account
from provider_adapters.payer.examine import examine, judge
from provider_adapters.reasons import REASONS
from tests.stack import free_port


def test_no_reason_is_a_key_that_is_accepted() -> None:
    assert (judge("a", None).found, judge("a", None).says) == ("accepted", "the key is accepted")


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_every_word_says_what_to_do(reason: str) -> None:
    found = judge("a", reason)
    assert found.found == ("unclear" if reason == "try_again_later" else "refused")
    assert f"({reason})" in found.says
    if REASONS[reason].operator and reason != "request_refused":
        assert REASONS[reason].operator in found.says


@pytest.mark.parametrize("reason", ["http_503", "pending", "adapter_failed"])
def test_what_has_no_word_is_unclear(reason: str) -> None:
    assert judge("a", reason).found == "unclear"


@pytest.mark.parametrize("adapter", sorted(registry.ADAPTERS))
async def test_where_nobody_listens_it_is_unclear(adapter: str) -> None:
    account = Account(
        adapter=adapter, name="second", url=f"https://127.0.0.1:{free_port()}", api_key="k", journal="/j",
        timeout=2.0, inquiry_time=0.0, token_type="none", api_user="u", merchant_account="m", statement="S",
    )  # fmt: skip
    found = await examine(account)
    assert (found.name, found.found) == ("second", "unclear")
    assert found.says == "it could not be asked (no_connection)"


async def test_an_adapter_that_breaks_hides_no_other_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def __init__(self, account: Account) -> None:
            pass

        def examine(self) -> None:
            raise KeyError("a-secret-4711")

    monkeypatch.setattr(registry, "load", Broken)
    account = Account(
        adapter="connector", url="https://127.0.0.1", api_key="k", journal="/j", timeout=2.0,
        inquiry_time=0.0, token_type="none",
    )  # fmt: skip
    found = await examine(account)
    assert (found.found, found.says) == ("unclear", "it could not be asked (adapter_failed)")
