"""INFO and MESSAGE between the legs of a call: what crosses, what is withheld, and that every asker
gets its answer."""

from __future__ import annotations

import pytest

from b2bua.call import leg, leg_command
from b2bua.call.command import ToLeg, ToMedia
from b2bua.call.mid_call_requests import MAX_PENDING, TIMEOUT
from b2bua.call.trunk_policy import KeyPolicy, TrunkPolicy
from b2bua.call.view import NotNow
from media.events import (
    CaptureId,
    CaptureState,
    InfoKeyed,
    KeysPassed,
    KeyWithheld,
    SendKey,
    Side,
    StartCapture,
)
from tests.call_script import DONE, MASK, REFUSED, RELEASE, SESSION, THEIRS, UNMASK, Script, sdp

KEY = b"Signal=5\r\nDuration=160\r\n"
DTMF = "application/dtmf-relay"


def asks(
    method: str = "INFO", content_type: str = DTMF, body: bytes = KEY, **more: object
) -> leg.LegRequested:
    return leg.LegRequested("r1", method, content_type, body, **more)  # type: ignore[arg-type]


def answered(side: Side, code: int, request: str = "r1") -> list[ToLeg]:
    return [ToLeg(side, leg_command.RespondLeg(request, code))]


@pytest.mark.parametrize("asker", Side)
@pytest.mark.parametrize("method", ["INFO", "MESSAGE"])
def test_a_request_crosses_as_it_came_and_its_answer_comes_back(asker: Side, method: str) -> None:
    script = Script().answer()
    other = Side.AGENT if asker is Side.CALLER else Side.CALLER
    assert script.leg(asker, asks(method)) == [ToLeg(other, leg_command.RequestLeg("r1", method, DTMF, KEY))]
    assert script.leg(other, leg.LegResponded("r1", 200, "OK")) == answered(asker, 200)
    assert script.leg(other, leg.LegResponded("r1", 200, "OK")) == []


def test_an_info_package_keeps_its_name() -> None:
    script = Script().answer()
    [crossing] = script.leg(Side.AGENT, asks(info_package="infoDtmf"))
    assert crossing.command.info_package == "infoDtmf"  # type: ignore[union-attr]


WITHHELD = [
    ("application/dtmf-relay", KEY, ""),
    ("Application/DTMF-Relay ; charset=utf-8", KEY, ""),
    ("application/dtmf", b"5", ""),
    ("application/vnd.nortelnetworks.digits", b"d=5", ""),
    ("audio/telephone-event", b"5", ""),
    ("application/sipml-keys", b"5", "infoDtmf"),
    ("application/media_control+xml", b"<picture_fast_update/>", "dtmf"),
    ("application/media_control+xml", b"<key>5</key>", ""),
    ("application/media_control+xml, application/dtmf", b"picture_fast_update", ""),
    ("multipart/mixed;boundary=b", b"--b\r\nContent-Type: application/dtmf\r\n\r\n5\r\n--b--", ""),
    ("text/plain", b"5", ""),
    ("", b"5", ""),
    ("", b"", "5"),
]


@pytest.mark.parametrize(("content_type", "body", "package"), WITHHELD)
def test_while_masked_what_could_be_a_key_is_answered_and_goes_nowhere(
    content_type: str, body: bytes, package: str
) -> None:
    script = Script().answer().collecting()
    event = asks(content_type=content_type, body=body, info_package=package)
    assert script.leg(Side.CALLER, event) == answered(Side.CALLER, 200)
    assert script.call.mid_call_requests.withheld == 1
    script.leg(Side.CALLER, leg.LegHungUp("bye"))
    script.closed()
    assert script.records[0].withheld == 1


def test_every_state_of_the_mask_but_open_withholds() -> None:
    script = Script().answer()
    assert script.leg(Side.CALLER, asks()) != answered(Side.CALLER, 200)
    script.leg(Side.AGENT, leg.LegResponded("r1", 200, "OK"))
    assert script.start("c1") == [MASK]  # asked for, not confirmed
    assert script.leg(Side.CALLER, asks()) == answered(Side.CALLER, 200)
    script.media(MASK, DONE)
    assert script.leg(Side.CALLER, asks()) == answered(Side.CALLER, 200)
    assert UNMASK in script.cancel()
    withheld = ToMedia(KeyWithheld(session=SESSION))
    assert script.leg(Side.CALLER, asks()) == [*answered(Side.CALLER, 200), withheld]
    assert script.release() == [RELEASE]  # not confirmed
    assert script.leg(Side.CALLER, asks()) == [*answered(Side.CALLER, 200), withheld]
    script.media(UNMASK, REFUSED)
    script.media(RELEASE, DONE)
    assert script.leg(Side.CALLER, asks()) == [
        ToLeg(Side.AGENT, leg_command.RequestLeg("r1", "INFO", DTMF, KEY))
    ]


