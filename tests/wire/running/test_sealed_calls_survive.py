"""kill -9 of media under calls with SRTP, in talk and while the customer keys: both ends can open
all that comes, and no index comes twice. What the recovery page cannot say is the worst: a call in
clear comes back masked, and one with SRTP ends."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

import pytest

from media.kept_streams import SLOT_OCTETS
from tests.complaints import expect_error
from tests.stack import PATIENCE, until
from tests.wire.audited import AuditLog
from tests.wire.sealed_call import SealedCall, sealed_call


async def kill_media(at: SealedCall) -> None:
    """Once there is a spare; until it relays."""
    [spare] = await until(lambda: at.stack.pids()["media spare"], "a spare")
    at.stack.kill("media")
    await until(lambda: at.stack.pids()["media"] == [spare], "the spare to go on")


@pytest.mark.parametrize("sealed", [("customer",), ("customer", "agent")], ids=" and ".join)
async def test_a_sealed_call_goes_on_and_is_paid_over_two_deaths_of_media(
    tmp_path: Path, sealed: tuple[str, ...]
) -> None:
    async with sealed_call(tmp_path, sealed, general={"spare": "yes"}) as at:
        await at.talk(60)  # sequence numbers have wrapped
        await at.pay_over_two_deaths(partial(kill_media, at))
        await at.hang_up()
        [record] = await until(at.stack.records, "the record of the call")
        assert [each["stage"] for each in record["captures"]] == ["aborted", "finished"]
        assert at.agent.events() == 0
        for end in (at.customer, at.agent):
            came = [(each.ssrc, each.sequence_number) for each in end.opened()]
            assert len(came) == len(set(came)) > 80


def spoil(at: SealedCall) -> None:
    """Have nobody able to read what the recovery page has of the first streams: media is stopped
    first, which would read it otherwise."""
    [supervisor], [media] = at.stack.pids()["supervisor"], at.stack.pids()["media"]
    os.kill(media, signal.SIGSTOP)
    for each in Path(f"/proc/{supervisor}/fd").iterdir():
        if "memfd:tonewall-streams" in os.readlink(each):
            number = os.open(each, os.O_WRONLY)
            os.pwrite(number, os.urandom(4 * SLOT_OCTETS), 0)
            os.close(number)
            return
    raise AssertionError("the supervisor has no recovery page")


async def test_a_mask_that_only_media_could_know_of_comes_back_and_is_released(tmp_path: Path) -> None:
    log = AuditLog(tmp_path)
    async with sealed_call(tmp_path, general={"spare": "yes"}, audit=log.settings) as at:
        await at.talk()
        await until(lambda: at.stack.pids()["media spare"], "a spare")
        at.customer.hold("7", 400)
        await until(lambda: at.agent.events() > 3, "the beginning of a key, which no mask keeps back")
        spoil(at)
        await kill_media(at)

        async def held() -> bool:
            view = await at.stack.call(at.call_id)
            return view["masked"] and view["mask"] == "held" and view["capture"] is None

        await until(held, "the mask")
        before = at.agent.events()
        await until(lambda: not at.customer.presses, "the end of the key")
        await at.talk()
        assert at.agent.events() == before
        await at.stack.unmasked(at.call_id)  # released by who asks
        at.customer.press("1")
        await until(lambda: at.agent.events() > before, "a key that no mask keeps back")
        await at.hang_up()
        [mask] = await log.ended(at.call_id, 1)
        assert (mask["on_because"], mask["off_because"]) == ("recovered", "released")
        assert (mask["keys"], mask["passed"]) == (1, 0)


async def test_a_sealed_call_whose_indices_nobody_knows_ends(tmp_path: Path) -> None:
    async with sealed_call(tmp_path, ["agent"], general={"spare": "yes"}) as at:
        await at.talk()
        await until(lambda: at.stack.pids()["media spare"], "a spare")
        spoil(at)
        expect_error("command_failed", kind="ClaimSession")
        await kill_media(at)
        for end in (at.customer, at.agent):
            end.peer.reply(await end.peer.hear("BYE", PATIENCE), 200)
        [record] = await until(at.stack.records, "the record of the call")
        assert record["end"] == "media lost"
