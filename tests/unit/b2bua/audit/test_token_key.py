"""The signing key in a PKCS#11 token, SoftHSM: each test that signs runs in a process of its own,
since a module is loaded once in a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from b2bua.audit.pkcs11_uri import KeyName, is_pkcs11, read_uri
from b2bua.audit.signing_key import check_private, read_public
from b2bua.audit.verify import verify
from tests.softhsm import MODULE, make_token, uri

needs_softhsm = pytest.mark.skipif(not MODULE.exists(), reason="softhsm2 is not installed")
GOOD = "pkcs11:token=audit;object=log-key?module-path=/usr/lib/m.so&pin-source=file:/etc/pin"
# A log that is signed by the token, in three processes' lives.
WRITER = """
import sys, time
from pathlib import Path
from b2bua.audit.entry import Entry, Result
from b2bua.audit.log_file import LogFile
from b2bua.audit.signing_key import read_private
key = read_private(Path(sys.argv[1]))
for _ in range(3):
    log = LogFile(Path(sys.argv[2]), key, time.time, 2_000)
    for _ in range(10):
        log.append([Entry(at="now", who="ann", what="submit", result=Result.ASKED)])
    log.close()
"""
# The token is away for a while, as a module that was unplugged is.
GONE = """
import sys
from pathlib import Path
from b2bua.audit.signing_key import read_private
key = read_private(Path(sys.argv[1]))
tokens, away = Path(sys.argv[2]) / "tokens", Path(sys.argv[2]) / "away"
key.sign(b"one")
key._session.close()
tokens.rename(away)
try:
    key.sign(b"two")
except OSError as error:
    print(error.strerror)
away.rename(tokens)
key.public_key().verify(key.sign(b"three"), b"three")
print("signed")
"""


def run(code: str, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def tonewall(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return run("from b2bua.cli import main; main()", environment, *arguments)


@needs_softhsm
def test_a_log_is_signed_by_a_key_that_never_leaves_its_token(tmp_path: Path) -> None:
    environment, public = make_token(tmp_path), tmp_path / "audit.pub"
    made = tonewall(environment, "audit", "token-key", uri(tmp_path), str(public))
    assert made.returncode == 0, made.stderr
    assert "the token has made the key" in made.stdout
    written = run(WRITER, environment, uri(tmp_path), str(tmp_path / "log"))
    assert written.returncode == 0, written.stderr
    report = verify(tmp_path / "log", read_public(public))
    assert (report.findings, report.entries, report.unsigned) == ([], 30, 0)
    again = tonewall(environment, "audit", "token-key", uri(tmp_path), str(tmp_path / "again.pub"))
    assert "has such a key" in again.stdout
    assert (tmp_path / "again.pub").read_bytes() == public.read_bytes()
    taken = tonewall(environment, "audit", "token-key", uri(tmp_path), str(public))
    assert taken.returncode == 2
    assert "is there already" in taken.stderr


@needs_softhsm
def test_a_token_that_went_is_an_error_and_one_that_came_back_signs(tmp_path: Path) -> None:
    environment = make_token(tmp_path)
    tonewall(environment, "audit", "token-key", uri(tmp_path), str(tmp_path / "audit.pub"))
    done = run(GONE, environment, uri(tmp_path), str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "signed"


@needs_softhsm
@pytest.mark.parametrize("wrong", ["pin", "token", "object", "module"])
def test_what_is_wrong_is_said_and_the_pin_is_not(tmp_path: Path, wrong: str) -> None:
    environment = make_token(tmp_path)
    tonewall(environment, "audit", "token-key", uri(tmp_path), str(tmp_path / "audit.pub"))
    name = uri(tmp_path)
    if wrong == "pin":
        (tmp_path / "pin").write_text("99119911\n")
    if wrong == "token":
        name = uri(tmp_path, "nobody")
    if wrong == "object":
        name = uri(tmp_path, key="nothing")
    if wrong == "module":
        name = name.replace(str(MODULE), str(tmp_path / "pin"))
    done = run(WRITER, environment, name, str(tmp_path / "log"))
    expected = {
        "pin": "the token cannot be used (PinIncorrect)",
        "token": "the token cannot be used (NoSuchToken)",
        "object": "the token has no Ed25519 key of that name",
        "module": "module-path: the module cannot be loaded",
    }
    assert expected[wrong] in done.stderr
    assert "99119911" not in done.stderr


# --- URIs -----------------------------------------------------------------------------------------


def test_a_uri_names_token_key_module_and_the_file_of_the_pin() -> None:
    assert read_uri(GOOD) == KeyName(Path("/usr/lib/m.so"), Path("/etc/pin"), token="audit", label="log-key")
    other = "pkcs11:serial=0a%20b;id=%01%FF;type=private?pin-source=file:///etc/pin&module-path=/m.so"
    assert read_uri(other) == KeyName(Path("/m.so"), Path("/etc/pin"), serial="0a b", id=b"\x01\xff")
    assert is_pkcs11(Path(GOOD))
    assert str(Path(GOOD)) == GOOD
    assert not is_pkcs11("/etc/tonewall/audit.pem")


@pytest.mark.parametrize(
    "text",
    [
        "pkcs11:",
        "pkcs11:token=audit;object=k",
        GOOD.replace("module-path=/usr", "module-path=usr"),
        GOOD.replace("pin-source=file:/etc/pin", "pin-source=https://h/pin"),
        GOOD.replace("token=audit;", ""),
        GOOD.replace("object=log-key", ""),
        GOOD.replace("object=log-key", "object="),
        GOOD.replace("object", "label"),
        f"{GOOD}&pin-source=file:/other",
        f"{GOOD}&module-name=m",
        GOOD.replace("object", "type=public;object"),
        GOOD.replace("pkcs11", "https"),
    ],
)
def test_what_names_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        read_uri(text)


def test_a_pin_in_the_uri_is_refused_and_not_quoted(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="belongs in a file") as refused:
        read_uri(f"{GOOD}&pin-value=1234")
    assert "1234" not in str(refused.value)
    pin = tmp_path / "pin"
    for content in ("", "1\n2\n", "\n"):
        pin.write_text(content)
        with pytest.raises(ValueError, match="the PIN alone"):
            KeyName(Path("/m.so"), pin, token="a", label="b").read_pin()


def test_what_is_wrong_with_a_token_is_found_with_the_settings(tmp_path: Path) -> None:
    (tmp_path / "pin").write_text("1234")
    here = f"pkcs11:token=a;object=b?module-path={tmp_path / 'm.so'}&pin-source=file:{tmp_path / 'pin'}"
    with pytest.raises(ValueError, match="module-path: expected a file"):
        check_private(Path(here))
    (tmp_path / "m.so").touch()
    check_private(Path(here))
    (tmp_path / "pin").unlink()
    with pytest.raises(OSError, match="pin"):
        check_private(Path(here))
