"""deploy/kubernetes: each object fits the schema of Kubernetes, what names another object or file
names one that is there, Tonewall takes its sip.conf, and Redis runs by its file."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from b2bua.shared.connection import read_names
from b2bua.shared.ownership import NAMES
from tests.packaging.composed import copy_with_secrets, read_configuration
from tests.programs import require_program
from tests.stack import free_port, until
from tests.wire.certificates import Authority

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
OBJECTS: list[dict[str, Any]] = [
    each for name in KUSTOMIZATION["resources"] for each in yaml.safe_load_all((FOLDER / name).read_text())
]
PAGE = (ROOT / "docs" / "kubernetes.md").read_text()
_CREATED = re.compile(r"create secret generic (\S+)((?:[ \\\n]+--from-file=\S+)+)")
_KEY = re.compile(r"--from-file=(\S+)")
_DRAIN = re.compile(r"(?m)^drain_time = (\d+)$")


def found(kind: str, name: str) -> dict[str, Any]:
    [one] = [each for each in OBJECTS if each["kind"] == kind and each["metadata"]["name"] == name]
    return one


def pod(kind: str, name: str) -> dict[str, Any]:
    spec: dict[str, Any] = found(kind, name)["spec"]["template"]["spec"]
    return spec


PODS = {"tonewall": pod("StatefulSet", "tonewall"), "redis": pod("Deployment", "redis")}


def test_each_object_fits_the_schema(tmp_path: Path) -> None:
    def validate(path: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "kubernetes_validate", "--strict", "--quiet", str(path)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    for name in KUSTOMIZATION["resources"]:
        checked = validate(FOLDER / name)
        assert checked.returncode == 0, checked.stdout + checked.stderr
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text((FOLDER / "tonewall.yaml").read_text().replace("hostNetwork", "hostNetwrok"))
    assert validate(wrong).returncode != 0


def test_the_objects_are_those_of_the_page() -> None:
    named = set(re.findall(r"`(\w+)`", "".join(re.findall(r"(?m)^\| (?:\w+|\w+ and \w+) `.*?\|", PAGE))))
    assert named == {each["metadata"]["name"] for each in OBJECTS if each["kind"] != "Namespace"}
    assert {each["kind"] for each in OBJECTS if f"{each['kind']} " not in PAGE} <= {"Namespace"}


def test_selectors_find_the_pods_and_each_volume_is_there() -> None:
    for kind, name in (("StatefulSet", "tonewall"), ("Deployment", "redis")):
        spec = found(kind, name)["spec"]
        labels = spec["template"]["metadata"]["labels"]
        assert spec["selector"]["matchLabels"] == labels == found("Service", name)["spec"]["selector"]
        claimed = [each["metadata"]["name"] for each in spec.get("volumeClaimTemplates", ())]
        given = [each["name"] for each in spec["template"]["spec"]["volumes"]] + claimed
        [container] = spec["template"]["spec"]["containers"]
        assert sorted(each["name"] for each in container["volumeMounts"]) == sorted(given)
        ports = {each["name"] for each in container["ports"]}
        assert {each["targetPort"] for each in found("Service", name)["spec"]["ports"]} <= ports
    labels = found("StatefulSet", "tonewall")["spec"]["selector"]["matchLabels"]
    assert found("PodDisruptionBudget", "tonewall")["spec"]["selector"]["matchLabels"] == labels
    [term] = PODS["tonewall"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term["labelSelector"]["matchLabels"] == labels
    policy = found("NetworkPolicy", "redis")["spec"]["podSelector"]["matchLabels"]
    assert policy == found("Deployment", "redis")["spec"]["selector"]["matchLabels"]


def test_each_file_in_a_pod_is_in_a_configuration_or_secret_that_the_page_makes() -> None:
    made = {name: set(_KEY.findall(keys)) for name, keys in _CREATED.findall(PAGE)}
    made["tonewall-certificate"] = {"tls.crt", "tls.key"}
    maps = {each["name"]: set(each["files"]) for each in KUSTOMIZATION["configMapGenerator"]}
    assert all((FOLDER / name).is_file() for files in maps.values() for name in files)
    for name, spec in PODS.items():
        [container] = spec["containers"]
        inside = set()
        mounts = {each["name"]: each for each in container["volumeMounts"]}
        for volume in spec["volumes"]:
            if "secret" in volume:
                keys = made[volume["secret"]["secretName"]]
            elif "configMap" in volume:
                keys = maps[volume["configMap"]["name"]]
            else:
                continue
            mount = mounts[volume["name"]]
            whole = mount["mountPath"]
            inside |= {whole} if "subPath" in mount else {f"{whole}/{key}" for key in keys}
        asked = [str(each.get("value", "")) for each in container.get("env", ())]
        asked += container["args"]
        texts = "".join((FOLDER / file).read_text() for file in maps[name])
        asked += re.findall(r"/run/secrets/\S+", texts)
        assert {each for each in asked if each.startswith(("/run/secrets", "/etc"))} <= inside
        assert len(inside) > 3


def test_pods_have_no_root_no_capability_and_no_file_to_write_but_their_own() -> None:
    for spec in PODS.values():
        assert spec["securityContext"]["runAsNonRoot"]
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not spec["automountServiceAccountToken"]
        [container] = spec["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "cpu" not in container["resources"]["limits"], "a limit of CPU is gaps in the audio"


def test_a_stop_waits_for_the_drain_and_probes_ask_where_the_api_is() -> None:
    text = (FOLDER / "sip.conf").read_text()
    drain = _DRAIN.search(text)
    assert drain is not None
    assert PODS["tonewall"]["terminationGracePeriodSeconds"] == int(drain[1]) + 60
    [container] = PODS["tonewall"]["containers"]
    [https] = [each["containerPort"] for each in container["ports"] if each["name"] == "https"]
    assert f"\nport = {https}\ntls_certificate" in text
    probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {name: each["path"] for name, each in probes.items()} == {
        "startup": "/livez", "liveness": "/livez", "readiness": "/readyz"
    }  # fmt: skip
    assert all(each["port"] == "https" and each["scheme"] == "HTTPS" for each in probes.values())


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the page's steps put into a pod: `tonewall`, `redis`, `certificate`."""
    folder = tmp_path_factory.mktemp("kubernetes")
    made = copy_with_secrets(folder) / "secrets"
    authority = Authority(folder)
    certificate, key = authority.issue("localhost")
    inside = folder / "inside"
    for place in ("tonewall", "redis", "certificate"):
        (inside / place).mkdir(parents=True)
    for _, keys in _CREATED.findall(PAGE)[:2]:
        for name in _KEY.findall(keys):
            for place in ("tonewall", "redis"):
                shutil.copy(made / name, inside / place / name)
    for source, name in ((certificate, "tls.crt"), (key, "tls.key"), (authority.file, "ca.crt")):
        shutil.copy(source, inside / "certificate" / name)
    shutil.copy(authority.file, inside / "redis" / "ca.crt")
    return inside


