"""The independent peers against each other, without Tonewall: what they see here they would see there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.wire.peers import aiortc_view, sipp, tshark
from tests.wire.peers.keypad import Handset

pytestmark = [
    pytest.mark.skipif(not sipp.available(), reason="sipp (Debian: sip-tester) is not here"),
    pytest.mark.skipif(not tshark.available(), reason="tshark is not here"),
]
CALLS = 5


def _folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    return folder


async def test_sipp_keys_a_number_of_its_own_in_every_call_when_the_test_says_so(tmp_path: Path) -> None:
    carrier_files, pbx_files = _folder(tmp_path, "carrier"), _folder(tmp_path, "pbx")
    numbers = [f"11{call:02d}33*#" for call in range(CALLS)]
    handsets = [Handset(ssrc=100 + call) for call in range(CALLS)]
    hello = sipp.play(carrier_files, *[handset.speak(300) for handset in handsets], name="hello")
    card = sipp.play(
        carrier_files, *[h.press(n, gap_ms=60) for h, n in zip(handsets, numbers, strict=True)], name="card"
    )
    pays = sipp.scenario("carrier", carrier_files, [hello, sipp.Go("KEY"), card, sipp.Go("LEAVE")], sipp.HANG_UP)
    speech = sipp.play(pbx_files, Handset(ssrc=7).speak(600), wait=False)
    answers = sipp.scenario("pbx", pbx_files, [speech], sipp.AWAIT_BYE)

    pbx = await sipp.Sipp.start(answers, pbx_files, calls=CALLS)
    carrier = await sipp.Sipp.start(pays, carrier_files, remote=(pbx.address, pbx.port), calls=CALLS)
    ports = [pbx.rtp_port(call) for call in range(1, CALLS + 1)]
    try:
        capture = await tshark.Capture.start(tmp_path / "lo.pcap", f"udp portrange {ports[0]}-{ports[-1]}")
        try:
            await carrier.go("KEY")
            await carrier.go("LEAVE")
            await carrier.finished()
            await pbx.finished()
        finally:
            file = await capture.stop()
    finally:
        await carrier.stop()
        await pbx.stop()

    counts = await tshark.count(file, ports)
    assert [counts.events[port] for port in ports] == [10 * len(number) for number in numbers]
    for call, port in enumerate(ports):
        heard = aiortc_view.towards(file, port)
        assert heard.keys() == numbers[call]
        assert heard.events() == counts.events[port]
        assert heard.ssrcs == [100 + call]
        assert heard.continuity() == aiortc_view.Continuity(missing=0, again=2 * len(numbers[call]), late=0)