def test_what_passes_while_masked_is_ours_to_the_last_octet() -> None:
    script = Script().answer().collecting()
    smuggled = b"<picture_fast_update/><x>4929580173642084</x>"
    carried = leg.Carried((("X-Key", "5"),))
    event = asks(content_type="application/media_control+xml;k=5", body=smuggled, carried=carried)
    [crossing] = script.leg(Side.CALLER, event)
    request = crossing.command
    assert isinstance(request, leg_command.RequestLeg)
    assert b"picture_fast_update" in request.body
    assert b"4929" not in request.body
    assert (request.content_type, request.carried) == ("application/media_control+xml", leg.NOTHING)
    script.leg(Side.AGENT, leg.LegResponded("r1", 200, "OK"))
    empty = asks(content_type="", body=b"")
    assert script.leg(Side.CALLER, empty) == [
        ToLeg(Side.AGENT, leg_command.RequestLeg("r1", "INFO", "", b""))
    ]


def test_while_masked_the_customers_text_is_refused_and_the_agents_requests_cross() -> None:
    script = Script().answer().collecting()
    assert script.leg(Side.CALLER, asks("MESSAGE", "text/plain")) == answered(Side.CALLER, 480)
    assert script.call.mid_call_requests.withheld == 0
    for method in ("INFO", "MESSAGE"):
        assert script.leg(Side.AGENT, asks(method)) == [
            ToLeg(Side.CALLER, leg_command.RequestLeg("r1", method, DTMF, KEY))
        ]


def test_a_body_is_in_no_representation() -> None:
    assert "Signal" not in repr(asks())
    assert "Signal" not in repr(leg_command.RequestLeg("r1", "INFO", DTMF, KEY))


def test_before_the_call_is_up_and_after_it_nothing_crosses() -> None:
    script = Script().ring()
    assert script.leg(Side.CALLER, asks()) == answered(Side.CALLER, 480)
    script = Script().answer()
    script.leg(Side.AGENT, leg.LegHungUp("bye"))
    assert script.leg(Side.CALLER, asks()) == answered(Side.CALLER, 480)


@pytest.mark.parametrize(("code", "relayed"), [(415, 415), (469, 469), (481, 504), (408, 504), (603, 603)])
def test_an_error_comes_back_but_never_one_that_says_that_the_askers_dialog_is_gone(
    code: int, relayed: int
) -> None:
    script = Script().answer()
    script.leg(Side.CALLER, asks())
    assert script.leg(Side.AGENT, leg.LegResponded("r1", code, "no")) == answered(Side.CALLER, relayed)


def test_what_waits_is_bounded_in_number_and_in_time() -> None:
    script = Script().answer()
    for number in range(MAX_PENDING):
        assert (
            script.leg(Side.CALLER, leg.LegRequested(f"r{number}", "INFO", DTMF, KEY))[0].side is Side.AGENT
        )  # type: ignore[union-attr]
    assert script.leg(Side.CALLER, leg.LegRequested("more", "INFO", DTMF, KEY)) == answered(
        Side.CALLER, 500, "more"
    )
    assert script.leg(Side.AGENT, asks())[0].side is Side.CALLER  # type: ignore[union-attr]
    due = script.call.deadline()
    assert due == script.now + TIMEOUT
    late = script.expire(TIMEOUT)
    assert {command.command.code for command in late} == {504}  # type: ignore[union-attr]
    assert script.call.deadline() is None
    assert script.leg(Side.CALLER, asks())[0].side is Side.AGENT  # type: ignore[union-attr]


def test_an_answer_that_nobody_waits_for_changes_nothing() -> None:
    script = Script().answer()
    assert script.leg(Side.AGENT, leg.LegResponded("r9", 200, "OK")) == []
    script.leg(Side.CALLER, asks())
    assert script.leg(Side.CALLER, leg.LegResponded("r1", 200, "OK")) == []  # of its own leg
    script.collecting()
    script.news("c1", CaptureState.COLLECTING)
    assert script.leg(Side.AGENT, leg.LegResponded("r1", 200, "OK")) == answered(Side.CALLER, 200)


