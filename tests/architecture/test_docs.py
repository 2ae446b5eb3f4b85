"""The documentation: every path, module, class, setting and link that a page names exists, and its
prose keeps the rules of ADR 0033."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator

from tests.architecture.pages import PAGES, Page
from tests.architecture.source import MODULES, PACKAGES, ROOT

MAX_LINE, MAX_ROW, MAX_CELL = 100, 220, 200
_SUFFIX = r"\.(?:py|pyi|c|h|js|md)"
_PATH = re.compile(rf"(?:{'|'.join((*PACKAGES, 'tests', 'docs', 'requirements'))})(?:/[\w.*-]+)+/?")
_FILE = re.compile(rf"[\w-]+{_SUFFIX}")
_MODULE = re.compile(rf"(?:{'|'.join(PACKAGES)})(?:\.\w+)+")
_CLASS = re.compile(r"((?:[A-Z][a-z0-9]+){2,})(?:[.(].*)?")
_MEMBER = re.compile(rf"`(\w+)` in `([\w/]+{_SUFFIX})`")
_SETTING = re.compile(r"\[(general|carrier|pbx|route|media|cdr|api|provider)(?: NAME)?\] (\w+)")
_TARGET = re.compile(r"make ([a-z-]+)(?: .*)?")
_RELATIVE = re.compile(r"(?:\d+: )?(?:What|Whether|Those|Who|Whose|When|Where|Why|How|Which)\b")
_PRIVATE = re.compile(r"\b(?:[Tt]old|[Ss]aid|[Hh]eard|[Tt]aken|[Gg]round|[Ss]tanding|[Ll]ent)\b")
# Names of spans, events, attributes and metrics, which look like modules of `tonewall`.
_EXPORTS, _EXPORTED = "docs/tracing.md", "tonewall."
_ADRS = ROOT / "docs" / "adr"
_OTHERS = frozenset({"config_site.h", "README.md"})  # of PJSIP; more than one


def _spans() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        yield from ((page.where, span) for span in page.spans)


def test_every_path_that_a_page_names_exists():
    paths = {(page, path) for page, span in _spans() for path in _PATH.findall(span)}
    assert [each for each in sorted(paths) if not any(ROOT.glob(each[1].rstrip("/")))] == []


def test_every_file_that_a_page_names_exists():
    files = {path.name for top in (*PACKAGES, "tests", "docs") for path in (ROOT / top).rglob("*.*")}
    named = {(page, span) for page, span in _spans() if _FILE.fullmatch(span)}
    assert [each for each in sorted(named) if each[1] not in files | _OTHERS] == []


def test_every_module_that_a_page_names_exists():
    modules = {(page, span) for page, span in _spans() if _MODULE.fullmatch(span) and "/" not in span}
    homes = {"media._core", "media.sock", *MODULES}
    unknown = [each for each in sorted(modules) if each[1] not in homes]
    assert [each for each in unknown if each[0] != _EXPORTS or not each[1].startswith(_EXPORTED)] == []


def test_every_class_that_a_page_names_exists():
    defined = {word for module in MODULES.values() for word in re.findall(r"\b[A-Z]\w+", module.text)}
    named = {(page, found[1]) for page, span in _spans() if (found := _CLASS.fullmatch(span))}
    assert [each for each in sorted(named) if each[1] not in defined] == []


def test_every_name_is_in_the_file_that_a_page_says():
    pairs = {(page.where, *pair) for page in PAGES for pair in _MEMBER.findall(page.flowing)}
    assert pairs
    for where, name, path in pairs:
        assert re.search(rf"\b{name}\b", (ROOT / path).read_text()), f"{where}: {name} in {path}"


def test_every_test_that_a_page_names_exists():
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = {(page, span) for page, span in _spans() if re.fullmatch(r"test_\w+", span)}
    assert [each for each in sorted(named) if f"def {each[1]}(" not in tests] == []


def test_every_setting_that_a_page_names_is_in_the_example():
    example = configparser.ConfigParser(interpolation=None, strict=False)
    text = (ROOT / "sip.conf.example").read_text()
    example.read_string(re.sub(r"^;(?=[a-z_\[]+[ =\]])", "", text, flags=re.MULTILINE))
    settings = {(page, *pair) for page, span in _spans() for pair in _SETTING.findall(span)}
    assert [each for each in sorted(settings) if not example.has_option(*each[1:])] == []


def test_every_make_target_that_a_page_names_exists():
    makefile = (ROOT / "Makefile").read_text()
    targets = {(page, found[1]) for page, span in _spans() if (found := _TARGET.fullmatch(span))}
    assert [each for each in sorted(targets) if f"\n{each[1]}:" not in makefile] == []


def test_every_link_leads_somewhere():
    links = [(page, *link.partition("#")[::2]) for page in PAGES for link in page.links]
    pages = {page.path: page for page in PAGES}
    for page, path, fragment in links:
        there = (page.path.parent / path).resolve() if path else page.path
        assert there.exists(), f"{page.where}: {path}"
        assert not fragment or fragment in pages[there].anchors, f"{page.where}: {path}#{fragment}"


def test_prose_is_100_columns_wide_and_tables_fit_a_screen():
    wide = []
    for page in PAGES:
        for line in page.lines:
            fits = len(line.text) <= MAX_LINE
            if line.is_row:
                fits = len(line.text) <= MAX_ROW and max(map(len, line.cells)) <= MAX_CELL
            if not fits:
                wide.append(f"{page.where}:{line.number}: {len(line.text)} characters")
    assert wide == []


def test_a_page_opens_with_its_purpose():
    for page in PAGES:
        assert page.lines[0].text.startswith("# "), page.where
        assert not page.lines[1].text.startswith(("#", "|", "!", "-")), page.where


def test_no_heading_is_a_relative_clause():
    headings = [(page.where, heading) for page in PAGES for heading in page.headings]
    assert [each for each in headings if _RELATIVE.match(each[1])] == []


def test_the_vocabulary_is_that_of_the_field():
    lines = [(page.where, line.number, line.words) for page in PAGES for line in page.lines]
    assert [each for each in lines if _PRIVATE.search(each[2])] == []


def test_decisions_are_numbered_without_holes_and_listed():
    decisions = [page for page in PAGES if page.path.parent == _ADRS and page.path.name != "README.md"]
    names = [page.path.name for page in decisions]
    index = next(page for page in PAGES if page.path == _ADRS / "README.md")
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
    assert [link for link in index.links if link in names][-len(names) :] == names
    for page in decisions:
        assert _is_numbered(page), page.where


def _is_numbered(page: Page) -> bool:
    """Whether its title has its number, and a line below has its state."""
    title, state = page.headings[0], page.lines[1].text
    return title.startswith(f"{page.path.name[:4]}: ") and state.startswith("Status: ")


def test_every_room_is_in_the_page_of_the_rooms():
    page = next(page for page in PAGES if page.where == "docs/architecture.md")
    rooms = {
        path.parent
        for top in PACKAGES
        for path in (ROOT / top).rglob("*.[pc]*")
        if path.suffix in (".py", ".c")
    }
    named = {ROOT / path.rstrip("/") for span in page.spans for path in _PATH.findall(span)}
    missing = rooms - named - {ROOT / top for top in PACKAGES}
    assert sorted(str(room.relative_to(ROOT)) for room in missing) == []
