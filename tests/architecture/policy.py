"""docs/headers.md, from the table that decides: `python -m tests.architecture.policy [--check]`."""

from __future__ import annotations

import textwrap
from pathlib import Path

from b2bua.sip.message.header_policy import ALL, MAX_BYTES, MessageClass, Rule
from tests.architecture.generated import write_or_check

PAGE = Path(__file__).parents[2] / "docs" / "headers.md"
_HEAD = f"""# Headers: the policy from leg to leg

This page lists every SIP header that crosses from one leg to the other, and its conditions. It is
generated from the table in `b2bua/sip/message/header_policy.py` by `make docs`; `make check` fails
when it is stale.

**A header that is not in this table does not cross.** Via, Contact, Call-ID, tags, Route and
Record-Route, User-Agent and Server, Authorization and all other headers are generated on each leg.
So are the origin, the addresses and the ports of session descriptions; a peer's description of
itself there (its name, page, mail address, tool) is removed. A reason phrase that names a host
becomes the code's own. The user and the display name of caller and callee cross unchanged.

- **Trust.** A carrier or PBX with `trust = yes` is believed about the identity of callers, and
  receives data that others may not. "Accepted from" names the trunks whose header counts, "sent to"
  those that receive it.
- **Privacy.** Where the caller requests it (`Privacy`, RFC 3323), a header with a word in the last
  column is withheld from trunks that are not trusted.
- **While a card is keyed** none of these headers crosses from the customer's side, except the
  numbers of a Reason.
- **`x_headers`** of a trunk names the X- and P- headers that are sent to it. They cross unchanged,
  with a host of the other side too: name only those that may. A header with a row of its own in
  this table cannot be named.
- **Size.** Values are limited by number and length; {MAX_BYTES:,} bytes at most cross in one
  message.

| header | in | accepted from | sent to | at most | withheld with |
|---|---|---|---|---|---|
"""
_VALUES = """
## Values

The values that cross, by header:

"""


def page() -> str:
    """The whole of docs/headers.md."""
    rows = "".join(f"{_row(rule)}\n" for rule in ALL)
    return _HEAD + rows + _VALUES + "".join(f"{_value(rule)}\n" for rule in ALL)


def _value(rule: Rule) -> str:
    return textwrap.fill(
        f"- `{rule.name}`: {rule.meaning}",
        100,
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _row(rule: Rule) -> str:
    moments = (
        "all"
        if rule.crosses_in == frozenset(MessageClass)
        else ", ".join(each for each in MessageClass if each in rule.crosses_in)
    )
    private = ", ".join(f"`{word}`" for word in sorted(rule.hidden_with))
    most = f"{rule.max_values} of {rule.max_length} characters"
    cells = (
        f"`{rule.name}`",
        moments,
        rule.accepted_from,
        rule.sent_to,
        most,
        private,
    )
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Write the page, or with `--check` say whether it is stale."""
    return write_or_check(PAGE, page())


if __name__ == "__main__":
    raise SystemExit(main())
