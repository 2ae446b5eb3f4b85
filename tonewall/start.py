"""Starts a process of Tonewall's: `python -m tonewall.start MODULE ARGUMENTS` calls the module's
`main`, or that of its `__main__` where it is a package.

Rule 1: garbage is not collected while modules are read, and never looked for in them afterwards:
        they stay for the life of the process, and each look at them held up packets and calls.
Rule 2: what libraries read only for colours on a terminal is kept out.
"""

from __future__ import annotations

import gc
import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Final

# structlog and httpx read these where they are there; typer's commands need them elsewhere.
_COLOURS: Final = ("rich", "httpx._main")


def import_uncollected(name: str) -> ModuleType:
    """A module, imported under rule 1. Raises ImportError."""
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.freeze()
        gc.enable()


def main() -> None:
    """Raises ImportError."""
    sys.modules.update(dict.fromkeys(_COLOURS))  # type: ignore[arg-type]
    del sys.argv[0]
    name = sys.argv[0]
    spec = find_spec(name)
    package = spec is not None and spec.submodule_search_locations is not None
    raise SystemExit(import_uncollected(f"{name}.__main__" if package else name).main())


if __name__ == "__main__":
    main()
