"""The sans-IO machines of the SIP engine written out, and read back: transactions, dialogs, what waits for its ACK or PRACK,
session timers. Credentials are not among them: they stand in sip.conf.
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

Machine = Transaction | Dialog | Forks | ReliableAnswer | SessionTimer | Heard
KINDS = Kinds(
    (
        compose, dialog, hop, invite_client, invite_server, non_invite_client, non_invite_server, provisional,
        reliable_answer, session_timer, transaction,
    )
)  # fmt: skip


def written(machines: list[Machine], now: float) -> bytes:
    """`now`: on the monotonic clock."""
    return write(machines, KINDS, now)


def read_back(data: bytes, now: float) -> list[Machine]:
    """The machines, in their order. Raises WrittenError."""
    found = read(data, KINDS, now)
    if not isinstance(found, list) or not all(isinstance(each, Machine) for each in found):
        raise WrittenError("these are no machines")
    return found
