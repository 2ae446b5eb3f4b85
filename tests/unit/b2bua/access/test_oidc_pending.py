"""Sign-ins that have begun: bounded, and nobody drives out the others."""

from __future__ import annotations

from b2bua.access.oidc.pending import LIFE, PendingSignIns, browser_secret

BROWSER = "b" * 43


def test_one_address_does_not_drive_out_the_others() -> None:
    pending = PendingSignIns(most=100)
    mine = [pending.begin(BROWSER, f"192.0.2.{number}", 0.0)[0] for number in range(10)]
    first, _ = pending.begin(BROWSER, "198.51.100.1", 0.5)
    for _ in range(1000):
        last, _ = pending.begin(BROWSER, "198.51.100.1", 1.0)
    assert len(pending) == 100
    assert all(pending.take(each, BROWSER, 2.0) for each in mine)
    assert pending.take(last, BROWSER, 2.0) is not None
    assert pending.take(first, BROWSER, 2.0) is None


def test_what_is_too_old_goes() -> None:
    pending = PendingSignIns()
    old, _ = pending.begin(BROWSER, "192.0.2.1", 0.0)
    assert pending.take(old, BROWSER, LIFE + 0.1) is None
    for each in range(50):
        pending.begin(BROWSER, "192.0.2.1", float(each))
    pending.begin(BROWSER, "192.0.2.1", LIFE + 60.0)
    assert len(pending) == 1


def test_a_clock_that_was_set_back_makes_none_good_for_longer() -> None:
    pending = PendingSignIns()
    state, _ = pending.begin(BROWSER, "192.0.2.1", 1000.0)
    assert pending.take(state, BROWSER, 900.0) is None


def test_two_tabs_of_one_browser_share_their_cookie() -> None:
    assert browser_secret(BROWSER) == BROWSER
    for odd in ("", "x", "b" * 44, "ü" * 43, "b" * 42 + ";"):
        assert browser_secret(odd) != odd
    assert len({browser_secret("") for _ in range(10)}) == 10
