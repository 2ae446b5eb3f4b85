"""A mask before a payment, as scripts: announced by an agent or once the call is answered, used by
the payment that begins, or ended without one."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from b2bua.call import leg
from b2bua.call.command import ToMedia
from b2bua.call.snapshot import restore_call, snapshot_call
from b2bua.call.trunk_policy import PreMask, TrunkPolicy
from b2bua.call.view import MaskStage, NotNow, NotYours
from media.events import (
    CaptureState,
    KeyingChanged,
    KeyWithheld,
    Masking,
    Refused,
    SetMask,
    Side,
)
from media.mask_policy import MaskPolicy
from tests.call_script import (
    CLOSE,
    DONE,
    GUARD,
    MASK,
    ORDER,
    REFUSED,
    RELEASE,
    SESSION,
    UNMASK,
    Script,
    collect,
)

ANNOUNCE = ToMedia(SetMask(session=SESSION, on=True, announced=True))
LIMIT = 300.0


def up(policies: Mapping[str, TrunkPolicy] | None = None) -> Script:
    return Script(policies=policies).answer()


def announce(script: Script, agent: str = "ann") -> list[object]:
    return list(script._keep(script.call.announce_payment(agent, script.now)))


def announced(script: Script | None = None) -> Script:
    script = script or up()
    assert announce(script) == [ANNOUNCE]
    assert script.media(ANNOUNCE, DONE) == []
    return script


def start(script: Script, agent: str = "ann") -> list[object]:
    return list(script._keep(script.call.start_capture("c1", ORDER, script.now, agent)))


def keyed(script: Script, keys: int, *, keying: bool = True) -> None:
    script._keep(script.call.media_news(KeyingChanged(session=SESSION, keying=keying, keys=keys), script.now))


def test_an_announced_payment_masks_at_once_and_shows_since_when_only_once_it_is_confirmed():
    script = up()
    assert announce(script) == [ANNOUNCE]
    assert (script.view.masked, script.view.mask, script.view.masked_since) == (True, MaskStage.ON, None)
    assert script.view.announced_by == "ann"
    script.media(ANNOUNCE, DONE)
    assert script.view.masked_since is not None
    assert announce(script) == [], "it is on already"


def test_the_payment_that_begins_collects_without_waiting_for_a_mask():
    script = announced()
    keyed(script, 3)
    assert (script.view.still_keying, script.view.keys_dropped) == (True, 3)
    assert start(script) == [collect("c1")]
    assert (script.stage, script.view.announced_by, script.view.keys_dropped) == ("starting", None, 3)
    script.media(collect("c1"), DONE)
    script.news("c1", CaptureState.COLLECTING)
    assert script.stage == "collecting"
    script.cancel()
    assert script.view.mask is MaskStage.HELD


def test_a_payment_that_begins_before_the_mask_is_confirmed_waits_for_it():
    script = up()
    announce(script)
    assert start(script) == [MASK]
    assert script.media(ANNOUNCE, DONE) == [], "only the answer to the newest counts"
    assert script.stage == "starting"
    assert script.media(MASK, DONE) == [collect("c1")]


def test_a_payment_that_is_masked_in_another_way_masks_anew():
    script = announced()
    muted = Masking(policy=MaskPolicy.MUTE)
    script.call.payment.masking = muted
    assert start(script) == [MASK]
    assert script.media(MASK, DONE) == [collect("c1")]


def test_no_payment_in_time_leaves_the_mask_to_media_and_a_second_announcement_extends_the_time():
    script = announced()
    assert script.expire(LIMIT - 1) == []
    assert announce(script) == []
    assert script.expire(LIMIT - 1) == []
    assert script.expire(1) == [UNMASK]
    assert script.view.mask is MaskStage.HELD
    assert script.media(UNMASK, DONE) == []
    assert (script.view.mask, script.view.announced_by) == (MaskStage.OFF, None)


def test_a_release_ends_it_and_a_key_takes_the_release_back():
    script = announced()
    assert script.release() == [RELEASE]
    keyed(script, 1)
    assert script.media(RELEASE, Refused(serial=0, reason="still keying")) == [UNMASK]
    assert (script.view.mask, script.view.keys_dropped) == (MaskStage.HELD, 1)
    with pytest.raises(NotNow, match="still keying"):
        script.release()
    keyed(script, 1, keying=False)
    assert script.release() == [RELEASE]


def test_a_release_before_the_mask_is_confirmed_counts():
    script = up()
    announce(script)
    assert script.release() == [RELEASE]
    assert script.media(ANNOUNCE, DONE) == []
    assert script.view.mask is MaskStage.RELEASING
    script.media(RELEASE, DONE)
    assert not script.view.masked


def test_where_media_refuses_nobody_knows_and_the_mask_is_asked_to_go_off():
    script = up()
    announce(script)
    assert script.media(ANNOUNCE, REFUSED) == [UNMASK]
    assert (script.view.masked, script.view.mask) == (True, MaskStage.HELD)
    assert script.media(UNMASK, REFUSED) == []
    assert script.expire(GUARD) == [UNMASK]


def test_a_payment_is_announced_under_a_mask_that_is_held_and_not_while_one_is_under_way():
    script = up().collecting()
    with pytest.raises(NotNow, match="under way"):
        script.call.announce_payment("", script.now)
    script.cancel()
    assert announce(script, "") == [ANNOUNCE]
    script.media(UNMASK, REFUSED)
    assert script.media(ANNOUNCE, DONE) == []
    assert script.view.mask is MaskStage.ON


def test_only_who_announced_it_starts_and_releases_it_until_another_takes_it_over():
    script = announced()
    for ask in (lambda: start(script, "bob"), lambda: announce(script, "bob")):
        with pytest.raises(NotYours, match="ann"):
            ask()
    with pytest.raises(NotYours):
        script.call.payment.check_agent("bob")
    script._keep(script.call.take_over_capture("bob", script.now))
    assert script.view.announced_by == "bob"
    with pytest.raises(NotYours, match="bob"):
        start(script, "ann")
    assert start(script, "bob") == [collect("c1")]
    assert script.view.capture is not None
    assert script.view.capture.agent == "bob"


def test_an_earlier_payment_of_another_agent_is_no_hindrance_once_its_mask_is_off():
    script = up().collecting()
    script.cancel()
    script.media(UNMASK, DONE)
    assert announce(script, "bob") == [ANNOUNCE]
    script.media(ANNOUNCE, DONE)
    script.call.payment.check_agent("bob")
    assert start(script, "bob")


@pytest.mark.parametrize("end", ["hang-up", "media"])
def test_an_end_of_the_call_ends_it(end: str):
    script = announced()
    if end == "media":
        script.media_lost()
    else:
        script.leg(Side.CALLER, leg.LegHungUp(""))
        script.media(CLOSE, REFUSED)
    assert script.call.over
    assert script.expire(LIMIT) == []


def test_a_key_by_info_is_withheld_and_reported_to_media_without_its_body():
    script = announced()
    key = leg.LegRequested("i1", "INFO", "application/dtmf-relay", b"Signal=5")
    assert ToMedia(KeyWithheld(session=SESSION)) in script.leg(Side.CALLER, key)


def test_it_goes_on_in_another_process_to_its_limit():
    script = announced()
    script.call = restore_call(snapshot_call(script.call, script.now), script.now)
    assert script.expire(LIMIT) == [UNMASK]


def test_a_trunk_may_have_its_calls_masked_once_they_are_answered_for_any_agent():
    policies = {"near trunk": TrunkPolicy(pre_mask=PreMask.ANSWER, pre_mask_time=60.0)}
    assert not Script(policies=policies).ring().view.masked
    script = Script(policies=policies).answer()
    assert (script.view.masked, script.view.announced_by) == (True, "")
    script.media(ANNOUNCE, DONE)
    assert start(script, "bob") == [collect("c1")]
    other = Script(policies=policies).answer()
    other.media(ANNOUNCE, DONE)
    assert other.expire(60) == [UNMASK]
    other.media(UNMASK, DONE)
    assert other.expire(1) == []
    assert not other.view.masked, "once only"


def test_a_trunk_may_refuse_it():
    script = up({"near trunk": TrunkPolicy(pre_mask=PreMask.NEVER)})
    with pytest.raises(NotNow, match="pre_mask = never"):
        announce(script)
    assert not script.call.payment.masked
