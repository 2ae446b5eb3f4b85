"""A reload of trunks: one that comes takes calls at once, one that goes keeps those that it has."""

from __future__ import annotations

import contextlib
from pathlib import Path

from tests.stack import PATIENCE, until
from tests.wire.handmade import offer, trunk
from tests.wire.running.signalled import acknowledged, logged, reload, write
from tests.wire.scene import scene
from tests.wire.sip_peer import HOST, Call


async def test_trunks_come_go_and_move_while_a_call_of_theirs_is_up_and_pays(tmp_path: Path) -> None:
    with contextlib.ExitStack() as opened:
        second, moved = opened.enter_context(trunk()), opened.enter_context(trunk())
        async with scene(tmp_path, complaints=False) as at:
            stack = at.stack
            second.engine = moved.engine = (HOST, stack.sip_port)
            await stack.start_capture(at.call_id)
            new = {"host": HOST, "port": str(second.port), "registration": "yes", "user": "before"}
            write(stack, {"carrier two": new, "pbx": {"port": str(moved.port)}})
            assert await reload(stack) == (0, ["in force: [carrier two]", "in force: [pbx] port"])

            registered = await second.hear("REGISTER", PATIENCE)
            assert "before@" in registered.one("To")
            second.reply(registered, 200, Contact=f"{registered.one('Contact')};expires=600")

            # The new carrier takes a call at once, and it goes to where the PBX is now.
            second.send(second.request("INVITE", body=offer(4000)))
            invite = await moved.hear("INVITE", PATIENCE)
            moved.reply(invite, 200, body=offer(5000))
            answer = await second.hear("200", PATIENCE)
            near = Call.placed(answer)
            second.send(second.request("ACK", call=near))
            await moved.hear("ACK", PATIENCE)

            stack.without = ("carrier",)
            stack.extra.pop("carrier")
            write(stack, {})
            assert await reload(stack) == (0, ["in force: [carrier]"])
            names = {each["name"] for each in (await stack.api.get("/v1/trunks")).json()}
            assert names == {"two", "pbx"}
            at.carrier.send(at.carrier.request("INVITE", body=offer(4000), From=f"<sip:x@{HOST}>;tag=x"))
            refused = await at.carrier.hear("403", PATIENCE)
            at.carrier.send(acknowledged(at.carrier, refused))

            # Its call goes on, with the next b2bua, too: keys, audio, re-INVITE and BYE, from both
            # sides.
            [before] = stack.kill("b2bua")
            await stack.await_restart(before)
            await until(lambda: logged(stack, "calls_restored"), "the calls to be restored")
            registered = await second.hear("REGISTER", PATIENCE)
            second.reply(registered, 200, Contact=f"{registered.one('Contact')};expires=600")
            await at.customer.key("4")
            view = await stack.call(at.call_id)
            await until(lambda: at.old.rtp.heard, "audio at the agent")
            assert view["state"] == "up"
            assert {each["name"] for each in (await stack.api.get("/v1/trunks")).json()} == names
            at.carrier.send(
                at.carrier.request("INVITE", call=at.near, cseq=2, body=offer(at.customer.media.port))
            )
            await at.carrier.hear("200", PATIENCE)
            at.carrier.send(at.carrier.request("ACK", call=at.near, cseq=2))
            at.pbx.send(at.pbx.request("BYE", call=at.agent))
            await at.pbx.hear("200", PATIENCE)
            at.carrier.reply(await at.carrier.hear("BYE", PATIENCE), 200)

            write(stack, {"carrier two": {"user": "after"}})
            assert await reload(stack) == (0, ["in force: [carrier two] user"])
            left, registered = [await second.hear("REGISTER", PATIENCE) for _ in range(2)]
            assert ("before@" in left.one("To"), left.one("Expires")) == (True, "0")
            assert ("after@" in registered.one("To"), registered.one("Expires")) == (True, "3600")
            for each in (left, registered):
                second.reply(each, 200, Contact=f"{registered.one('Contact')};expires=600")
            second.send(second.request("BYE", call=near, cseq=2))
            moved.reply(await moved.hear("BYE", PATIENCE), 200)
            await second.hear("200", PATIENCE)
