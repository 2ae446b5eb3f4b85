"""Signatures of the real minisign are believed; any that was changed is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.installed import Signer
from tonewall.minisign import BadSignature, PublicKey

CONTENT = b"what was released\n" * 100


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return Signer(tmp_path_factory.mktemp("key"))


@pytest.fixture
def signed(signer: Signer, tmp_path: Path) -> str:
    (tmp_path / "content").write_bytes(CONTENT)
    return signer.sign(tmp_path / "content").read_text()


def test_what_minisign_signed_is_believed(signer: Signer, signed: str):
    assert PublicKey.parse(signer.public).verify(CONTENT, signed) == "a test"


def test_the_old_form_over_the_file_itself_is_believed_too(signer: Signer, tmp_path: Path):
    (tmp_path / "content").write_bytes(CONTENT)
    signature = signer.sign(tmp_path / "content", "-l").read_text()
    assert PublicKey.parse(signer.public).verify(CONTENT, signature) == "a test"


def test_another_content_is_refused(signer: Signer, signed: str):
    for content in (b"", CONTENT[:-1], CONTENT + b"\n", CONTENT.replace(b"what", b"That", 1)):
        with pytest.raises(BadSignature, match="not what was signed"):
            PublicKey.parse(signer.public).verify(content, signed)


def test_another_key_is_refused(signed: str, tmp_path: Path):
    with pytest.raises(BadSignature, match="another key"):
        PublicKey.parse(Signer(tmp_path / "other").public).verify(CONTENT, signed)


def test_every_character_of_a_signature_counts(signer: Signer, signed: str):
    key = PublicKey.parse(signer.public)
    lines = signed.splitlines()
    for number in (1, 2, 3):
        for at in range(len(lines[number])):
            changed = "A" if lines[number][at] != "A" else "B"
            line = lines[number][:at] + changed + lines[number][at + 1 :]
            with pytest.raises(BadSignature):
                key.verify(CONTENT, "\n".join([*lines[:number], line, *lines[number + 1 :]]) + "\n")


@pytest.mark.parametrize("text", ["", "\n\n\n\n", "untrusted comment: x\n", "RW", "x" * 100_000])
def test_what_is_no_signature_is_refused(signer: Signer, text: str):
    with pytest.raises(BadSignature, match="no signature"):
        PublicKey.parse(signer.public).verify(CONTENT, text)


@pytest.mark.parametrize("text", ["", "RW", "A" * 56, "RWQ" + "=" * 53, "ü" * 56])
def test_what_is_no_key_is_refused(text: str):
    with pytest.raises(ValueError, match="56 characters"):
        PublicKey.parse(text)
