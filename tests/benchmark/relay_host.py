"""A process that hosts the media core and nothing else.

Input, one line: the phones' ports, `[[caller, agent], ...]`. It opens a stream a call.
Output, one line: the relay's own ports, in the same order. It ends with its input.
"""

from __future__ import annotations

import json
import socket
import sys

from media._core import AGENT, CALLER, Relay
from tonewall.process import harden

from .machine import allow_many_files

_HOST = "127.0.0.1"


def main() -> None:
    allow_many_files()
    harden()
    relay = Relay()
    relay.start()
    calls: list[tuple[int, int]] = json.loads(sys.stdin.readline())
    print(json.dumps([open_call(relay, stream, *ports) for stream, ports in enumerate(calls)]), flush=True)
    sys.stdin.read()
    relay.stop()


def open_call(relay: Relay, stream: int, caller: int, agent: int) -> tuple[int, int]:
    """One stream between two phones; returns its two RTP ports, towards the caller and towards the agent."""
    towards_caller, towards_agent = bound_pair(), bound_pair()
    own = towards_caller[0].getsockname()[1], towards_agent[0].getsockname()[1]
    relay.open_stream(stream, *(each.detach() for each in (*towards_caller, *towards_agent)))
    relay.set_types(stream, bytes([101]), bytes([0]))
    for leg, port in ((CALLER, caller), (AGENT, agent)):
        relay.set_peer(stream, leg, _HOST, port, _HOST, port + 1, latch=False)
    return own


def bound_pair() -> tuple[socket.socket, socket.socket]:
    """Two UDP sockets on neighbouring ports, RTP and RTCP, wherever the kernel has both free."""
    while True:
        rtp, rtcp = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        rtp.bind((_HOST, 0))
        try:
            rtcp.bind((_HOST, rtp.getsockname()[1] + 1))
        except (OSError, OverflowError):
            rtp.close()
            rtcp.close()
            continue
        return rtp, rtcp


if __name__ == "__main__":
    main()
