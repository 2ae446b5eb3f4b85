"""A plugin of pytest's: `-p tests.sanitize.watched` with TONEWALL_CORE has the tests use the core
that is in that directory."""

from __future__ import annotations

import os

import media

media.__path__.insert(0, os.environ["TONEWALL_CORE"])

from media import _core  # noqa: E402

assert _core.__file__.startswith(os.environ["TONEWALL_CORE"]), "another core was loaded before"
