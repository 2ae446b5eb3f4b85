"""Writes the shapes of the schema of calls that are kept, and calls in it for the tests of the next
one: `python -m tests.architecture.kept_shapes [--check]`.

Rule 1: the shapes of a release do not change: a change raises the number, with the file of the
        release beside it.
"""

from __future__ import annotations

import sys
from typing import Final

from b2bua.call import snapshot as calls
from b2bua.call.schema import RELEASED, SCHEMA
from b2bua.sip import snapshot as legs
from tests.kept_samples import FOLDER, make_samples
from tonewall.snapshot_shapes import encode, shapes_of

_FILES: Final = (
    (calls.SHAPES / f"{SCHEMA}.json", calls.KINDS),
    (legs.SHAPES / f"{SCHEMA}.json", legs.KINDS),
)


def stale() -> list[str]:
    """The files that do not say what the types are."""
    return [
        str(path)
        for path, kinds in _FILES
        if not path.exists() or path.read_text() != encode(shapes_of(kinds))
    ]


def main() -> int:
    """Write what is stale, or with `--check` say so."""
    found = stale()
    if found and SCHEMA <= RELEASED:
        print(f"schema {SCHEMA} was released, and a shape has changed: raise SCHEMA in b2bua/call/schema.py")
        return 1
    if not found and (FOLDER / f"{SCHEMA}.json").exists():
        return 0
    if "--check" in sys.argv:
        print(f"{', '.join(found) or FOLDER} is stale: run `make docs` and commit it")
        return 1
    for path, kinds in _FILES:
        path.parent.mkdir(exist_ok=True)
        path.write_text(encode(shapes_of(kinds)))
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{SCHEMA}.json").write_bytes(make_samples())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
