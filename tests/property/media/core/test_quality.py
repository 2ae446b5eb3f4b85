"""How a stream arrives: the core counts as the reference does, and the reference as the RFC."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from media import _core
from media.formats.rtp import Ssrc
from media.reference.quality import Arrivals

CLOCK = 8000
arrivals = st.lists(
    st.tuples(
        st.sampled_from([1, 1, 1, 1, 2]),
        st.sampled_from(
            [1] * 8 + [0, 2, 5, -1, -99, -100, -101, 2999, 3000, 30000]
        ),  # step of the sequence number
        st.sampled_from([160] * 6 + [0, -160, 80000, 2**31, -7]),  # of the rtp_timestamp
        st.sampled_from([20] * 4 + [0, 1, 35, 900, 5000]),  # of the clock, in ms
        st.sampled_from([CLOCK] * 9 + [48000, 0]),
        st.sampled_from([True] * 4 + [False]),
    ),
    max_size=80,
)


def summary(reference: Arrivals) -> tuple[int, int, int]:
    return reference.expected, reference.missing, reference.jitter_us


@settings(max_examples=500, deadline=None)
@given(
    steps=arrivals,
    number=st.sampled_from([0, 65500, 32760]),
    rtp_timestamp=st.sampled_from([0, 2**32 - 800]),
    now=st.sampled_from([0, 5_000, 10**10]),
)
def test_the_core_counts_as_the_reference(steps, number, rtp_timestamp, now):
    reference, core = Arrivals(), _core.Arrivals()
    for ssrc, step, ticks, pause, clock, audio in steps:
        number, rtp_timestamp, now = (number + step) % 0x10000, (rtp_timestamp + ticks) % 2**32, now + pause
        reference.add_packet(Ssrc(ssrc), number, rtp_timestamp, clock, now, audio=audio)
        core.add_packet(ssrc, number, rtp_timestamp, clock, now, audio)
        assert core.report() == summary(reference)


@settings(max_examples=200, deadline=None)
@given(
    count=st.integers(1, 400),
    origin=st.integers(0, 65535),
    seed=st.integers(0, 2**32),
    late=st.booleans(),
)
def test_what_is_missing_is_what_was_lost_over_every_wrap_whatever_is_late_or_doubled(
    count, origin, seed, late
):
    dice, stream = random.Random(seed), Arrivals()
    kept = [index for index in range(count) if index in (0, count - 1) or dice.random() < 0.9]
    order = sorted(
        kept, key=lambda index: index + (dice.randint(0, 20) if late and 0 < index < count - 1 else 0)
    )
    order.remove(0)
    for index in [0, *order]:
        for _ in range(1 + (index == count - 1)):  # the newest comes twice
            stream.add_packet(Ssrc(1), (origin + index) % 0x10000, 160 * index, CLOCK, 20 * index, audio=True)
    assert (stream.expected, stream.missing) == (count, count - len(kept))


def spread(delays: list[int]) -> float:
    stream = Arrivals()
    for index, delay in enumerate(delays):
        stream.add_packet(Ssrc(1), index, 160 * index, CLOCK, 1000 + 20 * index + delay, audio=True)
    return stream.jitter_us / 1000


def test_jitter_is_the_mean_of_the_differences_in_transit():
    assert spread([0] * 200) == 0
    assert spread([7] * 200) == 0
    assert 9.5 <= spread([0, 10] * 200) <= 10.1
    assert 0 < spread([0] * 200 + [10]) <= 1, "one late packet is a sixteenth of it"


def test_events_a_clock_that_jumps_and_a_new_ssrc_make_no_jitter():
    stream = Arrivals()
    for index in range(100):
        stream.add_packet(
            Ssrc(1 + index // 50),
            index,
            160 * index + (2**31 if index > 70 else 0),
            CLOCK,
            20 * index,
            audio=True,
        )
        stream.add_packet(Ssrc(1 + index // 50), index, 8, CLOCK, 20 * index + 500, audio=False)
        stream.add_packet(Ssrc(99), 40_000 + 10 * index, 8, CLOCK, 20 * index, audio=False)
    assert summary(stream) == (100, 0, 0)
