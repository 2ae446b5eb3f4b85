"""TLS as an evidence pack grades it: old versions are found where they are accepted."""

from __future__ import annotations

import ssl
import warnings
from pathlib import Path

import pytest

from b2bua.evidence.tls import describe_certificate, grade, memory_handshake
from tests.unit.b2bua.evidence.certificate import make_certificate


def server(files: tuple[Path, Path], lowest: ssl.TLSVersion, ciphers: str = "") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = lowest
    if ciphers:
        context.set_ciphers(ciphers)
    return context


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("tls"))


def test_a_listener_of_ours_is_good(files: tuple[Path, Path]) -> None:
    context = server(files, ssl.TLSVersion.TLSv1_2, "ECDHE+AESGCM")
    found = grade("SIP", "in memory", memory_handshake(context, str(files[0])))
    assert found.versions == {"1.0": False, "1.1": False, "1.2": True, "1.3": True}
    assert found.verdict.startswith("good")
    assert "ECDHE-RSA-AES256-GCM-SHA384" in found.ciphers


def test_an_old_version_is_found(files: tuple[Path, Path]) -> None:
    context = server(files, ssl.TLSVersion.TLSv1, "ALL:@SECLEVEL=0")
    found = grade("SIP", "in memory", memory_handshake(context, str(files[0])))
    assert found.versions["1.1"]
    assert found.verdict == "weak: TLS 1.0 and 1.1 is accepted"


def test_old_ciphers_of_a_new_version_are_counted(files: tuple[Path, Path]) -> None:
    context = server(files, ssl.TLSVersion.TLSv1_2, "AES128-SHA:ECDHE+AESGCM:@SECLEVEL=0")
    found = grade("SIP", "in memory", memory_handshake(context, str(files[0])))
    assert "AES128-SHA" in found.ciphers
    assert "without authenticated encryption" in found.verdict


def test_a_certificate_is_described(files: tuple[Path, Path]) -> None:
    found = describe_certificate("general", str(files[0]))
    assert (found["key"], found["key_bits"], found["signature"]) == ("RSA", 2048, "sha256")
    assert found["days_left"] in (29, 30)
    assert found["names"] == ["tonewall.test"]
    assert describe_certificate("api", "/nowhere")["fault"] == "FileNotFoundError"
