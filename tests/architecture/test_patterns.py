"""No regular expression takes more than linear time, whoever chose what it reads."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.architecture.patterns import Expression, expressions, of_module

CHECKER = Path(__file__).parent / "recheck"

needs_checker = pytest.mark.skipif(
    shutil.which("node") is None or not (CHECKER / "node_modules/recheck").is_dir(),
    reason="recheck is not installed; `make build/.npm` does it",
)


def judged(all_of: list[Expression]) -> dict[str, str]:
    """What is not safe, by place and pattern."""
    asked = [(each, source) for each in all_of for source in each.anchored()]
    given = json.dumps([{"source": source, "flags": each.flags} for each, source in asked])
    answer = subprocess.run(
        ["node", CHECKER / "check.js"], input=given, capture_output=True, text=True, check=True, timeout=1500
    )
    said = json.loads(answer.stdout)
    assert len(said) == len(asked) > 0
    return {
        f"{each.place}: {source}": why
        for (each, source), why in zip(asked, said, strict=True)
        if why != "safe"
    }


@needs_checker
@pytest.mark.timeout(1600)
def test_every_pattern_is_linear() -> None:
    found = list(expressions())
    assert len(found) > 50
    assert judged(found) == {}


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
    assert judged(list(of_module(f"import re\n{source}\ndef f(text): return A.fullmatch(text)\n", "a.py")))


@pytest.mark.parametrize(
    "source", ["import re\ndef f(a): return re.match(a, 'b')", "import re\ndef f(): return re.compile('a')"]
)
def test_a_pattern_that_hides_is_found(source: str) -> None:
    with pytest.raises(ValueError, match="a pattern"):
        list(of_module(source, "a.py"))
