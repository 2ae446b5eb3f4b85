"""No sentence stands in a script or page of the package: all are in the files of messages, and each
name that a script gives is there."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from b2bua.config.page_messages import shipped_messages
from tests.architecture.source import ROOT

WEB = ROOT / "b2bua" / "api" / "web"
# What is a library of others says nothing of its own.
SCRIPTS = sorted(path for path in WEB.rglob("*.js") if path.parent.name != "vendor")
PAGES = sorted(WEB.rglob("*.html"))
_COMMENT = re.compile(r"^\s*(?://|/?\*).*|(?<=[;{},)]) // .*", re.MULTILINE)
_LITERAL = re.compile(r'"([^"\n]*)"|`([^`]*)`')
_HOLE = re.compile(r"\$\{[^}]*\}")
_WORDS = re.compile(r"\w{2,} [a-z]{2,}|[A-Z][a-zà-ž]+")
_NAME = re.compile(r'"([a-z_]+\.[a-z0-9_.]+)"')
# What is written with a capital or a space, and is no sentence: names of HTTP, of keys, of brands
# and of classes.
NO_SENTENCES = frozenset(
    {
        "Accept", "Authorization", "Bearer ", "Content-Type", "Enter", "Escape", "Last-Event-ID", "Tonewall",
        " \N{EN DASH} Tonewall",
        "Visa", "Mastercard", "American Express", "Discover", "Diners Club", "JCB", "Maestro", "UnionPay",
        "field now", "viewBox",
    }
)  # fmt: skip
SAMPLES = ("Tonewall", "0:00", "0.00", "+49 30 123456", "name@example.org")
SPOKEN = ("aria-label", "placeholder", "title", "alt", "value", "label")


class Inline(HTMLParser):
    """What a page says by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside.append(tag)
        self.found += [value for name, value in attrs if name in SPOKEN and value]

    def handle_endtag(self, tag: str) -> None:
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        # Without scripts there is nothing to fill it in with.
        if data.strip() and "noscript" not in self._inside:
            self.found.append(data.strip())


def literals(text: str) -> list[str]:
    """The texts in a script, without comments and what is filled in."""
    return [_HOLE.sub("{}", one or other) for one, other in _LITERAL.findall(_COMMENT.sub("", text))]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.relative_to(WEB)))
def test_no_sentence_is_in_a_script(path: Path) -> None:
    if path.name == "style.js":
        return
    found = [each for each in literals(path.read_text()) if _WORDS.search(each.replace("{}", "")) is not None]
    assert [each for each in found if each.replace("{}", "") not in NO_SENTENCES] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(WEB)))
def test_no_sentence_is_in_a_page(path: Path) -> None:
    page = Inline()
    page.feed(path.read_text())
    assert [each for each in page.found if each not in SAMPLES] == []


def test_the_rule_finds_a_sentence() -> None:
    script = 'write($("take"), "Take card payment"); write(it, `Charge ${amount}`); // a comment "Like this"'
    assert [each for each in literals(script) if _WORDS.search(each)] == ["Take card payment", "Charge {}"]
    page = Inline()
    page.feed('<p aria-label="Calls" data-words="x">Done</p><noscript>No scripts</noscript>')
    assert page.found == ["Calls", "Done"]


def test_every_name_that_a_script_or_page_gives_has_its_sentence() -> None:
    known = shipped_messages()["en"]
    rooms = {name.partition(".")[0] for name in known}
    given = {name for path in (*SCRIPTS, *PAGES) for name in _NAME.findall(path.read_text())}
    named = {
        name for name in given if name.partition(".")[0] in rooms and not name.endswith((".js", ".html"))
    }
    assert len(named) > 150
    assert sorted(named - set(known)) == []
