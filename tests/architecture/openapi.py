"""Writes b2bua/api/openapi.json from the routes: python -m tests.architecture.openapi [--check]."""

from __future__ import annotations

import json
from typing import Any, Final

from b2bua.api.http import create_app
from b2bua.api.openapi import describe_api
from tests.architecture.generated import write_or_check
from tests.architecture.source import ROOT
from tests.browser.fake_desk import FakeDesk

PAGE: Final = ROOT / "b2bua" / "api" / "openapi.json"


def document() -> dict[str, Any]:
    """The description of the API, as every Tonewall serves it."""
    return describe_api(create_app(FakeDesk(), authenticators=[]))


def page() -> str:
    """The file, as it should be."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    """Write the file, or with `--check` say whether it is stale."""
    return write_or_check(PAGE, page())


if __name__ == "__main__":
    raise SystemExit(main())
