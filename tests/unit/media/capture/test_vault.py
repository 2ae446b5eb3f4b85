"""The vault: digits in, verdicts and counts out; digits out only into a payer's pipe, once."""

from __future__ import annotations

import asyncio
import copy
import pickle
import subprocess
import sys
from collections.abc import Callable, Coroutine, Mapping
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from media._core import SecretMemory
from media.capture.check import COMPLETE, Verdict
from media.capture.vault import SIZE, Key, Vault, VaultEmpty
from media.events import Field, FieldReason
from provider_adapters.payment import Approved, Charge, Outcome
from tests.canary import CANARY, find_in_text, scan_process
from tonewall.process import card_environment

TODAY = date(2026, 11, 30)
CHARGE = Charge(idempotency_key="k", transaction_id="t", amount=100, currency="EUR")
APPROVED = Approved(reference="r")
ROOT = Path(__file__).parents[4]


def keys(text: str) -> Callable[[SecretMemory, int], int]:
    """A stand-in for the core's `take_digits`."""

    def fill(memory: SecretMemory, offset: int) -> int:
        with memoryview(memory) as view:
            view[offset : offset + len(text)] = text.encode()
        return len(text)

    return fill


def put(vault: Vault[SecretMemory], field: Field, text: str) -> None:
    for key in vault.take_keys(keys(text)):
        assert key is Key.DIGIT
        vault.keep_digit(field)


def a_full_vault() -> tuple[Vault[SecretMemory], SecretMemory]:
    memory = SecretMemory(SIZE)
    vault = Vault(memory)
    for field, text in zip(Field, (CANARY.number, CANARY.expiry, CANARY.code), strict=True):
        put(vault, field, text)
    return vault, memory


def is_wiped(memory: SecretMemory) -> bool:
    with memoryview(memory) as view:
        return not any(view)


class Pipe:
    """A payer's pipe that notes what it was handed, and then does what the test wants."""

    def __init__(self, outcome: Outcome | Exception | None = None) -> None:
        self.handed: list[bool] = []
        self.views: list[memoryview] = []
        self.outcome = outcome
        self.refusal: Exception | None = None
        self.waiting = asyncio.Event()

    def spend(self, charge: Charge, digits: Mapping[str, memoryview]) -> Coroutine[Any, Any, Outcome]:
        assert charge is CHARGE
        assert list(digits) == list(Field)
        self.views = list(digits.values())
        wanted = (CANARY.number, CANARY.expiry, CANARY.code)
        self.handed = [view == text.encode() for view, text in zip(self.views, wanted, strict=True)]
        if self.refusal:
            raise self.refusal
        return self._answer()

    async def _answer(self) -> Outcome:
        if self.outcome is None:
            self.waiting.set()
            await asyncio.Event().wait()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        assert self.outcome
        return self.outcome


def test_each_key_is_reported_by_kind_only() -> None:
    vault = Vault(SecretMemory(SIZE))
    assert list(vault.take_keys(keys("07*#AD"))) == [
        Key.DIGIT,
        Key.DIGIT,
        Key.CLEAR,
        Key.END,
        Key.OTHER,
        Key.OTHER,
    ]


def test_digits_are_counted_and_judged() -> None:
    vault, _memory = a_full_vault()
    assert [vault.count(field) for field in Field] == [16, 4, 3]
    assert [vault.check(field, TODAY, ended=True) for field in Field] == [COMPLETE] * 3
    assert vault.brand == "visa"
    assert vault.last_digits(Field.CARD_NUMBER, TODAY) == CANARY.number[-4:]


def test_a_number_that_is_not_valid_shows_no_digit() -> None:
    vault = Vault(SecretMemory(SIZE))
    put(vault, Field.CARD_NUMBER, CANARY.number[:-1])
    assert vault.last_digits(Field.CARD_NUMBER, TODAY) is None
    put(vault, Field.CARD_NUMBER, str((int(CANARY.number[-1]) + 1) % 10))
    assert vault.check(Field.CARD_NUMBER, TODAY, ended=True).reason is FieldReason.CARD_NUMBER_CHECK_DIGIT
    assert vault.last_digits(Field.CARD_NUMBER, TODAY) is None


