"""Every reason that code of ours gives has its sentence on the agent's page."""

from __future__ import annotations

import ast

import pytest
from playwright.async_api import Page, expect

from media.events import Field, FieldReason
from tests.architecture.source import MODULES
from tests.browser.conftest import Site
from tests.browser.fake_desk import FakeDesk
from tests.browser.page import begin_keying

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one browser for all of them
OUTCOMES = frozenset({"Failed", "Unknown"})
ERRORS = frozenset({"Unreachable", "Untrusted", "TimedOut", "ConnectionLost", "AnswerTooLarge"})


def words_of_ours() -> set[str]:
    """Each constant reason of an outcome, in the source of everything but the local provider; whole
    sentences need no other."""
    found = set()
    for module in MODULES.values():
        if module.name.startswith(("provider_adapters.local.", "b2bua.demo.")):
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                given = (
                    [each.value for each in node.keywords if each.arg == "reason"]
                    if node.func.id in OUTCOMES
                    else []
                )
                given += node.args[:1] if node.func.id in ERRORS else []
                found |= {
                    each.value
                    for each in given
                    if isinstance(each, ast.Constant) and isinstance(each.value, str)
                }
            elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "reason":
                value = node.value
                if module.name.startswith("provider_adapters") and isinstance(value, ast.Constant):
                    found.add(str(value.value))
    return {each for each in found if " " not in each}


async def test_every_reason_of_an_outcome_has_a_sentence(page: Page, site: Site) -> None:
    reasons = sorted(words_of_ours() | {"http_401", "http_503"})
    assert {"payer_gone", "no_connection", "adapter_failed", "outcome_not_recorded"} <= set(reasons)
    await page.goto(site.url)
    said = await page.evaluate(
        """async (reasons) => {
          const { result } = await import("/words.js");
          return reasons.map((reason) => {
            const order = { transaction_id: "t" };
            const outcome = { type: "unknown", reason };
            const facts = result({ stage: "finished", order, outcome }, "1").facts;
            return facts.find(([name]) => name === "Reason")[1];
          });
        }""",
        reasons,
    )
    without = [
        reason
        for reason, text in zip(reasons, said, strict=True)
        if text == reason or not text.endswith(f"({reason})")
    ]
    assert without == []


async def test_every_reason_of_a_field_is_said_in_red(page: Page, site: Site, desk: FakeDesk) -> None:
    await begin_keying(page, site, desk)
    state = page.locator('li[data-field="card_number"] .state')
    red = await page.evaluate(
        """() => {
          const probe = document.createElement("span");
          probe.className = "error";
          document.body.append(probe);
          const colour = getComputedStyle(probe).color;
          probe.remove();
          return colour;
        }"""
    )
    for count, reason in enumerate(FieldReason, start=1):
        desk.keyed(Field.CARD_NUMBER, 0, rejected=count, reason_of_field=reason)
        await expect(page.locator('li[data-field="card_number"]')).to_have_attribute(
            "data-reason", reason.value
        )
        text = await state.inner_text()
        assert reason.value not in text
        assert text != "Not valid, to be keyed again"
        assert len(text) > 10
        await expect(page.locator('li[data-field="card_number"]')).to_have_attribute("data-rejected", "yes")
        assert await state.evaluate("(element) => getComputedStyle(element).color") == red
