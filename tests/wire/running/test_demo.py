"""`tonewall demo`, as its user runs it."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(importlib.util.find_spec("pjsua2") is None, reason="pjsua2 is not here")


async def demo(*arguments: str, **environment: str) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "b2bua.cli", "demo", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={**os.environ, **environment},
    )  # fmt: skip
    out, errors = await process.communicate()
    return process.returncode, out.decode(), errors.decode()


async def test_the_demo_pays_a_card_and_says_what_it_saw_on_the_wire() -> None:
    status, out, errors = await demo("--json", "--exit")
    said = json.loads(out)
    assert said["error"] is None, errors
    checks = {check["check"]: check for check in said["checks"]}
    assert [name for name, check in checks.items() if not check["held"]] == []
    assert checks["key events on the agent's leg, while masked"]["seen"] == "0"
    assert int(checks["key events on the customer's leg, while masked"]["seen"]) > 20
    assert said["outcome"]["type"] == "approved"
    assert said["held"] is True
    assert status == 0


@pytest.mark.parametrize("adapter", ["adyen", "stripe", "braintree"])
async def test_the_demo_pays_at_any_provider_that_is_played(adapter: str) -> None:
    status, out, errors = await demo("--json", "--exit", "--provider", adapter)
    said = json.loads(out)
    assert said["error"] is None, errors
    assert [check for check in said["checks"] if not check["held"]] == []
    assert said["outcome"]["type"] == "approved"
    assert status == 0


async def test_a_provider_that_is_not_played_is_refused_with_those_that_are() -> None:
    status, _, errors = await demo("--exit", "--provider", "nobody")
    assert status not in (0, None)
    assert "adyen" in errors
    assert "stripe" in errors


async def test_two_demos_at_once_do_not_see_each_other() -> None:
    for status, out, errors in await asyncio.gather(demo("--json", "--exit"), demo("--json", "--exit")):
        said = json.loads(out)
        assert said["error"] is None, errors
        assert [check for check in said["checks"] if not check["held"]] == []
        assert status == 0


async def test_a_demo_that_fails_keeps_the_log_that_it_names() -> None:
    status, out, errors = await demo("--json", "--exit", TONEWALL_PROVIDER_JOURNAL="/dev/null/journal")
    assert status == 1
    named = re.search(r"see (/\S+/tonewall\.log)", json.loads(out)["error"])
    assert named, errors
    log = Path(named[1])
    assert "journal_failed" in log.read_text()  # noqa: ASYNC240
    assert os.listdir(log.parent) == ["tonewall.log"]  # no token, no key, no record
    shutil.rmtree(log.parent)


async def test_a_story_with_a_check_that_did_not_hold_has_not_held() -> None:
    from rich.console import Console

    from b2bua.demo.story import Check, Story

    story = Story(Console(), quiet=True)
    assert not story.held  # nothing was checked
    story.checks = [Check("a", "1", held=True), Check("b", "2", held=True)]
    assert story.held
    story.checks.append(Check("key events on the agent's leg", "1", held=False))
    assert not story.held
