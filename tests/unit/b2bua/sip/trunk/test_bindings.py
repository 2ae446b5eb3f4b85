"""The file that keeps where trunks registered from."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from b2bua.call.routing.trunk import Trunk
from b2bua.sip.hop import Hop, Transport
from b2bua.sip.trunk.bindings import MAX_BINDINGS, Binding, BindingFile

TRUNK = Trunk("pbx", "dynamic", 0, username="branch", password="correct-horse-battery", expires=3600)
KEPT = Binding("sip:me@192.0.2.55", Hop("127.0.0.1", 5062, trunk="pbx"), 1600.0, "r1@pbx", 7)


def file(path: Path, trunk: Trunk = TRUNK, clock: float = 1000.0, wall: float = 5000.0) -> BindingFile:
    return BindingFile(path / "bindings.json", [trunk], lambda: clock, lambda: wall)


def test_a_binding_is_read_back_with_the_time_that_is_left_of_it(tmp_path: Path):
    file(tmp_path).write({"pbx": [KEPT]})
    assert file(tmp_path, clock=20.0, wall=5100.0).read() == {"pbx": [replace(KEPT, until=20.0 + 500.0)]}
    assert stat.S_IMODE((tmp_path / "bindings.json").stat().st_mode) == 0o600


@pytest.mark.parametrize(("wall", "left"), [(5599.0, 1.0), (5600.0, None), (9000.0, None), (0.0, 3600.0)])
def test_none_lives_longer_than_it_was_granted_whatever_the_wall_clock_does(
    tmp_path: Path, wall: float, left: float | None
):
    file(tmp_path).write({"pbx": [KEPT]})
    found = file(tmp_path, clock=0.0, wall=wall).read().get("pbx", [])
    assert [each.until for each in found] == ([] if left is None else [left])


def test_a_binding_over_a_connection_is_not_kept(tmp_path: Path):
    file(tmp_path).write({"pbx": [replace(KEPT, hop=KEPT.hop._replace(transport=Transport.TCP, flow=3))]})
    assert file(tmp_path).read() == {}


@pytest.mark.parametrize(
    "trunk",
    [replace(TRUNK, password="another"), replace(TRUNK, username="other"), replace(TRUNK, name="other")],
    ids=["password", "username", "name"],
)
def test_a_binding_that_other_credentials_made_is_not_taken(tmp_path: Path, trunk: Trunk):
    file(tmp_path).write({"pbx": [KEPT]})
    assert file(tmp_path, trunk).read() == {}


@pytest.mark.parametrize(
    "changed", [{"host": "192.0.2.9"}, {"port": 5099}, {"until": 1e9}, {"trunk": "carrier"}]
)
def test_an_entry_that_was_changed_is_not_taken(tmp_path: Path, changed: dict[str, object]):
    file(tmp_path).write({"pbx": [KEPT]})
    path = tmp_path / "bindings.json"
    path.write_text(json.dumps([{**json.loads(path.read_text())[0], **changed}]))
    assert file(tmp_path).read() == {}


@pytest.mark.parametrize("content", [b"", b"[", b"{}", b"\xff\xfe", b"[1]", b"[" * 100_000, b" " * (5 << 20)])
def test_a_file_that_is_none_is_as_good_as_no_file(tmp_path: Path, content: bytes):
    (tmp_path / "bindings.json").write_bytes(content)
    assert file(tmp_path).read() == {}


def test_no_more_are_read_than_a_trunk_may_have(tmp_path: Path):
    file(tmp_path).write(
        {"pbx": [replace(KEPT, contact=f"sip:{each}@x") for each in range(3 * MAX_BINDINGS)]}
    )
    assert len(file(tmp_path).read()["pbx"]) == MAX_BINDINGS


def test_a_directory_that_takes_no_file_stops_nothing(tmp_path: Path):
    file(tmp_path / "not there").write({"pbx": [KEPT]})
    file(tmp_path).write({"pbx": [replace(KEPT, contact="sip:\udcff@x")]})
    assert file(tmp_path).read() == {}


def test_the_password_is_not_in_it(tmp_path: Path):
    file(tmp_path).write({"pbx": [KEPT]})
    assert TRUNK.password not in (tmp_path / "bindings.json").read_text()
