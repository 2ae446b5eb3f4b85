"""kill -9 of media under calls with SRTP, in talk and while the customer keys: both ends can open
all that comes, and no index comes twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stack import until
from tests.wire.sealed_call import SealedCall, sealed_call

# Approved by the local provider; 15 digits need no end.
KEYS = "378282246310005" + "11397391"


async def kill_media(at: SealedCall) -> None:
    """Once there is a spare; until it relays."""
    [spare] = await until(lambda: at.stack.pids()["media spare"], "a spare")
    at.stack.kill("media")
    await until(lambda: at.stack.pids()["media"] == [spare], "the spare to go on")


@pytest.mark.parametrize("sealed", [("customer",), ("customer", "agent")], ids=" and ".join)
async def test_a_sealed_call_goes_on_and_is_paid_over_two_deaths_of_media(
    tmp_path: Path, sealed: tuple[str, ...]
) -> None:
    async with sealed_call(tmp_path, sealed, {"spare": "yes"}) as at:
        await at.talk(60)  # sequence numbers have wrapped
        await kill_media(at)
        await at.talk()
        await at.stack.await_ready()  # payers are there again
        await at.stack.start_capture(at.call_id, transaction="first")
        at.customer.press(KEYS)

        async def counted() -> bool:
            fields = (await at.stack.call(at.call_id))["capture"]["fields"]
            return sum(field["count"] for field in fields) >= 4

        await until(counted, "4 keys to be counted")
        await kill_media(at)
        await at.stack.stage(at.call_id, "aborted")
        assert (await at.stack.call(at.call_id))["masked"]
        await until(lambda: not at.customer.presses, "the last key")
        await at.talk()
        await at.stack.await_ready()
        await at.keyed(KEYS, "second")
        assert (await at.stack.submit(at.call_id))["type"] == "approved"
        await at.stack.unmasked(at.call_id)
        await at.talk()
        await at.hang_up()
        [record] = await until(at.stack.records, "the record of the call")
        assert [each["stage"] for each in record["captures"]] == ["aborted", "finished"]
        assert at.agent.events() == 0
        for end in (at.customer, at.agent):
            came = [(each.ssrc, each.sequence_number) for each in end.opened()]
            assert len(came) == len(set(came)) > 80
