"""The keys of a self-test, its verdicts, and its signed report."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from b2bua.self_test.canary_keys import draw_keys, has_luhn
from b2bua.self_test.report import describe_trial, read_report, signature_of, write_report
from b2bua.self_test.trial import Reached, Result, Round, Trial, judge


def made(pressed: int = 16, media: int = 16, packets: int = 400, **reached: int) -> Round:
    return Round(
        form="events", keys="1" * 16, masked_since="a", ended_at="b", pressed=pressed, media=media,
        packets=packets, reached=Reached(**reached),
    )  # fmt: skip


def test_keys_are_no_card_number_and_no_two_alike_follow() -> None:
    for _ in range(300):
        keys = draw_keys(16)
        assert len(keys) == 16
        assert not any(has_luhn(keys[a:b]) for a in range(16) for b in range(a + 12, 17))
        assert all(first != second for first, second in itertools.pairwise(keys))


def test_a_check_digit_is_known() -> None:
    assert has_luhn("4111111111111111")
    assert not has_luhn("4111111111111112")


@pytest.mark.parametrize(
    ("rounds", "result"),
    [
        ([made()], Result.PASSED),
        ([made(), made(events=1)], Result.FAILED),
        ([made(tones=1, media=0)], Result.FAILED),
        ([made(sip_infos=1)], Result.FAILED),
        ([made(media=15)], Result.INCONCLUSIVE),
        ([made(packets=0)], Result.INCONCLUSIVE),
    ],
)
def test_one_key_is_a_failure_and_what_was_not_counted_is_no_pass(
    rounds: list[Round], result: Result
) -> None:
    assert judge(rounds)[0] is result


def test_a_report_is_signed_and_a_change_to_it_is_seen(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    at = "2026-12-01T08:00:00.000Z"
    trial = Trial(at=at, result=Result.FAILED, why="x", number="1", call="c", rounds=[made(tones=2)])
    path = write_report(trial, tmp_path / "reports", key)
    assert read_report(path, key.public_key()) == (trial, True)
    assert "2 tones" in "\n".join(describe_trial(trial))
    assert path.stat().st_mode & 0o077 == 0
    path.write_bytes(path.read_bytes().replace(b"failed", b"passed"))
    assert read_report(path, key.public_key())[1] is False
    signature_of(path).unlink()
    assert read_report(path, key.public_key())[1] is False
