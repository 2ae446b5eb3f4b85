"""What a session learns about its payload types, description by description."""

from __future__ import annotations

from media.events import Side
from media.service.payload_types import PayloadTypes
from media.stream_description import RemoteStream

AUDIO, EVENTS = 96, 101


def stream(**types: object) -> RemoteStream:
    at = {"address": "192.0.2.1", "port": 4000, "rtcp_address": "192.0.2.1", "rtcp_port": 4001}
    return RemoteStream(**at, **types)  # type: ignore[arg-type]


def test_a_side_that_agrees_on_no_event_is_sent_none_until_it_does() -> None:
    types = PayloadTypes()
    types.learn(stream(mu_types=(0,)), Side.CALLER)
    assert types.without_events == {Side.CALLER}
    types.learn(stream(mu_types=(0,), event_types=(EVENTS,)), Side.CALLER)
    assert types.without_events == set()


def test_a_number_that_meant_events_and_means_audio_now_still_reaches_the_customer() -> None:
    """RFC 3264 8.3.2 forbids the reuse; to drop the number towards the customer would cost the
    voice."""
    types = PayloadTypes()
    types.learn(stream(mu_types=(0,), event_types=(AUDIO,)), Side.AGENT)
    types.learn(stream(other_types=(AUDIO,)), Side.CALLER)
    assert types.without_events == set()
    types.learn(stream(mu_types=(0,)), Side.CALLER)
    assert types.without_events == {Side.CALLER}


def test_the_agents_reuse_of_a_number_opens_nothing_towards_the_agent() -> None:
    types = PayloadTypes()
    types.learn(stream(mu_types=(0,), event_types=(AUDIO,)), Side.CALLER)
    types.learn(stream(other_types=(AUDIO,)), Side.AGENT)
    assert types.without_events == {Side.AGENT}
