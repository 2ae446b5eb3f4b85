"""What the telephones of tests/paper.py, and the agent, may do next."""

from __future__ import annotations

from typing import Any

ENDS = ("carrier", "pbx")
# Seconds between two steps: of what is due at the very same moment, either may be the first.
APART = 0.013
STEPS: dict[str, Any] = {
    "ring": lambda world: world.pbx.says(180),
    "ring reliably": lambda world: world.pbx.says(183, reliably=True),
    "answer": lambda world: world.pbx.says(200),
    "refuse": lambda world: world.pbx.says(486),
    "fail over": lambda world: world.pbx.says(503),
    "challenge": lambda world: world.pbx.says(
        407, Proxy_Authenticate='Digest realm="pbx", nonce="abc", algorithm=SHA-256, qop="auth"'
    ),
    "cancel": lambda world: world.carrier.cancels(),
    "refer": lambda world: world.pbx.asks(
        "REFER", Refer_To="<sip:other@pbx.example>", Referred_By="<sip:desk@pbx.example>"
    ),
    "capture": "start",
    "give up capture": "cancel",
    "a moment": 0.3,
    "a while": 5.0,
    "half a session": 46.0,
    "a minute": 61.0,
}
for end in ENDS:
    STEPS |= {
        f"{end} says yes": lambda world, end=end: getattr(world, end).says(200),
        f"{end} says not now": lambda world, end=end: getattr(world, end).says(491),
        f"{end} says no": lambda world, end=end: getattr(world, end).says(488),
        f"{end} acknowledges": lambda world, end=end: getattr(world, end).acknowledges(),
        f"{end} pracks": lambda world, end=end: getattr(world, end).pracks(),
        f"{end} re-invites": lambda world, end=end: getattr(world, end).asks(
            "INVITE", getattr(world, end).describes()
        ),
        f"{end} updates": lambda world, end=end: getattr(world, end).asks("UPDATE"),
        f"{end} hangs up": lambda world, end=end: getattr(world, end).asks("BYE"),
        f"{end} repeats itself": lambda world, end=end: (
            getattr(world, end).last and getattr(world, end).send(getattr(world, end).last)
        ),
    }
