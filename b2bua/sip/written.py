"""The sans-IO machines of the SIP engine written out, and read back: transactions, dialogs, what waits for its ACK or PRACK,
session timers.

Rule 1: a request that may hold a key, INFO or MESSAGE, is not written: its transaction ends with the process.
Rule 2: passwords stand in sip.conf and are not written. A request that is to be sent again is, with its answer to a challenge.
"""

from __future__ import annotations

from b2bua.sip import (
    compose,
    dialog,
    hop,
    invite_client,
    invite_server,
    non_invite_client,
    non_invite_server,
    provisional,
    reliable_answer,
    session_timer,
    transaction,
)
from b2bua.sip.dialog import Dialog, Forks
from b2bua.sip.provisional import Heard
from b2bua.sip.reliable_answer import ReliableAnswer
from b2bua.sip.session_timer import SessionTimer
from b2bua.sip.transaction import Transaction
from tonewall.written import Kinds, WrittenError, read, write

_KEYS = (b"INFO ", b"MESSAGE ")
Machine = Transaction | Dialog | Forks | ReliableAnswer | SessionTimer | Heard
KINDS = Kinds(
    (
        compose, dialog, hop, invite_client, invite_server, non_invite_client, non_invite_server, provisional,
        reliable_answer, session_timer, transaction,
    )
)  # fmt: skip


def written(machines: list[Machine], now: float) -> bytes:
    """`now`: on the monotonic clock. Raises WrittenError for a request that may hold a key."""
    if any(isinstance(each, Transaction) and each.again.startswith(_KEYS) for each in machines):
        raise WrittenError("a request that may hold a key is not written out")
    return write(machines, KINDS, now)


def read_back(data: bytes, now: float) -> list[Machine]:
    """The machines, in their order. Raises WrittenError."""
    found = read(data, KINDS, now)
    if not isinstance(found, list) or not all(isinstance(each, Machine) for each in found):
        raise WrittenError("these are no machines")
    return found
