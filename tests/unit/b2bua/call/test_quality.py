"""The estimate of what a call sounded like, and where its figures come from."""

from __future__ import annotations

import pytest

from b2bua.call.cdr import Ledger
from b2bua.call.quality import estimate_mos
from b2bua.call.sdp.codecs import Codec
from media.events import LegCounters, Side

G711, G729 = Codec("PCMA", 8000), Codec("G729", 8000)


@pytest.mark.parametrize(
    ("codec", "missing", "jitter_ms", "score"),
    [
        (G711, 0, 0, 4.4),  # R 92.7
        (G711, 10, 0, 4.32),  # 1 %: Ie,eff 95 / 26.1
        (G711, 50, 0, 3.9),  # 5 %: Ie,eff 475 / 30.1
        (G711, 1000, 0, 1.16),  # Ie,eff 9500 / 125.1
        (G711, 0, 100, 4.14),  # 220 ms: Id 5.28 + 4.70
        (G729, 0, 0, 4.09),  # Ie 11
    ],
)
def test_the_score_follows_the_e_model(codec: Codec, missing: int, jitter_ms: float, score: float):
    assert estimate_mos(codec, missing, 1000, jitter_ms) == pytest.approx(score, abs=0.011)


def test_of_what_is_not_known_nothing_is_said():
    assert estimate_mos(None, 0, 1000, 0) is None
    assert estimate_mos(Codec("OPUS", 48000), 0, 1000, 0) is None
    assert estimate_mos(G711, 0, 0, 0) is None


def test_it_never_rises_with_loss_or_jitter_and_stays_a_score():
    scores = [estimate_mos(G711, missing, 1000, 0) for missing in range(0, 1100, 50)]
    assert scores == sorted(scores, reverse=True)
    scores = [estimate_mos(G711, 0, 1000, jitter) for jitter in range(0, 2000, 50)]
    assert scores == sorted(scores, reverse=True)
    assert all(1 <= score <= 4.5 for score in scores)


def test_a_record_tells_what_came_from_a_side_apart_from_what_it_says_that_it_got():
    counters = LegCounters(
        sent=1000, reports=3, lost=50, jitter=80, expected=500, missing=5, arrival_jitter=2500
    )
    leg = Ledger().record(Side.AGENT, G711, counters)
    assert (leg.arrival_jitter_ms, leg.mos) == (2.5, estimate_mos(G711, 5, 500, 2.5))
    assert (leg.jitter_ms, leg.heard_mos) == (10.0, estimate_mos(G711, 50, 1000, 10.0))
    silent = Ledger().record(Side.AGENT, G711, LegCounters(sent=1000))
    assert (silent.mos, silent.heard_mos, silent.arrival_jitter_ms, silent.jitter_ms) == (
        None,
        None,
        None,
        None,
    )
