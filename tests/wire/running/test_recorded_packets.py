"""`tonewall capture --rtp` beside real calls: a card that is keyed in every way is in no file, and
a file can be read whatever ends the command."""

from __future__ import annotations

import asyncio
import signal
import struct
import sys
from collections import Counter
from pathlib import Path

import pytest

from b2bua.ladder.pcapng import PACKET as PACKET_BLOCK
from b2bua.ladder.pcapng import WholeBlocks
from tests.canary import CANARY, find_in_text
from tests.capture_files import fields
from tests.complaints import permit_error
from tests.leak.codec import PACKET, encoded
from tests.leak.presses import dual_tone
from tests.stack import until
from tests.wire.audited import AuditLog
from tests.wire.handmade import EVENT_TYPE
from tests.wire.peers import tshark
from tests.wire.scene import Scene, scene

pytestmark = pytest.mark.skipif(not tshark.available(), reason="tshark is not here")
_MASKED_TYPE = "127"


class Recorder:
    """The command, following a call into a file."""

    def __init__(self, at: Scene, file: Path, *more: str) -> None:
        self.file, self._conf, self._call, self._more = file, at.stack.conf, at.call_id, more
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> Recorder:
        """Again where the one before has not quite ended."""

        async def runs() -> bool:
            if self.process is None or self.process.returncode is not None:
                self.process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "b2bua.cli", "capture", self._call, "-o", str(self.file), "--rtp",
                    "-c", str(self._conf), *self._more, stderr=asyncio.subprocess.PIPE,
                )  # fmt: skip
            return self.file.exists() and bool(self.file.read_bytes())

        await until(runs, "the first blocks")
        return self

    async def ended(self) -> tuple[int, str]:
        """Its status, and what it printed."""
        assert self.process is not None
        _, printed = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, printed.decode()

    async def holds(self, packets: int) -> None:
        """Until so many packets are in the file."""

        def enough() -> bool:
            octets, at, found = self.file.read_bytes(), 0, 0
            while at < len(octets):
                kind, size = struct.unpack_from("<II", octets, at)
                found += kind == PACKET_BLOCK and b"SIP/2.0" not in octets[at : at + size]
                at += size
            return found >= packets

        await until(enough, "packets in the file")

    def whole(self) -> str:
        """The file, which is whole blocks, readable for its owner alone, and without the card."""
        octets = self.file.read_bytes()
        assert WholeBlocks().feed(octets) == octets
        assert self.file.stat().st_mode & 0o077 == 0
        text = octets.decode("latin-1")
        assert find_in_text(text) == []
        return text


async def tones(at: Scene, keys: str) -> None:
    """The customer's line carries these keys as sound."""
    for key in keys:
        for payload in encoded(dual_tone(key, PACKET * 4, (-10.0, -10.0)), 0):
            await at.customer.play([at.customer.speech(payload)])


def rtp_of(file: Path) -> list[list[str]]:
    """Of each RTP packet: its time, payload type, UDP length, source port and destination port."""
    rows = fields(
        file, "frame.time_epoch", "rtp.p_type", "udp.length", "udp.srcport", "udp.dstport", "frame.comment",
        heuristics=True, only="rtp",
    )  # fmt: skip
    assert rows
    return rows


