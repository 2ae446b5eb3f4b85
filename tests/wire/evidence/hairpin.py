"""A carrier that sends each call back in: its media goes from Tonewall to Tonewall."""

from __future__ import annotations

import asyncio

from tests.wire.sip_peer import HOST, Call, Heard, SipPeer


class HairpinCarrier:
    """One call at a time; descriptions cross as they are."""

    def __init__(self) -> None:
        self.peer = SipPeer()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def port(self) -> int:
        return self.peer.port

    def start(self, sip_port: int) -> None:
        self.peer.engine = (HOST, sip_port)
        self._tasks.append(asyncio.create_task(self._serve()))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.peer.close()

    async def _serve(self) -> None:
        while True:
            outbound = await self.peer.hear("INVITE", 600.0)
            user = outbound.uri.partition(":")[2].partition("@")[0]
            target = f"sip:{user}@{HOST}:{self.peer.engine[1]}"
            number = f"<sip:{user}@{HOST}>"
            invite = self.peer.request("INVITE", body=outbound.body, To=number)
            self.peer.send(invite.replace(invite.split(" ")[1], target, 1))
            answer = await self.peer.hear("200")
            inbound = Call.placed(answer)
            self.peer.send(self.peer.request("ACK", call=inbound))
            self.peer.reply(outbound, 200, body=answer.body)
            await self._until_bye(Call.taken(outbound), inbound)

    async def _until_bye(self, outbound: Call, inbound: Call) -> None:
        bye: Heard = await self.peer.hear("BYE", 600.0)
        self.peer.reply(bye, 200)
        other = inbound if bye.one("Call-ID") == outbound.call_id else outbound
        self.peer.send(self.peer.request("BYE", call=other, cseq=9))