def test_the_packages_that_an_end_takes_cross_with_its_refusal_but_not_from_a_masked_customer() -> None:
    script = Script().answer().collecting()
    for asker, other in ((Side.CALLER, Side.AGENT), (Side.AGENT, Side.CALLER)):
        if asker is Side.CALLER:
            script.leg(
                asker, asks(content_type="application/media_control+xml", body=b"<picture_fast_update/>")
            )
        else:
            script.leg(asker, asks(info_package="conference"))
        [answer] = script.leg(other, leg.LegResponded("r1", 469, "", ("conference",)))
        packages = ("conference",) if other is Side.AGENT else ()
        assert answer == ToLeg(asker, leg_command.RespondLeg("r1", 469, packages=packages))


# --- keys that are captured -----------------------------------------------------------------------


def by_info() -> Script:
    """A carrier whose keys come as INFO, and whose phones agreed on no telephone-event."""
    script = Script(
        offer=sdp("192.0.2.10", 4000, events=False),
        policies={"near trunk": TrunkPolicy(keys=KeyPolicy(by_info=True))},
    )
    script.answer(sdp("192.0.2.20", 5000, events=False))
    script.start("c1")
    begin = script.media(MASK, DONE)
    assert begin == [ToMedia(StartCapture(session=SESSION, capture=CaptureId("c1"), by_info=True))]
    script.media(begin[0], DONE)  # type: ignore[arg-type]
    script.news("c1", CaptureState.COLLECTING)
    return script


def test_a_key_by_info_goes_to_media_unread_and_is_answered_and_withheld_from_the_agent() -> None:
    script = by_info()
    for content_type, body in ((DTMF, KEY), ("application/dtmf; x=y", b"5")):
        keyed = script.leg(Side.CALLER, asks(content_type=content_type, body=body))
        assert keyed == [*answered(Side.CALLER, 200), ToMedia(InfoKeyed(session=SESSION, body=body))]
    assert script.call.mid_call_requests.withheld == 2


def test_what_is_no_key_or_not_the_customers_does_not_go_to_media() -> None:
    script = by_info()
    assert script.leg(Side.CALLER, asks(content_type="text/plain")) == answered(Side.CALLER, 200)
    assert script.leg(Side.CALLER, asks("MESSAGE")) == answered(Side.CALLER, 480)
    assert script.leg(Side.AGENT, asks()) == [
        ToLeg(Side.CALLER, leg_command.RequestLeg("r1", "INFO", DTMF, KEY))
    ]


def test_without_a_capture_or_the_setting_no_key_goes_to_media() -> None:
    script = Script().answer().collecting()
    assert script.leg(Side.CALLER, asks()) == answered(Side.CALLER, 200)
    script = by_info()
    script.cancel()
    withheld = ToMedia(KeyWithheld(session=SESSION))
    assert script.leg(Side.CALLER, asks()) == [*answered(Side.CALLER, 200), withheld], "the mask is still on"
    script.media(UNMASK, DONE)
    assert script.leg(Side.CALLER, asks()) == [
        ToLeg(Side.AGENT, leg_command.RequestLeg("r1", "INFO", DTMF, KEY))
    ]


# --- keys that become telephone-events ------------------------------------------------------------

SEND = ToMedia(SendKey(session=SESSION, request="r1", body=KEY, stream=0, payload_type=101, clock_rate=8000))


def wants_events(offer: bytes | None = None, answer: bytes | None = None) -> Script:
    """A PBX that wants telephone-events."""
    script = Script(offer=offer, policies={"far trunk": TrunkPolicy(wants_events=True)})
    script.answer(answer) if answer else script.answer()
    return script


def test_a_key_goes_to_media_unread_and_media_answers_for_it() -> None:
    script = wants_events()
    assert script.leg(Side.CALLER, asks()) == [SEND]
    assert KEY.decode() not in repr(SEND)
    assert script.media(SEND, DONE) == answered(Side.CALLER, 200)
    assert script.media(SEND, DONE) == []
    assert script.leg(Side.CALLER, asks(content_type="application/dtmf", body=b"5")) != []
    assert script.media(SEND, REFUSED) == answered(Side.CALLER, 415)
    assert script.call.mid_call_requests.withheld == 0


def test_the_payload_type_is_the_one_that_the_agents_side_agreed_on_at_the_clock_of_the_audio() -> None:
    more = "a=rtpmap:96 telephone-event/8000\r\na=rtpmap:97 telephone-event/16000\r\n"
    answer = sdp("192.0.2.20", 5000, events=False, extra=more).replace(b"RTP/AVP 0", b"RTP/AVP 0 97 96")
    [asked] = wants_events(answer=answer).leg(Side.CALLER, asks())
    assert isinstance(asked, ToMedia)
    assert isinstance(asked.command, SendKey)
    assert (asked.command.payload_type, asked.command.clock_rate) == (96, 8000)


