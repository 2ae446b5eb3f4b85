"""The targets of `make fuzz`, a little of each time: their seeds, and seeds that were cut and
mixed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from b2bua.sip.transport.framer import BrokenStream, Framer
from tests.fuzz.targets import TARGETS
from tests.property.b2bua.sip.nasty import NASTY


@pytest.mark.parametrize("name", TARGETS)
def test_the_seeds_of_a_target_pass(name: str) -> None:
    target, seeds = TARGETS[name]
    for seed in seeds:
        target(seed)


@pytest.mark.parametrize("name", TARGETS)
@given(data=st.data())
@settings(max_examples=60)
def test_what_a_stranger_makes_of_them_passes_too(name: str, data: st.DataObject) -> None:
    target, seeds = TARGETS[name]
    seed = data.draw(st.sampled_from(seeds))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(seed)))
        end = data.draw(st.integers(at, min(len(seed), at + 60)))
        seed = seed[:at] + data.draw(st.sampled_from(NASTY) | st.binary(max_size=20)) + seed[end:]
    target(seed)


def test_a_start_that_is_not_sip_is_told_however_it_is_cut() -> None:
    framer = Framer()
    assert framer.feed(b"INV") == []
    assert [type(item) for item in framer.feed(b"\0TE sip:h SIP/2.0\r\n")] == [BrokenStream]
