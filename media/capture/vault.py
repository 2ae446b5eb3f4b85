"""The vault: the only holder of a card's digits, in locked memory, from the key press to the payer.

Rule 1: digits leave only through `spend`, as views of the locked memory, into a payer's pipe; but
        for `last_four` no method returns a digit (PCI DSS 3.4.1).
Rule 2: a vault is spent once. After `spend`, however it ended, and after `wipe`, it is empty.
Rule 3: inside, digits are read and moved one at a time: no str, bytes or int of several of them is
        made.
Rule 4: it cannot be copied or pickled, and its repr shows counts only.

The page: card number, expiry and security code, each at a fixed offset; behind them the intake, to
which the core moves the keys it kept, and from which each is moved on or overwritten before the
next is looked at.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from enum import Enum
from typing import Any, Generic, NoReturn, Protocol, TypeVar

from media.capture.fields import LONGEST, Check, Verdict, check_code, check_expiry, check_number, find_brand
from media.events import Field
from provider_adapters.payment import Charge, Outcome

_AREAS = {Field.CARD_NUMBER: 0, Field.EXPIRY: 32, Field.SECURITY_CODE: 48}
_INTAKE = 64
SIZE = 4096  # bytes of locked memory that a vault wants: one page


class LockedMemory(Protocol):
    """What the vault needs of `media._core.SecretMemory`."""

    def __len__(self) -> int: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def wipe(self) -> None: ...


M = TypeVar("M", bound=LockedMemory)


class Pipe(Protocol):
    """The way to a payer process that waits for one charge
    (provider_adapters.payer.pipe.PayerPipe).

    When `spend` returns, the digits are in the payer's socket and no longer needed; the outcome is
    awaited after.
    """

    def spend(
        self, charge: Charge, number: memoryview, expiry: memoryview, code: memoryview, /
    ) -> Awaitable[Outcome]: ...


class Key(Enum):
    """What kind of key was pressed."""

    DIGIT = "digit"
    END = "#"
    CLEAR = "*"
    OTHER = "other"


class VaultEmpty(Exception):
    """There is nothing to spend: never complete, wiped, or spent before."""


class Vault(Generic[M]):
    """The digits of one capture in `memory` (at least 128 bytes), which the vault has to itself."""

    __slots__ = ("_counts", "_intake", "_memory", "_pending", "_spent", "_view")

    def __init__(self, memory: M) -> None:
        if len(memory) < _INTAKE * 2:
            raise ValueError(f"a vault needs {SIZE} bytes, not {len(memory)}")
        self._memory = memory
        self._view = memoryview(memory)
        self._intake = self._view[_INTAKE:]
        self._counts = dict.fromkeys(Field, 0)
        # Where in the intake the digit waits that `take` has just announced.
        self._pending: int | None = None
        self._spent = False

    def take(self, fill: Callable[[M, int], int]) -> Generator[Key, None, None]:
        """Move the waiting keys in and say of each what kind it is; `keep` stores the digit just
        announced.

        `fill(memory, offset)` moves ASCII keys to `memory[offset:]` and returns how many. What is
        not kept is overwritten.
        """
        try:
            for index in range(fill(self._memory, _INTAKE)):
                key = _kind(self._intake[index])
                self._pending = index if key is Key.DIGIT else None
                yield key
                self._intake[index] = 0
        finally:
            self._pending = None
            _zero(self._intake)

    def keep(self, field: Field) -> None:
        """Add the digit that `take` has just announced to `field`. Raises OverflowError where that
        is full."""
        count = self._counts[field]
        if self._pending is None:
            raise LookupError("no digit waits to be kept")
        if self._spent or count >= LONGEST[field]:
            raise OverflowError(f"{field} takes no more digits")
        self._view[_AREAS[field] + count] = self._intake[self._pending]
        self._counts[field] = count + 1
        self._pending = None

    def split(self, length: int) -> None:
        """Move what stands behind the first `length` digits of the card number to the expiry, which
        is empty."""
        number, expiry = _AREAS[Field.CARD_NUMBER], _AREAS[Field.EXPIRY]
        moved = self._counts[Field.CARD_NUMBER] - length
        if self._counts[Field.EXPIRY] or not 0 < moved <= LONGEST[Field.EXPIRY]:
            raise ValueError("these digits are no beginning of an expiry")
        for index in range(moved):
            self._view[expiry + index] = self._view[number + length + index]
            self._view[number + length + index] = 0
        self._counts[Field.CARD_NUMBER], self._counts[Field.EXPIRY] = length, moved

    def clear(self, field: Field) -> None:
        """Overwrite one field."""
        self._counts[field] = 0
        with self._view[_AREAS[field] : _AREAS[field] + LONGEST[field]] as area:
            _zero(area)

    def wipe(self) -> None:
        """Overwrite everything. The vault may then be filled again, unless it was spent."""
        self._counts = dict.fromkeys(Field, 0)
        self._pending = None
        self._memory.wipe()

    def check(self, field: Field, today: tuple[int, int], *, ended: bool = False) -> Check:
        """The verdict on `field` as it stands or, where `ended`, as all that will come. `today`:
        year, month."""
        with self._digits(field) as digits:
            if field is Field.CARD_NUMBER:
                return check_number(digits, ended=ended)
            if field is Field.EXPIRY:
                return check_expiry(digits, today, ended=ended)
            with self._digits(Field.CARD_NUMBER) as number:
                return check_code(digits, find_brand(number), ended=ended)

    @property
    def brand(self) -> str | None:
        """The brand's name as far as the first digits tell; None while they do not."""
        with self._digits(Field.CARD_NUMBER) as number:
            found = find_brand(number)
            return found.name if found else None

    @property
    def last_four(self) -> str | None:
        """The last four digits of a card number that is valid as it stands; None otherwise."""
        with self._digits(Field.CARD_NUMBER) as number:
            if check_number(number, ended=True).verdict is not Verdict.COMPLETE:
                return None
            return "".join(chr(number[index]) for index in range(len(number) - 4, len(number)))

    def count(self, field: Field) -> int:
        """How many digits `field` holds."""
        return self._counts[field]

    async def spend(self, pipe: Pipe, charge: Charge) -> Outcome:
        """Hand the card to a payer, once; wipe, and only then await the outcome. Raises VaultEmpty,
        and what `pipe` raises."""
        if self._spent or not all(self._counts.values()):
            raise VaultEmpty("nothing to spend")
        self._spent = True
        number, expiry, code = (self._digits(field) for field in Field)
        try:
            outcome = pipe.spend(charge, number, expiry, code)
        finally:
            self.wipe()
            for view in (number, expiry, code):
                _release(view)
        return await outcome

    def close(self) -> None:
        """Wipe for good and let go of the memory; nothing can be kept or spent afterwards."""
        self.wipe()
        self._spent = True

    def _digits(self, field: Field) -> memoryview:
        """The digits of a field, read-only, without copying."""
        start = _AREAS[field]
        return self._view[start : start + self._counts[field]].toreadonly()

    def __repr__(self) -> str:
        counts = ", ".join(f"{field}: {count}" for field, count in self._counts.items())
        return f"<Vault {counts}>"

    def __reduce_ex__(self, _protocol: Any) -> NoReturn:
        raise TypeError("a vault cannot be copied or pickled")


def _kind(key: int) -> Key:
    if 0x30 <= key <= 0x39:
        return Key.DIGIT
    return {0x23: Key.END, 0x2A: Key.CLEAR}.get(key, Key.OTHER)


def _zero(area: memoryview) -> None:
    area[:] = bytes(len(area))


def _release(view: memoryview) -> None:
    try:
        view.release()
    except BufferError:
        # The pipe still holds on to it (a write that was cancelled). What it can see is wiped.
        return
