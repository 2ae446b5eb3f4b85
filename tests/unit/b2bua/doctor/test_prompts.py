"""What doctor says of prompts: the sets that forms name, and the codecs that they are played in."""

from __future__ import annotations

from pathlib import Path

import pytest

from b2bua.doctor.finding import Level
from b2bua.doctor.prompts import check_prompts
from tests.unit.b2bua.doctor.written import settings


def test_of_forms_without_prompts_nothing_is_said(tmp_path: Path) -> None:
    assert check_prompts(settings(tmp_path)) == []


def test_the_shipped_set_is_decoded_and_its_codecs_are_named(tmp_path: Path) -> None:
    (found,) = check_prompts(settings(tmp_path, form={"prompts": "placeholder", "language": "en"}))
    assert found.level is Level.GOOD
    assert "prompts; played in G.711 and G.722" in found.text


@pytest.mark.parametrize("placeholders", ["yes", "no"])
def test_a_file_that_cannot_be_decoded_is_named(tmp_path: Path, placeholders: str) -> None:
    own = tmp_path / "own" / "en"
    own.mkdir(parents=True)
    (own / "card_number.wav").write_bytes(b"no sound")
    prompts = {"directory": str(tmp_path / "own"), "placeholders": placeholders}
    found = check_prompts(
        settings(tmp_path, form={"prompts": "house", "language": "en"}, **{"prompts house": prompts})
    )
    assert all(each.level is not Level.GOOD for each in found)
    assert any("card_number.wav" in each.text for each in found)