def test_the_security_codes_length_follows_the_number() -> None:
    vault = Vault(SecretMemory(SIZE))
    put(vault, Field.CARD_NUMBER, "34")
    put(vault, Field.SECURITY_CODE, "123")
    assert vault.check(Field.SECURITY_CODE, TODAY).verdict is Verdict.INCOMPLETE


def test_keys_that_are_not_kept_are_overwritten() -> None:
    memory = SecretMemory(SIZE)
    vault = Vault(memory)
    for _key in vault.take_keys(keys(CANARY.keys)):
        pass
    assert is_wiped(memory)


def test_keys_are_overwritten_when_their_reader_stops_half_way() -> None:
    memory = SecretMemory(SIZE)
    vault = Vault(memory)
    with closing(vault.take_keys(keys(CANARY.number))) as waiting:
        next(waiting)
        next(waiting)
    assert is_wiped(memory)


def test_a_digit_can_be_kept_once_only() -> None:
    vault = Vault(SecretMemory(SIZE))
    waiting = vault.take_keys(keys("1#"))
    next(waiting)
    vault.keep_digit(Field.EXPIRY)
    with pytest.raises(LookupError):
        vault.keep_digit(Field.EXPIRY)
    assert next(waiting) is Key.END
    with pytest.raises(LookupError):
        vault.keep_digit(Field.EXPIRY)


@pytest.mark.parametrize(
    ("field", "limit"), [(Field.CARD_NUMBER, 19), (Field.EXPIRY, 4), (Field.SECURITY_CODE, 4)]
)
def test_a_full_field_refuses_a_digit_and_touches_no_other(field: Field, limit: int) -> None:
    vault = Vault(SecretMemory(SIZE))
    put(vault, field, "1" * limit)
    with pytest.raises(OverflowError):
        put(vault, field, "1")
    assert sum(vault.count(each) for each in Field) == limit


def test_more_keys_than_fit_are_refused_and_wiped() -> None:
    memory = SecretMemory(192)
    vault = Vault(memory)

    def overfill(memory: SecretMemory, offset: int) -> int:
        keys("1" * (len(memory) - offset))(memory, offset)
        return len(memory)

    with pytest.raises(IndexError):
        list(vault.take_keys(overfill))
    assert is_wiped(memory)


def test_one_field_is_cleared_without_the_others() -> None:
    vault, memory = a_full_vault()
    vault.clear(Field.EXPIRY)
    assert [vault.count(field) for field in Field] == [16, 0, 3]
    with memoryview(memory) as view:
        assert CANARY.expiry.encode() not in bytes(view)
    assert vault.last_digits(Field.CARD_NUMBER, TODAY)


def test_memory_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="4096 bytes"):
        Vault(SecretMemory(64))


async def test_spending_hands_over_views_and_wipes_before_the_outcome_is_known() -> None:
    vault, memory = a_full_vault()
    pipe = Pipe(None)
    spending = asyncio.create_task(vault.spend(pipe, CHARGE))
    await pipe.waiting.wait()
    assert pipe.handed == [True, True, True]
    assert is_wiped(memory)
    for view in pipe.views:
        with pytest.raises(ValueError, match="released"):
            len(view)
    spending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await spending


async def test_a_payers_outcome_is_handed_back() -> None:
    vault, _memory = a_full_vault()
    assert await vault.spend(Pipe(APPROVED), CHARGE) is APPROVED


async def test_a_payer_that_refuses_leaves_nothing_behind() -> None:
    vault, memory = a_full_vault()
    pipe = Pipe()
    pipe.refusal = RuntimeError("not ready")
    with pytest.raises(RuntimeError):
        await vault.spend(pipe, CHARGE)
    assert is_wiped(memory)
    with pytest.raises(VaultEmpty):
        await vault.spend(Pipe(APPROVED), CHARGE)


