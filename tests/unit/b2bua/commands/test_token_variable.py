"""The token of a command, in a variable or in the file that another names."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from b2bua.commands.configuration import given_token

TOKEN = "0123456789abcdefghij"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in ("TONEWALL_TOKEN", "TONEWALL_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "token").write_text(TOKEN + "\n")
    return tmp_path / "token"


def test_a_token_is_in_a_variable_or_in_a_file(environment: Path, monkeypatch: pytest.MonkeyPatch):
    assert given_token() == ""
    monkeypatch.setenv("TONEWALL_TOKEN_FILE", str(environment))
    assert given_token() == TOKEN


@pytest.mark.parametrize("variables", [{"": TOKEN, "_FILE": "token"}, {"_FILE": "nowhere"}])
def test_both_or_a_file_that_is_not_there_end_the_command(
    variables: dict[str, str],
    environment: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    for end, value in variables.items():
        monkeypatch.setenv(f"TONEWALL_TOKEN{end}", str(environment.with_name(value)) if end else value)
    with pytest.raises(typer.Exit) as ended:
        given_token()
    assert ended.value.exit_code == 2
    assert TOKEN not in capsys.readouterr().err
