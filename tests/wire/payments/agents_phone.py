"""An agent's telephone that keys feature codes, and what comes of them."""

from __future__ import annotations

from typing import Any

from aiortc.rtp import RtpPacket

from tests.stack import Stack, until
from tests.wire.handmade import EVENT_TYPE, Customer, MediaPair
from tests.wire.scene import Scene

ORDER = {"transaction_id": "order-1", "amount": 4995, "currency": "EUR"}


class AgentsPhone(Customer):
    """A telephone behind the PBX, with an SSRC of its own."""

    ssrc = 0

    def _packet(self, kind: int, payload: bytes, clock: int, marker: int = 0) -> RtpPacket:
        packet = super()._packet(kind, payload, clock, marker)
        packet.ssrc = self.ssrc
        return packet


async def agents_phone(at: Scene, pair: MediaPair | None = None) -> AgentsPhone:
    """The agent's telephone, which sends to where its packets come from."""
    phone = AgentsPhone(at.pbx, obeys=False)
    phone.media = pair or at.old
    phone.ssrc = phone.media.port

    async def heard() -> bool:
        await at.customer.play([at.customer.speech()])
        return bool(phone.media.rtp.heard)

    await until(heard, "speech at the agent's phone")
    phone.far = phone.media.rtp.heard[0][1]
    return phone


def events_heard(at: Scene) -> int:
    """Events at the customer's telephone: packets of four octets behind the header."""
    return sum(len(data) == 16 and data[1] & 0x7F == EVENT_TYPE for data, _ in at.customer.media.rtp.heard)


async def key(phone: Customer, keys: str) -> None:
    for each in keys:
        await phone.play(phone.press(each))


async def told(at: Scene, count: int) -> dict[str, Any]:
    """What became of the code of this number."""

    async def there() -> dict[str, Any] | None:
        code = (await at.stack.call(at.call_id))["feature_code"]
        return code if code and code["count"] >= count else None

    return await until(there, f"code {count} to be carried out")


async def claimed(at: Scene, order: dict[str, Any] | None = None) -> dict[str, Any]:
    answer = await at.stack.api.post("/v1/claims", json={"order": order})
    assert answer.status_code == 201, answer.text
    return answer.json()


def nothing_told(stack: Stack, *codes: str) -> None:
    """No code is in a log, a record or the feed."""
    for text in (stack.log.read_text(), str(stack.records())):
        for code in codes:
            assert code not in text
