"""The edge of deploy/edge: its own files, with addresses and ports of this machine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tests.wire.peers.kamailio import Kamailio

FILES = Path(__file__).parents[3] / "deploy" / "edge"
EDGE, CARRIER, PBX = "127.0.0.6", "127.0.0.4", "127.0.0.5"


async def start_edge(
    directory: Path, carrier_side: int, pbx_side: int, sets: dict[int, Sequence[tuple[str, int]]]
) -> Kamailio:
    """`carrier_side`, `pbx_side`: ports of the edge, which is at EDGE; `sets`: of
    dispatcher.list."""
    listed = directory / "dispatcher.list"
    flags = dict(re.findall(r"(?m)^(\d) sip:\S+ ?(\d*)$", (FILES / "dispatcher.list").read_text()))
    listed.write_text(
        "".join(
            f"{number} sip:{host}:{port} {flags[str(number)]}\n"
            for number, each in sets.items()
            for host, port in each
        )
    )
    text = (FILES / "kamailio.cfg").read_text()
    for own, here in (
        ("192.0.2.30:5060", f"{EDGE}:{carrier_side}"),
        ("192.0.2.30:5080", f"{EDGE}:{pbx_side}"),
        ("192.0.2.30", EDGE),
        ("$Rp == 5080", f"$Rp == {pbx_side}"),
        ("/etc/kamailio/dispatcher.list", str(listed)),
        ("log_stderror=no", "log_stderror=yes"),
        # Instances that share a busy machine with other tests are slow, and not dead.
        ('"fr_timer", 2000', '"fr_timer", 5000'),
    ):
        assert own in text
        text = text.replace(own, here)
    return await Kamailio.start(directory, 0, 0, carrier_side, text=text)
