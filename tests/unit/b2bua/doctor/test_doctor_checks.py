"""What doctor and the start find before it fails: files, certificates, ports, addresses, and what
gives something away."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from b2bua.config.reading import read_settings
from b2bua.config.settings import Settings
from b2bua.doctor import certificates, configuration, database, exposure, files, startup
from b2bua.doctor.finding import Finding, Level
from b2bua.records.payments import PaymentTable
from tests.stack import free_port
from tests.unit.b2bua.doctor.written import GOOD_TOKEN, conf, settings
from tests.wire.certificates import Authority


def said(found: Finding) -> tuple[Level, str]:
    return found.level, found.text


# --- files ----------------------------------------------------------------------------------------


@pytest.fixture
def as_nobody():
    """The rest of the test is not root."""
    if os.geteuid() == 0:
        os.setegid(65534)
        os.seteuid(65534)
        yield
        os.seteuid(0)
        os.setegid(0)
    else:
        yield


def test_all_is_well_and_nothing_is_left_behind(tmp_path: Path) -> None:
    given = settings(tmp_path)
    for check in (
        files.check_directory,
        files.check_journal,
        files.check_spool,
        files.check_payments,
        database.check_database,
    ):
        assert check(given).level is Level.GOOD, check(given)
    assert startup.find_refusals(given) == []
    assert [path.name for path in tmp_path.iterdir()] == ["sip.conf"]


@pytest.mark.parametrize(
    ("section", "key", "check"),
    [
        ("general", "directory", files.check_directory),
        ("provider", "journal", files.check_journal),
        ("cdr", "spool", files.check_spool),
        ("cdr", "payments", files.check_payments),
    ],
)
def test_what_cannot_be_written_is_named_with_its_key_and_refused_at_the_start(
    tmp_path: Path, request: pytest.FixtureRequest, section: str, key: str, check
) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir(mode=0o755)
    given = settings(tmp_path, **{section: {key: str(foreign / "deep" / "file")}})
    if os.geteuid() != 0:
        foreign.chmod(0o555)
    request.getfixturevalue("as_nobody")
    level, says = said(check(given))
    assert level is Level.FAULT
    assert f"[{section}] {key}" in says
    assert str(foreign) in says
    assert any(says in line for line in files.find_refusals(given))


def test_a_table_of_payments_is_looked_into_and_left_as_it_is(tmp_path: Path) -> None:
    given = settings(tmp_path)
    file = tmp_path / "payments.sqlite"
    PaymentTable(file).close()
    before = file.read_bytes()
    assert said(files.check_payments(given)) == (Level.GOOD, f"{file} can be written")
    assert file.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["payments.sqlite", "sip.conf"]
    file.write_text("no database, but as long as the header of one has to be" * 4)
    level, says = said(files.check_payments(given))
    assert (level, "[cdr] payments" in says, "no database" in says) == (Level.FAULT, True, True)
    assert says in startup.find_refusals(given)


def test_a_directory_of_another_user_and_one_open_to_others(tmp_path: Path) -> None:
    given = settings(tmp_path)
    run = tmp_path / "run"
    run.mkdir(mode=0o755)
    level, says = said(files.check_directory(given))
    assert (level, "chmod 700" in says) == (Level.WARNING, True)
    run.chmod(0o700)
    assert files.check_directory(given).level is Level.GOOD
    if os.geteuid() == 0:
        os.chown(run, 65534, 65534)
        level, says = said(files.check_directory(given))
        assert level is Level.FAULT
        assert "belongs to nobody" in says
        assert startup.find_refusals(given) == [says]


def test_a_directory_in_place_of_a_journal(tmp_path: Path) -> None:
    given = settings(tmp_path, provider={"journal": str(tmp_path)})
    assert "is a directory" in files.check_journal(given).text


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite:////dev/null/cdr.sqlite", "cannot be made"),
        ("postgresql+psycopg://u:s3cret@127.0.0.1:1/none", "OperationalError"),
    ],
)
def test_a_database_that_cannot_be_used(tmp_path: Path, url: str, says: str) -> None:
    found = database.check_database(settings(tmp_path, cdr={"url": url}))
    assert found.level is Level.FAULT
    assert says in found.text
    assert "s3cret" not in found.text


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "cdr.sqlite").write_text("this is a letter, and not a short one" * 40)
    found = database.check_database(settings(tmp_path))
    assert found.level is Level.FAULT
    assert "no database" in found.text


# --- certificates ---------------------------------------------------------------------------------


def with_tls(folder: Path, certificate: str, key: str, **more: dict[str, str]) -> Settings:
    general = {"listen": "tls:127.0.0.1:0", "tls_certificate": certificate, "tls_key": key}
    return settings(folder, general=general, **more)


@pytest.mark.parametrize(
    ("life", "level", "says"),
    [
        (timedelta(days=100), Level.GOOD, "good for 99 days"),
        (timedelta(days=5), Level.WARNING, "expires in 4 days"),
        (timedelta(hours=-1), Level.FAULT, "has expired"),
    ],
)
def test_how_long_a_certificate_is_good(tmp_path: Path, life: timedelta, level: Level, says: str) -> None:
    own = Authority(tmp_path).issue("sip.example", life=life)
    given = with_tls(tmp_path, *own)
    (found,) = certificates.check_certificates(given)
    assert found.level is level
    assert says in found.text
    assert own[0] in found.text
    assert list(certificates.find_unusable(given)) == []  # calls over UDP and to patient peers go on


def test_a_key_of_another_certificate_and_a_file_that_is_no_pem_are_refused_at_the_start(
    tmp_path: Path,
) -> None:
    authority = Authority(tmp_path)
    one, other = authority.issue("sip.example"), authority.issue("sip.example")
    given = with_tls(tmp_path, one[0], other[1])
    (refusal,) = startup.find_refusals(given)
    assert refusal == f"[general] tls_key: {other[1]} is not the key of {one[0]}"
    Path(one[0]).write_text("no certificate")
    (refusal,) = startup.find_refusals(with_tls(tmp_path, *one))
    assert f"[general] tls_certificate: {one[0]}" in refusal
    empty = tmp_path / "empty.pem"
    empty.touch()
    given = settings(tmp_path, carrier={"tls_ca": str(empty)}, provider={"ca_file": str(empty)})
    assert [line.partition(":")[0] for line in startup.find_refusals(given)] == [
        "[carrier] tls_ca",
        "[provider] ca_file",
    ]


def test_the_certificate_of_webhooks_is_looked_at_where_they_have_a_port(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, other = authority.issue("127.0.0.1")[0], authority.issue("127.0.0.1")[1]
    hooks = {"tls_certificate": certificate, "tls_key": other, "secret": "ab" * 32}
    provider = {
        "adapter": "adyen", "url": "https://pay.example", "api_key": "k", "merchant_account": "m",
    }  # fmt: skip
    off = settings(tmp_path, webhooks=hooks, provider=provider)
    assert certificates.check_certificates(off) == []
    given = settings(tmp_path, webhooks={**hooks, "port": "8444"}, provider=provider)
    (found,) = certificates.check_certificates(given)
    assert found.level is Level.FAULT
    assert found.text.startswith("[webhooks] tls_key")
    assert [fault.partition(":")[0] for fault in certificates.find_unusable(given)] == ["[webhooks] tls_key"]


@pytest.mark.parametrize(
    ("days", "level", "words"),
    [(90, Level.GOOD, "is good for 89 days"), (2, Level.WARNING, "expires in 1 days"),
     (-1, Level.FAULT, "has expired")],
)  # fmt: skip
def test_the_certificate_that_a_service_wants_of_us_is_looked_at(
    tmp_path: Path, days: int, level: Level, words: str
) -> None:
    chain, key = Authority(tmp_path).issue(life=timedelta(days=days))
    provider = {"adapter": "delivery", "url": "https://crm.example", "tls_certificate": chain, "tls_key": key}
    given = settings(tmp_path, provider=provider)
    pair, encryption = certificates.check_certificates(given)
    assert (pair.level, encryption.level) == (level, Level.WARNING)
    assert words in pair.text
    assert "bodies are not encrypted" in encryption.text
    other = Authority(tmp_path).issue()[1]
    given = settings(tmp_path, provider=provider | {"tls_key": other})
    assert [fault.partition(":")[0] for fault in certificates.find_unusable(given)] == ["[provider] tls_key"]


def test_a_key_with_a_password_is_said_and_nobody_is_asked_for_it(tmp_path: Path) -> None:
    chain, key = Authority(tmp_path).issue("sip.example")
    command = ["openssl", "pkey", "-in", key, "-aes256", "-passout", "pass:x", "-out", f"{key}.locked"]
    subprocess.run(command, check=True)
    (refusal,) = startup.find_refusals(with_tls(tmp_path, chain, f"{key}.locked"))
    assert "protected by a password" in refusal


# --- ports and addresses --------------------------------------------------------------------------


def test_a_port_that_is_taken_is_named_at_the_start(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sip, socket.socket() as api:
        sip.bind(("127.0.0.1", 0))
        api.bind(("127.0.0.1", 0))
        api.listen()
        port, api_port = sip.getsockname()[1], api.getsockname()[1]
        conf(tmp_path, general={"port": str(port)}, api={"port": str(api_port)})
        done = subprocess.run(
            [sys.executable, "-m", "b2bua.cli", "run", "-c", str(tmp_path / "sip.conf")],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert done.returncode == 2
    assert f"[general] bind and port: 127.0.0.1 port {port}: Address already in use" in done.stderr
    assert f"[api] address and port: 127.0.0.1 port {api_port}: Address already in use" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_peer_of_ipv6_needs_addresses_of_ipv6(tmp_path: Path) -> None:
    given = settings(tmp_path, pbx={"host": "2001:db8::1"})
    assert [found.text.partition(":")[0] for found in configuration.check_address_families(given)] == [
        "[pbx] host",
        "[pbx] media_address",
    ]
    given = settings(
        tmp_path,
        general={"listen": "udp:127.0.0.1:0, udp:[::1]:0"},
        pbx={"host": "2001:db8::1", "media_address": "::1"},
    )
    assert configuration.check_address_families(given) == []


def test_without_pyav_nothing_can_be_decoded_and_the_start_says_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    (refusal,) = startup.find_refusals(settings(tmp_path))
    assert refusal.startswith("[general] other_audio: PyAV (av) is not installed")
    for other in ("refuse", "mute"):
        assert startup.find_refusals(settings(tmp_path, general={"other_audio": other})) == []


# --- what gives something away --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("token", "level"),
    [
        ("change-me-to-16-or-more-characters", Level.FAULT),
        ("aaaaaaaaaaaaaaaaaaaa", Level.WARNING),
        ("0123456789abcdef", Level.WARNING),
        (GOOD_TOKEN, None),
        ("sha256:" + "a" * 64, None),
    ],
)
def test_tokens_that_can_be_guessed_are_told_by_name_only(
    tmp_path: Path, token: str, level: Level | None
) -> None:
    found = exposure.check_secrets(settings(tmp_path, api={"tokens": f"good:{GOOD_TOKEN}x, desk-2:{token}"}))
    assert [each.level for each in found] == ([] if level is None else [level])
    for each in found:
        assert "desk-2" in each.text
        assert token not in each.text


def test_the_example_s_key_and_a_short_password(tmp_path: Path) -> None:
    found = exposure.check_secrets(
        settings(tmp_path, provider={"api_key": "change-me"}, pbx={"username": "u", "password": "x1"})
    )
    assert [(each.level, each.what) for each in found] == [
        (Level.FAULT, "provider's key"), (Level.WARNING, "trunk's password"),
    ]  # fmt: skip


def test_clear_text_on_a_network(tmp_path: Path) -> None:
    def found(given: Settings) -> list[tuple[Level, str]]:
        return [(each.level, each.what) for each in exposure.check_clear_text(given)]

    assert found(settings(tmp_path)) == [(Level.GOOD, "API")]
    given = settings(tmp_path, api={"address": "0.0.0.0", "plain_http": "yes"}, carrier={"srtp": "yes"})
    assert found(given) == [(Level.WARNING, "API in clear"), (Level.WARNING, "carrier's SRTP")]
    certificate, key = Authority(tmp_path).issue("sip.example")
    given = with_tls(tmp_path, certificate, key, carrier={"srtp": "yes", "transport": "tls"})
    assert found(given) == [(Level.GOOD, "API")]
    given = settings(tmp_path, api={"address": "0.0.0.0", "tls_certificate": certificate, "tls_key": key})
    assert found(given) == [(Level.GOOD, "API")]


def test_the_api_s_certificate_is_tried_and_its_days_are_counted(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    api = dict(zip(("tls_certificate", "tls_key"), authority.issue("pay.example"), strict=True))
    found = certificates.check_certificates(settings(tmp_path, api=api))
    assert [(each.level, "[api]" in each.text) for each in found] == [(Level.WARNING, True)]  # for one day
    api["tls_key"] = authority.issue("other.example")[1]
    wrong = settings(tmp_path, api=api)
    assert [each.level for each in certificates.check_certificates(wrong)] == [Level.FAULT]
    assert [text.partition(":")[0] for text in certificates.find_unusable(wrong)] == ["[api] tls_key"]


def test_who_reads_and_changes_sip_conf(tmp_path: Path) -> None:
    path = conf(tmp_path)
    levels = {}
    for mode in (0o600, 0o640, 0o644, 0o660):
        path.chmod(mode)
        levels[mode] = exposure.check_conf_file(path)[0].level
    assert levels == {0o600: Level.GOOD, 0o640: Level.GOOD, 0o644: Level.WARNING, 0o660: Level.WARNING}
    assert exposure.check_conf_file(None) == []


def test_a_misspelt_variable_is_reported_with_the_nearest_name(tmp_path: Path) -> None:
    environment = {
        "TONEWALL_GENERAL_PORT": "1", "TONEWALL_GENERAL_PROT": "1", "TONEWALL_PBX_HOST": "x",
        "TONEWALL_SECTIONS": "",
        "TONEWALL_PBX__NORTH_HOST": "y", "HOME": "/", "TONEWALL_CDR_URL_FILE": "z",
    }  # fmt: skip
    says = list(exposure.unread_variables(settings(tmp_path), environment))
    assert says == [
        "TONEWALL_GENERAL_PROT: nothing reads it; did you mean TONEWALL_GENERAL_PORT?",
        "TONEWALL_PBX__NORTH_HOST: nothing reads it; did you mean TONEWALL_PBX_HOST?",
    ]


# --- beside a running Tonewall --------------------------------------------------------------------


async def test_beside_a_running_tonewall_its_ports_are_no_fault(tmp_path: Path) -> None:
    from b2bua.doctor.examination import examine
    from tests.stack import Stack, running

    ports = {"general": {"port": str(free_port())}, "api": {"port": str(free_port())}}
    async with running(Stack(tmp_path, free_port(), free_port(), extra=ports)) as stack:
        found = {each.what: each for each in await examine(stack.conf)}
        for what in ("SIP over UDP", "SIP over TCP", "API port"):
            if what in found:
                assert found[what].level is Level.GOOD, found[what]
                assert "is in use, and the Tonewall" in found[what].text
        assert found["records' database"].level is Level.GOOD
        assert found["running Tonewall"].text.startswith("well, with 0 calls")
        # A second one with the same file reads who has the ports.
        lines = await asyncio.to_thread(startup.find_refusals, read_settings(stack.conf))
        assert lines
        assert all("a Tonewall with this [general] directory runs already" in line for line in lines)


def test_a_token_that_sees_no_call_is_named(tmp_path: Path) -> None:
    found = configuration.check_tokens(settings(tmp_path))
    assert found.level is Level.WARNING
    assert "desk" in found.text
    for api in ({"extensions": "desk:201"}, {"roles": "desk:supervisor"}):
        assert configuration.check_tokens(settings(tmp_path, api=api)).level is Level.GOOD
    claimed = settings(tmp_path, pbx={"feature_codes": "yes"})
    assert configuration.check_tokens(claimed).level is Level.GOOD
