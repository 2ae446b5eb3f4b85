"""kill -9 of media: the spare goes on."""

from __future__ import annotations

from tests.complaints import permit_error
from tests.stack import until
from tests.wire.conftest import Peers
from tests.wire.line import line

# Approved by the local provider; 15 digits need no end.
NUMBER, REST = "378282246310005", "11397391"


async def test_the_spare_goes_on_and_calls_are_paid_with_it(peers: Peers) -> None:
    async with line(peers, extra={"general": {"spare": "yes"}}) as wire:
        [spare] = await until(lambda: wire.stack.pids()["media spare"], "a spare")
        wire.stack.kill("media")
        permit_error("connection_refused")
        await until(lambda: wire.stack.pids()["media"] == [spare], "the spare to go on")
        [another] = await until(lambda: wire.stack.pids()["media spare"], "another spare")
        assert another != spare
        await wire.stack.await_ready()
        call_id = await wire.dial()
        await wire.keyed(call_id, NUMBER + REST)
        assert (await wire.stack.submit(call_id))["type"] == "approved"
        wire.stack.kill("media spare")
        await until(lambda: wire.stack.pids()["media spare"] not in ([], [another]), "a third")
        assert (await wire.agent.stats())["dtmf"] == 0
        await wire.hang_up()
