"""Every reason that code of ours gives has its sentence, in each language of the page."""

from __future__ import annotations

import ast

import pytest

from b2bua.config.page_messages import LANGUAGES, sentences_of_reasons, shipped_messages
from provider_adapters.own_reasons import ALL_REASONS, OWN_REASONS, explain
from provider_adapters.reasons import REASONS
from tests.architecture.source import MODULES

OUTCOMES = frozenset({"Declined", "Failed", "Unknown"})
ERRORS = frozenset({"Unreachable", "Untrusted", "TimedOut", "ConnectionLost", "AnswerTooLarge", "NotNoted"})
NO_WORDS_OF_OURS = ("provider_adapters.local.", "b2bua.demo.")


def words_of(value: ast.expr) -> set[str]:
    """The words that an expression may be: one, either of two, or what a table has not."""
    match value:
        case ast.Constant(value=str(word)):
            return {word}
        case ast.IfExp():
            return words_of(value.body) | words_of(value.orelse)
        case ast.BoolOp():
            return {word for each in value.values for word in words_of(each)}
        case ast.Call(func=ast.Attribute(attr="get"), args=[_, otherwise]):
            return words_of(otherwise)
        case _:
            return set()


def given_reasons() -> set[str]:
    """Each constant reason of an outcome, in the source of everything but what is played; whole
    sentences need no other."""
    found = set()
    for module in MODULES.values():
        if module.name.startswith(NO_WORDS_OF_OURS):
            continue
        for node in ast.walk(module.tree):
            given: list[ast.expr] = []
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                if node.func.id in OUTCOMES:
                    given += [each.value for each in node.keywords if each.arg == "reason"]
                if node.func.id in ERRORS:
                    given += node.args[:1]
            elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "reason":
                given += [node.value] if module.name.startswith("provider_adapters") else []
            found |= {word for each in given for word in words_of(each)}
    return {each for each in found if each and " " not in each}


def test_every_reason_has_a_sentence() -> None:
    given = given_reasons()
    assert {"payer_gone", "no_connection", "adapter_failed", "outcome_not_recorded", "declined"} <= given
    assert sorted(each for each in given if not explain(each)) == []


@pytest.mark.parametrize("word", sorted(ALL_REASONS))
def test_a_sentence_is_one_in_each_language(word: str) -> None:
    reason = ALL_REASONS[word]
    sentences = sentences_of_reasons(shipped_messages())[word]
    assert sentences["en"] == reason.en
    assert len(set(sentences.values())) == len(LANGUAGES)
    for text in (*sentences.values(), *([reason.operator] if reason.operator else [])):
        assert text[0].isupper()
        assert text.endswith((".", "?"))
        assert "  " not in text


def test_a_word_stands_in_one_table() -> None:
    assert set(OWN_REASONS) & set(REASONS) == set()


def test_an_error_of_http_is_told_by_its_number() -> None:
    assert explain("http_503") == "The provider answered with the error 503."
    assert explain("http_error_of_ours") == explain("51") == ""
