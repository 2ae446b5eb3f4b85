"""A session of media with its two phones, as a test of what outlives media plays them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from media.events import (
    ClaimedLeg,
    ClaimSession,
    Done,
    OpenSession,
    SessionId,
    SessionOpened,
    SetRemote,
    Side,
)
from media.stream_description import LocalStream, RemoteStream, StreamKeys
from tests.stack import until
from tests.unit.media.core.relay_rig import EVENTS, Phone, everything, rtp
from tests.unit.media.core.sealed import Sealed
from tests.unit.media.service.b2bua import B2bua

S = SessionId("s")


class Session:
    """One session, its two phones, and what b2bua knows of it. `sealed`: the SRTP of each side that
    has it. `sent`: the newest sequence number that either side has sent, counted on over 65,535."""

    def __init__(
        self, name: SessionId, locals_of: Mapping[Side, LocalStream], sealed: Mapping[Side, Sealed]
    ) -> None:
        self.name, self.sealed = name, sealed
        self.phones = {side: Phone(local.port, local.port + 1) for side, local in locals_of.items()}
        self.sent = 0
        # All that a side got, as it came.
        self.came: dict[Side, list[bytes]] = {side: [] for side in Side}

    def remote(self, side: Side) -> RemoteStream:
        """Where this side's peer is, and what it speaks."""
        phone, sealed = self.phones[side], self.sealed.get(side)
        (host, port), (_, rtcp_port) = phone.rtp.getsockname(), phone.rtcp.getsockname()
        return RemoteStream(
            address=host,
            port=port,
            rtcp_address=host,
            rtcp_port=rtcp_port,
            event_types=(EVENTS,),
            mu_types=(0,),
            keys=sealed and StreamKeys(suite=sealed.suite, peer=sealed.own, ours=sealed.ours),
        )

    def claim(self, **more: object) -> ClaimSession:
        """The command by which b2bua goes on with it."""
        legs = {side.value: ClaimedLeg(streams=(self.remote(side),)) for side in Side}
        return ClaimSession(serial=9, session=self.name, streams=1, **legs, **more)  # type: ignore[arg-type]

    def send(self, side: Side, packet: bytes) -> None:
        """Have this side's phone send it, sealed where it has SRTP."""
        sealed = self.sealed.get(side)
        self.phones[side].send(packet if sealed is None else sealed.tx.protect(packet))

    def hear(self, side: Side) -> list[bytes]:
        """What has come to this side's phone since the last time, opened. Raises pylibsrtp.Error
        for what cannot be opened, and for an index that came before (RFC 3711 section 3.3.2)."""
        found = everything(self.phones[side].rtp)
        self.came[side] += found
        sealed = self.sealed.get(side)
        return found if sealed is None else [sealed.rx.unprotect(each) for each in found]

    async def flows(self, from_side: Side, *, numbered: bool = True) -> None:
        """Until what this side sends comes out at the other, in the numbers that it has; not
        `numbered`: in any, and later, as under a mask."""
        other, sent = other_side(from_side), set()
        self.hear(other)

        def came() -> bool:
            self.sent += 1
            sent.add(rtp(self.sent)[: 4 if numbered else 2])
            self.send(from_side, rtp(self.sent))
            return any(each[:4] in sent or each[:2] in sent for each in self.hear(other))

        await until(came, f"audio of the {from_side} at the other side")

    def indices(self, side: Side) -> list[tuple[bytes, bytes]]:
        """SSRC and sequence number of each packet that came to this side."""
        return [(each[8:12], each[2:4]) for each in self.came[side]]

    def close(self) -> None:
        """Close the phones."""
        for phone in self.phones.values():
            phone.close()


def other_side(side: Side) -> Side:
    """The other one."""
    return Side.AGENT if side is Side.CALLER else Side.CALLER


@asynccontextmanager
async def opened(
    b2bua: B2bua, name: SessionId = S, sealed: Mapping[Side, Sealed] | None = None
) -> AsyncIterator[Session]:
    """A session in media whose sides know each other."""
    answer = await b2bua.ask(OpenSession(serial=1, session=name, streams=1))
    assert isinstance(answer, SessionOpened)
    session = Session(name, {Side.CALLER: answer.caller[0], Side.AGENT: answer.agent[0]}, sealed or {})
    try:
        for side in Side:
            remote = SetRemote(serial=2, session=name, side=side, streams=(session.remote(side),), mark=1)
            assert isinstance(await b2bua.ask(remote), Done)
        yield session
    finally:
        session.close()
