"""Holds the digits of a form, alone, in locked memory, from the key press to the payer.

Rule 1: digits leave only through `spend`, as views of the locked memory, into a payer's pipe; but
        for `last_digits` no method returns a digit (PCI DSS 3.4.1).
Rule 2: a vault is spent once. After `spend`, however it ended, and after `wipe`, it is empty.
Rule 3: inside, digits are read and moved one at a time: no str, bytes or int of several of them is
        made.
Rule 4: it cannot be copied or pickled, and its repr shows counts only.
Rule 5: a second entry is overwritten as soon as it was compared, whatever came of it: where it was
        the same at once, otherwise with the first.

The page: the fields of the form, each at an offset of its own; as much room again, for a field that
is set aside while it is keyed again; then the intake, to which the core moves the keys it kept, and
from which each is moved on or overwritten before the next is looked at.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import ExitStack
from datetime import date
from enum import Enum
from typing import Any, Generic, NoReturn, Protocol, TypeVar

from media.capture.check import COMPLETE, Check, Verdict
from media.capture.form import Form, Keyed
from media.capture.form_rules import CARD
from media.events import FieldName
from media.lock_limit import VAULT_BYTES
from provider_adapters.payment import Charge, Outcome

_ALIGNMENT = 16  # bytes
_MIN_INTAKE = 64  # bytes: room for more keys than the core keeps
SIZE = VAULT_BYTES  # of locked memory: one page


class LockedMemory(Protocol):
    """The part of `media._core.SecretMemory` that the vault needs."""

    def __len__(self) -> int: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def wipe(self) -> None:
        """Overwrite all of it with zeros."""


M = TypeVar("M", bound=LockedMemory)


class Pipe(Protocol):
    """The way to a payer process that waits for one charge
    (provider_adapters.payer.pipe.PayerPipe).

    `digits`: of each field of the form, by name and in order. When `spend` returns, they are in the
    payer's socket and no longer needed; the outcome is awaited after.
    """

    def spend(self, charge: Charge, digits: Mapping[str, memoryview], /) -> Awaitable[Outcome]:
        """Hand the digits over and wipe nothing; what is awaited is the outcome."""


class Key(Enum):
    """The kind of a key."""

    DIGIT = "digit"
    END = "#"
    CLEAR = "*"
    OTHER = "other"


class VaultEmpty(Exception):
    """There is nothing to spend: never complete, wiped, or spent before."""


class Vault(Generic[M]):
    """The digits of one capture in `memory` (for a card, 192 bytes at least), which the vault has
    to itself."""

    __slots__ = (
        "_aside",
        "_aside_at",
        "_counts",
        "_form",
        "_intake",
        "_intake_at",
        "_keys",
        "_memory",
        "_pending",
        "_places",
        "_same",
        "_same_aside",
        "_spent",
        "_view",
    )  # fmt: skip

    def __init__(self, memory: M, form: Form = CARD) -> None:
        """Raises ValueError where the memory is too small for the form."""
        self._places: dict[FieldName, tuple[int, int]] = {}  # offset, and the most digits
        at = 0
        for rules in form.rules:
            self._places[rules.field] = at, rules.max_length
            at += -(-rules.max_length // _ALIGNMENT) * _ALIGNMENT
        self._aside_at, at = at, 2 * at
        if len(memory) < at + _MIN_INTAKE:
            raise ValueError(f"a vault needs {SIZE} bytes, not {len(memory)}")
        self._form = form
        self._keys = {form.end_key: Key.END, form.clear_key: Key.CLEAR}
        self._memory = memory
        self._view = memoryview(memory)
        self._intake_at, self._intake = at, self._view[at:]
        self._counts = dict.fromkeys(form.fields, 0)
        self._aside: dict[FieldName, int] = {}  # the digits that are set aside
        self._same: set[FieldName] = set()  # second entries that were the same, and are wiped
        self._same_aside: set[FieldName] = set()
        # The place in the intake of the digit that `take_keys` has just announced.
        self._pending: int | None = None
        self._spent = False

    def take_keys(self, fill: Callable[[M, int], int]) -> Generator[Key, None, None]:
        """Move the waiting keys in and yield the kind of each; `keep_digit` stores the digit just
        announced.

        `fill(memory, offset)` moves ASCII keys to `memory[offset:]` and returns how many. Keys that
        are not kept are overwritten.
        """
        try:
            for index in range(fill(self._memory, self._intake_at)):
                key = self._kind(self._intake[index])
                self._pending = index if key is Key.DIGIT else None
                yield key
                self._intake[index] = 0
        finally:
            self._pending = None
            _zero(self._intake)

    def keep_digit(self, field: FieldName) -> None:
        """Add the digit that `take_keys` has just announced to `field`. Raises OverflowError where
        that is full, LookupError where no digit waits."""
        count, (start, most) = self._counts[field], self._places[field]
        if self._pending is None:
            raise LookupError("no digit waits to be kept")
        if self._spent or count >= most:
            raise OverflowError(f"{field} takes no more digits")
        self._view[start + count] = self._intake[self._pending]
        self._counts[field] = count + 1
        self._pending = None

    def split(self, field: FieldName, length: int, following: FieldName) -> None:
        """Move the digits behind the first `length` to the field `following`, which is empty.
        Raises ValueError where that cannot hold them."""
        (source, _), (target, most) = self._places[field], self._places[following]
        moved = self._counts[field] - length
        if self._counts[following] or not 0 < moved <= most:
            raise ValueError(f"these digits are no beginning of {following}")
        self._move(source + length, target, moved)
        self._counts[field], self._counts[following] = length, moved

    def set_aside(self, field: FieldName) -> None:
        """Keep the digits of a field while it is keyed again. Raises ValueError where some are
        kept."""
        if field in self._aside:
            raise ValueError(f"{field} is set aside already")
        start, _ = self._places[field]
        self._move(start, self._aside_at + start, self._counts[field])
        self._aside[field], self._counts[field] = self._counts[field], 0
        _move_name(field, self._same, self._same_aside)

    def take_back(self, field: FieldName) -> None:
        """Overwrite what was keyed again; the digits that were set aside count. Raises KeyError
        where none are."""
        count, (start, _) = self._aside.pop(field), self._places[field]
        self.clear(field)
        self._move(self._aside_at + start, start, count)
        self._counts[field] = count
        _move_name(field, self._same_aside, self._same)

    def drop_aside(self, field: FieldName) -> None:
        """Overwrite the digits of a field that were set aside. Raises KeyError where none are."""
        del self._aside[field]
        self._same_aside.discard(field)
        start, most = self._places[field]
        with self._view[self._aside_at + start : self._aside_at + start + most] as area:
            _zero(area)

    def _move(self, source: int, target: int, count: int) -> None:
        for index in range(count):
            self._view[target + index] = self._view[source + index]
            self._view[source + index] = 0

    def clear(self, field: FieldName) -> None:
        """Overwrite one field."""
        start, most = self._places[field]
        self._counts[field] = 0
        self._same -= {each.field for each in self._form.rules if field in (each.field, each.confirms)}
        with self._view[start : start + most] as area:
            _zero(area)

    def wipe(self) -> None:
        """Overwrite everything. The vault may then be filled again, unless it was spent."""
        self._counts = dict.fromkeys(self._form.fields, 0)
        self._aside = {}
        self._same, self._same_aside = set(), set()
        self._pending = None
        self._memory.wipe()

    def check(self, field: FieldName, today: date, *, ended: bool = False) -> Check:
        """The verdict on `field` as it stands or, where `ended`, as the customer has ended it."""
        if field in self._same:
            return COMPLETE
        rules = self._form.rules_of(field)
        with ExitStack() as stack:
            digits = {each: stack.enter_context(self._digits(each)) for each in self._form.fields}
            check = rules.check(Keyed(digits, today, ended))
        if rules.confirms and check.verdict is Verdict.COMPLETE:
            self.clear(field)
            self._same.add(field)
        return check

    @property
    def brand(self) -> str | None:
        """The issuer's name as far as the first digits tell; None while they do not."""
        for rules in self._form.rules:
            if rules.name_brand is not None:
                with self._digits(rules.field) as digits:
                    return rules.name_brand(digits)
        return None

    def last_digits(self, field: FieldName, today: date) -> str | None:
        """The last digits of a field that may show some, where it is valid as it stands; None
        otherwise."""
        rules = self._form.rules_of(field)
        if not rules.last_shown or not self._counts[field]:
            return None
        if self.check(field, today, ended=True).verdict is not Verdict.COMPLETE:
            return None
        with self._digits(field) as digits:
            first = len(digits) - rules.last_shown
            return "".join(chr(digits[index]) for index in range(first, len(digits)))

    def count(self, field: FieldName) -> int:
        """The number of digits that `field` holds."""
        return self._counts[field]

    def holds_only_zero(self, field: FieldName) -> bool:
        """Whether `field` is the one digit 0. To be asked where that would mean a wish, not a digit
        (`WishWatch`)."""
        start, _ = self._places[field]
        return self._counts[field] == 1 and self._view[start] == ord("0")

    async def spend(self, pipe: Pipe, charge: Charge) -> Outcome:
        """Hand all fields to a payer, once, as in `Form.handed_over`, those empty that were not
        asked for; wipe, and only then await the outcome. Raises VaultEmpty, and what `pipe`
        raises."""
        needed = (each.field for each in self._form.rules if not each.optional and not each.confirms)
        if self._spent or not all(self._counts[field] for field in needed):
            raise VaultEmpty("nothing to spend")
        self._spent = True
        digits = {
            field: self._digits(field) if field in self._counts else self._view[:0].toreadonly()
            for field in self._form.handed_over
        }
        try:
            outcome = pipe.spend(charge, digits)
        finally:
            self.wipe()
            for view in digits.values():
                _release(view)
        return await outcome

    def close(self) -> None:
        """Wipe for good and let go of the memory; nothing can be kept or spent afterwards."""
        self.wipe()
        self._spent = True

    def _kind(self, key: int) -> Key:
        if 0x30 <= key <= 0x39:
            return Key.DIGIT
        return self._keys.get(key, Key.OTHER)

    def _digits(self, field: FieldName) -> memoryview:
        """The digits of a field, read-only, without copying."""
        start, _ = self._places[field]
        return self._view[start : start + self._counts[field]].toreadonly()

    def __repr__(self) -> str:
        counts = ", ".join(f"{field}: {count}" for field, count in self._counts.items())
        return f"<Vault {counts}>"

    def __reduce_ex__(self, _protocol: Any) -> NoReturn:
        raise TypeError("a vault cannot be copied or pickled")


def _move_name(field: FieldName, source: set[FieldName], target: set[FieldName]) -> None:
    if field in source:
        source.remove(field)
        target.add(field)


def _zero(area: memoryview) -> None:
    area[:] = bytes(len(area))


def _release(view: memoryview) -> None:
    try:
        view.release()
    except BufferError:
        # The pipe still holds on to it (a write that was cancelled). What it can see is wiped.
        return
