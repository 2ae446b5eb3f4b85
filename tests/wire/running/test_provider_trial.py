"""`tonewall doctor` and `tonewall provider test` against providers that are played here."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from provider_adapters import registry
from tests.contract.providers import TABLE, Provider
from tests.wire.payments.till import LocalProvider, local_provider

CONF = """
[general]
directory = {folder}/run
[carrier]
host = 192.0.2.1
[pbx]
host = 192.0.2.3
[api]
tokens = desk:Wq7Lr2ZpXc9VtB4n
"""


@pytest.fixture(scope="module", params=["adyen", "connector", "govuk_pay", "pay_connector", "fiserv"])
def playing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with local_provider(tmp_path_factory.mktemp(request.param), "--adapter", request.param) as running:
        yield TABLE[request.param], running


def conf(folder: Path, row: Provider, running: LocalProvider, header: str = "provider", **keys: str) -> Path:
    values = {
        "adapter": row.adapter, "url": running.url, "api_key": running.api_key, "ca_file": running.ca_file,
        "inquiry_time": "1", "journal": str(folder / "journal.jsonl"), **row.account,
    } | keys  # fmt: skip
    section = f"[{header}]\n" + "".join(f"{key} = {value}\n" for key, value in values.items() if value)
    path = folder / "sip.conf"
    before = path.read_text() if path.exists() else CONF.format(folder=folder)
    path.write_text(before + section)
    return path


def tonewall(*arguments: str) -> subprocess.CompletedProcess[str]:
    bare = {name: value for name, value in os.environ.items() if not name.startswith("TONEWALL_")}
    command = [sys.executable, "-m", "b2bua.cli", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**bare, "NO_COLOR": "1", "COLUMNS": "250"}
    )


def finding(config: Path, what: str = "provider") -> str:
    """The doctor's line about a provider."""
    lines = tonewall("doctor", "-c", str(config)).stdout.splitlines()
    return next(line for line in lines if f" {what} " in f"{line} ")


def proves(row: Provider) -> str:
    """What an examination there proves; empty where it can prove nothing."""
    return registry.flow_class(row.adapter).PROVES


def test_the_doctor_says_whether_the_key_is_known(
    playing: tuple[Provider, LocalProvider], tmp_path: Path
) -> None:
    row, running = playing
    config = conf(tmp_path, row, running)
    said = finding(config)
    assert said.startswith("ok" if proves(row) else "warning")
    assert f"reachable, its certificate is good; {proves(row) or 'it does not say'}" in said
    config.unlink()
    refused = finding(conf(tmp_path, row, running, api_key="wrong-key-4711"))
    assert refused.startswith("fault")
    assert "reachable" in refused
    assert "Look at api_key and api_user in [provider]" in refused
    assert "(key_refused)" in refused
    assert "wrong-key-4711" not in refused
    assert running.report()["requests"] == 0, "nothing was charged"


def test_a_trial_charges_once_and_says_what_came_back(
    playing: tuple[Provider, LocalProvider], tmp_path: Path
) -> None:
    row, running = playing
    before = running.report()["charges"]
    done = tonewall("provider", "test", "-c", str(conf(tmp_path, row, running)), "--currency", row.currency)
    assert done.returncode == 0, done.stdout + done.stderr
    assert running.report()["charges"] == before + 1
    charged = running.report()["records"][-1]
    assert charged["amount"] == 100
    assert charged["currency"] == row.currency
    lines = [line.split()[:2] for line in done.stdout.splitlines()]
    assert ["examination", "accepted:" if proves(row) else "unclear:"] in lines
    assert ["charge", "POST"] in lines
    assert f"charge      approved: reference {charged['reference']}" in done.stdout
    assert "inquiry" in done.stdout
    assert charged["last_four"] in done.stdout.splitlines()[0]
    assert running.api_key not in done.stdout + done.stderr
    assert not (tmp_path / "journal.jsonl").exists()


def test_a_trial_with_a_wrong_key_says_what_to_look_at(
    playing: tuple[Provider, LocalProvider], tmp_path: Path
) -> None:
    row, running = playing
    before = running.report()["charges"]
    config = conf(tmp_path, row, running, api_key="wrong-key-4711")
    done = tonewall("provider", "test", "-c", str(config), "--currency", row.currency)
    assert done.returncode == 1
    assert "examination refused: Look at api_key" in done.stdout
    assert "charge      failed" in done.stdout
    assert "wrong-key-4711" not in done.stdout + done.stderr
    assert running.report()["charges"] == before


