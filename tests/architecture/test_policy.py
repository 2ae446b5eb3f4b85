"""The page about headers says what the table does."""

from __future__ import annotations

from tests.architecture import policy


def test_the_page_is_fresh():
    assert policy.PAGE.read_text() == policy.page(), "run `make docs`"


def test_every_header_that_the_owners_asked_for_has_a_rule():
    asked = (
        "P-Asserted-Identity", "P-Preferred-Identity", "Privacy", "Diversion", "History-Info", "Identity",
        "Reason",
        "User-to-User", "Call-Info", "Alert-Info", "X-*",
    )  # fmt: skip
    assert all(f"`{name}" in policy.page() for name in asked)
    for hidden in ("Via", "Contact", "Call-ID", "Record-Route", "Authorization", "User-Agent"):
        assert f"| `{hidden}`" not in policy.page()
