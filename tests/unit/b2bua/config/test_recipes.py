"""The configurations of the recipes are read as they stand, and each is on a page."""

from __future__ import annotations

from pathlib import Path

import pytest

from b2bua.config.reading import read_settings
from tests.wire.certificates import Authority

ROOT = Path(__file__).parents[4]
RECIPES = ROOT / "deploy" / "recipes"
OURS = sorted(path for path in RECIPES.rglob("*.conf") if "[general]" in path.read_text())
THE_REST = """
[api]
tokens = desk:Wq7Lr2ZpXc9VtB4n
[provider]
url = https://payments.example
api_key = k-4412-aa
journal = {folder}/journal.jsonl
"""


@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(RECIPES)))
def test_a_recipe_is_read_as_it_stands(path: Path, tmp_path: Path) -> None:
    text = path.read_text() + THE_REST.format(folder=tmp_path)
    if "tls_certificate" in text:
        certificate, key = Authority(tmp_path).issue("pay.example")
        text = text.replace("/etc/tonewall/pay.example.pem", str(certificate))
        text = text.replace("/etc/tonewall/pay.example.key", str(key))
    conf = tmp_path / "sip.conf"
    conf.touch(mode=0o600)
    conf.write_text(text)
    settings = read_settings(conf)
    assert settings.signalling.trunks


@pytest.mark.parametrize(
    "path", sorted(each for each in RECIPES.rglob("*") if each.is_file()), ids=lambda path: path.name
)
def test_each_file_is_linked_from_the_page_of_its_recipe(path: Path) -> None:
    page = ROOT / "docs" / "recipes" / f"{path.parent.name}.md"
    assert f"(../../deploy/recipes/{path.parent.name}/{path.name})" in page.read_text()