async def test_a_vault_is_spent_once_and_keeps_nothing_after() -> None:
    vault, memory = a_full_vault()
    await vault.spend(Pipe(APPROVED), CHARGE)
    with pytest.raises(OverflowError):
        put(vault, Field.CARD_NUMBER, "4")
    with pytest.raises(VaultEmpty):
        await vault.spend(Pipe(APPROVED), CHARGE)
    assert is_wiped(memory)


async def test_an_unfinished_card_cannot_be_spent() -> None:
    vault, _memory = a_full_vault()
    vault.clear(Field.SECURITY_CODE)
    with pytest.raises(VaultEmpty):
        await vault.spend(Pipe(APPROVED), CHARGE)


async def test_a_pipe_that_holds_on_to_a_view_sees_zeros() -> None:
    vault, memory = a_full_vault()

    class Holding(Pipe):
        def spend(self, charge: Charge, digits: Mapping[str, memoryview]) -> Coroutine[Any, Any, Outcome]:
            number = digits[Field.CARD_NUMBER]
            self.held = number[:], memoryview(number)
            return super().spend(charge, digits)

    pipe = Holding(APPROVED)
    await vault.spend(pipe, CHARGE)
    assert not any(any(view) for view in pipe.held)
    assert is_wiped(memory)


def test_closing_is_for_good() -> None:
    vault, memory = a_full_vault()
    vault.close()
    assert is_wiped(memory)
    with pytest.raises(OverflowError):
        put(vault, Field.EXPIRY, "1")


@pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_vault_is_neither_copied_nor_pickled(copier: Callable[[object], object]) -> None:
    vault, _memory = a_full_vault()
    with pytest.raises(TypeError):
        copier(vault)


def test_no_representation_shows_a_digit() -> None:
    vault, _memory = a_full_vault()
    shown = f"{vault!r} {vault} {[getattr(vault, name) for name in Vault.__slots__]}"
    assert find_in_text(shown) == []
    assert "visa" not in repr(vault)


# Keys the card through the vault as the core would, says so, and keeps the vault alive until its
# input ends.
HOLDER = """
import asyncio, os, sys
from datetime import date
from media._core import SecretMemory
from media.capture.capture import Capture
from media.capture.vault import SIZE
from media.events import CaptureId, CaptureState
from provider_adapters.payment import Approved, Charge
from tonewall.process import harden
harden()
memory = SecretMemory(SIZE)
capture = Capture(CaptureId("c"), memory, today=date(2026, 11, 30), now=0.0)
def fill(memory, offset):
    with memoryview(memory)[offset:] as intake:
        return os.readv(0, [intake])
while capture.state is CaptureState.COLLECTING:
    capture.keys_waiting(fill, 0.0)
print(capture.state, memory.kind, flush=True)
sys.stdin.readline()
class Pipe:
    async def outcome(self):
        return Approved(reference="r")
    def spend(self, charge, digits):
        os.writev(int(sys.argv[1]), list(digits.values()))
        return self.outcome()
capture.submit(0.0)
charge = Charge(idempotency_key="k", transaction_id="t", amount=1, currency="EUR")
capture.settle(asyncio.run(capture.spend(Pipe(), charge)), 0.0)
print(capture.state, flush=True)
sys.stdin.readline()
"""


def test_no_readable_memory_holds_the_card_neither_while_it_is_captured_nor_after(tmp_path: Path) -> None:
    sink = tmp_path / "sink"
    with sink.open("wb") as out:
        child = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(out.fileno())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[out.fileno()],
            env=card_environment({}),
            cwd=ROOT,
        )
    with child:
        assert child.stdin
        assert child.stdout
        try:
            child.stdin.write(CANARY.keys.encode())
            child.stdin.flush()
            state, kind = child.stdout.readline().split()
            assert state == b"ready"
            if kind == b"memfd_secret":
                assert scan_process(child.pid) == []
            child.stdin.write(b"\n")
            child.stdin.flush()
            assert child.stdout.readline() == b"finished\n"
            assert scan_process(child.pid) == []
        finally:
            child.kill()
    assert len(find_in_text(sink)) > 0  # it did get out, and this is the only way it took