def test_what_is_no_key_has_a_package_or_meets_no_telephone_event_is_relayed_as_ever() -> None:
    script = wants_events()
    for event in (asks(content_type="text/plain"), asks(info_package="infoDtmf"), asks("MESSAGE")):
        [crossing] = script.leg(Side.CALLER, event)
        assert isinstance(crossing, ToLeg)
        script.leg(Side.AGENT, leg.LegResponded("r1", 200, "OK"))
    [crossing] = script.leg(Side.AGENT, asks())
    assert crossing == ToLeg(Side.CALLER, leg_command.RequestLeg("r1", "INFO", DTMF, KEY)), (
        "the agent's keys are as they are"
    )
    script = wants_events(answer=sdp("192.0.2.20", 5000, events=False))
    assert script.leg(Side.CALLER, asks()) == [
        ToLeg(Side.AGENT, leg_command.RequestLeg("r1", "INFO", DTMF, KEY))
    ]


PEERS = {Side.CALLER: ("192.0.2.10", 4000), Side.AGENT: ("192.0.2.20", 5000)}
PLAIN = {side: sdp(*where, events=False) for side, where in PEERS.items()}


@pytest.mark.parametrize("near", Side)
def test_telephone_event_is_agreed_on_with_the_agents_side_alone_where_the_customers_has_none(
    near: Side,
) -> None:
    script = Script(
        near,
        offer=PLAIN[near] if near is Side.CALLER else None,
        policies=dict.fromkeys(("far trunk", "near trunk"), TrunkPolicy(wants_events=True)),
    )
    [_, invite] = script.opened()
    far = script.far
    last = script.leg(far, leg.LegAnswered(PLAIN[far] if far is Side.CALLER else THEIRS[far]))[-1]
    script.leg(near, leg.LegConfirmed())
    described = {far: invite.command.offer, near: last.command.answer}  # type: ignore[union-attr]
    assert b"RTP/AVP 0 101\r\n" in described[Side.AGENT]
    assert b"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n" in described[Side.AGENT]
    if near is Side.CALLER:
        assert b"telephone-event" not in described[Side.CALLER]
    assert script.leg(Side.CALLER, asks()) == [SEND]
    with pytest.raises(NotNow, match="no telephone-event was agreed on"):
        script.start("c1")


def test_the_agents_side_may_have_none_and_its_payload_types_are_its_own() -> None:
    script = wants_events(offer=PLAIN[Side.CALLER], answer=PLAIN[Side.AGENT])
    assert script.leg(Side.CALLER, asks()) == [
        ToLeg(Side.AGENT, leg_command.RequestLeg("r1", "INFO", DTMF, KEY))
    ]
    again = sdp("192.0.2.10", 4002, events=False)
    crossing = script.leg(Side.CALLER, leg.LegReinvited(again))[-1]
    # Once refused it is not offered again.
    assert b"telephone-event" not in crossing.command.offer  # type: ignore[union-attr]


def test_while_masked_no_key_becomes_an_event_and_one_that_a_mask_overtook_is_answered_and_withheld() -> None:
    script = wants_events()
    assert script.leg(Side.CALLER, asks()) == [SEND]
    script.start("c1")
    assert script.media(SEND, REFUSED) == answered(Side.CALLER, 200)
    assert script.leg(Side.CALLER, asks()) == answered(Side.CALLER, 200)
    script.media(MASK, DONE)
    assert script.leg(Side.CALLER, asks()) == answered(Side.CALLER, 200)
    assert script.call.mid_call_requests.withheld == 3


def test_keys_that_media_does_not_answer_for_are_bounded_in_number_and_time() -> None:
    script = wants_events()
    for number in range(MAX_PENDING):
        script.leg(Side.CALLER, leg.LegRequested(f"k{number}", "INFO", DTMF, KEY))
    assert script.leg(Side.CALLER, asks()) == answered(Side.CALLER, 500)
    late = script.expire(TIMEOUT)
    assert late == [
        ToLeg(Side.CALLER, leg_command.RespondLeg(f"k{number}", 504)) for number in range(MAX_PENDING)
    ]


def test_a_key_that_reaches_the_agent_is_in_the_view_until_the_call_is_masked() -> None:
    script = Script().answer()
    script.leg(Side.CALLER, leg.LegRequested("r1", "INFO", DTMF, KEY))
    by_info = script.view.keys_passed_at
    assert by_info is not None
    script.now += 2.0
    script._keep(script.call.media_news(KeysPassed(session=SESSION), script.now))
    assert str(script.view.keys_passed_at) > by_info
    script.collecting()
    assert script.view.keys_passed_at is None
    script.leg(Side.CALLER, leg.LegRequested("r2", "INFO", DTMF, KEY))
    assert script.view.keys_passed_at is None
