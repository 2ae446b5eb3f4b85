"""The order of the site: tasks, and the pages of each.

Rule 1: each page of docs/ stands here once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatch
from typing import Final

NAVIGATION: Final[dict[str, tuple[str, ...]]] = {
    "Install": ("install", "first-call", "first-payment", "go-live", "sizes", "upgrade"),
    "Connect trunks": (
        "recipes/README", "recipes/*", "routing", "finding-the-peer", "registration", "srtp", "masking",
        "rtpengine", "pjsua2",
    ),
    "Take payments": (
        "agents-page", "forms", "prompts", "links", "by-telephone", "unattended", "providers", "delivery",
        "linking",
    ),
    "Integrate": ("integrating", "api", "embedding", "webhooks", "voice-bots", "connector", "programs"),
    "Operate": (
        "operations", "alerts", "troubleshooting", "ladder", "log", "cdr", "backup", "self-test",
        "changed-files", "sign-in", "roles",
    ),
    "Audit": (
        "security", "evidence", "evidence-pack", "pci-dss", "audit", "audit-copies", "personal-data",
        "leak-report", "limits", "releasing",
    ),
    "Reference": (
        "architecture", "media", "dialogs", "mid-call", "headers", "state-machines", "states", "benchmarks",
        "testing", "adr/README", "adr/*", "*",
    ),
}  # fmt: skip
_BEYOND: Final = re.compile(r"\[([^\]]{1,200})\]\(\.\./[^)#]{1,200}\.md\)")


def tables(pages: Iterable[str]) -> str:
    """The tables of contents of the first page, in MyST. `pages`: the names of all."""
    parts = [
        f"\n```{{toctree}}\n:hidden:\n:caption: {task}\n:maxdepth: 1\n\n{lines}\n```\n"
        for task, lines in ((task, "\n".join(names)) for task, names in arranged(pages).items())
    ]
    return "".join(parts)


def arranged(pages: Iterable[str]) -> dict[str, list[str]]:
    """The pages of each task, in its order. A pattern stands for what no other line has."""
    named = {each for names in NAVIGATION.values() for each in names}
    left = sorted(set(pages) - named - {"README"})
    found: dict[str, list[str]] = {}
    for task, names in NAVIGATION.items():
        found[task] = []
        for name in names:
            matching = [each for each in left if fnmatch(each, name)] if "*" in name else [name]
            found[task] += matching
            left = [each for each in left if each not in matching]
    return found


def within(name: str, text: str) -> str:
    """The text of a page, with words in place of links to pages that are not in docs/."""
    return text if "/" in name else _BEYOND.sub(r"\1", text)
