"""deploy/compose: Compose and Prometheus read its files, each file that is mounted is there, and
Tonewall takes its sip.conf with its environment and secrets."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.packaging.composed import FOLDER, copy_with_secrets, read_configuration
from tests.programs import require_program

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def mounts(service: str) -> dict[str, str]:
    """Files of the host by their places in the container; volumes have names, not paths."""
    rows = [each.split(":") for each in SERVICES[service].get("volumes", ())]
    return {row[1]: row[0] for row in rows if row[0].startswith(".")}


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder after `secrets.sh`, run twice."""
    return copy_with_secrets(tmp_path_factory.mktemp("compose"))


@pytest.mark.parametrize("name", ["compose.yaml", "several.yaml"])
def test_compose_reads_the_file(tmp_path: Path, name: str) -> None:
    command = [require_program("docker-compose"), "-f", str(FOLDER / name), "config", "--quiet"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    for each in FOLDER.glob("*.yaml"):
        (tmp_path / each.name).write_text(each.read_text().replace("restart:", "restrat:"))
    command[2] = str(tmp_path / name)
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


def test_each_file_that_is_mounted_is_there() -> None:
    for service in SERVICES:
        for source in mounts(service).values():
            assert (FOLDER / source).is_file(), source
    assert (FOLDER / SERVICES["tonewall"]["build"]["context"] / "Dockerfile").is_file()


def test_each_secret_is_made_once_and_is_named_as_a_secret(secrets: Path) -> None:
    made = {path.name: path.read_text() for path in (secrets / "secrets").iterdir()}
    several = yaml.safe_load((FOLDER / "several.yaml").read_text())["secrets"]
    assert set(made) == {*COMPOSE["secrets"], *several}
    assert made["prometheus_token"] in made["api_tokens"]
    assert made["postgresql_password"] in made["cdr_url"]
    assert all((secrets / "secrets" / name).stat().st_mode & 0o077 == 0 for name in made)
    for name, service in SERVICES.items():
        given = set(service.get("secrets", ()))
        asked = [str(value) for key, value in service.get("environment", {}).items() if "FILE" in key]
        assert {each.removeprefix("/run/secrets/") for each in asked} <= given, name


def test_tonewall_takes_its_configuration_environment_and_secrets(secrets: Path) -> None:
    service = SERVICES["tonewall"]
    assert service["entrypoint"][-1:] + service["command"][:2] == ["tonewall", "run", "-c"]
    here = f"{secrets}/secrets/"
    own = {key: value.replace("/run/secrets/", here) for key, value in service["environment"].items()}
    image = re.search(r"^ENV (.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert image is not None
    theirs = dict(each.split("=", 1) for each in image[1].split() if each.startswith("TONEWALL_"))
    assert service["entrypoint"][:3] == ["env", "-u", "TONEWALL_CDR_URL"]
    del theirs["TONEWALL_CDR_URL"]

    def read(**more: str) -> subprocess.CompletedProcess[str]:
        return read_configuration(secrets / "sip.conf", theirs | own | more)

    taken = read()
    assert taken.returncode == 0, taken.stderr
    assert read(TONEWALL_CDR_URL="sqlite:////x").returncode == 2
    assert read(TONEWALL_API_ROLES="desk-1:nobody").returncode == 2


def test_a_container_that_is_ready_is_healthy_and_one_that_is_stopped_may_finish() -> None:
    service = SERVICES["tonewall"]
    assert "/readyz" in service["healthcheck"]["test"][-1]
    compile(service["healthcheck"]["test"][-1], "healthcheck", "exec")
    assert service["stop_grace_period"] == "60s"
    assert service["network_mode"] == SERVICES["prometheus"]["network_mode"] == "host"


def test_prometheus_scrapes_the_api_and_loads_the_alerts(secrets: Path, tmp_path: Path) -> None:
    text = (FOLDER / "prometheus.yml").read_text()
    for there, source in mounts("prometheus").items():
        text = text.replace(there, str((FOLDER / source).resolve()))
    text = text.replace("/run/secrets/", f"{secrets}/secrets/")
    (tmp_path / "prometheus.yml").write_text(text)
    command = [require_program("promtool"), "check", "config", str(tmp_path / "prometheus.yml")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "1 rule files" in found.stdout
    port = re.search(r"^port = (\d+)$", (FOLDER / "sip.conf").read_text(), re.MULTILINE)
    assert port is not None
    [scrape] = yaml.safe_load(text)["scrape_configs"]
    assert scrape["static_configs"] == [{"targets": [f"127.0.0.1:{port[1]}"]}]


def test_grafana_asks_that_prometheus_and_has_the_dashboard() -> None:
    [source] = yaml.safe_load((FOLDER / "grafana" / "datasource.yml").read_text())["datasources"]
    listens = next(each for each in SERVICES["prometheus"]["command"] if "listen-address" in each)
    assert source["url"] == f"http://{listens.partition('=')[2]}"
    [provider] = yaml.safe_load((FOLDER / "grafana" / "dashboards.yml").read_text())["providers"]
    [board] = [
        path for there, path in mounts("grafana").items() if there.startswith(provider["options"]["path"])
    ]
    assert json.loads((FOLDER / board).read_text())["uid"] == "tonewall"
