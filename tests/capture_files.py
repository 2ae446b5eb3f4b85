"""What tshark reads in a capture file, and the ladder that tests write into one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

VIEW = Path(__file__).parent / "fixtures" / "ladder.json"
needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")


def fields(file: Path, *names: str, heuristics: bool = False, only: str = "") -> list[list[str]]:
    """What tshark reads of each packet. `heuristics`: RTP is known by its looks; `only`: a
    filter."""
    asked = [part for name in names for part in ("-e", name)]
    command = ["tshark", "-r", str(file), "-n", "-T", "fields", "-E", "occurrence=a", *asked]
    if heuristics:
        command += ["--enable-heuristic", "rtp_udp", "--enable-heuristic", "rtcp_udp"]
    command += ["-Y", only] if only else []
    done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=60)
    return [line.split("\t") for line in done.stdout.splitlines()]
