"""`python -m tests.benchmark.unkept run -c FILE`: Tonewall whose b2bua does not inherit the file of
calls, and keeps none."""

from __future__ import annotations

from collections.abc import Mapping

from b2bua.cli import app
from b2bua.supervise.held_sockets import HeldSockets
from b2bua.switchboard.call_slots import CALLS

_descriptors = HeldSockets.descriptors


def _without_calls(held: HeldSockets) -> Mapping[str, int]:
    return {name: number for name, number in _descriptors(held).items() if name != CALLS}


if __name__ == "__main__":
    HeldSockets.descriptors = _without_calls  # type: ignore[method-assign]
    app()  # not `main`: its keeper would start a Tonewall that keeps them
