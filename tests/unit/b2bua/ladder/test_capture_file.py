"""The capture file of a ladder: tshark reads it, and nothing is in it but what the ladder shows."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec

from b2bua.ladder.capture_file import write_capture
from b2bua.ladder.view import LadderView, MessageView
from tests.capture_files import VIEW, fields, needs_tshark


def view(**changes: object) -> LadderView:
    return msgspec.structs.replace(msgspec.json.decode(VIEW.read_bytes(), type=LadderView), **changes)


@needs_tshark
def test_tshark_reads_every_message(tmp_path: Path) -> None:
    file = tmp_path / "call.pcapng"
    whole = view()
    file.write_bytes(write_capture(whole))
    messages = [each for each in whole.entries if isinstance(each, MessageView)]
    rows = fields(
        file, "sip.Method", "sip.Status-Code", "sip.CSeq.method", "ip.src", "sdp.media", "frame.comment"
    )
    assert len(rows) == len(messages)
    for row, message in zip(rows, messages, strict=True):
        assert row[0] == ("" if message.code else message.method)
        assert row[1] == (str(message.code) if message.code else "")
        assert row[2] == message.method
        is_ours = row[3].startswith("192.0.2.")
        assert is_ours or message.direction == "received"
        assert bool(row[4]) == bool(message.sdp)
    said = " ".join(row[5] for row in rows)
    assert "mask on" in said
    assert "the call was masked" in said
    malformed = ["tshark", "-r", str(file), "-n", "-Y", "_ws.malformed || ip.checksum.status == 0"]
    done = subprocess.run(malformed, capture_output=True, check=True, text=True, timeout=60)
    assert done.stdout == ""


@needs_tshark
def test_ipv6_and_other_transports_are_read_too(tmp_path: Path) -> None:
    whole = view()
    entries = tuple(
        msgspec.structs.replace(each, peer="[2001:db8:9::1]:5061", transport="tls", method="other", code=None)
        for each in whole.entries
        if isinstance(each, MessageView)
    )
    file = tmp_path / "call.pcapng"
    file.write_bytes(write_capture(view(entries=entries)))
    rows = fields(file, "ipv6.src", "sip.Method", "frame.comment")
    assert {row[1] for row in rows} == {"X-OTHER"}
    assert all("by tls" in row[2] for row in rows)
    assert all(row[0].startswith("2001:db8:") for row in rows)


def test_numbers_are_left_out_and_an_empty_ladder_is_a_file() -> None:
    written = write_capture(view(caller="4111111111111111", callee="5555555555554444"))
    assert b"4111111111111111" not in written
    assert b"5555555555554444" not in written
    assert write_capture(view(entries=())).startswith(b"\n\r\r\n")
