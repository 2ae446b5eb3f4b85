"""Compares bytecode with the source that it stands for.

Rule 1: nothing here is run: code is made and compared, and then let go.
"""

from __future__ import annotations

import importlib.util
import marshal
from types import CodeType
from typing import Final

_HEADER: Final = 16  # bytes before the code (PEP 552)


def is_bytecode_of(bytecode: bytes, source: bytes, optimize: int) -> bool:
    """Whether bytecode is what its source compiles to here, or of a Python that is not this one,
    which does not load it. `optimize`: 0 to 2, as Python's -O."""
    if bytecode[:4] != importlib.util.MAGIC_NUMBER:
        return True
    try:
        code = marshal.loads(bytecode[_HEADER:])  # noqa: S302 -- Python loads it in the same way
        made = compile(source, "source", "exec", dont_inherit=True, optimize=optimize)
    except Exception:  # a RecursionError or MemoryError, too: it is strangers' content
        return False
    return isinstance(code, CodeType) and _is_same(code, made)


def _is_same(one: CodeType, other: CodeType) -> bool:
    inner = [each for each in one.co_consts if isinstance(each, CodeType)]
    theirs = [each for each in other.co_consts if isinstance(each, CodeType)]
    return (
        one == other
        and one.co_exceptiontable == other.co_exceptiontable
        and all(_is_same(each, their) for each, their in zip(inner, theirs, strict=True))
    )
