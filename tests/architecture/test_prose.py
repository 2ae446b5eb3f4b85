"""Docstrings and comments speak of what is there: a name that was changed is changed in
them."""

from __future__ import annotations

import re

import pytest

from tests.architecture.prose import OTHERS, Code, read_other, read_python, read_repository, stale_names
from tests.architecture.source import ROOT

ROOM = {
    "b2bua/room/limits.py": "MAX_HOPS = 4\ndef order_hops(hops):\n    return hops\n",
    "b2bua/room/leg.py": "class Leg:\n    def answer_challenge(self, reply):\n        return reply\n",
    "media/far.py": "order = 1\nMOST = 2\n",
}
SPLIT = re.compile(r"^[ ]*[)\]}]+[ ]+# (?!fmt:|noqa|type:)[^\n]*$|[ ]= \(\n[ ]*#[^\n]*$", re.MULTILINE)
ABOUT = "tests/architecture/test_prose.py"
DOCUMENTATION = "Headers are those of SIP."


def found(text: str, path: str = "b2bua/room/subject.py") -> list[str]:
    sources = {each: read_python(each, code) for each, code in ROOM.items()}
    sources[path] = (read_python if path.endswith(".py") else read_other)(path, text)
    code = Code.of(sources, DOCUMENTATION, "\n".join(sources))
    return [name for _, name in stale_names(sources[path], code)]


def test_every_name_in_prose_is_one_of_the_code() -> None:
    code = read_repository()
    stale = [
        f"{source.path}:{line}: {name}"
        for source in code.sources.values()
        for line, name in stale_names(source, code)
    ]
    assert not stale, "\n".join(stale)
    assert sum(len(source.prose) for source in code.sources.values()) > 1000


@pytest.mark.parametrize(
    ("prose", "stale"),
    [
        ("no more than MOST_HOPS hops", "MOST_HOPS"),
        ("MOST are waited for", "MOST"),
        ("`order` is drawn anew", "order"),
        ("see order_all, which draws", "order_all"),
        ("`Leg.challenged` says so", "Leg.challenged"),
        ("`limits.order` says so", "limits.order"),
        ("see `LegOwner`", "LegOwner"),
        ("see payer.py", "payer.py"),
    ],
)
def test_a_stale_name_is_found(prose: str, stale: str) -> None:
    assert found(f'"""Rule 1: {prose}."""\n') == [stale]
    assert found(f"def work():\n    # First,\n    # {prose}.\n    return 1\n") == [stale]


@pytest.mark.parametrize(
    "prose",
    [
        "no more than MAX_HOPS hops of SIP",
        "`order_hops` draws, and `hops` are what it draws from",
        "`Leg.answer_challenge` and `leg.answer_challenge` and `limits.order_hops()`",
        "run `python -m room SOCKET`, and see room/limits.py",
        "`;alias` and `Content-Type` are the peer's",
    ],
)
def test_a_name_that_is_there_passes(prose: str) -> None:
    assert found(f'"""Rule 1: {prose}."""\n') == []


def test_comments_of_the_core_are_read_too() -> None:
    assert found("/* The next line, trim_all. */\nint trim_text;\n", "media/core/a.c") == ["trim_all"]


def split_comments(text: str) -> list[str]:
    """Comments that stand behind the bracket that closes a value, or within one opened for it."""
    return [match[0].strip() for match in SPLIT.finditer(text)]


def test_a_comment_stands_wholly_above_its_value() -> None:
    split = [
        f"{path}: {comment}"
        for path in read_repository().sources
        if path.endswith(".py") and path != ABOUT
        for comment in split_comments((ROOT / path).read_text())
    ]
    assert not split, "\n".join(split)


@pytest.mark.parametrize(
    "text",
    [
        "A = (\n    # Seconds.\n    2.0\n)\n",
        "A = f(\n    2.0\n)  # seconds\n",
        "A = {\n    1: 2\n}  # by id\n",
    ],
)
def test_a_comment_that_was_split_from_its_value_is_found(text: str) -> None:
    assert split_comments(text)
    assert not split_comments("# Seconds.\nA = f(2.0)\nB = (\n    1\n)  # fmt: skip\nC = (1)  # of B\n")


def test_no_name_of_others_is_excused_in_vain() -> None:
    text = "\n".join(words for source in read_repository().sources.values() for _, words in source.prose)
    assert [name for name in sorted(OTHERS) if name not in text] == []
