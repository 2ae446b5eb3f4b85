"""However a payment ends, a customer who keys on is not heard by the agent until somebody says that
keying is over.

The customer keys the card number on in groups, 1.6 s apart, which is longer than `guard_time`.
Unless a test says so, nothing opens by itself before it is over.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiortc.rtp import RtpPacket

from tests.canary import CANARY, Card
from tests.stack import until
from tests.wire.handmade import EVENT_TYPE, offer
from tests.wire.paying import complaints
from tests.wire.peers import pcap
from tests.wire.scene import Scene, events, scene

CASE = Path(__file__).parents[2] / "fixtures" / "rtp" / "leak-abort-then-keys-on.pcap"
GROUP_PAUSE = 1.6  # seconds
GENERAL = {"guard_time": "1", "release_time": "60"}
DECLINED, FAILED, UNKNOWN = "4000000000000002", "4000000000010043", "4000000000010050"


def a_card(number: str) -> Card:
    return Card(number=number, expiry=CANARY.expiry, code=CANARY.code)


async def mask(at: Scene) -> dict[str, Any]:
    return await at.stack.call(at.call_id)


async def capture(at: Scene, method: str, path: str = "") -> int:
    answer = await at.stack.api.request(method, f"/v1/calls/{at.call_id}/capture{path}")
    return answer.status_code


async def release(at: Scene) -> tuple[int, dict[str, Any]]:
    answer = await at.stack.api.post(f"/v1/calls/{at.call_id}/mask/release")
    return answer.status_code, answer.json()


async def keyed(at: Scene, keys: str = CANARY.keys[:5]) -> None:
    await at.stack.start_capture(at.call_id)
    await at.customer.key(keys)


async def submitted(at: Scene, number: str) -> None:
    await keyed(at, a_card(number).keys)
    await at.stack.stage(at.call_id, "ready")
    assert await capture(at, "POST", "/submit") == 200


# --- the ends -------------------------------------------------------------------------------------


async def cancelled(at: Scene) -> None:
    await keyed(at)
    assert await capture(at, "DELETE") == 200


async def cancelled_at_once(at: Scene) -> None:
    order = {"transaction_id": "order-1", "amount": 4995, "currency": "EUR"}
    assert (await at.stack.api.post(f"/v1/calls/{at.call_id}/capture", json=order)).status_code == 201
    assert await capture(at, "DELETE") == 200


async def declined(at: Scene) -> None:
    await submitted(at, DECLINED)
    assert (await at.stack.stage(at.call_id, "finished"))["outcome"]["type"] == "declined"


async def failed(at: Scene) -> None:
    await submitted(at, FAILED)
    assert (await at.stack.stage(at.call_id, "finished"))["outcome"]["type"] == "failed"


async def unknown(at: Scene) -> None:
    os.kill(at.stack.provider_pid, signal.SIGSTOP)
    try:
        await submitted(at, CANARY.number)
        assert (await at.stack.stage(at.call_id, "finished"))["outcome"]["type"] in ("unknown", "failed")
    finally:
        os.kill(at.stack.provider_pid, signal.SIGCONT)


async def aborted(at: Scene) -> None:
    await at.stack.stage(at.call_id, "aborted")


async def no_key_for_too_long(at: Scene) -> None:
    await keyed(at)
    await aborted(at)


async def not_submitted_in_time(at: Scene) -> None:
    await keyed(at, CANARY.keys)
    await aborted(at)


async def key_lost(at: Scene) -> None:
    """Nine events in one packet: more than anybody could tell apart."""
    await keyed(at)
    packet = at.customer.press("4")[-1]
    packet.payload = packet.payload * 9
    await at.customer.play([packet])
    await aborted(at)


async def renegotiated(at: Scene, who: str, change: Callable[[str], str]) -> None:
    await keyed(at)
    ours = {"agent": offer(at.old.port, "old"), "customer": offer(at.customer.media.port)}
    ends = {"agent": (at.pbx, at.agent), "customer": (at.carrier, at.near)}
    (asker, call), rest = ends[who], "customer" if who == "agent" else "agent"
    other = ends[rest][0]
    asker.send(asker.request("INVITE", call=call, cseq=2, body=change(ours[who])))
    asked = await other.hear("INVITE")
    other.reply(asked, 200, body=change(ours[rest]))
    await other.hear("ACK")
    await asker.hear("200")
    asker.send(asker.request("ACK", call=call, cseq=2))
    await aborted(at)


def without_events(body: str) -> str:
    return re.sub(r"a=(rtpmap|fmtp):101.*\r\n", "", body).replace("RTP/AVP 0 101", "RTP/AVP 0")


async def customer_without_events(at: Scene) -> None:
    await renegotiated(at, "customer", without_events)


async def cancelled_after_a_refused_field(at: Scene) -> None:
    """The customer keys what is no card number, and the agent gives up."""
    await keyed(at, "1234#")
    assert await capture(at, "DELETE") == 200


End = Callable[[Scene], Awaitable[None]]
ENDS: list[tuple[End, dict[str, str]]] = [
    (cancelled, {}),
    (cancelled_at_once, {}),
    (declined, {}),
    (failed, {}),
    (unknown, {}),
    (no_key_for_too_long, {"key_timeout": "1"}),
    (no_key_for_too_long, {"capture_timeout": "1.5"}),
    (not_submitted_in_time, {"ready_timeout": "0.5"}),
    (key_lost, {}),
    (customer_without_events, {}),
    (cancelled_after_a_refused_field, {}),
]


@pytest.mark.parametrize(
    ("end", "media"), ENDS, ids=[f"{end.__name__} {media or ''}".strip() for end, media in ENDS]
)
async def test_a_customer_who_keys_on_in_groups_is_not_heard_until_released(
    tmp_path: Path, end: End, media: dict[str, str]
) -> None:
    async with scene(tmp_path, media=media, general=GENERAL, complaints=False) as at:
        await end(at)
        assert (await mask(at))["mask"] == "held"
        await groups(at)
        code, problem = await release(at)
        assert (code, "still keying" in problem["detail"]) == (409, True)
        assert (await mask(at))["masked"]
        assert events(at.old) == 0
        await released(at)
        assert [
            line for line in complaints(at.stack) if "provider" not in line and "charge" not in line
        ] == []
        if end is not customer_without_events:
            await heard_again(at)


async def groups(at: Scene) -> None:
    """The card number in groups; each is reported, and nothing of any reaches the agent."""
    for start in range(0, 16, 4):
        await at.customer.key(CANARY.number[start : start + 4])

        async def is_reported() -> bool:
            return bool((await mask(at))["still_keying"])

        await until(is_reported, "that the customer is still keying")
        assert events(at.old) == 0
        quiet = at.customer.speech
        await at.customer.play([quiet() for _ in range(int(GROUP_PAUSE / 0.02) if start < 12 else 1)])


async def released(at: Scene) -> None:
    """The customer has stopped; somebody says so, and the mask goes off."""

    async def taken() -> bool:
        return (await release(at))[0] == 200

    await until(taken, "the release to be taken")

    async def is_off() -> bool:
        return (await mask(at))["mask"] == "off"

    await until(is_off, "the mask to go off")


async def heard_again(at: Scene) -> None:
    await at.customer.key("5")
    await until(lambda: events(at.old) > 0, "a key outside of a payment at the agent's phone")


async def test_the_mask_goes_off_by_itself_after_the_release_time_without_a_key(tmp_path: Path) -> None:
    async with scene(tmp_path, general={"guard_time": "0.3", "release_time": "3"}) as at:
        await cancelled(at)
        for _ in range(3):
            await at.customer.play([at.customer.speech() for _ in range(100)])
            await at.customer.key("7")  # each begins the wait anew
            assert (await mask(at))["mask"] == "held"

        async def is_off() -> bool:
            return not (await mask(at))["masked"]

        await until(is_off, "the mask to go off")
        assert events(at.old) == 0
        await heard_again(at)
        await at.end(at.agent)


async def test_a_key_after_the_release_takes_it_back(tmp_path: Path) -> None:
    async with scene(tmp_path, general={"guard_time": "3", "release_time": "60"}) as at:
        await cancelled_at_once(at)
        assert (await release(at))[0] == 200
        assert (await mask(at))["mask"] == "releasing"
        await at.customer.key("7")

        async def held() -> bool:
            view = await mask(at)
            return view["mask"] == "held" and view["still_keying"]

        await until(held, "that the mask is held again")
        assert events(at.old) == 0
        await at.end(at.agent)


async def test_another_payment_goes_on_under_the_mask_of_one_that_was_declined(tmp_path: Path) -> None:
    async with scene(tmp_path, general=GENERAL) as at:
        await declined(at)
        await at.customer.key("7")
        await at.stack.start_capture(at.call_id, transaction="order-2")
        await at.customer.key(CANARY.keys)
        await at.stack.stage(at.call_id, "ready")
        assert (await at.stack.submit(at.call_id))["type"] == "approved"
        assert events(at.old) == 0

        async def is_off() -> bool:
            return (await mask(at))["mask"] == "off"

        await until(is_off, "the mask to go off by itself")
        await heard_again(at)
        await at.end(at.agent)


def in_alaw(port: int, who: str = "customer") -> str:
    return offer(port, who, codec="8 PCMA/8000")


async def test_a_press_that_may_be_two_ends_the_capture_and_nothing_of_what_follows_is_heard(
    tmp_path: Path,
) -> None:
    packets = pcap.read(CASE)
    async with scene(tmp_path, in_alaw, general=GENERAL) as at:
        await at.stack.start_capture(at.call_id)
        loop = asyncio.get_running_loop()
        begin, first = loop.time(), packets[0].time
        for packet in packets:
            await asyncio.sleep(max(0.0, begin + packet.time - first - loop.time()))
            at.customer.media.rtp.send(packet.payload, at.customer.far)
        assert sum(RtpPacket.parse(packet.payload).payload_type == EVENT_TYPE for packet in packets) == 168
        view = await mask(at)
        assert (view["capture"]["stage"], view["mask"], view["still_keying"]) == ("aborted", "held", True)
        assert events(at.old) == 0
        await released(at)
        assert events(at.old) == 0
        await at.end(at.agent)
