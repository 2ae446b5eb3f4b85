"""Dialogs: who opens them, what their requests look like, and the forks of an INVITE."""

from __future__ import annotations

import pytest

from b2bua.sip.leg.dialog import MAX_FORKS, TRANSITIONS, Dialog, DialogEvent, DialogState, Forks, ForkVerdict
from b2bua.sip.message.compose import Outgoing
from b2bua.sip.message.message import parse_message

SOURCE = ("192.0.2.1", 5060)
INVITE = (
    "INVITE sip:us@192.0.2.9 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\n"
    "Record-Route: <sip:p2.example.com;lr>, <sip:p1.example.com;lr>\r\nFrom: Ann <sip:ann@a>;tag=ann\r\n"
    "To: <sip:us@b>\r\nCall-ID: c\r\nCSeq: 7 INVITE\r\nContact: <sip:ann@192.0.2.1:5070>\r\n\r\n"
)
OURS = Outgoing("INVITE", "sip:far@h", "z9hG4bKb", "<sip:us@b>;tag=us", "<sip:far@h>", "d", 1)


def invited():
    return Dialog.of_request(parse_message(INVITE.encode(), SOURCE), "us")


def reply(code: int, tag: str, *lines: str):
    rows = [f"SIP/2.0 {code} X", "Via: SIP/2.0/UDP us:5060;branch=z9hG4bKb", "From: <sip:us@b>;tag=us"]
    rows += [
        f"To: <sip:far@h>;tag={tag}" if tag else "To: <sip:far@h>",
        "Call-ID: d",
        "CSeq: 1 INVITE",
        *lines,
    ]
    return parse_message(("\r\n".join(rows) + "\r\n\r\n").encode(), SOURCE)


def test_an_invite_opens_a_dialog_with_its_routes_in_order():
    dialog = invited()
    assert dialog.key == ("c", "us", "ann")
    bye = dialog.request("BYE")
    assert (bye.uri, bye.cseq, bye.from_, bye.to) == (
        "sip:ann@192.0.2.1:5070",
        1,
        "<sip:us@b>;tag=us",
        "Ann <sip:ann@a>;tag=ann",
    )
    assert bye.route == ("<sip:p2.example.com;lr>", "<sip:p1.example.com;lr>")
    assert dialog.next_hop == "sip:p2.example.com;lr"


def test_a_2xx_opens_a_dialog_with_its_routes_reversed():
    forks = Forks()
    routes = "Record-Route: <sip:last;lr>,<sip:first;lr>"  # each proxy puts itself in front
    verdict, dialog = forks.receive_response(
        OURS, "us", reply(200, "t", routes, "Contact: <sip:far@192.0.2.7>")
    )
    assert verdict is ForkVerdict.WON
    assert dialog.request("BYE").route == ("<sip:first;lr>", "<sip:last;lr>")
    assert dialog.remote_target == "sip:far@192.0.2.7"
    assert dialog.request("BYE").cseq == 3  # 1 was the INVITE, 2 the BYE above


def test_a_strict_router_goes_into_the_request_uri():
    dialog = invited()
    dialog.route_set = ("<sip:strict.example.com>", "<sip:loose;lr>")
    bye = dialog.request("BYE")
    assert bye.uri == "sip:strict.example.com"
    assert bye.route == ("<sip:loose;lr>", "<sip:ann@192.0.2.1:5070>")


def test_a_request_out_of_order_is_not_accepted():
    dialog = invited()
    assert not dialog.accepts(7)
    assert not dialog.accepts(6)
    assert dialog.accepts(8)
    assert not dialog.accepts(8)
    assert dialog.accepts(100)


def test_an_ack_has_the_number_of_its_invite_and_takes_none_of_its_own():
    dialog = invited()
    dialog.request("INVITE")
    assert dialog.request("ACK", cseq=1).cseq == 1
    assert dialog.request("BYE").cseq == 2


@pytest.mark.parametrize(
    "contact", ["", "Contact: *\r\n", "Contact: <mailto:a@b>\r\n", "Contact: <sips:a@b>\r\n"]
)
def test_an_invite_without_a_usable_contact_opens_no_dialog(contact):
    text = INVITE.replace("Contact: <sip:ann@192.0.2.1:5070>\r\n", contact)
    with pytest.raises(ValueError, match="Contact"):
        Dialog.of_request(parse_message(text.encode(), SOURCE), "us")


def test_a_reinvite_refreshes_the_target_and_no_contact_keeps_it():
    dialog = invited()
    dialog.refresh(reply(200, "ann", "Contact: <sip:moved@192.0.2.8>"))
    assert dialog.remote_target == "sip:moved@192.0.2.8"
    dialog.refresh(reply(200, "ann"))
    assert dialog.remote_target == "sip:moved@192.0.2.8"


def test_the_first_fork_to_answer_wins_and_the_others_are_late():
    forks = Forks()
    story = [
        (180, "a", ForkVerdict.EARLY),
        (183, "b", ForkVerdict.EARLY),
        (180, "a", ForkVerdict.EARLY),
        (200, "b", ForkVerdict.WON),
        (200, "b", ForkVerdict.RETRANSMITTED),
        (200, "a", ForkVerdict.LATE),
        (200, "a", ForkVerdict.LATE_RETRANSMITTED),
        (200, "c", ForkVerdict.LATE),
        (200, "b", ForkVerdict.RETRANSMITTED),
    ]
    for code, tag, verdict in story:
        seen, dialog = forks.receive_response(OURS, "us", reply(code, tag, f"Contact: <sip:{tag}@192.0.2.7>"))
        assert seen is verdict
        assert dialog.remote_tag == tag
    assert {tag: dialog.state for tag, dialog in forks.dialogs.items()} == dict.fromkeys(
        "abc", DialogState.CONFIRMED
    )


def test_so_many_forks_are_followed_and_a_further_one_can_still_be_the_call():
    forks = Forks()
    ringing = [
        forks.receive_response(OURS, "us", reply(180, f"t{number}"))[0] for number in range(MAX_FORKS + 20)
    ]
    assert ringing == [ForkVerdict.EARLY] * MAX_FORKS + [ForkVerdict.EXCESS] * 20
    assert forks.receive_response(OURS, "us", reply(200, "t30"))[0] is ForkVerdict.WON
    assert forks.receive_response(OURS, "us", reply(200, "t30"))[0] is ForkVerdict.RETRANSMITTED
    late = [forks.receive_response(OURS, "us", reply(200, f"t{number}")) for number in range(40, 60)]
    assert all(
        verdict is ForkVerdict.LATE and dialog.state is DialogState.CONFIRMED for verdict, dialog in late
    )
    assert len(forks.dialogs) == MAX_FORKS + 1


def test_a_terminated_dialog_stays_so():
    assert set(TRANSITIONS) == set(DialogState)
    for event in DialogEvent:
        assert TRANSITIONS[DialogState.TERMINATED][event] is DialogState.TERMINATED
    dialog = invited()
    dialog.receive(DialogEvent.SUCCESS)
    dialog.receive(DialogEvent.FAILURE)
    assert dialog.state is DialogState.CONFIRMED  # a refused re-INVITE leaves it
    dialog.receive(DialogEvent.ENDED)
    assert dialog.state is DialogState.TERMINATED
