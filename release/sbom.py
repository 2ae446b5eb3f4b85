"""Writes what Tonewall consists of: a CycloneDX 1.6 document of the lock of its packages, the
libraries that it links or that wheels carry, and data of others in its sources.

Rule 1: two runs over the same sources write the same bytes: the time is SOURCE_DATE_EPOCH, and the
        serial number is made of the content.
Rule 2: no component without a licence.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tomllib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from release import ROOT
from release.licences import Table, installed, read_table
from release.lock import LOCKS, Locked, shipped

_OWN: Final = "tonewall"
_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "urn:tonewall:sbom")
_IN_NOTICE: Final = "NOTICE has the text of the licence"
Component = dict[str, Any]


def make_sbom(root: Path, epoch: int) -> bytes:
    """The document, of the sources in `root`. `epoch`: its time, seconds. Raises ValueError for a
    component without a licence, OSError, and subprocess.CalledProcessError."""
    document = _of_lock(root, epoch)
    lock = shipped(root)
    others = tomllib.loads((root / "release" / "components.toml").read_text())
    carried = list(_carried(others["carried"]))
    linked = [_linked(each) for each in others["linked"]]
    data = [_data(root, each) for each in others["data"]]
    packages = list(_packages(document["components"], lock, read_table(), carried))
    vendored = [_vendored(root, each) for each in others["vendored"]]
    own = document["metadata"]["component"]
    own["bom-ref"] = own["purl"] = f"pkg:pypi/{_OWN}@{own['version']}"
    asked = [_ref(each) for each in lock if _OWN in each.via]
    document["components"] = sorted(
        [*packages, *linked, *data, *vendored], key=lambda each: str(each["bom-ref"])
    )
    document["dependencies"] = [
        {
            "ref": own["bom-ref"],
            "dependsOn": sorted([*asked, *(each["bom-ref"] for each in (*linked, *vendored))]),
        },
        *_dependencies(lock),
    ]
    text = json.dumps(document, sort_keys=True)
    document["serialNumber"] = f"urn:uuid:{uuid.uuid5(_NAMESPACE, text)}"
    return json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"


def _of_lock(root: Path, epoch: int) -> dict[str, Any]:
    """What cyclonedx-bom makes of the locks."""
    locks = "".join((root / path).read_text() for path in LOCKS)
    command = [sys.executable, "-m", "cyclonedx_py", "requirements", "-"]
    options = ["--pyproject", "pyproject.toml", "--sv", "1.6", "--of", "JSON", "--output-reproducible"]
    # Where a machine gets its packages from is no part of what they are.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    environment |= {"SOURCE_DATE_EPOCH": str(epoch), "PYTHONWARNINGS": "ignore"}
    made = subprocess.check_output(
        [*command, *options], cwd=root, env=environment, stderr=subprocess.DEVNULL, input=locks.encode()
    )
    document: dict[str, Any] = json.loads(made)
    return document


def _packages(
    components: Sequence[Component],
    lock: Sequence[Locked],
    table: Table,
    carried: Sequence[tuple[str, Component]],
) -> Iterator[Component]:
    """The packages of the lock with their licences, and with what their wheels carry."""
    said = {each.name: each.said for each in installed()}
    for component in components:
        name, ref = str(component["name"]), str(component["purl"])
        component.pop("description")  # the line of the lock, which is there as hashes
        marker = next(
            each.marker for each in lock if (each.name, each.version) == (name, component["version"])
        )
        inside = [{**each, "bom-ref": f"{ref}#{each['name']}"} for wheel, each in carried if wheel == name]
        yield {
            **component,
            "bom-ref": ref,
            "licenses": [{"expression": table.spdx(name, said.get(name, ""))}],
            **({"components": inside} if inside else {}),
            **({"properties": [{"name": "tonewall:marker", "value": marker}]} if marker else {}),
        }


def _carried(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Component]]:
    """A wheel, and each library in it."""
    for row in rows:
        for name in row["names"]:
            yield row["wheel"], _other("library", name, row)


def _linked(row: Mapping[str, Any]) -> Component:
    version = subprocess.check_output(["pkg-config", "--modversion", row["name"]], text=True).strip()
    purl = f"{row['package']}@{version}"
    component = _other("library", row["name"], row)
    return {
        **component,
        "bom-ref": purl,
        "purl": purl,
        "version": version,
        "supplier": {"name": row["supplier"]},
    }


def _data(root: Path, row: Mapping[str, Any]) -> Component:
    digest = hashlib.sha256((root / row["file"]).read_bytes()).hexdigest()
    return {
        **_other("data", row["name"], row),
        "bom-ref": f"data:{row['file']}",
        "version": row["version"],
        "description": f"in {row['file']}; {_IN_NOTICE}",
        "hashes": [{"alg": "SHA-256", "content": digest}],
    }


def _vendored(root: Path, row: Mapping[str, Any]) -> Component:
    """A library of npm's, in files as its package has them."""
    purl = f"pkg:npm/{row['name']}@{row['version']}"
    files = [
        {
            "type": "file",
            "name": name,
            "bom-ref": f"{purl}#{name}",
            "licenses": [{"expression": row["licence"]}],
            "hashes": [{"alg": "SHA-256", "content": hashlib.sha256((root / name).read_bytes()).hexdigest()}],
        }
        for name in row["files"]
    ]
    return {
        **_other("library", row["name"], row),
        "bom-ref": purl,
        "purl": purl,
        "version": row["version"],
        "description": f"in b2bua/api/web/vendor; {_IN_NOTICE}",
        "components": files,
    }


def _other(kind: str, name: str, row: Mapping[str, Any]) -> Component:
    return {
        "type": kind,
        "name": name,
        "licenses": [{"expression": row["licence"]}],
        "externalReferences": [{"type": "vcs", "url": row["source"]}],
    }


def _dependencies(lock: Sequence[Locked]) -> Iterator[dict[str, Any]]:
    for each in sorted(lock, key=_ref):
        wanted = sorted(_ref(other) for other in lock if each.name in other.via)
        yield {"ref": _ref(each), **({"dependsOn": wanted} if wanted else {})}


def _ref(package: Locked) -> str:
    return f"pkg:pypi/{package.name}@{package.version}"


def source_date(root: Path) -> int:
    """SOURCE_DATE_EPOCH, or the time of the newest commit."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    return int(subprocess.check_output(["git", "log", "-1", "--format=%ct"], cwd=root, text=True))


def main() -> None:
    """`python -m release.sbom [FILE]`."""
    parser = argparse.ArgumentParser(prog="python -m release.sbom", description="Write the SBOM.")
    parser.add_argument("file", type=Path, nargs="?", default=ROOT / "build" / "sbom.json")
    file: Path = parser.parse_args().file
    document = make_sbom(ROOT, source_date(ROOT))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(document)
    print(f"{file}: {len(json.loads(document)['components'])} components")


if __name__ == "__main__":
    main()
