"""What a call has noted of its masks: why each went on and off, who wanted it, and what media
counted, or could not count."""

from __future__ import annotations

from typing import Any

import pytest

from b2bua.call import leg
from b2bua.call.command import NoteMask, ToMedia
from b2bua.call.trunk_policy import PreMask, TrunkPolicy
from b2bua.call.unattended_view import UNATTENDED
from b2bua.call.view import MaskStage
from media.events import CaptureState, MaskEnd, MaskTally, MaskWentOff, MaskWentOn, SessionClaimed, Side
from tests.call_script import DONE, MASK, ORDER, REFUSED, RELEASE, SESSION, UNMASK, Script

SINCE, UNTIL = 1_796_119_327_114, 1_796_119_420_902
ON = MaskWentOn(session=SESSION, since=SINCE)
TIMES = {"since": "2026-12-01T10:02:07.114Z", "until": "2026-12-01T10:03:40.902Z"}
COUNTED = MaskTally(keys_as_events=26, keys_as_tones=3, keys_as_both=3, event_packets=208, left=900)


def notes(script: Script, news: MaskWentOn | MaskWentOff) -> NoteMask:
    assert script._keep(script.call.media_news(news, script.now)) == []
    return script.notes[-1]


def off(why: MaskEnd, **more: Any) -> MaskWentOff:
    return MaskWentOff(session=SESSION, since=SINCE, until=UNTIL, why=why, tally=COUNTED, **more)


def masked(agent: str = "ann", policies: dict[str, TrunkPolicy] | None = None) -> Script:
    script = Script(policies=policies).answer()
    script._keep(script.call.start_capture("c1", ORDER, script.now, agent))
    return script


def test_a_mask_for_a_payment_is_the_agents_and_its_end_is_medias() -> None:
    script = masked()
    begun = notes(script, ON)
    assert (begun.on, begun.who, begun.payment) == (True, "ann", "c1")
    assert begun.details == {"reason": "payment", "since": TIMES["since"]}
    ended = notes(script, off(MaskEnd.APPROVED))
    assert (ended.on, ended.who, ended.payment) == (False, "media", "c1")
    figures = {name: getattr(COUNTED, name) for name in MaskTally.__struct_fields__}
    assert ended.details == {"reason": "approved", **TIMES, "keys": 26, **figures, "infos": 0}


def test_a_mask_that_was_announced_and_not_used_names_no_payment_of_before() -> None:
    script = masked()
    script.media(MASK, DONE)
    notes(script, ON)
    script.cancel()
    script.media(UNMASK, DONE)
    assert notes(script, off(MaskEnd.QUIET)).payment == "c1"
    script._keep(script.call.announce_payment("ben", script.now))
    begun = notes(script, ON)
    assert (begun.who, begun.payment, begun.details["reason"]) == ("ben", "", "announced")
    assert notes(script, off(MaskEnd.QUIET)).payment == ""


def test_the_payment_that_begins_under_an_announced_mask_is_named_at_its_end() -> None:
    script = Script().answer()
    script._keep(script.call.announce_payment("ann", script.now))
    assert notes(script, ON).payment == ""
    script._keep(script.call.start_capture("c1", ORDER, script.now, "ann"))
    assert notes(script, off(MaskEnd.APPROVED)).payment == "c1"


def test_whoever_releases_a_mask_is_named() -> None:
    script = masked()
    script.media(MASK, DONE)
    notes(script, ON)
    script.cancel()
    script._keep(script.call.release_mask(script.now, "ben"))
    assert notes(script, off(MaskEnd.RELEASED)).who == "ben"


def test_a_mask_because_the_call_was_answered_is_nobodys() -> None:
    script = Script(policies={"near trunk": TrunkPolicy(pre_mask=PreMask.ANSWER)}).answer()
    begun = notes(script, ON)
    assert (begun.who, begun.details["reason"]) == ("tonewall", "answered")


@pytest.mark.parametrize("paid", [True, False], ids=["after a payment", "without one"])
def test_a_mask_that_media_recovered_is_nobodys_and_of_no_payment(paid: bool) -> None:
    script = masked() if paid else Script().answer()
    if paid:
        script.media(MASK, DONE)
        notes(script, ON)
        script.cancel()
        script._keep(script.call.release_mask(script.now, "ben"))
        script.media(UNMASK, REFUSED)
        script.media(RELEASE, DONE)
        notes(script, off(MaskEnd.RELEASED))
    script._keep(script.call.media_away(script.now))
    begun = notes(script, ON)
    assert (begun.who, begun.payment, begun.details["reason"]) == ("tonewall", "", "recovered")
    [command] = script.call.claim()
    assert isinstance(command, ToMedia)
    found = SessionClaimed(serial=0, masked=True, restored=True)
    assert script.media(command, found) == [UNMASK]
    assert script.view.mask is MaskStage.HELD
    assert script._keep(script.call.release_mask(script.now, "mia")) == [RELEASE]
    ended = notes(script, off(MaskEnd.RELEASED))
    assert (ended.who, ended.payment) == ("mia", "")


