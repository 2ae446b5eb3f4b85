"""Which final codes cross from leg to leg, what becomes of the others, and the Q.850 causes beside
them."""

from __future__ import annotations

import pytest

from b2bua.call import leg, leg_command
from b2bua.call.cause import Q850_CAUSES, REPLACED_CODES, q850_cause, relayed_cause
from b2bua.call.command import ToLeg
from b2bua.call.leg import NOTHING, Carried
from media.events import Side
from tests.call_script import Script

BUSY = Carried((("Reason", 'Q.850;cause=17;text="busy"'),))


@pytest.mark.parametrize(
    "code", [402, 403, 404, 408, 410, 480, 484, 486, 488, 500, 503, 504, 600, 603, 604, 606, 608]
)
def test_what_is_said_of_the_call_crosses_as_it_came(code: int):
    assert relayed_cause(code, BUSY) == (code, BUSY)


@pytest.mark.parametrize("code", [401, 407, 420, 422, 481, 513])
def test_what_is_said_of_us_becomes_a_shut_way_and_the_reason_says_what_it_was(code: int):
    assert relayed_cause(code, NOTHING) == (502, Carried((("Reason", f"SIP;cause={code}"),)))
    assert relayed_cause(code, BUSY)[1].headers == (*BUSY.headers, ("Reason", f"SIP;cause={code}"))


def test_a_reason_that_the_peer_gave_is_not_doubled():
    given = Carried((("Reason", "SIP;cause=407"),))
    assert relayed_cause(407, given) == (502, given)


def test_no_code_becomes_one_that_would_change_again():
    assert all(relayed_cause(code, NOTHING)[0] == code for code in REPLACED_CODES.values())
    assert not set(REPLACED_CODES) & {404, 480, 486, 487 + 1, 503, 603}


@pytest.mark.parametrize(
    ("carried", "code", "cause"),
    [
        (NOTHING, 486, 17),
        (NOTHING, 404, 1),
        (NOTHING, 200, 16),
        (NOTHING, 499, 127),
        (NOTHING, None, None),
        (BUSY, 480, 17),
        (Carried((("Reason", "SIP;cause=200"), ("Reason", "q.850 ; cause=31"))), None, 31),
        (Carried((("Reason", "Q.850;location=LN;cause=21"),)), 500, 21),
        (Carried((("Reason", "Q.850;cause=0"),)), 486, 17),
        (Carried((("Reason", "Q.850;cause=1280"),)), 486, 17),
        (Carried((("Reason", 'Q.850;text=";cause=3;"'),)), 486, 17),
        (Carried((("X-Reason", "Q.850;cause=3"),)), 486, 17),
    ],
)
def test_the_cause_is_the_peers_or_that_of_the_code(carried: Carried, code: int | None, cause: int | None):
    assert q850_cause(carried, code) == cause


def test_every_cause_is_one():
    assert all(0 < cause < 128 for cause in Q850_CAUSES.values())


def test_a_carriers_challenge_is_not_handed_to_the_pbx_and_the_record_has_it():
    script = Script(Side.AGENT)
    script.opened()
    refused = script.leg(Side.CALLER, leg.LegFailed(407, "Proxy Authentication Required"))
    assert refused[0] == ToLeg(
        Side.AGENT, leg_command.RejectLeg(502, "", Carried((("Reason", "SIP;cause=407"),)))
    )
    script.closed()
    (record,) = script.records
    assert (record.caller_leg.code, record.caller_leg.cause) == (407, 21)
    assert (record.agent_leg.code, record.agent_leg.cause) == (502, 38)


def test_the_cause_of_a_hang_up_is_the_one_that_came_on_both_legs():
    script = Script().answer()
    script.leg(Side.AGENT, leg.LegHungUp("bye", Carried((("Reason", "Q.850;cause=31"),))))
    script.closed()
    (record,) = script.records
    assert (record.agent_leg.cause, record.caller_leg.cause) == (31, 31)
