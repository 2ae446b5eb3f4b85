"""No regular expression takes more than linear time, whoever chose what it reads."""

from __future__ import annotations

import shutil

import pytest

from tests.architecture.linear import CHECKER, judge, read_known
from tests.architecture.patterns import expressions, of_module

needs_checker = pytest.mark.skipif(
    shutil.which("node") is None or not (CHECKER / "node_modules/recheck").is_dir(),
    reason="recheck is not installed; `make build/.npm` does it",
)


@needs_checker
@pytest.mark.timeout(1600)
def test_every_pattern_is_linear() -> None:
    found = list(expressions())
    assert len(found) > 50
    assert judge(found, read_known()) == {}, "where it is linear after all: make patterns"


@needs_checker
@pytest.mark.parametrize(
    "source",
    [
        r'A = re.compile(r"SIP */ *[0-9.]+ */ *([A-Za-z0-9-]+) +([A-Za-z0-9._-]+) *(?:: *([0-9]{1,5}))? '
        r'*(?:;(.*))?")',
        r'A = re.compile(rb"(?im)^(?:content-length|l)[ \t]*:[ \t]*([^\r\n]*?)[ \t]*\r?$")',
        r'A = re.compile(r"(?:a|b|ab)*c")',
    ],
)
def test_a_pattern_that_takes_more_is_found(source: str) -> None:
    assert judge(list(of_module(f"import re\n{source}\ndef f(text): return A.fullmatch(text)\n", "a.py")))


@pytest.mark.parametrize(
    "source", ["import re\ndef f(a): return re.match(a, 'b')", "import re\ndef f(): return re.compile('a')"]
)
def test_a_pattern_that_hides_is_found(source: str) -> None:
    with pytest.raises(ValueError, match="a pattern"):
        list(of_module(source, "a.py"))