def test_keys_by_info_are_counted_from_the_mask_on() -> None:
    script = masked()
    script.call.mid_call_requests.withheld = 3
    notes(script, ON)
    script.call.mid_call_requests.withheld = 8
    assert notes(script, off(MaskEnd.CALL_ENDED)).details["infos"] == 5


def test_what_nobody_has_counted_is_said_not_to_be_counted() -> None:
    script = masked()
    notes(script, ON)
    news = MaskWentOff(session=SESSION, since=SINCE, until=UNTIL, why=MaskEnd.QUIET, doubtful=True)
    details = notes(script, news).details
    assert "keys" not in details
    assert details["counts"] == "not counted by the media engine"
    assert details["confirmed"] == "not all the time"


def test_a_mask_whose_media_is_lost_has_an_end_without_counts_and_has_it_once() -> None:
    script = masked()
    notes(script, ON)
    for _ in range(2):
        script.media_lost()
    _, lost = script.notes
    assert (lost.on, lost.details["reason"], "until" in lost.details) == (False, "media_lost", False)


def test_a_mask_that_goes_on_in_another_media_process_is_one_and_says_which_keys_are_counted() -> None:
    script = masked()
    script.media(MASK, DONE)
    notes(script, ON)
    script._keep(script.call.media_away(script.now))
    script._keep(script.call.media_news(ON, script.now))
    [command] = script.call.claim()
    assert isinstance(command, ToMedia)
    script.media(command, SessionClaimed(serial=0, masked=True, restored=True))
    assert [each.on for each in script.notes] == [True]
    ended = notes(script, off(MaskEnd.QUIET))
    assert (ended.details["since"], ended.details["keys"]) == (TIMES["since"], 26)
    assert "since a media process was lost" in str(ended.details["keys_counted"])
    script.media(UNMASK, DONE)
    script._keep(script.call.announce_payment("ben", script.now))
    notes(script, MaskWentOn(session=SESSION, since=UNTIL))
    assert "keys_counted" not in notes(script, off(MaskEnd.QUIET)).details


@pytest.mark.parametrize("anew", [True, False], ids=["begun anew", "off"])
def test_a_mask_that_the_next_media_process_does_not_know_was_lost(anew: bool) -> None:
    script = masked()
    script.media(MASK, DONE)
    notes(script, ON)
    script._keep(script.call.media_away(script.now))
    if anew:
        script._keep(script.call.media_news(MaskWentOn(session=SESSION, since=UNTIL), script.now))
    [command] = script.call.claim()
    assert isinstance(command, ToMedia)
    script.media(command, SessionClaimed(serial=0, masked=anew, restored=True))
    assert [each.on for each in script.notes] == [True, False, True][: 3 if anew else 2]
    assert script.notes[1].details["reason"] == "media_lost"


def test_a_mask_that_media_refuses_is_noted_as_one_that_did_not_go_on() -> None:
    script = masked()
    script.media(MASK, REFUSED)
    (note,) = script.notes
    assert (note.failed, note.who, note.payment) == (True, "ann", "c1")


@pytest.mark.parametrize("agent", ["ann", UNATTENDED])
def test_a_form_without_an_agent_is_told_from_a_payment(agent: str) -> None:
    script = Script().answer()
    call = script.call
    started = call.payment.start("c1", ORDER, call.bridge.trunks.masking(), agent=agent)
    script._keep(call._finish(started, script.now))
    assert notes(script, ON).details["reason"] == ("form" if agent == UNATTENDED else "payment")


def test_the_end_of_a_mask_after_the_legs_are_gone_is_noted() -> None:
    script = masked()
    script.media(MASK, DONE)
    notes(script, ON)
    script.leg(Side.CALLER, leg.LegHungUp("bye"))
    assert notes(script, off(MaskEnd.CALL_ENDED)).details["reason"] == "call_ended"
    assert script.news("c1", CaptureState.ABORTED) == []
