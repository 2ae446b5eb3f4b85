"""docs/headers.md, from the table that decides: `python -m tests.architecture.policy [--check]`."""

from __future__ import annotations

import sys
from pathlib import Path

from b2bua.sip.message.header_policy import ALL, MAX_BYTES, MessageClass, Rule

PAGE = Path(__file__).parents[2] / "docs" / "headers.md"
_HEAD = f"""# What crosses from leg to leg

From the table in `b2bua/sip/message/header_policy.py` by `make docs`; `make check` fails when this
page is stale.

**A header that is not in this table crosses nowhere.** Via, Contact, Call-ID, tags, Route and
Record-Route, User-Agent and Server, Authorization and all others of ours are written anew on each
leg, as are the origin, the addresses and the ports of session descriptions; what a peer says there
of itself (its name, page, mail address, tool) goes. A phrase that names a host becomes the code's
own. The user and the name of who calls and who is called cross as they came.

- **Trust.** A carrier or PBX with `trust = yes` is believed who calls, and told what others may not
  know. "Accepted from" says whose header is believed, "sent to" who receives it.
- **Privacy.** Where the caller asks for it (`Privacy`, RFC 3323), the headers with a word in the
  last column are withheld from trunks that are not trusted.
- **While a card is keyed** nothing of this crosses from the customer's side but the numbers of a
  Reason.
- `x_headers` of a trunk names the X- and P- headers that are sent to it. They cross as they came,
  with whatever is in them, a host of the other side too: name only those that may. One that has a
  rule of its own in this table cannot be named.
- Values are cut off by number and length; {MAX_BYTES:,} bytes cross in one message at most.

| header | in | accepted from | sent to | what becomes of it | at most | withheld with |
|---|---|---|---|---|---|---|
"""


def page() -> str:
    """The whole of docs/headers.md."""
    return _HEAD + "".join(f"{_row(rule)}\n" for rule in ALL)


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
        rule.meaning.replace("|", "\\|"),
        most,
        private,
    )
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Write the page, or with `--check` say whether it is stale."""
    if "--check" not in sys.argv:
        PAGE.write_text(page())
        return 0
    if PAGE.exists() and PAGE.read_text() == page():
        return 0
    print("docs/headers.md is stale: run `make docs` and commit it")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
