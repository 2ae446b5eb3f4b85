"""Which changed settings a reload puts in force, which wait for a restart, and that the docs say
so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from b2bua.config.reading import read_signalling
from b2bua.config.reloading import RELOADED, RESTARTED, compare
from b2bua.config.settings import SECTIONS
from tests.changed_settings import read
from tonewall.ini import ConfigError

OPERATIONS = Path(__file__).parents[4] / "docs" / "operations.md"


def test_an_unchanged_file_changes_nothing(tmp_path: Path) -> None:
    found = compare(read(tmp_path, {}), read(tmp_path, {}))
    assert (found.reloaded, found.restart) == ((), ())


def test_what_is_reloaded_is_in_force_and_the_rest_stays_and_is_named(tmp_path: Path) -> None:
    old = read(tmp_path, {})
    new = read(
        tmp_path,
        {
            "general": {"ring_time": "20", "port": "5070"},
            "api": {"tokens": "ann:fedcba9876543210", "port": "8081"},
            "carrier": {"max_calls": "3", "password": "after-after"},
            "provider": {"api_key": "sk-after"},
            "media": {"ports": "31000-31099"},
            "route one": None,
            "route two": {"to": "pbx", "source": "carrier"},
        },
    )
    found = compare(old, new)
    own = found.settings.signalling
    assert found.reloaded == (
        "[general] ring_time",
        "[api] tokens",
        "[carrier] password",
        "[carrier] max_calls",
        "[route one]",
        "[route two]",
    )
    assert found.restart == (
        "[general] port",
        "[api] port",
        "[provider] api_key",
        "[media] ports",
    )
    assert (own.general.ring_time, own.general.port) == (20.0, old.signalling.general.port)
    assert own.api.tokens == new.signalling.api.tokens
    assert own.api.port == old.signalling.api.port
    assert own.trunks["carrier"].max_calls == 3
    assert own.trunks["carrier"].password == new.signalling.trunks["carrier"].password
    assert list(own.routes) == ["route two"]
    assert (found.settings.providers, found.settings.media) == (old.providers, old.media)
    assert "after" not in "".join((*found.reloaded, *found.restart))  # names, no values


def test_trunks_come_and_go_and_other_sections_wait_for_a_restart(tmp_path: Path) -> None:
    old, new = read(tmp_path, {}), read(tmp_path, {"pbx two": {"host": "192.0.2.9"}})
    for one, other in ((old, new), (new, old)):
        found = compare(one, other)
        assert (found.reloaded, found.restart) == (("[pbx two]",), ())
        assert found.settings.signalling.trunks == other.signalling.trunks
        given = found.settings.signalling
        retired = {
            each: one.signalling.trunks[each] for each in one.signalling.trunks if each not in given.trunks
        }
        assert given.retired == retired
        again = read_signalling({}, given.environment())
        assert (again.retired, again.trunks) == (retired, given.trunks)
        back = compare(found.settings, one).settings.signalling
        assert [*back.retired] == [each for each in given.trunks if each not in one.signalling.trunks]
    form = read(tmp_path, {"form short": {"fields": "card_number, expiry"}})
    for one, other in ((old, form), (form, old)):
        found = compare(one, other)
        assert (found.reloaded, found.restart) == ((), ("[form short]",))
        assert found.settings == one


@pytest.mark.parametrize(
    "fixed", [{"general": {"engine": "pjsua2"}}, {"pbx": {"host": "dynamic", "username": "pbx"}}]
)
def test_what_an_engine_makes_at_its_start_waits(
    tmp_path: Path, fixed: dict[str, dict[str, str] | None]
) -> None:
    fixed = {**fixed, "pbx": {"password": "a-password", **(fixed.get("pbx") or {})}}
    old = read(tmp_path, fixed)
    new = read(tmp_path, {**fixed, "pbx": {**(fixed["pbx"] or {}), "password": "other", "max_calls": "3"}})
    found = compare(old, new)
    assert (found.reloaded, found.restart) == (("[pbx] max_calls",), ("[pbx] password",))


def test_what_fits_only_after_a_restart_changes_nothing(tmp_path: Path) -> None:
    new = read(
        tmp_path,
        {"form short": {"fields": "card_number, expiry"}, "route one": {"to": "pbx", "form": "short"}},
    )
    with pytest.raises(
        ConfigError, match=r"(?s)there is no such form.*needs a restart first: \[form short\]"
    ):
        compare(read(tmp_path, {}), new)


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_is_reloaded_or_restarted_as_the_docs_have_it(section: str) -> None:
    keys, none = set(SECTIONS[section].model_fields), frozenset[str]()
    reloaded, restarted = RELOADED.get(section, none), RESTARTED.get(section, none)
    assert reloaded | restarted == keys, "a new key is in one of the two"
    assert not reloaded & restarted
    page = OPERATIONS.read_text().partition("## Reloading")[2].partition("\n## ")[0]
    [row] = [row for row in page.splitlines() if row.startswith("| ") and f"`[{section}]`" in row]
    cell = row.split(" | ")[1]
    named = set(re.findall(r"`(\w+)`", cell))
    shown = {"all": keys, "nothing": set()}.get(cell, keys - named if "all but" in cell else named)
    assert shown == reloaded
