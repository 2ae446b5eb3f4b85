"""Sections and environment into models, and errors that say section, key and what was expected, but
never a value."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import pytest
from pydantic import Field, SecretStr, field_validator, model_validator

from tonewall.ini import (
    ConfigError,
    Section,
    check_names,
    doubled_secrets,
    load,
    read_file,
    secret_keys,
    to_environment,
    variable_name,
)

SECRET = "sk-live-7c4fe1"


class Sample(Section):
    section: ClassVar[str] = "two-words"

    host: str = Field(description="where it is")
    port: int = Field(5060, ge=1, le=65535, description="its port")
    mode: Literal["a", "b"] = "a"
    on: bool = False
    password: SecretStr = SecretStr("")
    path: Path | None = None

    @field_validator("host")
    @classmethod
    def _no_spaces(cls, value: str) -> str:
        if " " in value:
            raise ValueError("expected no spaces")
        return value

    @model_validator(mode="after")
    def _together(self) -> Sample:
        if self.mode == "b" and not self.on:
            raise ValueError("mode: expected a while `on` is no")
        return self


def written(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "sip.conf"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def fault_of(values: dict[str, str], environment: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load(Sample, {"two-words": values}, environment or {})
    return str(caught.value)


# --- the file -------------------------------------------------------------------------------------


def test_a_file_is_sections_of_keys_with_comments_of_both_kinds(tmp_path: Path):
    text = (
        "; first\n[general]\n# second\nbind = ::1 ; third\nurl=https://a.example/;x\n\n[pbx]\nhost: h\n"
        "percent = 100%\n"
    )
    assert read_file(written(tmp_path, text)) == {
        "general": {"bind": "::1", "url": "https://a.example/;x"},
        "pbx": {"host": "h", "percent": "100%"},
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"[a]\npassword = {SECRET}\npassword = {SECRET}x\n", "sip.conf:3: [a] password: given twice"),
        (f"[a]\npassword = {SECRET}\n[b]\n[a]\n", "sip.conf:4: [a]: this section stands twice"),
        (f"password = {SECRET}\n", "sip.conf:1: a key before any [section]"),
        (f"[a]\nx = 1\n{SECRET}\n", "line 3: expected `key = value`"),
        (b"[a]\npassword = \xff" + SECRET.encode(), "not a UTF-8 text file"),
    ],
    ids=["key twice", "section twice", "no section", "no key", "not text"],
)
def test_a_file_that_is_none_is_explained_with_its_line_and_no_value(
    tmp_path: Path, text: str | bytes, says: str
):
    with pytest.raises(ConfigError) as caught:
        read_file(written(tmp_path, text))
    assert says in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(
        ConfigError, match=r"nowhere\.conf: No such file or directory; give a file with -c FILE"
    ):
        read_file(tmp_path / "nowhere.conf")


@pytest.mark.parametrize(
    ("name", "hint"),
    [("two_words", r"did you mean \[two-words\]\?"), ("xyz", r"expected one of \[two-words\]")],
)
def test_a_section_that_nobody_reads_is_named_with_the_nearest(name: str, hint: str):
    with pytest.raises(ConfigError, match=rf"\[{name}\]: unknown section; {hint}"):
        check_names({name: {"password": SECRET}}, {"two-words": Sample})


# --- one section ----------------------------------------------------------------------------------


def test_values_are_typed_and_what_is_missing_has_its_default():
    sample = load(Sample, {"two-words": {"host": "h", "port": "7", "on": "yes"}}, {})
    assert (sample.host, sample.port, sample.mode, sample.on, sample.path) == ("h", 7, "a", True, None)


def test_the_environment_wins_over_the_file_and_completes_it():
    environment = {
        "TONEWALL_TWO_WORDS_PORT": "9",
        "TONEWALL_TWO_WORDS_MODE": "a",
        "TONEWALL_OTHER_HOST": "x",
        "HOST": "y",
    }
    sample = load(Sample, {"two-words": {"host": "h", "port": "7"}}, environment)
    assert (sample.host, sample.port) == ("h", 9)
    assert load(Sample, {}, {"TONEWALL_TWO_WORDS_HOST": "e"}).host == "e"


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, "[two-words] host: missing (where it is); or set TONEWALL_TWO_WORDS_HOST"),
        (
            {"host": f"{SECRET} x"},
            "[two-words] host: expected no spaces (where it is); or set TONEWALL_TWO_WORDS_HOST",
        ),
        ({"host": "h", "port": SECRET}, "[two-words] port: Input should be a valid integer"),
        (
            {"host": "h", "port": "65536"},
            "[two-words] port: Input should be less than or equal to 65535 (its port)",
        ),
        ({"host": "h", "mode": SECRET}, "[two-words] mode: Input should be 'a' or 'b'"),
        ({"host": "h", "on": SECRET}, "[two-words] on: Input should be a valid boolean"),
        ({"host": "h", "prot": SECRET}, "[two-words] prot: unknown key; did you mean port?"),
        (
            {"host": "h", "xyz": SECRET},
            "[two-words] xyz: unknown key; expected one of host, port, mode, on, password",
        ),
        ({"host": "h", "mode": "b"}, "[two-words] mode: expected a while `on` is no"),
    ],
)
def test_a_fault_names_section_key_and_what_was_expected_but_no_value(values: dict[str, str], says: str):
    fault = fault_of(values)
    assert fault.startswith(says)
    assert SECRET not in fault
    assert "65536" not in fault


def test_every_fault_has_a_line_of_its_own():
    fault = fault_of({"port": "x", "password": SECRET, "wrong": SECRET}, {"TONEWALL_TWO_WORDS_ON": "perhaps"})
    assert [line.split(":")[0] for line in fault.splitlines()] == [
        "[two-words] host",
        "[two-words] port",
        "[two-words] on",
        "[two-words] wrong",
    ]
    assert SECRET not in fault
    assert "perhaps" not in fault


def test_no_value_is_in_the_chain_of_a_fault():
    with pytest.raises(ConfigError) as caught:
        load(Sample, {"two-words": {"host": "h", "port": SECRET}}, {})
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_section_shows_no_secret_and_cannot_be_changed():
    sample = load(Sample, {"two-words": {"host": "h", "password": SECRET}}, {})
    assert SECRET not in f"{sample!r} {sample}"
    with pytest.raises(Exception, match="frozen"):
        sample.host = "x"  # type: ignore[misc]


# --- secrets in files -----------------------------------------------------------------------------

PASSWORD = "TONEWALL_TWO_WORDS_PASSWORD"


def test_a_secret_may_stand_in_a_file_that_a_variable_names(tmp_path: Path):
    (tmp_path / "password").write_text(f" {SECRET}\n")
    values = {"two-words": {"host": "h", "password": "of the file of settings"}}
    sample = load(Sample, values, {f"{PASSWORD}_FILE": str(tmp_path / "password")})
    assert sample.password.get_secret_value() == SECRET


@pytest.mark.parametrize("content", [None, b"", f"{SECRET}\n{SECRET}\n".encode(), b"\xff", b"k" * 70_000])
def test_a_file_without_one_secret_is_refused_without_its_text(tmp_path: Path, content: bytes | None):
    path = tmp_path / "password"
    if content is not None:
        path.write_bytes(content)
    fault = fault_of({"host": "h"}, {f"{PASSWORD}_FILE": str(path)})
    assert fault.startswith(f"[two-words] password: {PASSWORD}_FILE: expected ")
    assert SECRET not in fault


def test_a_secret_and_its_file_are_not_both_given(tmp_path: Path):
    (tmp_path / "password").write_text(SECRET)
    both = {PASSWORD: SECRET, f"{PASSWORD}_FILE": str(tmp_path / "password")}
    says = f"[two-words] password: {PASSWORD} and {PASSWORD}_FILE are both given; keep one"
    assert fault_of({"host": "h"}, both) == says
    assert doubled_secrets({"two-words": Sample}, both) == [says]


def test_only_a_secret_stands_in_a_file():
    assert secret_keys(Sample) == ["password"]
    assert (
        load(Sample, {}, {"TONEWALL_TWO_WORDS_HOST": "h", "TONEWALL_TWO_WORDS_PATH_FILE": "x"}).path is None
    )


# --- handing a section on -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        {"host": "h"},
        {"host": "h", "port": "7", "mode": "b", "on": "yes", "password": SECRET, "path": "/tmp/x"},
    ],
)
def test_a_child_that_is_handed_a_section_reads_the_same(values: dict[str, str]):
    sample = load(Sample, {"two-words": values}, {})
    assert load(Sample, {}, to_environment(sample)) == sample


def test_a_key_is_the_variable_of_its_section_and_name():
    assert variable_name("two-words", "host") == "TONEWALL_TWO_WORDS_HOST"
