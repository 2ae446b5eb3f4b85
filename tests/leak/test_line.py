"""Lines that lose and delay packets, and phones that conceal it: the listener hears through both,
and nothing behind the mask."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from tests.leak.codec import PACKET, PCMA, encoded
from tests.leak.core import Masked
from tests.leak.decoders import RATE, union
from tests.leak.judge import one_recording
from tests.leak.line import Line, arrivals, concealed, played, received
from tests.leak.masking import Open, Shut
from tests.leak.presses import Condition, dual_tone, recording
from tests.leak.report import IMPAIRED

over_each = pytest.mark.parametrize("condition", IMPAIRED, ids=lambda condition: condition.name)
SILENCE = encoded(np.zeros(200 * PACKET), PCMA)


def test_a_line_loses_as_much_as_it_says_and_the_same_with_the_same_seed() -> None:
    for line in (Line(80, 0.2), Line(80, 0.2, burst=3.0), Line(PACKET, 0.05)):
        came = arrivals(SILENCE * 50, PCMA, line, 1)
        sent = 50 * len(b"".join(SILENCE)) // line.frame
        assert len(came) / sent == pytest.approx(1 - line.loss, abs=0.02)
        holes = sum(later.packet.sequence - one.packet.sequence != 1 for one, later in pairwise(came))
        assert (sent - len(came)) / holes == pytest.approx(
            line.burst if line.burst > 1 else 1 / (1 - line.loss), rel=0.2
        )
        assert came == arrivals(SILENCE * 50, PCMA, line, 1) != arrivals(SILENCE * 50, PCMA, line, 2)


def test_packets_overtake_one_another_by_no_more_than_the_jitter_and_are_heard_in_their_place() -> None:
    keyed = recording(Condition("clean", payload_types=(PCMA,)), 5, 1)
    came = arrivals(keyed.payloads, PCMA, Line(80, jitter=40), 1)
    late = [one.ms - one.packet.rtp_timestamp // 8 for one in came]
    assert (min(late), max(late)) == (0, 40)
    assert [one.packet.sequence for one in came] != sorted(one.packet.sequence for one in came)
    length = PACKET * len(keyed.payloads)
    heard = received([one.packet for one in came], PCMA, length)
    assert heard.present.all()
    assert heard.octets.tobytes() == b"".join(keyed.payloads)


def test_a_phone_that_conceals_makes_a_key_of_12_ms_and_one_that_does_not_hears_none() -> None:
    sound, present = np.zeros(RATE // 2, np.int16), np.ones(RATE // 2, bool)
    sound[1504:1600] = dual_tone("4", 96, (-10, -10)).astype(np.int16)
    present[1600:2080] = False
    assert not any(union(played(sound, present, Line(concealed=False))).values())
    assert "4" in {one.digit for all_ in union(played(sound, present, Line())).values() for one in all_}


def test_concealment_changes_what_is_missing_and_a_moment_after_it_and_fades_out() -> None:
    sound = dual_tone("5", RATE, (-10, -10)).astype(np.int16)
    present = np.ones(RATE, bool)
    present[4000:5600] = False
    heard = concealed(sound, present)
    assert (heard[:4000] == sound[:4000]).all()
    assert np.abs(heard[4000:4160]).max() > 4000
    assert not heard[4480:5600].any()
    assert (heard[5680:] == sound[5680:]).all()


@over_each
def test_an_open_line_is_read_whatever_it_loses_and_a_shut_one_is_not(condition: Condition) -> None:
    """The listener is not deaf: the same line, the same loss, the same phone."""
    few = 20 if condition.alone else 50
    opened, shut = (one_recording(mask, condition, few, 3) for mask in (Open, Shut))
    assert opened.leaked["union"] >= condition.readable * few
    assert opened.leaked == opened.control == shut.control
    assert (shut.leaked, shut.right, shut.elsewhere) == ({}, 0, 0)


BURSTS = Line(80, 0.2, burst=2.0)
ALONE = Condition("alone", alone=(1.0, 3.0), line=Line(PACKET, 0.2))
READ_ONCE = [
    (ALONE, 1001, "11 ms of a key at the end of a frame of 20 ms"),
    (ALONE, 1011, "the same"),
    (
        Condition("jitter", line=Line(80, 0.05, jitter=40)),
        1003,
        "8 ms of a key before packets that come too late",
    ),
    (replace(ALONE, line=BURSTS), 2, "10 ms of a key between lost packets"),
]


@pytest.mark.parametrize(("condition", "seed", "why"), READ_ONCE)
def test_what_stands_beside_a_hole_makes_no_key_in_a_phone_that_conceals(
    condition: Condition, seed: int, why: str
) -> None:
    row = one_recording(Masked, condition, 50, seed, control=False)
    assert (row.leaked, row.elsewhere) == ({}, 0), why
