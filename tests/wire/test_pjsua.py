"""The engine on PJSIP, with the stories that the default engine is tested by; and what is its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from b2bua.call.trunk import Trunk
from b2bua.sip.hop import Bind, Transport
from tests.wire import test_main_job as main_job
from tests.wire import test_mid_dialog as infos
from tests.wire import test_sip_stories as stories
from tests.wire.sip_bridge import HOST, Bridge, until
from tests.wire.sip_peer import SipPeer

pytest.importorskip("pjsua2", reason="pjsua2 is not here")

from b2bua.pjsua.endpoint import PjsuaEngine  # it cannot be loaded without

PLACES = 4


class PjsuaStage(stories.Stage):
    async def empty(self) -> None:
        await until(lambda: self.bridge.engine.open_legs == 0 and self.bridge.engine.free)


@pytest.fixture
async def stage() -> AsyncIterator[PjsuaStage]:
    """Two peers played by hand, and PJSIP between them."""
    carrier, pbx = SipPeer(), SipPeer()
    trunks = [Trunk("carrier", HOST, carrier.port), Trunk("pbx", HOST, pbx.port)]
    bridge = Bridge(carrier.port, pbx.port)
    bridge.engine = PjsuaEngine(
        bind=Bind(Transport.UDP, HOST, 0), trunks=trunks, on_event=bridge.on_event, places=PLACES
    )
    await bridge.engine.start()
    carrier.engine = pbx.engine = bridge.engine.address
    try:
        yield PjsuaStage(bridge, carrier, pbx)
        assert bridge.engine.counters().get("errors", 0) == 0
    finally:
        await bridge.engine.stop(0.2)
        carrier.close()
        pbx.close()


SAME = [
    stories.test_the_far_leg_tells_nothing_of_the_near_one_but_who_calls_whom,
    stories.test_either_side_hangs_up_the_other,
    stories.test_a_far_end_that_hangs_up_ends_the_near_leg,
    stories.test_the_answer_in_an_ack_is_reported,
    stories.test_requests_follow_the_route_that_a_proxy_recorded,
    stories.test_each_repetition_of_a_2xx_is_acknowledged_again,
    stories.test_a_repeated_invite_gets_the_newest_answer_and_opens_no_second_call,
    stories.test_cancel_waits_for_a_provisional,
    stories.test_bye_before_the_answer_ends_the_call,
    stories.test_hanging_up_before_the_ack_waits_for_it,
    stories.test_a_reinvite_passes_in_both_directions,
    stories.test_a_refused_reinvite_leaves_the_call_up,
    stories.test_our_own_second_reinvite_is_refused_at_once,
    stories.test_a_reinvite_that_is_cancelled_is_answered_with_487,
    stories.test_a_dialog_that_the_far_end_does_not_know_any_more_is_lost,
    stories.test_a_reinvite_that_overlaps_another_is_told_to_retry,
]
CROSSING = [
    infos.test_an_info_crosses_with_type_package_and_answer,
    infos.test_one_that_is_repeated_crosses_once,
    infos.test_a_far_end_that_does_not_know_the_dialog_ends_the_call_and_one_that_knows_no_info_does_not,
    infos.test_a_hang_up_answers_what_waits,
    infos.test_a_coded_body_is_refused_with_what_would_be_taken,
]
WHOLE = [
    infos.test_while_masked_a_card_sent_as_info_is_answered_and_nowhere,
    main_job.test_debians_recordings_replayed_untouched_are_one_digit_a_press,
]


@pytest.mark.parametrize("story", SAME, ids=lambda story: story.__name__.removeprefix("test_"))
async def test_the_same_story(stage: PjsuaStage, story: Callable[[PjsuaStage], Awaitable[None]]) -> None:
    await story(stage)


@pytest.mark.parametrize("story", CROSSING, ids=lambda story: story.__name__.removeprefix("test_"))
async def test_the_same_of_info(stage: PjsuaStage, story: Callable[[PjsuaStage], Awaitable[None]]) -> None:
    await story(stage)


# --- a whole Tonewall -------------------------------------------------------------------------------------------------


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """`engine = pjsua2` for every Tonewall of the test."""
    monkeypatch.setenv("TONEWALL_GENERAL_ENGINE", "pjsua2")


@pytest.mark.usefixtures("chosen")
@pytest.mark.parametrize("story", WHOLE, ids=lambda story: story.__name__.removeprefix("test_"))
async def test_the_same_of_a_whole_tonewall(tmp_path: Path, story: Callable[[Path], Awaitable[None]]) -> None:
    await story(tmp_path)
    assert "pjsua2" in (tmp_path / "tonewall.log").read_text()
