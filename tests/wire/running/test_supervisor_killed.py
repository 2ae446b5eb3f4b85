"""kill -9 of the supervisor, twice, under a call with SRTP: it goes on, masked where it was, and is
paid. kill -9 of the keeper ends it, towards both peers."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

from tests.complaints import expect_error, permit_error
from tests.stack import PATIENCE, Stack, until
from tests.wire.running.gone import is_gone
from tests.wire.sealed_call import SealedCall, sealed_call


def everybody(stack: Stack) -> set[int]:
    return {pid for pids in stack.pids().values() for pid in pids}


async def kill_supervisor(at: SealedCall) -> None:
    """Until the next one's processes carry the call; nobody is left of the one before."""
    before, pids = everybody(at.stack), at.stack.pids()
    for event in ("media_lost", "bad_frame_from_media", "connection_lost"):
        permit_error(event)
    at.stack.kill("supervisor")
    await at.stack.await_restart(pids["b2bua"][0])
    assert everybody(at.stack) & before == {*pids["keeper"]}


async def test_a_sealed_call_goes_on_and_is_paid_over_two_deaths_of_the_supervisor(tmp_path: Path) -> None:
    async with sealed_call(tmp_path, ("customer", "agent")) as at:
        await at.talk(60)  # sequence numbers have wrapped
        await at.pay_over_two_deaths(partial(kill_supervisor, at))
        assert at.agent.events() == 0
        for end in (at.customer, at.agent):
            came = [(each.ssrc, each.sequence_number) for each in end.opened()]
            assert len(came) == len(set(came)) > 80
        assert [charge["charges"] for charge in await at.stack.charges()] == [1]

        left = everybody(at.stack)
        [keeper] = at.stack.pids()["keeper"]
        expect_error("keeper_lost")
        os.kill(keeper, signal.SIGKILL)
        for end in (at.customer, at.agent):
            end.peer.reply(await end.peer.hear("BYE", PATIENCE), 200)
        await until(lambda: all(map(is_gone, left)), "all processes to end")
        [record] = at.stack.records()
        assert [each["stage"] for each in record["captures"]] == ["aborted", "finished"]
        assert record["end"] == "shut down"
