"""Checks sort code and account number of a bank in the United Kingdom: the modulus check of
Pay.UK's "Validating account numbers", formerly VocaLink's.

    sort code  account number
    u v w x y z  a b c d e f g h

Rule 1: a pair is refused only where a row of the table says that it cannot be: of a sort code that
        is in no row, every account number passes.
Rule 2: weights are of the table alone (uk_modulus.txt); the exceptions 1 to 14 are here, by number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from media.capture.brands import starts_within
from media.capture.check import COMPLETE, ENOUGH, INCOMPLETE, ZERO, Check, Digits, refused
from media.capture.form import Keyed
from media.events import CaptureForm, FieldReason, FormField
from media.form_description import FieldDescription

_SORT_CODE = 6
_ACCOUNT = 8  # a shorter one has zeros in front
_U, _A, _B, _C, _G, _H = 0, 6, 7, 8, 12, 13
_BOTH = 110  # a multiple of 10 and of 11: what is left of it is left by either, too
_METHODS = {"MOD10": 10, "MOD11": 11, "DBLAL": 10}
_DOUBLE_ALTERNATE = "DBLAL"
# Of two rows of these exceptions one is enough; of all others each must pass.
_ONE_IS_ENOUGH = ({2, 9}, {10, 11}, {12, 13})
_OTHER_SORT_CODE = {8: b"090126", 9: b"309634"}
_WEIGHTS_OF_2 = (0, 0, 1, 2, 5, 3, 6, 4, 8, 7, 10, 9, 3, 1)
_WEIGHTS_OF_2_G9 = (0, 0, 0, 0, 0, 0, 0, 0, 8, 7, 10, 9, 3, 1)
# Exception 5: sort codes that are checked as another (scsubtab.txt of the same package).
_SUBSTITUTES: Final = {
    b"938173": b"938017", b"938289": b"938068", b"938297": b"938076", b"938600": b"938611",
    b"938602": b"938343", b"938604": b"938603", b"938608": b"938408", b"938609": b"938424",
    b"938613": b"938017", b"938616": b"938068", b"938618": b"938657", b"938620": b"938343",
    b"938622": b"938130", b"938628": b"938181", b"938643": b"938246", b"938647": b"938611",
    b"938648": b"938246", b"938649": b"938394", b"938651": b"938335", b"938653": b"938424",
    b"938654": b"938621",
}  # fmt: skip
_Place = Callable[[int], int]  # the digit at a place of u to h


@dataclass(frozen=True, slots=True)
class _Row:
    """`first` and `last`: the sort codes that it is of; `exception`: 0 for none."""

    first: bytes
    last: bytes
    method: str
    weights: tuple[int, ...]
    exception: int


def _read_table(path: Path) -> tuple[_Row, ...]:
    rows = []
    for line in path.read_text(encoding="ascii").splitlines():
        first, last, method, *numbers = line.split()
        weights = tuple(map(int, numbers[: _SORT_CODE + _ACCOUNT]))
        exception = int(numbers[-1]) if len(numbers) > len(weights) else 0
        rows.append(_Row(first.encode(), last.encode(), method, weights, exception))
    return tuple(rows)


_ROWS = _read_table(Path(__file__).with_name("uk_modulus.txt"))


def sort_code_check(
    field: FormField, _described: FieldDescription, _form: CaptureForm
) -> Callable[[Keyed], Check]:
    """The check of a sort code: its length."""

    def check(keyed: Keyed) -> Check:
        length = len(keyed.digits[field.name])
        if length == _SORT_CODE:
            return COMPLETE
        is_wrong = keyed.ended or length > _SORT_CODE
        return refused(FieldReason.SORT_CODE_LENGTH) if is_wrong else INCOMPLETE

    return check


def account_check(
    field: FormField, described: FieldDescription, form: CaptureForm
) -> Callable[[Keyed], Check]:
    """The check of an account number, with the sort code where the form has one and it is there."""
    sort_code = next((each.name for each in form.fields if each.kind == "sort_code"), "")
    pauses = not form.end_key

    def check(keyed: Keyed) -> Check:
        account = keyed.digits[field.name]
        length, shortest = len(account), described.min_length
        if length > _ACCOUNT or (keyed.ended and length < shortest):
            return refused(FieldReason.ACCOUNT_NUMBER_LENGTH)
        if not keyed.ended and length < _ACCOUNT:
            return ENOUGH if pauses and length >= shortest else INCOMPLETE
        bank = keyed.digits.get(sort_code)
        if bank is not None and len(bank) == _SORT_CODE and not passes_modulus(bank, account):
            return refused(FieldReason.ACCOUNT_NUMBER_CHECK)
        return COMPLETE

    return check


def passes_modulus(sort_code: Digits, account: Digits) -> bool:
    """Whether there can be such an account."""
    rows = [row for row in _ROWS if starts_within(sort_code, row.first, row.last)]
    passed = [_passes(row, sort_code, account) for row in rows]
    one_is_enough = {row.exception for row in rows} in _ONE_IS_ENOUGH
    return any(passed) if one_is_enough else all(passed)


def _passes(row: _Row, sort_code: Digits, account: Digits) -> bool:
    place = _places(sort_code, account)
    a, c, g, h = place(_A), place(_C), place(_G), place(_H)
    if row.exception == 6 and 4 <= a <= 8 and g == h:  # a foreign currency: cannot be checked
        return True
    if row.exception == 3 and c in (6, 9):
        return True
    weights = row.weights
    if row.exception == 2 and a != 0:
        weights = _WEIGHTS_OF_2 if g != 9 else _WEIGHTS_OF_2_G9
    is_of_10 = row.exception == 10 and a in (0, 9) and place(_B) == 9
    if g == 9 and (row.exception == 7 or is_of_10):
        weights = (0,) * _C + weights[_C:]
    other = _other_sort_code(row, sort_code)
    if other is not None:
        place = _places(other, account)
    total, modulus = _total(row, weights, place), _METHODS[row.method]
    if row.exception == 4:
        return total % modulus == 10 * g + h
    if row.exception == 5:
        expected = (modulus - total % modulus) % modulus
        return expected == (g if modulus == 11 else h)
    if total % modulus == 0:
        return True
    if row.exception == 14 and h in (0, 1, 9):
        return _total(row, weights, _shifted(place)) % modulus == 0
    return False


def _other_sort_code(row: _Row, sort_code: Digits) -> bytes | None:
    """The sort code that is checked in its place."""
    if row.exception == 5:
        for first, other in _SUBSTITUTES.items():
            if starts_within(sort_code, first, first):
                return other
    return _OTHER_SORT_CODE.get(row.exception)


def _places(sort_code: Digits, account: Digits) -> _Place:
    """The digits of both, by place; of a shorter account zeros in front."""
    missing = _ACCOUNT - len(account)

    def place(index: int) -> int:
        if index < _A:
            return sort_code[index] - ZERO
        at = index - _A - missing
        return account[at] - ZERO if at >= 0 else 0

    return place


def _shifted(place: _Place) -> _Place:
    """The account number without its last digit, and a zero in front."""

    def shifted(index: int) -> int:
        if index == _A:
            return 0
        return place(index - 1 if index > _A else index)

    return shifted


def _total(row: _Row, weights: tuple[int, ...], place: _Place) -> int:
    """The weighted sum; of the double alternate method the sum of the products' digits."""
    total = 27 if row.exception == 1 else 0
    for index, weight in enumerate(weights):
        product = weight * place(index)
        if row.method == _DOUBLE_ALTERNATE:
            product = product // 10 + product % 10
        total = (total + product) % _BOTH
    return total
