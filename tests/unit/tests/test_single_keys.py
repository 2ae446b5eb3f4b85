"""The search for keys that lie one by one finds them by each order, in a process that is made to
hold them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.canary import CANARY
from tests.single_keys import find_orders

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may read the memory of others")

_HEAD = (
    "import random, sys; number = sys.stdin.readline().strip(); places = list(enumerate(number)); "
    "random.shuffle(places)\n"
)
_TAIL = "\ndel number, places\nprint(flush=True); sys.stdin.readline()"
HOLDERS = {
    "CSeq": """
kept = [f"INFO sip:a SIP/2.0\\r\\nCSeq: {900 + place} INFO\\r\\n\\r\\nSignal={key}\\r\\n".encode() for place, key in places]""",  # noqa: E501
    "place in memory": """
kept = bytearray(b"".join(f"Signal={key}\\r\\nDuration=160\\r\\n\\r\\n".encode() for key in number))""",
    "list": """
kept = [int(key) for key in number]""",
    "integer in the same object": """
class Request:
    __slots__ = ("body", "cseq")
    def __init__(self, body, cseq): self.body, self.cseq = body, cseq
kept = [Request(key.encode(), 70_000 + place) for place, key in places]""",
}


def _orders(holder: str) -> tuple[list[str], int]:
    with subprocess.Popen(
        [sys.executable, "-c", _HEAD + holder + _TAIL],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(f"{CANARY.number}\n")
        child.stdin.flush()
        child.stdout.readline()
        found = find_orders(child.pid)
        child.kill()
    return found


@pytest.mark.parametrize("order", HOLDERS)
def test_keys_that_lie_one_by_one_are_found_by_what_orders_them(order: str) -> None:
    orders, _ = _orders(HOLDERS[order])
    assert order in orders


def test_a_process_that_holds_none_is_clean() -> None:
    assert _orders("kept = None") == ([], 0)
