"""A customer whose keys do not come: the agent is told once, until one comes."""

from __future__ import annotations

import pytest

from media.capture.messages import Limits
from media.events import CaptureState
from tests.keying import Customer


def test_the_agent_is_told_after_fifteen_seconds_without_any_key() -> None:
    customer = Customer().wait(14.9)
    assert not customer.changes
    customer.wait(0.2)
    assert [change.unheard for change in customer.changes] == [True]
    customer.wait(20.0)
    assert len(customer.changes) == 1


@pytest.mark.parametrize("key", ["4", "#", "*"])
def test_any_key_takes_it_back(key: str) -> None:
    customer = Customer().wait(16.0).keys(key)
    assert not customer.capture.changed().unheard
    assert not customer.changes[-1].unheard


@pytest.mark.parametrize("key", ["4", "#", "*"])
def test_after_a_key_nothing_is_said(key: str) -> None:
    customer = Customer().keys(key).wait(40.0)
    assert not any(change.unheard for change in customer.changes)


def test_a_capture_that_ends_is_not_unheard() -> None:
    customer = Customer(limits=Limits(inactivity=20.0)).wait(30.0)
    assert customer.capture.state is CaptureState.ABORTED
    assert not customer.changes[-1].unheard
    assert customer.capture.deadline() is None
