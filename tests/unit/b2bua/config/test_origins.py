"""Origins of pages that may embed the form: what a browser writes, and nothing else."""

from __future__ import annotations

import pytest

from b2bua.config.origins import parse_origins


def test_origins_are_taken_as_a_browser_writes_them() -> None:
    text = "https://crm.example, https://a-b.crm.example:8443,http://localhost:3000, http://[::1]:80001"
    assert parse_origins("") == ()
    assert parse_origins(text.rpartition(",")[0]) == (
        "https://crm.example", "https://a-b.crm.example:8443", "http://localhost:3000",
    )  # fmt: skip
    with pytest.raises(ValueError, match="expected origins"):
        parse_origins(text)


@pytest.mark.parametrize(
    "text",
    [
        "*", "https://*", "https://*.crm.example", "null", "'self'", "crm.example", "http://crm.example",
        "https://crm.example/", "https://crm.example/path", "https://CRM.example", "https://crm.example:443",
        "https://user@crm.example", "https://crm.example; script-src *", "https://crm.example https://b.example",
        "https://crm.example:0", "https://crm.example:70000", "https://crm..example", "https://-crm.example",
        "http://localhost.evil.example", "http://127.0.0.1.evil.example", "data:", 'https://crm.example"',
        "https://crm.example,https://crm.example", "https://crm.example\n", "http://localhost:80",
        "https://zażółć.example",
    ],
)  # fmt: skip
def test_what_is_wider_or_no_origin_is_refused(text: str) -> None:
    if text == "https://crm.example\n":  # spaces around an entry mean nothing
        assert parse_origins(text) == ("https://crm.example",)
        return
    with pytest.raises(ValueError, match="expected"):
        parse_origins(text)