def test_tonewall_takes_its_file_with_the_environment_of_a_pod(secrets: Path, tmp_path: Path) -> None:
    fields = {"metadata.name": "tonewall-1", "status.hostIP": "192.0.2.11"}
    [container] = PODS["tonewall"]["containers"]
    environment = {
        each["name"]: each["value"].replace("/run/secrets", str(secrets))
        if "value" in each
        else fields[each["valueFrom"]["fieldRef"]["fieldPath"]]
        for each in container["env"]
    }
    path = tmp_path / "sip.conf"
    path.write_text((FOLDER / "sip.conf").read_text().replace("/run/secrets", str(secrets)))
    taken = read_configuration(path, environment)
    assert taken.returncode == 0, taken.stderr
    assert read_configuration(path, environment | {"TONEWALL_SHARED_INSTANCE": "a b"}).returncode == 2
    assert container["command"][:2] == ["env", "-u"]


async def test_redis_runs_by_its_file_over_tls(secrets: Path, tmp_path: Path) -> None:
    port = free_port()
    text = (FOLDER / "redis.conf").read_text().replace("6380", str(port))
    (tmp_path / "redis.conf").write_text(text.replace("/run/secrets", str(secrets)))
    server = await asyncio.create_subprocess_exec(
        require_program("redis-server"), str(tmp_path / "redis.conf"), "--dir", str(tmp_path),
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    password = (secrets / "tonewall" / "redis_password").read_text()
    authority = str(secrets / "redis" / "ca.crt")

    async def names(url: str) -> bool:
        try:
            return await read_names(url, password, authority, NAMES, 10) == []
        except OSError:
            return False

    try:
        await until(lambda: names(f"rediss://tonewall@localhost:{port}/0"), "Redis answers an instance")
        assert not await names(f"rediss://localhost:{port}/0"), "without a user"
        [probe] = [each["readinessProbe"]["exec"]["command"] for each in PODS["redis"]["containers"]]
        asked = [*probe[:2], probe[2].replace("6380", str(port))]
        probed = await asyncio.create_subprocess_exec(*asked)
        assert await probed.wait() == 0
    finally:
        server.terminate()
        await server.wait()


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="Debian 12 has no kubectl with kustomize")
def test_kustomize_names_configurations_by_their_content() -> None:
    made = subprocess.run(["kubectl", "kustomize", str(FOLDER)], capture_output=True, text=True, check=True)
    objects = list(yaml.safe_load_all(made.stdout))
    maps = {each["metadata"]["name"] for each in objects if each["kind"] == "ConfigMap"}
    [instances] = [each for each in objects if each["kind"] == "StatefulSet"]
    spec = instances["spec"]["template"]["spec"]
    assert {each["configMap"]["name"] for each in spec["volumes"] if "configMap" in each} < maps
    assert spec["containers"][0]["image"].startswith("registry.example/tonewall:")
    assert {each["metadata"]["namespace"] for each in objects if each["kind"] != "Namespace"} == {"tonewall"}
