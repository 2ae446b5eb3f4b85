"""Draws docs/states.md from the transition tables in the code: `python -m tests.architecture.states
[--check]`.

The tables are the source: what is drawn here cannot disagree with what runs.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from b2bua.call import renegotiation_states, unattended_states
from b2bua.call import state as call
from b2bua.call.transfer import leg_loan as loan
from b2bua.call.transfer import states as transfer_state
from b2bua.sip.leg import dialog, leg_state, referral, reinvite, reliable_answer, session_timer
from b2bua.sip.transaction import invite_client, invite_server, non_invite_client, non_invite_server
from b2bua.sip.trunk import health, registration
from b2bua.switchboard import draining
from media.capture import keying, transitions
from tests import endings
from tests.architecture.generated import write_or_check

PAGE = Path(__file__).parents[2] / "docs" / "states.md"
_EVENTS_A_ROW = 8
_HEAD = """# State machines

This page draws every state machine of Tonewall. It is generated from the tables in the code by
`make docs`; `make check` fails when it is stale.

An event without a row for a state is illegal there and changes nothing: it raises, or is ignored
where the network sent it or it came too late (a SIP leg, a re-INVITE). Expected noise is a row back
to the same state; the pictures leave those out.
"""
_ENDINGS = """## Every way to end

The two tables have the result of each way to end a payment, its mask or its call, in each stage:

- in bold the following stage, with the outcome, as in `/v1/payments` and the call record;
- the charge at the provider;
- the mask on the path to the agent. A mask that is on lets no key through; only an approval, a
  release, or the release time without a key opens it.

"No call record" means that only the killed process knew the call; its payment is in
`/v1/payments`. A call to a carrier is joined with an open line alone: a masked one refuses the
REFER (603). The source is `tests/endings.py`; `tests/wire/payments/test_endings.py` walks every
cell that can occur, on a running Tonewall.
"""
MACHINES: tuple[tuple[str, str, Mapping[Any, Mapping[Any, Any]]], ...] = (
    ("A call's two legs", "b2bua/call/state.py, BRIDGE_TRANSITIONS", call.BRIDGE_TRANSITIONS),
    (
        "A renegotiation between the legs",
        "b2bua/call/renegotiation_states.py",
        renegotiation_states.RENEGOTIATION_TRANSITIONS,
    ),
    ("The mask", "b2bua/call/state.py, MASK_TRANSITIONS", call.MASK_TRANSITIONS),
    ("A payment, as the agent sees it", "b2bua/call/state.py, CAPTURE_TRANSITIONS", call.CAPTURE_TRANSITIONS),
    ("A payment link", "b2bua/call/state.py, LINK_TRANSITIONS", call.LINK_TRANSITIONS),
    ("A prepared payment", "b2bua/call/state.py, PREPARED_TRANSITIONS", call.PREPARED_TRANSITIONS),
    (
        "A form without an agent",
        "b2bua/call/unattended_states.py, STEP_TRANSITIONS",
        unattended_states.STEP_TRANSITIONS,
    ),
    (
        "A transfer",
        "b2bua/call/transfer/states.py, TRANSFER_TRANSITIONS",
        transfer_state.TRANSFER_TRANSITIONS,
    ),
    (
        "A leg on loan to another call",
        "b2bua/call/transfer/leg_loan.py, LOAN_TRANSITIONS",
        loan.LOAN_TRANSITIONS,
    ),
    ("A drain", "b2bua/switchboard/draining.py", draining.DRAIN_TRANSITIONS),
    ("A capture, in the media process", "media/capture/transitions.py", transitions.TRANSITIONS),
    ("INVITE client transaction", "b2bua/sip/transaction/invite_client.py", invite_client.TRANSITIONS),
    ("INVITE server transaction", "b2bua/sip/transaction/invite_server.py", invite_server.TRANSITIONS),
    (
        "Non-INVITE client transaction",
        "b2bua/sip/transaction/non_invite_client.py",
        non_invite_client.TRANSITIONS,
    ),
    (
        "Non-INVITE server transaction",
        "b2bua/sip/transaction/non_invite_server.py",
        non_invite_server.TRANSITIONS,
    ),
    ("A 2xx until its ACK", "b2bua/sip/leg/reliable_answer.py", reliable_answer.TRANSITIONS),
    ("Session timer", "b2bua/sip/leg/session_timer.py", session_timer.TRANSITIONS),
    ("Dialog", "b2bua/sip/leg/dialog.py", dialog.TRANSITIONS),
    ("A SIP leg", "b2bua/sip/leg/leg_state.py", leg_state.TRANSITIONS),
    ("A re-INVITE", "b2bua/sip/leg/reinvite.py", reinvite.TRANSITIONS),
    ("A REFER and its subscription", "b2bua/sip/leg/referral.py", referral.TRANSITIONS),
    ("A registration at a trunk", "b2bua/sip/trunk/registration.py", registration.TRANSITIONS),
    ("A hop's health", "b2bua/sip/trunk/health.py", health.TRANSITIONS),
)


def page() -> str:
    """The whole of docs/states.md."""
    sections = (_section(*machine) for machine in MACHINES)
    return "\n".join([_HEAD, *sections, _ENDINGS, *endings.tables(), ""])


def _rules(home: str) -> list[str]:
    """The rules for keys in the machine's module, beyond its table."""
    if home != "media/capture/transitions.py":
        return []
    text = keying.__doc__ or ""
    return ["", text[text.index("Keys: ") :].strip()]


def _section(title: str, home: str, table: Mapping[Any, Mapping[Any, Any]]) -> str:
    first = next(iter(table))
    meaning = _paragraphs(inspect.cleandoc(type(first).__doc__ or "").split("\n\n")[0])
    arrows: dict[tuple[str, str], list[str]] = {}
    for state, row in table.items():
        for event, target in row.items():
            for end in target if isinstance(target, tuple | frozenset | set) else (target,):
                arrows.setdefault((_name(state), _name(end)), []).append(_name(event))
    lines = [f"## {title}", "", *meaning, "", f"Source: `{home}`.", *_rules(home), ""]
    lines += ["```mermaid", "stateDiagram-v2"]
    entered = {end for begin, end in arrows if begin != end}
    lines += [
        f"    [*] --> {_name(state)}" for state in table if state is first or _name(state) not in entered
    ]
    lines += [
        f"    {begin} --> {end}: {_wrapped(events)}"
        for (begin, end), events in arrows.items()
        if begin != end
    ]
    lines += ["```", "", "| in | on | to |", "|---|---|---|"]
    lines += [
        f"| {begin} | {', '.join(some)} | {end} |"
        for (begin, end), events in arrows.items()
        for some in _batches(events)
    ]
    return "\n".join([*lines, ""])


def _paragraphs(text: str) -> list[str]:
    return textwrap.wrap(" ".join(text.split()), 100, break_long_words=False, break_on_hyphens=False)


def _batches(events: list[str]) -> list[list[str]]:
    """The events of an arrow, some a row: a table has to fit a screen."""
    return [events[first : first + _EVENTS_A_ROW] for first in range(0, len(events), _EVENTS_A_ROW)]


def _name(thing: object) -> str:
    if isinstance(thing, Enum):
        return thing.name
    return thing.__name__ if isinstance(thing, type) else str(thing)


def _wrapped(events: Iterable[str]) -> str:
    return " / ".join(events)


def main() -> int:
    """Write the page, or with `--check` say whether it is stale."""
    return write_or_check(PAGE, page())


if __name__ == "__main__":
    raise SystemExit(main())
