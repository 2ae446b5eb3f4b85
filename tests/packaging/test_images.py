"""Two images are the same, or the file that differs is named."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from release.images import differences, main, read_image

FILES: dict[str, dict[str, Any]] = {
    "usr/bin/a": {"content": b"program", "mode": 0o755},
    "etc/b": {"content": b"text"},
    "etc/c": {"linkname": "b", "type": tarfile.SYMTYPE},
}


def add(tar: tarfile.TarFile, name: str, content: bytes = b"", **changed: Any) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mtime = len(content), 1
    for field, value in changed.items():
        setattr(info, field, value)
    tar.addfile(info, io.BytesIO(content))


def image(path: Path, files: dict[str, dict[str, Any]], created: str = "2026") -> Path:
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w:gz") as tar:
        for name, each in files.items():
            add(tar, name, **each)
    with tarfile.open(path, "w") as tar:

        def blob(content: bytes) -> str:
            digest = hashlib.sha256(content).hexdigest()
            add(tar, f"blobs/sha256/{digest}", content)
            return f"sha256:{digest}"

        config = blob(json.dumps({"created": created}).encode())
        layers = [{"digest": blob(layer.getvalue())}]
        manifest = blob(json.dumps({"config": {"digest": config}, "layers": layers}).encode())
        add(tar, "index.json", json.dumps({"manifests": [{"digest": manifest}]}).encode())
    return path


def test_the_same_files_are_the_same_image(tmp_path: Path):
    one, other = (read_image(image(tmp_path / name, FILES)) for name in ("one", "other"))
    assert len(one) == 4
    assert list(differences(one, other)) == []


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("usr/bin/a", {"content": b"Program"}),
        ("usr/bin/a", {"mode": 0o4755}),
        ("etc/b", {"mtime": 2}),
        ("etc/b", {"uid": 5060}),
        ("etc/c", {"linkname": "../usr/bin/a"}),
    ],
)
def test_a_change_of_any_kind_is_named(
    tmp_path: Path,
    name: str,
    changed: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    one = image(tmp_path / "one", FILES)
    other = image(tmp_path / "other", FILES | {name: FILES[name] | changed})
    assert list(differences(read_image(one), read_image(other))) == [f"0/{name}"]
    monkeypatch.setattr("sys.argv", ["images", str(one), str(other)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert f"0/{name}: DIFFERS" in capsys.readouterr().out


def test_a_missing_file_and_another_configuration_are_named(tmp_path: Path):
    one = read_image(image(tmp_path / "one", FILES))
    other = read_image(image(tmp_path / "other", {"etc/b": FILES["etc/b"]}, created="2027"))
    assert list(differences(one, other)) == ["0/etc/c", "0/usr/bin/a", "configuration"]
