"""An evidence pack: the same files are the same octets, and whatever is done to it is found."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from b2bua.evidence.archive import Manifest, NoPack, describe_files, fingerprint, open_pack, seal

KEY = Ed25519PrivateKey.generate()
Members = list[tuple[tarfile.TarInfo, bytes]]


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    files = tmp_path / "files"
    (files / "audit").mkdir(parents=True)
    (files / "audit" / "lines.jsonl").write_bytes(b"one\n" * 1000)
    (files / "page.html").write_bytes(b"<p>page")
    path = tmp_path / "pack.tar.gz"
    manifest = Manifest(
        product="tonewall", since="a", until="b", made_at="c", key=fingerprint(KEY.public_key()),
        files=describe_files(files),
    )  # fmt: skip
    seal(files, manifest, KEY, 1_796_000_000, path)
    return path


def members(path: Path) -> Members:
    with tarfile.open(path) as tar:
        return [(info, tar.extractfile(info).read()) for info in tar]  # type: ignore[union-attr]


def write(path: Path, content: Members) -> None:
    with tarfile.open(path, "w:gz") as tar:
        for info, octets in content:
            info.size = len(octets)
            tar.addfile(info, io.BytesIO(octets))


def test_a_pack_verifies_and_is_whole(pack: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    manifest, findings = open_pack(pack, KEY.public_key(), out)
    assert findings == []
    assert describe_files(out) == manifest.files == describe_files(tmp_path / "files")
    assert pack.stat().st_mode & 0o077 == 0


def test_the_same_files_are_the_same_octets(pack: Path, tmp_path: Path) -> None:
    manifest, _ = open_pack(pack, KEY.public_key())
    seal(tmp_path / "files", manifest, KEY, 1_796_000_000, tmp_path / "again.tar.gz")
    assert (tmp_path / "again.tar.gz").read_bytes() == pack.read_bytes()


def _changed(found: Members) -> Members:
    return [(info, octets.replace(b"one\none\n", b"two\none\n", 1)) for info, octets in found]


def _longer(found: Members) -> Members:
    return [*found[:-1], (found[-1][0], found[-1][1] + b".")]


def _added(found: Members) -> Members:
    return [*found, (tarfile.TarInfo("audit/more.jsonl"), b"x")]


def _outside(found: Members) -> Members:
    return [*found, (tarfile.TarInfo("../outside"), b"x")]


def _twice(found: Members) -> Members:
    return [*found, found[-1]]


def _linked(found: Members) -> Members:
    link = tarfile.TarInfo(found[-1][0].name)
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return [*found[:-1], (link, b"")]


@pytest.mark.parametrize(
    "change", [_changed, _longer, _added, _outside, _twice, _linked, lambda found: found[:-1]]
)
def test_what_was_done_to_a_file_is_named(
    pack: Path, tmp_path: Path, change: Callable[[Members], Members]
) -> None:
    write(pack, change(members(pack)))
    out = tmp_path / "out"
    out.mkdir()
    _, findings = open_pack(pack, KEY.public_key(), out)
    assert len(findings) == 1
    assert not (tmp_path / "outside").exists()
    assert not (out / "audit" / "more.jsonl").exists()


def test_a_manifest_that_the_key_did_not_sign_is_refused(pack: Path) -> None:
    found = members(pack)
    found[0] = found[0][0], found[0][1].replace(b'"since": "a"', b'"since": "z"')
    write(pack, found)
    with pytest.raises(NoPack, match="not signed by this key"):
        open_pack(pack, KEY.public_key())


def test_another_key_is_refused(pack: Path) -> None:
    with pytest.raises(NoPack, match="not signed by this key"):
        open_pack(pack, Ed25519PrivateKey.generate().public_key())


@pytest.mark.parametrize("content", [b"", b"no archive", gzip.compress(b"no tar" * 200, mtime=0)])
def test_what_is_no_pack_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "pack.tar.gz"
    path.write_bytes(content)
    with pytest.raises(NoPack):
        open_pack(path, KEY.public_key())


def test_a_pack_that_is_cut_off_anywhere_is_not_sound(pack: Path) -> None:
    whole = pack.read_bytes()
    for end in range(0, len(whole) - 8, 7):
        pack.write_bytes(whole[:end])
        try:
            _, findings = open_pack(pack, KEY.public_key())
        except NoPack:
            continue
        assert findings, end


def test_a_pack_with_any_octet_changed_is_not_sound_or_the_same(pack: Path, tmp_path: Path) -> None:
    whole = pack.read_bytes()
    for at in range(0, len(whole), 3):
        pack.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        out = tmp_path / f"out-{at}"
        out.mkdir()
        try:
            manifest, findings = open_pack(pack, KEY.public_key(), out)
        except NoPack:
            continue
        assert findings or describe_files(out) == manifest.files, at


def test_what_cannot_be_packed_leaves_no_half_of_it(pack: Path, tmp_path: Path) -> None:
    manifest, _ = open_pack(pack, KEY.public_key())
    (tmp_path / "files" / "page.html").unlink()
    with pytest.raises(OSError, match=r"page\.html"):
        seal(tmp_path / "files", manifest, KEY, 0, tmp_path / "half.tar.gz")
    assert not [path.name for path in tmp_path.iterdir() if "half" in path.name]
