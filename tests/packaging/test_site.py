"""The site's order: each page of docs/ is in one task, and those that are named are there."""

from __future__ import annotations

from pathlib import Path

from release.site.navigation import NAVIGATION, arranged, tables, within

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {str(path.relative_to(DOCS).with_suffix("")) for path in DOCS.rglob("*.md")}


def test_each_page_is_in_the_site_once() -> None:
    placed = [page for pages in arranged(PAGES).values() for page in pages]
    assert sorted(placed) == sorted(PAGES - {"README"})
    assert all(f":caption: {task}\n" in tables(PAGES) for task in NAVIGATION)


def test_tasks_begin_with_the_pages_that_a_newcomer_needs() -> None:
    assert arranged(PAGES)["Install"][:4] == ["install", "first-call", "first-payment", "go-live"]
    recipes = arranged(PAGES)["Connect trunks"]
    assert recipes[0] == "recipes/README"
    assert "recipes/asterisk" in recipes


def test_a_page_that_is_new_is_in_the_reference_until_somebody_places_it() -> None:
    assert "brand-new" in arranged([*PAGES, "brand-new"])["Reference"]


def test_links_to_pages_beyond_the_site_become_words() -> None:
    assert within("testing", "see [this](../tests/x/README.md)") == "see this"
    assert within("adr/0001", "see [this](../limits.md)") == "see [this](../limits.md)"
    assert within("api", "see [NOTICE](../NOTICE)") == "see [NOTICE](../NOTICE)"