async def test_a_card_is_in_no_recording_however_it_is_keyed(tmp_path: Path) -> None:
    log = AuditLog(tmp_path)
    async with scene(tmp_path, info_digits="yes", more={"audit": log.settings}) as at:
        recorder = await Recorder(at, tmp_path / "call.pcapng").start()
        refused = Recorder(at, tmp_path / "second.pcapng")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "b2bua.cli", "capture", at.call_id, "-o", str(refused.file), "--rtp",
            "-c", str(at.stack.conf), stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, printed = await process.communicate()
        assert process.returncode == 2
        assert b"recorded already" in printed
        await at.customer.play([at.customer.speech() for _ in range(5)])
        await at.customer.key(CANARY.number[:4])  # nobody has pressed Protect
        await at.stack.start_capture(at.call_id)
        await at.customer.key(CANARY.number)
        await tones(at, CANARY.number)
        for cseq, digit in enumerate(CANARY.number[:6], 2):
            info = at.carrier.request(
                "INFO", call=at.near, cseq=cseq, body=f"Signal={digit}\r\nDuration=100\r\n",
                Content_Type="application/dtmf-relay",
            )  # fmt: skip
            at.carrier.send(info)
            await at.carrier.hear("200")
        at.carrier.send(at.carrier.request("BYE", call=at.near, cseq=9))
        await at.carrier.hear("200")
        at.pbx.reply(await at.pbx.hear("BYE"), 200)
        assert await recorder.ended() == (0, "")
    text = recorder.whole()
    assert "the call has ended" in text
    assert text.count(" INFO\r\n") >= 12  # of the CSeq, in requests and answers
    rows = rtp_of(recorder.file)
    kinds = Counter(row[1] for row in rows)
    assert kinds[str(EVENT_TYPE)] >= 4 * 6  # keyed before the mask, as they came and as they left
    assert {row[2] for row in rows if row[1] == str(EVENT_TYPE)} == {"20"}
    assert {row[2] for row in rows if row[1] == "0"} == {str(8 + 12 + PACKET)}
    masked = [row for row in rows if row[1] == _MASKED_TYPE]
    assert len(masked) > 16 * 6 + 16 * 4
    assert {row[2] for row in masked} == {"20"}
    assert all(float(row[0]).is_integer() and "were not recorded" in row[5] for row in masked)
    times = [float(row[0]) for row in rows]
    assert times == sorted(times)
    entries = [each for each in await log.entries() if each["what"] == "record_packets"]
    assert [each["result"] for each in entries] == ["asked", "asked", "refused", "done"]
    assert {each["call"] for each in entries} == {at.call_id}


async def test_a_recording_can_be_read_whatever_ends_it(tmp_path: Path) -> None:
    async with scene(tmp_path, media={"quiet_time": "1"}) as at:
        short = await Recorder(at, tmp_path / "short.pcapng", "--seconds", "1").start()
        assert await short.ended() == (0, "")
        assert "the time of the recording is over" in short.whole()
        for number in (signal.SIGINT, signal.SIGTERM):
            stopped = await Recorder(at, tmp_path / f"{number.name}.pcapng").start()
            await at.customer.play([at.customer.speech() for _ in range(3)])
            await stopped.holds(6)
            assert stopped.process is not None
            stopped.process.send_signal(number)
            assert await stopped.ended() == (0, "")
            assert "ended by whoever recorded it" in stopped.whole()
            assert len(rtp_of(stopped.file)) >= 6

        killed = await Recorder(at, tmp_path / "killed.pcapng").start()
        await at.customer.play([at.customer.speech() for _ in range(3)])
        await killed.holds(6)
        assert killed.process is not None
        killed.process.kill()
        assert (await killed.ended())[0] == -signal.SIGKILL
        killed.whole()
        # The next can begin: that one's reader is known to have gone.
        lost = await Recorder(at, tmp_path / "lost.pcapng").start()
        await at.customer.play([at.customer.speech() for _ in range(3)])
        await lost.holds(6)
        [before] = at.stack.kill("b2bua")
        status, printed = await lost.ended()
        assert status == 1
        assert "the connection was lost" in printed
        assert "was lost: the call may have gone on" in lost.whole()
        await at.stack.await_restart(before)


async def test_a_recording_goes_on_to_the_end_of_its_call_where_media_is_killed(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        recorder = await Recorder(at, tmp_path / "call.pcapng").start()
        await at.customer.play([at.customer.speech() for _ in range(3)])
        await at.stack.start_capture(at.call_id)
        await at.customer.key(CANARY.number)
        await recorder.holds(20)
        permit_error("command_failed")
        at.stack.kill("media")
        at.carrier.send(at.carrier.request("BYE", call=at.near, cseq=9))
        at.pbx.reply(await at.pbx.hear("BYE"), 200)
        assert await recorder.ended() == (0, "")
        assert "the call has ended" in recorder.whole()