def test_a_trial_is_refused_where_money_moves(tmp_path: Path) -> None:
    row, running = TABLE["adyen"], LocalProvider("https://live.example/v72", "", "a-live-key")
    config = conf(tmp_path, row, running)
    done = tonewall("provider", "test", "-c", str(config))
    assert done.returncode == 2
    assert "[provider] url: money would move there" in done.stderr
    assert done.stdout == ""
    live = tonewall("provider", "test", "--live", "-c", str(config))
    assert live.returncode == 2
    assert "No such option: --live" in live.stderr


def test_providers_have_names(playing: tuple[Provider, LocalProvider], tmp_path: Path) -> None:
    row, running = playing
    conf(tmp_path, row, running)
    config = conf(tmp_path, row, running, "provider second", api_key="wrong-key-4711")
    first, second = finding(config), finding(config, "provider second")
    assert first.startswith("ok" if proves(row) else "warning")
    assert second.startswith("fault")
    named = tonewall("provider", "test", "second", "-c", str(config), "--currency", row.currency)
    assert named.returncode == 1
    nobody = tonewall("provider", "test", "third", "-c", str(config))
    assert nobody.returncode == 2
    assert "there is no provider third; expected one of default, second" in nobody.stderr


def test_another_providers_interface_is_noticed(
    playing: tuple[Provider, LocalProvider], tmp_path: Path
) -> None:
    """Reachable, with a good certificate, and another's interface behind it."""
    _, running = playing
    other = TABLE["connector" if playing[0].adapter != "connector" else "adyen"]
    said = finding(conf(tmp_path, other, running))
    assert not said.startswith("ok")
    assert "reachable" in said
    assert "accepted" not in said


def test_where_no_card_is_taken_the_doctor_says_so_and_a_trial_opens_a_link(tmp_path: Path) -> None:
    row = TABLE["square"]
    with local_provider(tmp_path, "--adapter", "square") as running:
        config = conf(tmp_path, row, running)
        assert "no card is taken there, but payment links" in finding(config)
        done = tonewall("provider", "test", "-c", str(config))
        assert done.returncode == 0, done.stdout + done.stderr
        assert "link        opened: https://" in done.stdout
        assert "link        failed: reason link_closed" in done.stdout
        assert running.report()["charges"] == 0


@pytest.mark.parametrize("mutual", [True, False])
def test_a_company_s_service_is_tried_with_a_form_of_zeros(tmp_path: Path, mutual: bool) -> None:
    row = TABLE["delivery"]
    options = ["--mutual"] if mutual else []
    with local_provider(tmp_path, "--adapter", "delivery", *options) as running:
        keys = {"encryption_key_file": running.encryption_key_file} if mutual else {}
        if mutual:
            keys |= {"tls_certificate": running.tls_certificate, "tls_key": running.tls_key}
        config = conf(tmp_path, row, running, **keys)
        said = tonewall("doctor", "-c", str(config)).stdout
        assert "our credentials are accepted, and the service speaks the contract" in said
        assert ("bodies are encrypted to P-256, ECDH-ES" in said) == mutual
        assert ("bodies are not encrypted" in said) == (not mutual)
        assert ("tls_certificate" in said) == mutual
        done = tonewall("provider", "test", "-c", str(config))
        assert done.returncode == 0, done.stdout + done.stderr
        assert "with a form of zeros" in done.stdout
        assert "delivery    approved: reference test" in done.stdout
        assert running.report()["requests"] == 0, "it keeps nothing of a trial"


def test_a_service_that_promises_nothing_gets_no_form_and_is_not_called_good(tmp_path: Path) -> None:
    row = TABLE["delivery"]
    with local_provider(tmp_path, "--adapter", "delivery") as running:
        config = conf(tmp_path, row, running, api_key="wrong-key-4711")
        said = tonewall("doctor", "-c", str(config)).stdout.splitlines()
        assert [line[:5] for line in said if "key_refused" in line] == ["fault"]
        done = tonewall("provider", "test", "-c", str(config))
        assert done.returncode == 1
        assert "examination refused" in done.stdout
    elsewhere = conf(tmp_path, row, LocalProvider("https://192.0.2.7/tonewall", "", "k"), "provider far")
    done = tonewall("provider", "test", "far", "-c", str(elsewhere))
    assert done.returncode == 1
    assert "delivery    failed: reason not_sent" in done.stdout
    assert "POST" not in done.stdout
