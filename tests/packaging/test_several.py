"""deploy/compose/several.yaml: its addresses, ports, names and secrets agree with one another, and
each file is read by its own program; Redis runs by its file."""

from __future__ import annotations

import asyncio
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from b2bua.shared.connection import open_redis, read_names
from b2bua.shared.ownership import NAMES
from tests.packaging.composed import FOLDER, copy_with_secrets, read_configuration, resolve
from tests.programs import require_program
from tests.stack import free_port, until

ROOT = Path(__file__).parents[2]
INSTANCES = ("one", "two")
_OPTION = re.compile(r"^(\w+) = (.+)$", re.MULTILINE)
_DESTINATION = re.compile(r"^(\d) sip:([\d.]+):(\d+)", re.MULTILINE)
_LISTEN = re.compile(r"^listen=udp:([\d.]+):(\d+)$", re.MULTILINE)
_SECONDS = re.compile(r"\d+")


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = resolve("several.yaml")["services"]
    return found


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_with_secrets(tmp_path_factory.mktemp("several"))


def environments(services: dict[str, dict[str, Any]]) -> list[dict[str, str]]:
    return [services[name]["environment"] for name in INSTANCES]


def test_each_file_that_is_mounted_is_there(services: dict[str, dict[str, Any]]) -> None:
    mounted = [row.split(":")[0] for each in services.values() for row in each.get("volumes", ())]
    files = [Path(path) for path in mounted if path.startswith("/")]
    assert len(files) > 5
    assert [path for path in files if not path.is_file()] == []
    assert (Path(services["edge"]["build"]["context"]) / "Dockerfile").is_file()


def test_instances_differ_in_address_port_name_and_volume(services: dict[str, dict[str, Any]]) -> None:
    own = ("TONEWALL_GENERAL_BIND", "TONEWALL_API_PORT", "TONEWALL_SHARED_INSTANCE")
    one, other = environments(services)
    assert {key for key in one if one[key] != other[key]} == {*own, "TONEWALL_MEDIA_ADDRESS"}
    assert all(each["TONEWALL_MEDIA_ADDRESS"] == each["TONEWALL_GENERAL_BIND"] for each in (one, other))
    kept = [row for name in INSTANCES for row in services[name]["volumes"] if "/var/lib/tonewall" in row]
    assert len(set(kept)) == len(INSTANCES)


def test_tonewall_takes_the_file_with_each_environment(
    services: dict[str, dict[str, Any]], secrets: Path
) -> None:
    for each in environments(services):
        here = {key: value.replace("/run/secrets", f"{secrets}/secrets") for key, value in each.items()}
        taken = read_configuration(secrets / "several.conf", here)
        assert taken.returncode == 0, taken.stderr
        assert read_configuration(secrets / "several.conf", here | {"TONEWALL_API_PORT": "x"}).returncode == 2


def test_the_edge_has_the_addresses_of_the_instances_and_they_its_own(
    services: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    listed = _DESTINATION.findall((FOLDER / "dispatcher.list").read_text())
    instances = [(each["TONEWALL_GENERAL_BIND"], "5060") for each in environments(services)]
    assert [(host, port) for number, host, port in listed if number == "1"] == instances
    assert {number for number, _, _ in listed} == {"1", "2", "3"}
    sides = _LISTEN.findall((FOLDER.parent / "edge" / "kamailio.cfg").read_text())
    sections = (FOLDER / "several.conf").read_text().split("[")
    trunks = [dict(_OPTION.findall(each)) for each in sections if each.startswith(("carrier]", "pbx]"))]
    assert [(trunk["host"], trunk["port"]) for trunk in trunks] == sides
    text = (FOLDER.parent / "edge" / "kamailio.cfg").read_text()
    command = [require_program("kamailio"), "-c", "-f", str(tmp_path / "kamailio.cfg")]
    for written, status in ((text, 0), (text.replace("route(RELAY)", "rout(RELAY)"), 255)):
        (tmp_path / "kamailio.cfg").write_text(written)
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        assert found.returncode == status, found.stderr


def test_prometheus_and_health_ask_at_the_ports_of_the_instances(
    services: dict[str, dict[str, Any]], secrets: Path, tmp_path: Path
) -> None:
    asked = [f"127.0.0.1:{each['TONEWALL_API_PORT']}" for each in environments(services)]
    text = (FOLDER / "several-prometheus.yml").read_text()
    [scrape] = yaml.safe_load(text)["scrape_configs"]
    assert scrape["static_configs"] == [{"targets": asked}]
    tests = [services[name]["healthcheck"]["test"][-1] for name in INSTANCES]
    assert all(f"//{where}/readyz" in test for where, test in zip(asked, tests, strict=True))
    mounted = services["prometheus"]["volumes"]
    assert [row for row in mounted if row.endswith(":/etc/prometheus/prometheus.yml:ro")] == [
        f"{FOLDER}/several-prometheus.yml:/etc/prometheus/prometheus.yml:ro"
    ]
    text = text.replace("/etc/prometheus/", f"{FOLDER.parent}/prometheus/")
    (tmp_path / "prometheus.yml").write_text(text.replace("/run/secrets/", f"{secrets}/secrets/"))
    command = [require_program("promtool"), "check", "config", str(tmp_path / "prometheus.yml")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


def test_a_stop_waits_for_the_drain(services: dict[str, dict[str, Any]]) -> None:
    options = dict(_OPTION.findall((FOLDER / "several.conf").read_text()))
    for name in INSTANCES:
        # As 3660s here, as 1h1m0s from later ones.
        grace = services[name]["stop_grace_period"]
        hours, minutes, seconds = [0, 0, 0, *(int(part) for part in _SECONDS.findall(grace))][-3:]
        assert hours * 3600 + minutes * 60 + seconds >= int(options["drain_time"]) + 60


async def test_redis_lets_instances_do_what_they_need_and_nobody_else_anything(
    secrets: Path, tmp_path: Path
) -> None:
    users = (secrets / "secrets" / "redis_users").read_text()
    password = (secrets / "secrets" / "redis_password").read_text()
    documented = (ROOT / "docs" / "scale.md").read_text()
    rules = " ".join(users.split(" resetkeys ")[1].split())
    assert f"resetkeys {rules}" in " ".join(documented.split())
    assert password not in users
    port = free_port()
    text = (FOLDER / "redis.conf").read_text().replace("6379", str(port))
    (tmp_path / "redis.conf").write_text(text.replace("/run/secrets/", f"{secrets}/secrets/"))
    server = await asyncio.create_subprocess_exec(
        require_program("redis-server"), str(tmp_path / "redis.conf"), "--dir", str(tmp_path),
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    url = f"redis://tonewall@127.0.0.1:{port}/0"
    try:

        async def names() -> bool:
            try:
                return await read_names(url, password, "", NAMES, 10) == []
            except OSError:
                return False

        await until(names, "Redis answers an instance")
        with pytest.raises(OSError, match="invalid username-password"):
            await read_names(url, f"not {password}", "", NAMES, 10)
        client = open_redis(url, password, "")
        from redis.exceptions import NoPermissionError

        for command in (("FLUSHALL",), ("SET", "another:key", "1"), ("KEYS", "*")):
            with pytest.raises(NoPermissionError):
                await client.execute_command(*command)
        await client.aclose()
        asked = await asyncio.create_subprocess_exec(
            require_program("redis-cli"), "-p", str(port), "ping", stdout=asyncio.subprocess.PIPE
        )
        answer, _ = await asked.communicate()
        assert answer.startswith(b"NOAUTH"), "which the health check looks for"
    finally:
        server.terminate()
        await server.wait()
